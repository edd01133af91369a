"""Base class of the vocoders."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from emoquant.audio.mel import MelSettings


class Vocoder(nn.Module, ABC):
    """Turn logarithmic mel spectrograms into waveforms, one utterance at a time, so that batches have no influence.

    Attributes:
        mel: Settings of the mel spectrograms that it takes.
    """

    mel: MelSettings

    def forward(self, mels: Tensor, lengths: Tensor, f0: Tensor, voiced: Tensor) -> Tensor:
        """Return waveforms ``(B, T * hop)`` float32 within [-1, 1], zeros past ``lengths * hop``.

        Args:
            mels: Logarithmic mel spectrograms, ``(B, T, M)``.
            lengths: Frames of each utterance, ``(B,)`` int64.
            f0: Fundamental frequency in Hz, ``(B, T)``; vocoders that need only the mels ignore it.
            voiced: Whether a frame is voiced, ``(B, T)`` bool.

        Raises:
            ValueError: The shapes do not fit or a length is not in ``[1, T]``.
        """
        batch, frames, bands = mels.shape if mels.ndim == 3 else (0, 0, 0)
        fits = lengths.shape == (batch,) and f0.shape == voiced.shape == (batch, frames) and bands == self.mel.mels
        if not batch or not fits or int(lengths.min()) < 1 or int(lengths.max()) > frames:
            raise ValueError(
                f"expected mels (B, T, {self.mel.mels}), lengths (B,) in [1, T], f0 and voiced (B, T), got "
                f"{tuple(mels.shape)}, {lengths.tolist()}, {tuple(f0.shape)} and {tuple(voiced.shape)}"
            )
        out = torch.zeros(batch, frames * self.mel.hop, device=mels.device)
        with torch.autocast(mels.device.type, enabled=False):
            for row, length in enumerate(lengths.tolist()):
                part = slice(0, length)
                samples = self.render(mels[row, part].float(), f0[row, part].float(), voiced[row, part].bool())
                out[row, : length * self.mel.hop] = samples / samples.abs().max().clamp_min(1.0)
        return out

    @abstractmethod
    def render(self, mels: Tensor, f0: Tensor, voiced: Tensor) -> Tensor:
        """Return the waveform ``(T * hop,)`` of one utterance.

        Args:
            mels: Logarithmic mel spectrogram, ``(T, M)`` float32.
            f0: Hz, ``(T,)`` float32.
            voiced: Whether a frame is voiced, ``(T,)`` bool.
        """
