"""What an encoder recognises when speech is cut, whole as recorded, cut by its level, or has noise at both ends.

``python benchmarks/silence.py`` prints, for every corpus of ``configs/data/emotion2vec_tiny.yaml``, the recall over the
five emotions of the study (no other class may be recognised) on the test split, under four conditions:

* cut: the part that the corpus names (``speech_start`` to ``speech_end``);
* whole: the file as it is;
* trimmed: the file, cut by :func:`emoquant.audio.trimming.trimmed`;
* noise: what is cut, with a second of white noise before and after it, 50 dB below its own level (root mean square).

For each it says which share of the utterances keeps the class (of all nine) that it has when cut. Other encoders:
``--encoder DIRECTORY ...``; other speakers: ``--split validation --validation 0.25`` takes the validation split, made
larger; it is in training unless the encoder was trained without it.
"""

import argparse
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch
from jsonargparse import ArgumentParser
from torch import Tensor

from emoquant.audio.loading import read_audio
from emoquant.audio.trimming import TRIM, trimmed
from emoquant.data.base import Utterance
from emoquant.data.module import AudioDataModule
from emoquant.encoders import Emotion2Vec
from emoquant.labels import STUDY_EMOTIONS, canonical_emotion

RATE = 16_000
CONDITIONS = ("cut", "whole", "trimmed", "noise")


def speech(utterance: Utterance, condition: str, noise: float, random: np.random.Generator) -> Tensor:
    """Return the samples of an utterance under a condition; noise is in dB of its level."""
    if condition in ("whole", "trimmed"):
        return trimmed(read_audio(utterance.path), RATE, TRIM if condition == "trimmed" else None)
    samples = read_audio(utterance.path, utterance.start, utterance.end)
    if condition == "cut":
        return samples
    level = float(samples.square().mean().sqrt()) * 10 ** (noise / 20)
    before, after = torch.from_numpy(random.standard_normal((2, RATE)).astype(np.float32)) * level
    return torch.cat([before, samples, after])


@torch.inference_mode()
def logits(encoder: Emotion2Vec, waveforms: Sequence[Tensor], seconds: float = 60.0) -> Tensor:
    """Return the scores of the encoder's own head for utterances, ``(N, C)``."""
    head, found = encoder.head(), torch.empty(0)
    order = sorted(range(len(waveforms)), key=lambda row: len(waveforms[row]))
    while order:
        longest = len(waveforms[order[-1]])
        rows, order = order[-max(1, int(seconds * RATE / longest)) :], order[: -max(1, int(seconds * RATE / longest))]
        batch = torch.nn.utils.rnn.pad_sequence([waveforms[row] for row in rows], batch_first=True)
        features, frames = encoder(batch, torch.tensor([len(waveforms[row]) for row in rows]))
        scores = head(features.sum(1) / frames[:, None])
        if not len(found):
            found = torch.empty(len(waveforms), scores.shape[1])
        found[rows] = scores
    return found


def recall(scores: Tensor, labels: Sequence[str], emotions: Sequence[str]) -> float:
    """Return the mean over emotions of the share that is recognised where only those of the study may be."""
    names = np.array([canonical_emotion(label) for label in labels])
    outside = torch.from_numpy(~np.isin(names, STUDY_EMOTIONS))
    heard, truth = names[scores.masked_fill(outside, -torch.inf).argmax(1).numpy()], np.array(emotions)
    return float(np.mean([(heard[truth == emotion] == emotion).mean() for emotion in np.unique(truth)]))


def groups(corpora: Sequence[tuple[str, Sequence[Utterance]]], split: str) -> Mapping[str, list[Utterance]]:
    """Return the utterances of a split by corpus and, where it has both, by known and new speakers."""
    found: dict[str, list[Utterance]] = {}
    for name, every in corpora:
        known = {utterance.speaker for utterance in every if utterance.split == "train"}
        for utterance in every:
            if utterance.split == split and utterance.emotion in STUDY_EMOTIONS:
                kind = "known speakers" if utterance.speaker in known else "new speakers"
                found.setdefault(f"{name}, {kind}", []).append(utterance)
    return found


def rows(encoder: Emotion2Vec, chosen: Mapping[str, list[Utterance]], noise: float) -> Iterable[str]:
    """Yield the rows of the table of an encoder."""
    for name, utterances in chosen.items():
        emotions, first, cells = [utterance.emotion for utterance in utterances], None, []
        for condition in CONDITIONS:
            random = np.random.default_rng(0)
            scores = logits(encoder, [speech(utterance, condition, noise, random) for utterance in utterances])
            heard = scores.argmax(1)
            first = heard if first is None else first
            cells.append(
                f"{recall(scores, encoder.labels, emotions):.3f} ({float((heard == first).float().mean()):.2f})"
            )
        yield f"| {name} | {len(utterances)} | {' | '.join(cells)} |"


def main() -> None:
    """Print a table for every encoder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", nargs="+", default=["checkpoints/emotion2vec-tiny"])
    parser.add_argument("--data", default="configs/data/emotion2vec_tiny.yaml")
    parser.add_argument("--split", choices=("test", "validation"), default="test")
    parser.add_argument("--validation", type=float, help="share of the validation speakers, where a corpus has it")
    parser.add_argument("--noise", type=float, default=-50.0, help="level of the noise, in dB of the speech's")
    args = parser.parse_args()
    torch.set_num_threads(1)
    settings = ArgumentParser()
    settings.add_subclass_arguments(AudioDataModule, "data")
    data = settings.instantiate(settings.parse_args(["--data", args.data])).data
    data.prepare_data()
    for corpus in data.corpora:
        if args.validation is not None and hasattr(corpus, "validation"):
            corpus.validation = args.validation
    chosen = groups([(corpus.name, corpus.utterances()) for corpus in data.corpora], args.split)
    for model in args.encoder:
        print(f"{model}, {args.split}: recall (share that keeps its class)")
        print(f"| corpus | n | {' | '.join(CONDITIONS)} |\n|---|---|{'---|' * len(CONDITIONS)}")
        for row in rows(Emotion2Vec(model).eval(), chosen, args.noise):
            print(row, flush=True)


if __name__ == "__main__":
    main()
