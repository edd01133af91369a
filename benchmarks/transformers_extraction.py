"""Speed of extraction by a model of transformers: its own loop against ours, in turns, at the size of WavLM base.

``python benchmarks/transformers_extraction.py`` makes a WavLM of random weights and encodes noise of the lengths of
acted utterances one by one. Read the ratio of CPU times. Nothing is downloaded.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import torch
from extraction import RATE, mixed_waves

from emoquant.audio._torchaudio import ensure_torchaudio
from emoquant.encoders import TransformersEncoder


def write_model(folder: str) -> None:
    """Write a WavLM of the size of its base model, with random weights."""
    ensure_torchaudio()
    from transformers import Wav2Vec2FeatureExtractor, WavLMConfig, WavLMModel

    torch.manual_seed(0)
    WavLMModel(WavLMConfig()).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=False, return_attention_mask=False).save_pretrained(folder)


def by_transformers(folder: str) -> Callable[[np.ndarray], torch.Tensor]:
    """Return transformers' own way."""
    from transformers import AutoFeatureExtractor, WavLMModel

    front_end, model = AutoFeatureExtractor.from_pretrained(folder), WavLMModel.from_pretrained(folder).eval()

    def encode(wave: np.ndarray) -> torch.Tensor:
        found: torch.Tensor = model(**front_end(wave, sampling_rate=RATE, return_tensors="pt")).last_hidden_state
        return found[0]

    return encode


@torch.inference_mode()
def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--utterances", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as folder:
        write_model(folder)
        theirs, encoder = by_transformers(folder), TransformersEncoder(folder).eval()
        waves = mixed_waves(arguments.utterances)

        def ours(wave: np.ndarray) -> torch.Tensor:
            return encoder(torch.from_numpy(wave)[None], torch.tensor([len(wave)]))[0][0]

        apart = max(float((ours(wave) - theirs(wave)).abs().max()) for wave in waves[:2])
        ratios = []
        for _ in range(arguments.rounds):
            spent = []
            for way in (theirs, ours):
                begin = time.process_time()
                for wave in waves:
                    way(wave)
                spent.append(time.process_time() - begin)
            ratios.append(spent[1] / spent[0])
            print(f"transformers {spent[0]:.2f} s, ours {spent[1]:.2f} s of CPU time")
        print(f"largest difference {apart:.1e}; ours over theirs, median of {len(ratios)} rounds: {median(ratios):.3f}")


if __name__ == "__main__":
    main()
