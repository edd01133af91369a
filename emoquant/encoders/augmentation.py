"""What training does to waveforms and to local features so that a classifier does not lean on the recording."""

import math

import torch
from torch import Tensor, nn

from emoquant.types import length_mask


class WaveformAugmentation(nn.Module):
    """Changes of speed, noise, equalisation and gain, drawn anew for every utterance.

    Random numbers come from torch's generator of the device, so that a seeded run repeats itself.
    """

    def __init__(
        self,
        speed: float = 0.15,
        noise: float = 0.5,
        equalizer: float = 0.5,
        gain: float = 6.0,
        snr: tuple[float, float] = (8.0, 40.0),
    ) -> None:
        """Choose how strong the changes are.

        Args:
            speed: Largest change of speed as a natural logarithm; it moves pitch, formants and tempo together, like
                another speaker. 0 leaves it out.
            noise: Share of utterances that noise of a random colour is added to.
            equalizer: Share of utterances that pass a random short filter.
            gain: Standard deviation of the change of level in dB; without effect on an encoder that normalises.
            snr: Range of the signal-to-noise ratio in dB.

        Raises:
            ValueError: A share is not in [0, 1] or a strength is negative.
        """
        super().__init__()
        if not (0 <= noise <= 1 and 0 <= equalizer <= 1 and speed >= 0 and gain >= 0 and snr[0] <= snr[1]):
            raise ValueError(
                f"noise={noise} and equalizer={equalizer} are shares in [0, 1], speed={speed} and gain={gain} are not "
                f"negative, snr={snr} is an ascending range"
            )
        self.speed, self.noise, self.equalizer, self.gain, self.snr = speed, noise, equalizer, gain, snr

    def forward(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return changed waveforms and their lengths.

        Args:
            waveforms: ``(B, N)`` float32, zeros past the end of an utterance.
            lengths: Samples of each, ``(B,)`` int64.
        """
        if self.speed:
            waveforms, lengths = _change_speed(
                waveforms, lengths, self._draw(len(lengths), waveforms, self.speed).exp()
            )
        inside = length_mask(lengths, waveforms.shape[1])
        if self.equalizer:
            waveforms = self._equalize(waveforms)
        if self.noise:
            waveforms = self._add_noise(waveforms, lengths)
        if self.gain:
            level = torch.randn(len(lengths), 1, device=waveforms.device) * self.gain
            waveforms = waveforms * 10 ** (level / 20)
        return waveforms * inside, lengths

    @staticmethod
    def _draw(count: int, like: Tensor, bound: float) -> Tensor:
        return (torch.rand(count, device=like.device) * 2 - 1) * bound

    def _equalize(self, waveforms: Tensor) -> Tensor:
        size = len(waveforms)
        chosen = torch.rand(size, 1, 1, device=waveforms.device) < self.equalizer
        taps = torch.randn(size, 1, 9, device=waveforms.device) * 0.12 * chosen
        taps[:, 0, 4] += 1
        return nn.functional.conv1d(waveforms[None], taps, padding=4, groups=size)[0]

    def _add_noise(self, waveforms: Tensor, lengths: Tensor) -> Tensor:
        size = len(waveforms)
        chosen = torch.rand(size, 1, device=waveforms.device) < self.noise
        low, high = self.snr
        ratio = torch.rand(size, 1, device=waveforms.device) * (high - low) + low
        noise = coloured_noise(size, waveforms.shape[1], waveforms.device)
        level = (waveforms.square().sum(1, keepdim=True) / lengths[:, None]).sqrt() * 10 ** (-ratio / 20)
        return waveforms + noise * level * chosen


def _change_speed(waveforms: Tensor, lengths: Tensor, factors: Tensor) -> tuple[Tensor, Tensor]:
    """Return waveforms played faster by factors ``(B,)``, by linear interpolation."""
    lengths_out = torch.div(lengths - 1, factors, rounding_mode="floor").long().clamp_min(1)
    positions = torch.arange(int(lengths_out.max()), device=waveforms.device) * factors[:, None]
    left = positions.long().clamp_max(waveforms.shape[1] - 2)
    weight = (positions - left).clamp(0, 1)
    mixed = torch.lerp(waveforms.gather(1, left), waveforms.gather(1, left + 1), weight)
    return mixed * length_mask(lengths_out, mixed.shape[1]), lengths_out


def coloured_noise(count: int, samples: int, device: torch.device) -> Tensor:
    """Return noise of unit variance, ``(count, samples)`` float32, each of a random colour from white to low-pass."""
    noise = torch.randn(count, samples, device=device)
    colour = torch.rand(count, 1, device=device)
    return (noise + colour * (noise.roll(1, 1) + noise.roll(2, 1))) / (1 + 2 * colour.square()).sqrt()


class FrameMasking(nn.Module):
    """Hides spans of frames and bands of channels of local features (Park et al. 2019, inside the encoder)."""

    def __init__(self, spans: int = 2, frames: int = 12, channels: float = 0.12) -> None:
        """Choose how much is hidden.

        Args:
            spans: Spans of an utterance.
            frames: Longest span, in frames.
            channels: Largest share of the channels that is hidden in one band.

        Raises:
            ValueError: A number is negative or the share is above 1.
        """
        super().__init__()
        if spans < 0 or frames < 0 or not 0 <= channels <= 1:
            raise ValueError(f"spans={spans}, frames={frames} must not be negative, channels={channels} is a share")
        self.spans, self.frames, self.channels = spans, frames, channels

    def forward(self, local: Tensor, lengths: Tensor) -> Tensor:
        """Return local features ``(B, T, D)`` with zeros where something is hidden; ``lengths`` are in frames."""
        size, steps, dim = local.shape
        device = local.device
        begin = (torch.rand(size, self.spans, 1, device=device) * lengths[:, None, None]).long()
        width = torch.randint(0, self.frames + 1, (size, self.spans, 1), device=device)
        frame = torch.arange(steps, device=device)
        shown = ~((frame >= begin) & (frame < begin + width)).any(1)
        first = torch.randint(0, dim, (size, 1), device=device)
        band = torch.randint(0, math.floor(self.channels * dim) + 1, (size, 1), device=device)
        channel = torch.arange(dim, device=device)
        kept = ~((channel >= first) & (channel < first + band))
        return local * shown[:, :, None] * kept[:, None, :]
