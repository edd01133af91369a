"""Discriminators for the training of vocoders, on periods and on spectrograms, and their losses."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

_SLOPE = 0.1


class Judgement(NamedTuple):
    """Hold the output of a discriminator.

    Attributes:
        scores: Scores of parts of the waveforms, any shape that begins with ``B``; high for real speech.
        layers: Activations of its hidden layers, for the feature matching loss.
    """

    scores: Tensor
    layers: list[Tensor]


class _Judge(nn.Module):
    """Two-dimensional convolutions with a score at the end."""

    def __init__(self, channels: Sequence[int], kernel: tuple[int, int], stride: tuple[int, int], last: int) -> None:
        super().__init__()
        padding = (kernel[0] // 2, kernel[1] // 2)
        strides = [stride] * (len(channels) - 1 - last) + [(1, 1)] * last
        self.convs = nn.ModuleList(
            weight_norm(nn.Conv2d(inputs, outputs, kernel, each, padding))
            for inputs, outputs, each in zip(channels, channels[1:], strides, strict=False)
        )
        self.score = weight_norm(nn.Conv2d(channels[-1], 1, (3, 1), padding=(1, 0)))

    def judge(self, pictures: Tensor) -> Judgement:
        layers = []
        for conv in self.convs:
            pictures = functional.leaky_relu(conv(pictures), _SLOPE)
            layers.append(pictures)
        return Judgement(self.score(pictures), layers)


class PeriodJudge(_Judge):
    """Discriminate waveforms that are folded by a period in samples (HiFi-GAN's period discriminator).

    Args:
        period: The period in samples.
        channels: Channels of the first layer.
    """

    def __init__(self, period: int, channels: int = 32) -> None:
        super().__init__((1, channels, 4 * channels, 16 * channels, 32 * channels, 32 * channels), (5, 1), (3, 1), 1)
        self.period = period

    def forward(self, waveforms: Tensor) -> Judgement:
        """Return scores and activations for waveforms ``(B, N)``."""
        padded = functional.pad(waveforms.unsqueeze(1), (0, -waveforms.shape[1] % self.period), mode="reflect")
        return self.judge(padded.view(len(waveforms), 1, -1, self.period))


class ResolutionJudge(_Judge):
    """Discriminate waveforms by a magnitude spectrogram (UnivNet's resolution discriminator, Jang et al. 2021).

    Args:
        n_fft: Points of the Fourier transform; the hop is a quarter of it.
        channels: Channels of every layer.
    """

    def __init__(self, n_fft: int, channels: int = 32) -> None:
        super().__init__((1, *(channels,) * 5), (3, 9), (1, 2), 2)
        self.n_fft = n_fft

    def forward(self, waveforms: Tensor) -> Judgement:
        """Return scores and activations for waveforms ``(B, N)``."""
        with torch.autocast(waveforms.device.type, enabled=False):
            window = torch.hann_window(self.n_fft, device=waveforms.device)
            hop = self.n_fft // 4
            spectra = torch.stft(waveforms.float(), self.n_fft, hop, self.n_fft, window, return_complex=True)
            pictures = spectra.abs().transpose(1, 2).unsqueeze(1)
        return self.judge(pictures)


class Judges(nn.Module):
    """Apply several discriminators to the same waveforms; they have equal weight in the losses.

    Args:
        judges: The discriminators.
    """

    def __init__(self, judges: Sequence[_Judge]) -> None:
        super().__init__()
        self.judges = nn.ModuleList(judges)

    def forward(self, waveforms: Tensor) -> list[Judgement]:
        """Return the output of every discriminator for waveforms ``(B, N)``."""
        return [judge(waveforms) for judge in self.judges]


def judge_loss(real: list[Judgement], fake: list[Judgement]) -> Tensor:
    """Return the discriminators' hinge loss, a scalar, mean over discriminators.

    It is 0 if real speech scores above 1 and synthetic speech below -1.
    """
    each = [
        functional.relu(1 - right.scores.float()).mean() + functional.relu(1 + wrong.scores.float()).mean()
        for right, wrong in zip(real, fake, strict=True)
    ]
    return torch.stack(each).mean()


def fooling_loss(fake: list[Judgement]) -> Tensor:
    """Return the generator's hinge loss, a scalar, mean over discriminators; it is 0 if its speech scores above 1."""
    return torch.stack([functional.relu(1 - wrong.scores.float()).mean() for wrong in fake]).mean()


def matching_loss(real: list[Judgement], fake: list[Judgement]) -> Tensor:
    """Return the feature matching loss: mean absolute difference of the activations for real and synthetic speech.

    A scalar, mean over discriminators and layers; only the activations for synthetic speech have a gradient.
    """
    each = [
        (left.detach().float() - right.float()).abs().mean()
        for one, other in zip(real, fake, strict=True)
        for left, right in zip(one.layers, other.layers, strict=True)
    ]
    return torch.stack(each).mean()
