from pathlib import Path

import numpy as np
import pytest
import torch

from emoquant.data.base import Utterance
from emoquant.data.sampling import BucketSampler, Rows
from emoquant.voice.data.dataset import REFERENCE_ROOM, VoiceDataset, VoiceLabels
from emoquant.voice.data.items import VoiceItem


def stub(length):
    """Return an item of one phone."""
    one, track = np.ones(1, np.int64), np.ones(length, np.float32)
    return VoiceItem(["a"], one, length * one, np.zeros((length, 1), np.float16), track, track > 0)


@pytest.mark.parametrize("reference", ["other", "both"])
def test_references_are_bounded_like_the_batch(reference):
    random = np.random.default_rng(0)
    lengths = np.exp(random.uniform(np.log(60), np.log(1250), 300)).astype(int)  # 1 to 20 s
    where = [Utterance(str(row), Path(f"{row}.wav"), "sad", "x", "train", "a") for row in range(300)]
    alone = np.zeros(300, np.int64)
    labels = VoiceLabels(alone, alone, torch.zeros(300, 2))
    frames = [torch.zeros(int(length), 1) for length in lengths]
    dataset = VoiceDataset(where, [stub(int(length)) for length in lengths], frames, labels, ["a"], reference)
    others = 0
    for index in BucketSampler(dataset.lengths, 4000, seed=0):
        batch = dataset[index]
        assert batch.style.mels.shape[:2].numel() <= REFERENCE_ROOM * max(4000, batch.mels.shape[1])
        assert batch.emotion_frames.shape[1] == batch.style.mels.shape[1]
        others += int((batch.style.lengths != batch.mel_lengths).sum())
    assert others > (250 if reference == "other" else 110), "nearly every item has another reference"
    few = VoiceDataset(
        where[:2], [stub(60), stub(91)], frames, VoiceLabels(alone[:2], alone[:2], labels.vectors), ["a"], reference
    )
    assert few[Rows(np.array([0]), 0)].style.lengths.tolist() == [60], "none is short enough"
