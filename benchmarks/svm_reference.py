"""What a support vector machine on statistics of an utterance recognises: the scale for the figures of an encoder.

``python benchmarks/svm_reference.py`` trains one for each corpus of ``configs/data/emotion2vec_tiny.yaml``, on the
training speakers of that corpus alone, and prints the recall on its test split. ``--speakers`` adds one training for
every speaker, on all the others, and one for every pair of speakers: how much the choice of test speakers decides.
"""

import argparse
import itertools
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from jsonargparse import ArgumentParser
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from emoquant.audio.loading import read_audio
from emoquant.data.base import Utterance
from emoquant.data.module import AudioDataModule
from emoquant.encoders.acoustics import AcousticTargets
from emoquant.encoders.frames import normalize_waveforms
from emoquant.labels import STUDY_EMOTIONS

RATE, HOP, FIELD, MELS = 16_000, 320, 960, 40


def statistics(utterance: Utterance, targets: AcousticTargets) -> np.ndarray:
    """Means, deviations and quantiles of log-mel spectrum and autocorrelation, of the pitch lag, and the length."""
    wave = torch.as_tensor(read_audio(utterance.path, utterance.start, utterance.end, RATE))[None]
    wave = normalize_waveforms(wave, torch.tensor([wave.shape[1]]))
    frames = targets(wave, (wave.shape[1] - FIELD) // HOP + 1, HOP, FIELD)[0].numpy()
    periodicity = frames[:, MELS : MELS + 48]
    strength, lag = periodicity.max(1), periodicity.argmax(1)
    voiced = lag[strength >= np.quantile(strength, 0.5)]
    pitch = [voiced.mean(), voiced.std(), *np.quantile(voiced, [0.1, 0.5, 0.9]), len(frames)]
    spread = np.quantile(frames, [0.1, 0.9], 0).ravel()
    return np.concatenate(
        [frames.mean(0), frames.std(0), spread, np.abs(np.diff(frames[:, :MELS], axis=0)).mean(0), pitch]
    )


def recalls(train: np.ndarray, points: np.ndarray, emotions: np.ndarray) -> dict[str, float]:
    """Train on some utterances and return the recall of every emotion on the others."""
    machine = make_pipeline(StandardScaler(), SVC(C=10, gamma="scale", class_weight="balanced"))
    found, truth = machine.fit(points[train], emotions[train]).predict(points[~train]), emotions[~train]
    return {emotion: float((found[truth == emotion] == emotion).mean()) for emotion in np.unique(truth).tolist()}


def line(name: str, by_emotion: dict[str, float], n: int) -> str:
    """A row of the table."""
    cells = " ".join(f"{emotion} {value:.2f}" for emotion, value in by_emotion.items())
    return f"{name:<34} UAR {np.mean(list(by_emotion.values())):.3f}  n {n:<4} {cells}"


def of_speakers(points: np.ndarray, emotions: np.ndarray, speakers: np.ndarray) -> Iterable[str]:
    """Rows of trainings without one speaker each, and the spread over pairs of speakers."""
    names = np.unique(speakers).tolist()
    for name in names:
        yield line(f"  without {name}", recalls(speakers != name, points, emotions), int((speakers == name).sum()))
    pairs = {}
    for pair in itertools.combinations(names, 2):
        pairs[pair] = np.mean(list(recalls(~np.isin(speakers, pair), points, emotions).values()))
    order = sorted(pairs, key=lambda pair: pairs[pair])
    for rank in sorted({0, 1, len(order) // 2, len(order) - 1}):
        yield f"  pair {rank + 1} of {len(order)}: {' + '.join(order[rank]):<24} UAR {pairs[order[rank]]:.3f}"


def measured(corpora: Sequence[tuple[str, Sequence[Utterance]]], by_speaker: bool) -> Iterable[str]:
    """Rows of every corpus."""
    targets = AcousticTargets()
    for name, every in corpora:
        chosen = [utterance for utterance in every if utterance.emotion in STUDY_EMOTIONS]
        points = np.stack([statistics(utterance, targets) for utterance in chosen])
        emotions, speakers, splits = (
            np.array([getattr(utterance, field) for utterance in chosen]) for field in ("emotion", "speaker", "split")
        )
        train = splits != "test"
        yield line(f"{name}, test split", recalls(train, points, emotions), int((~train).sum()))
        if by_speaker:
            yield from of_speakers(points, emotions, speakers)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="configs/data/emotion2vec_tiny.yaml", help="data module with the corpora")
    parser.add_argument("--corpora", nargs="+", help="names of the corpora to measure; all by default")
    parser.add_argument("--speakers", action="store_true", help="also leave every speaker and every pair out")
    options = parser.parse_args()
    torch.set_num_threads(1)
    made = ArgumentParser()
    made.add_subclass_arguments(AudioDataModule, "data")
    data = made.instantiate(made.parse_args(["--data", options.data])).data
    data.prepare_data()
    corpora = [(c.name, c.utterances()) for c in data.corpora if not options.corpora or c.name in options.corpora]
    for row in measured(corpora, options.speakers):
        print(row, flush=True)


if __name__ == "__main__":
    main()
