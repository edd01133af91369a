"""Speed of the lambda search: the study's recipe against ours (``python benchmarks/search.py``).

Weights are random: a search takes the same steps whatever the weights are. Only look-ahead searches rows of few bits a
second time; the coarse stage's weights are such that about as many rows are as of a trained codec. Every figure is of
this machine and this minute; read the ratios.
"""

import argparse
import math
import time
from collections.abc import Callable

import torch
from study_recipe import PlainTransformer
from study_recipe import search as study_search

from emoquant.codecs import ECVQ, STUDY_LAMBDAS, Nearest
from emoquant.entropy import AutoregressiveModel, EntropyModel, FactorizedModel, LightModel
from emoquant.quantization import GroupedResidualVQ


def make_quantizer(rotation: str = "klt", layers: int = 3, **settings: int | bool) -> GroupedResidualVQ:
    """A quantizer with random codebooks; of the study's size if its layers are three."""
    quantizer = GroupedResidualVQ(12, layers, 128, rotation=rotation, dim=768, **settings)
    spread = torch.tensor([1.0, 0.7, 0.5, 0.35][:layers]).repeat(12)
    quantizer.fine.set(torch.randn_like(quantizer.fine.vectors) * spread.view(-1, 1, 1))
    quantizer.ready.fill_(True)
    return quantizer


CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


def seconds(run: Callable[[], object], arguments: argparse.Namespace, repeats: int = 0) -> float:
    """Least time of a few runs: the one that the rest of the machine disturbed least."""
    clock, times = CLOCKS[arguments.clock], []
    for _ in range(repeats or arguments.repeats):
        start = clock()
        run()
        times.append(clock() - start)
    return min(times)


def codec_speed(model: EntropyModel, utterances: int, arguments: argparse.Namespace, **settings: int | bool) -> float:
    """Frame-lambdas a second of a codec over utterances of 150 frames at the study's 14 lambdas."""
    beam, survivors = int(settings.pop("beam", 1)), int(settings.pop("survivors", 1))
    codec = ECVQ(make_quantizer(**settings), model, STUDY_LAMBDAS, beam=beam, survivors=survivors)
    quiet_coarse_stage(codec)
    features, lengths = torch.randn(utterances, 150, 768), torch.full((utterances,), 150)
    taken = seconds(lambda: codec(features, lengths), arguments)
    return utterances * 150 * len(STUDY_LAMBDAS) / taken


def quiet_coarse_stage(codec: ECVQ) -> None:
    """Make SKIP likely at a coarse stage, so that rows at large lambda spend few bits."""
    if codec.quantizer.coarse and isinstance(codec.entropy, LightModel):
        with torch.no_grad():
            codec.entropy.blocks[0].bias[..., -1] = 8.0


def searched_twice(frames: int = 150) -> float:
    """Share of rows that look-ahead searches a second time."""
    codec = ECVQ(make_quantizer(prediction=True, coarse=1), LightModel(), STUDY_LAMBDAS)
    quiet_coarse_stage(codec)
    coded = codec(torch.randn(2, frames, 768), torch.full((2,), frames))
    return float((coded.bits.mean(2) < math.log2(129)).float().mean())


def study_speed(arguments: argparse.Namespace) -> float:
    """Frame-lambdas a second of the study's recipe on one utterance at one lambda."""
    quantizer, model = make_quantizer("none"), PlainTransformer(36, 129).eval()
    features = torch.randn(arguments.study_frames, 768)
    return arguments.study_frames / seconds(lambda: study_search(quantizer, model, features, 1.0), arguments, 1)


def linearity(arguments: argparse.Namespace) -> None:
    """Print how the time grows with frames, lambdas and beams."""
    codec = ECVQ(make_quantizer(prediction=True, coarse=1), LightModel(), STUDY_LAMBDAS)
    quiet_coarse_stage(codec)
    features, lengths = torch.randn(16, 150, 768), torch.full((16,), 150)
    base = seconds(lambda: codec(features[:8], lengths[:8]), arguments)
    print("\n| what is doubled | time |\n|---|---|")
    print(f"| frames | x {seconds(lambda: codec(features, lengths), arguments) / base:.2f} |")
    double = STUDY_LAMBDAS + tuple(value * 1.3 + 0.01 for value in STUDY_LAMBDAS)
    print(f"| lambdas | x {seconds(lambda: codec(features[:8], lengths[:8], double), arguments) / base:.2f} |")
    for beam in (2, 4):
        codec.beam = beam
        print(f"| beam 1 to {beam} | x {seconds(lambda: codec(features[:8], lengths[:8]), arguments, 1) / base:.2f} |")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="threads of torch")
    parser.add_argument("--utterances", type=int, default=32, help="utterances of 150 frames for the fast searches")
    parser.add_argument("--study-frames", type=int, default=50, help="frames for the study's recipe")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each search, the fastest counts")
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="cpu on a machine that has other work to do")
    parser.add_argument("--full", action="store_true", help="run the sweep over 75,000 frames instead of extrapolating")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    study = study_speed(arguments)
    few, many = max(1, arguments.utterances // 16), arguments.utterances
    ours: dict[str, int | bool] = {"prediction": True, "coarse": 1, "smoothing": 7}
    rows = {
        "study's recipe (transformer, prefix recomputed, one utterance, one lambda)": study,
        "transformer with key-value cache, 14 lambdas": codec_speed(
            AutoregressiveModel(), 1, arguments, rotation="none"
        ),
        "light model in sequence, frames on their own, raw groups": codec_speed(
            LightModel(256, 0, False), few * 4, arguments, rotation="none"
        ),
        "light model, groups in parallel, frame before": codec_speed(LightModel(), many, arguments),
        "the same, prediction, a coarse stage, smoothing": codec_speed(LightModel(), many, arguments, **ours),
        "**the default: the same with four layers**": (
            default := codec_speed(LightModel(), many, arguments, layers=4, **ours)
        ),
        "the default with look-ahead, 16 survivors": codec_speed(
            LightModel(), many, arguments, layers=4, survivors=16, **ours
        ),
        "the default, beam 4": codec_speed(LightModel(), few * 2, arguments, layers=4, beam=4, **ours),
        "one histogram per position (limit of the search itself)": codec_speed(FactorizedModel(), few, arguments),
    }
    nearest, frames = Nearest(make_quantizer()), torch.randn(many, 150, 768)
    lengths = torch.full((many,), 150)
    rows["nearest codeword, no entropy model (one operating point)"] = (
        many * 150 / seconds(lambda: nearest(frames, lengths), arguments)
    )
    clock = f"{torch.get_num_threads()} threads, {arguments.clock} clock"
    print(f"D = 768, G = 12, three layers where nothing else is said, K = 128, 14 lambdas, {clock}")
    print(f"Look-ahead searches {100 * searched_twice():.0f} % of the rows twice\n")
    print("| search | frame-lambdas a second | against the study | 14 lambdas x 75,000 frames |\n|---|---|---|---|")
    for name, speed in rows.items():
        whole = 14 * 75_000 / speed
        print(f"| {name} | {speed:,.0f} | x {speed / study:,.0f} | {whole / 60:,.1f} min |")
    linearity(arguments)
    if arguments.full:
        codec = ECVQ(make_quantizer(prediction=True, coarse=1), LightModel(), STUDY_LAMBDAS)
        quiet_coarse_stage(codec)
        start = time.perf_counter()
        for _ in range(500 // 20):
            codec(torch.randn(20, 150, 768), torch.full((20,), 150))
        print(f"\n14 lambdas x 75,000 frames, measured: {(time.perf_counter() - start) / 60:.1f} min")
    assert default > study


if __name__ == "__main__":
    main()
