"""Logarithmic mel spectra as frame features: an encoder without weights, which learned from no data."""

import hashlib

import torch
from torch import Tensor

from emoquant.audio.mel import MelSettings
from emoquant.encoders.base import EmotionHead, FrameEncoder
from emoquant.types import length_mask


class LogMelEncoder(FrameEncoder):
    """Computes natural logarithms of mel magnitudes, 50 frames a second: the baseline of learned encoders.

    Frames are windows of 25 ms every 20 ms, centred on the middle of their 320 samples; zeros lie outside the
    utterance. The level of the recording is heard.

    Args:
        mels: Mel bands from 0 to 8 kHz, ``D``.
        scale: What the logarithms are multiplied by, so that lambdas mean the same as with other encoders.

    Raises:
        ValueError: A number is not positive.
    """

    def __init__(self, mels: int = 80, scale: float = 1.0) -> None:
        super().__init__()
        if not scale > 0:
            raise ValueError(f"scale is {scale}, expected a positive number")
        self.dim, self.scale = mels, scale
        self.mel = MelSettings(
            sample_rate=self.sample_rate, n_fft=512, hop=320, window=400, mels=mels, eps=1e-4, padding="constant"
        )
        self.frame_rate = self.mel.frame_rate

    def forward(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return frames ``(B, T, D)`` and their number ``(B,)``; see the base class."""
        counts = self.checked_counts(waveforms, lengths, self.mel.hop)
        samples = waveforms.float().masked_fill(~length_mask(lengths, waveforms.shape[1]), 0.0)
        frames = self.scale * self.mel(samples)[:, : int(counts.max())]
        return frames.masked_fill(~length_mask(counts, frames.shape[1]).unsqueeze(-1), 0.0), counts

    def frame_lengths(self, lengths: Tensor) -> Tensor:
        """Return the frames of waveforms of these lengths (samples), ``(B,)`` int64; 0 below 20 ms."""
        return torch.div(lengths, self.mel.hop, rounding_mode="floor")

    def fingerprint(self) -> str:
        """Return a digest of the settings."""
        return hashlib.sha256(f"LogMelEncoder {self.scale} {sorted(self.mel.to_dict().items())}".encode()).hexdigest()

    def head(self) -> EmotionHead:
        """Raise: there is no head.

        Raises:
            ValueError: Always.
        """
        raise ValueError("log-mel frames have no classification head; train a probe on them: emoquant fit probe")
