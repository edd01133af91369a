"""Judges of waveforms for training vocoders: by periods and by spectrograms."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

_SLOPE = 0.1


class Judgement(NamedTuple):
    """What a judge says.

    Attributes:
        scores: Scores of parts of the waveforms, any shape that begins with ``B``; high for real speech.
        layers: Activations on the way.
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
    """Looks at every ``period``-th sample (HiFi-GAN).

    Args:
        period: The period in samples.
        channels: Channels of the first layer.
    """

    def __init__(self, period: int, channels: int = 32) -> None:
        super().__init__((1, channels, 4 * channels, 16 * channels, 32 * channels, 32 * channels), (5, 1), (3, 1), 1)
        self.period = period

    def forward(self, waveforms: Tensor) -> Judgement:
        """Judge waveforms ``(B, N)``."""
        padded = functional.pad(waveforms.unsqueeze(1), (0, -waveforms.shape[1] % self.period), mode="reflect")
        return self.judge(padded.view(len(waveforms), 1, -1, self.period))


class ResolutionJudge(_Judge):
    """Looks at a magnitude spectrogram (UnivNet, Jang et al. 2021).

    Args:
        n_fft: Points of the Fourier transform; the hop is a quarter of it.
        channels: Channels of every layer.
    """

    def __init__(self, n_fft: int, channels: int = 32) -> None:
        super().__init__((1, *(channels,) * 5), (3, 9), (1, 2), 2)
        self.n_fft = n_fft

    def forward(self, waveforms: Tensor) -> Judgement:
        """Judge waveforms ``(B, N)``."""
        with torch.autocast(waveforms.device.type, enabled=False):
            window = torch.hann_window(self.n_fft, device=waveforms.device)
            hop = self.n_fft // 4
            spectra = torch.stft(waveforms.float(), self.n_fft, hop, self.n_fft, window, return_complex=True)
            pictures = spectra.abs().transpose(1, 2).unsqueeze(1)
        return self.judge(pictures)


class Judges(nn.Module):
    """Judges whose opinions count alike.

    Args:
        judges: The judges.
    """

    def __init__(self, judges: Sequence[_Judge]) -> None:
        super().__init__()
        self.judges = nn.ModuleList(judges)

    def forward(self, waveforms: Tensor) -> list[Judgement]:
        """Judge waveforms ``(B, N)``."""
        return [judge(waveforms) for judge in self.judges]


def judge_loss(real: list[Judgement], fake: list[Judgement]) -> Tensor:
    """Return the hinge loss of judges, real speech to score above 1, synthetic below -1; a scalar, mean over judges."""
    each = [
        functional.relu(1 - right.scores.float()).mean() + functional.relu(1 + wrong.scores.float()).mean()
        for right, wrong in zip(real, fake, strict=True)
    ]
    return torch.stack(each).mean()


def fooling_loss(fake: list[Judgement]) -> Tensor:
    """Return the hinge loss of a generator: its speech is to score above 1; a scalar, mean over judges."""
    return torch.stack([functional.relu(1 - wrong.scores.float()).mean() for wrong in fake]).mean()


def matching_loss(real: list[Judgement], fake: list[Judgement]) -> Tensor:
    """Return the mean absolute difference of the judges' activations, a scalar, mean over judges and layers."""
    each = [
        (left.detach().float() - right.float()).abs().mean()
        for one, other in zip(real, fake, strict=True)
        for left, right in zip(one.layers, other.layers, strict=True)
    ]
    return torch.stack(each).mean()
