"""Averages the weights of encoders that were trained from one start, with other seeds (Wortsman et al. 2022).

    python benchmarks/average_encoders.py runs/seed0/model runs/seed1/model runs/seed2/model --output runs/average/model

Encoders with one start lie in one valley of the loss, where the mean of weights is about as good as the mean of outputs
(https://arxiv.org/abs/2203.05482). Every tensor is averaged, the head too.
"""

import argparse

import torch

from emoquant.encoders import Emotion2Vec


def average(models: list[str], output: str) -> None:
    """Write the mean of encoders to a model directory.

    Raises:
        ValueError: The encoders are of different shapes or classes.
    """
    encoders = [Emotion2Vec(model) for model in models]
    if any(e.model_conf != encoders[0].model_conf or e.labels != encoders[0].labels for e in encoders):
        raise ValueError(f"{models} differ in their configuration: average encoders that had one start")
    states = [encoder.load().state_dict() for encoder in encoders]
    mean = {name: torch.stack([state[name].double() for state in states]).mean(0) for name in states[0]}
    encoders[0].load().load_state_dict(mean)
    encoders[0].export(output)


def main() -> None:
    """Average what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", help="model directories")
    parser.add_argument("--output", required=True, help="model directory to write")
    args = parser.parse_args()
    average(args.models, args.output)


if __name__ == "__main__":
    main()
