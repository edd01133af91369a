"""What the benchmarks of encoders compute with: pauses, recall, averages of weights."""

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from emoquant.data.base import Utterance
from emoquant.encoders import Emotion2Vec, UntrainedEmotion2Vec

sys.path.insert(0, str(Path(__file__).parent.parent.parent / "benchmarks"))
import average_encoders
import silence

SIZES = {"dim": 32, "depth": 1, "prenet_depth": 1, "heads": 2, "front_end": "[(8, 640, 320)]", "positional_width": 9}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    for seed in range(2):
        torch.manual_seed(seed)
        UntrainedEmotion2Vec(**SIZES).export(folder / str(seed), dtype=torch.float32)
    UntrainedEmotion2Vec(**{**SIZES, "dim": 48}).export(folder / "other")
    return folder


def test_every_weight_is_averaged(models):
    average_encoders.average([str(models / "0"), str(models / "1")], str(models / "mean"))
    first, second, mean = (Emotion2Vec(str(models / name)).load().state_dict() for name in ("0", "1", "mean"))
    for name, weight in mean.items():
        assert torch.allclose(weight, (first[name] + second[name]) / 2, atol=2e-3), name
    with pytest.raises(ValueError, match="differ in their configuration"):
        average_encoders.average([str(models / "0"), str(models / "other")], str(models / "none"))


def test_conditions_of_an_utterance(tmp_path):
    tone = 0.3 * np.sin(np.arange(16_000) / 5)
    soundfile.write(tmp_path / "a.wav", np.pad(tone, 8_000), 16_000)
    utterance = Utterance("a", tmp_path / "a.wav", "sad", "x", "test", start=0.25, end=1.75)
    lengths = {c: len(silence.speech(utterance, c, -50.0, np.random.default_rng(0))) for c in silence.CONDITIONS}
    assert lengths == {"cut": 24_000, "whole": 32_000, "trimmed": pytest.approx(16_000, abs=640), "noise": 56_000}
    noisy = silence.speech(utterance, "noise", -50.0, np.random.default_rng(0))
    spoken = float(silence.speech(utterance, "cut", 0.0, np.random.default_rng(0)).square().mean().sqrt())
    assert float(noisy[:16_000].square().mean().sqrt()) == pytest.approx(spoken * 10**-2.5, rel=0.05)


def test_scores_are_those_of_utterances_alone(models):
    encoder = Emotion2Vec(str(models / "0")).eval()
    torch.manual_seed(0)
    waveforms = [torch.randn(n) for n in (9_000, 30_000, 5_000, 20_000)]
    together = silence.logits(encoder, waveforms, seconds=3.0)
    for row, waveform in zip(together, waveforms, strict=True):
        assert torch.allclose(row, silence.logits(encoder, [waveform])[0], atol=1e-4)


def test_recall_is_over_the_emotions_of_the_study():
    labels = ["sad", "fearful", "happy"]
    scores = torch.tensor([[1.0, 9.0, 0.0], [1.0, 0.0, 2.0], [0.0, 9.0, 1.0]])
    assert silence.recall(scores, labels, ["sad", "sad", "happy"]) == pytest.approx(0.75)


def test_groups_tell_new_speakers_from_known_ones():
    def utterance(speaker, split, emotion="sad"):
        return Utterance(f"{speaker}{split}{emotion}", Path("a"), emotion, speaker, split)

    every = [utterance("a", "train"), utterance("a", "test"), utterance("b", "test"), utterance("a", "test", "fear")]
    found = silence.groups([("own", every)], "test")
    assert {name: [u.id for u in utterances] for name, utterances in found.items()} == {
        "own, known speakers": ["atestsad"], "own, new speakers": ["btestsad"],
    }  # fmt: skip
