"""A voice-like sound as the utterances that codecs code."""

from pathlib import Path

import pytest
import torch

from emoquant.audio_codecs import Clip


def voice(samples, pitch=140.0, seed=0):
    """Return a harmonic sound whose loudness comes and goes, with a little noise."""
    time = torch.arange(samples) / 16_000
    harmonics = sum(torch.sin(2 * torch.pi * pitch * k * time + k) / k for k in range(1, 12))
    noise = torch.randn(samples, generator=torch.Generator().manual_seed(seed))
    return (0.12 * harmonics * (0.6 + 0.4 * torch.sin(2 * torch.pi * 3 * time)) + 0.004 * noise).float()


@pytest.fixture(scope="session")
def clips():
    """Return four utterances of three lengths."""
    lengths = (9000, 16_000, 12_345, 9000)
    return [
        Clip(f"clip-{index}", Path(f"clip-{index}.wav"), voice(length, 120 + 20 * index, index))
        for index, length in enumerate(lengths)
    ]
