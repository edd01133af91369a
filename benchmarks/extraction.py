"""Speed of extraction: funasr's own ``generate`` one by one, ours one by one, ours in batches of mixed lengths.

``python benchmarks/extraction.py`` measures the shipped model, ``--base`` the size of the public base model with random
weights. The three ways take turns in every round, so that what else the machine does falls on all of them; read the
ratios, on a busy machine those of CPU time. Nothing is downloaded.
"""

import argparse
import logging
import tempfile
import time
from collections.abc import Callable

import numpy as np
import torch

from emoquant.audio._torchaudio import ensure_torchaudio
from emoquant.encoders import Emotion2Vec, UntrainedEmotion2Vec

RATE = 16_000


def mixed_waves(count: int, seed: int = 0) -> list[np.ndarray]:
    """Noise of the lengths of acted utterances: 1 to 8 s, most of them 2 to 4 s."""
    random = np.random.default_rng(seed)
    seconds = np.clip(random.lognormal(1.0, 0.45, count), 1.0, 8.0)
    return [0.1 * random.standard_normal(int(RATE * s)).astype(np.float32) for s in seconds]


def by_funasr(path: str) -> Callable[[list[np.ndarray]], object]:
    """Return funasr's own way."""
    ensure_torchaudio()
    from funasr import AutoModel

    threads = torch.get_num_threads()
    model = AutoModel(model=path, disable_update=True, disable_pbar=True, device="cpu", ncpu=threads)
    logging.getLogger().setLevel(logging.ERROR)
    return lambda waves: [model.generate(wave, granularity="frame", disable_pbar=True) for wave in waves]


@torch.inference_mode()
def one_by_one(encoder: Emotion2Vec, waves: list[np.ndarray]) -> None:
    """Encode each utterance alone."""
    for wave in waves:
        encoder(torch.from_numpy(wave)[None], torch.tensor([len(wave)]))


@torch.inference_mode()
def in_batches(encoder: Emotion2Vec, waves: list[np.ndarray], seconds: float) -> None:
    """Encode utterances sorted by length in padded batches of so many seconds, as the data modules do."""
    order = sorted(waves, key=len, reverse=True)
    while order:
        size = max(1, int(seconds * RATE / len(order[0])))
        part, order = order[:size], order[size:]
        padded = torch.nn.utils.rnn.pad_sequence([torch.from_numpy(wave) for wave in part], batch_first=True)
        encoder(padded, torch.tensor([len(wave) for wave in part]))


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="checkpoints/emotion2vec-tiny", help="model directory")
    parser.add_argument("--base", action="store_true", help="the size of the public base model, random weights")
    parser.add_argument("--utterances", type=int, default=120)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=60.0, help="size of a batch in seconds of audio")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as folder:
        if arguments.base:
            UntrainedEmotion2Vec().export(folder)
        path = folder if arguments.base else str(Emotion2Vec(arguments.model).directory.path)
        encoder, funasr = Emotion2Vec(path).eval(), by_funasr(path)
        waves = mixed_waves(arguments.utterances)
        ways: dict[str, Callable[[], object]] = {
            "funasr generate, one by one": lambda: funasr(waves),
            "ours, one by one": lambda: one_by_one(encoder, waves),
            "ours, in batches": lambda: in_batches(encoder, waves, arguments.seconds),
        }
        for way in ways.values():
            way()  # what is made on the first use does not count
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for _ in range(arguments.rounds):
            for name, way in ways.items():
                start, cpu = time.perf_counter(), time.process_time()
                way()
                times[name].append((time.perf_counter() - start, time.process_time() - cpu))
    report(times, sum(map(len, waves)) / RATE)


def report(times: dict[str, list[tuple[float, float]]], audio: float) -> None:
    """Print the medians of the rounds and of the ratios within a round, of wall-clock and of CPU time."""
    first = np.array(next(iter(times.values())))
    print(f"{audio:.0f} s of audio, {torch.get_num_threads()} threads")
    print("| way | seconds | times real time | against funasr | CPU seconds | against funasr |")
    print("|---|---|---|---|---|---|")
    for name, taken in times.items():
        (wall, cpu), (ratio, cpu_ratio) = np.median(taken, 0), np.median(first / np.array(taken), 0)
        print(f"| {name} | {wall:.2f} | {audio / wall:.0f} | {ratio:.2f} | {cpu:.2f} | {cpu_ratio:.2f} |")


if __name__ == "__main__":
    main()
