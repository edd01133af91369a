"""Silence and room tone around and within training utterances, since recordings are seldom cut to their speech."""

import torch
from torch import Tensor, nn

from emoquant.encoders.augmentation import coloured_noise
from emoquant.types import length_mask

_RATE = 16_000
#: Samples of a block whose level is looked at where a pause may go.
_BLOCK = 320
#: Blocks on either side of a random place among which a pause within speech takes the quietest.
_REACH = 10


class Pauses(nn.Module):
    """Puts silence or room tone before, after and within utterances, drawn anew for each.

    A pause within goes to the quietest 20 ms near a random place. Room tone is noise of a random colour and lies under
    the whole utterance, speech included, so that it does not tell where speech ends.

    Random numbers come from torch's generator of the device, so that a seeded run repeats itself.
    """

    def __init__(
        self,
        share: float = 0.6,
        longest: float = 1.2,
        within: float = 0.4,
        level: tuple[float, float] = (-75.0, -30.0),
        digital: float = 0.2,
    ) -> None:
        """Choose how many and how long pauses are.

        Args:
            share: Share of utterances that get pauses.
            longest: Longest pause before and after, in seconds.
            within: Longest pause within, in seconds.
            level: Range of the level of the room tone below the utterance's own, in dB.
            digital: Share of these utterances whose pauses are exact zeros.

        Raises:
            ValueError: A share is not in [0, 1], a length is negative, or the range is not ascending.
        """
        super().__init__()
        if not (0 <= share <= 1 and 0 <= digital <= 1 and longest >= 0 and within >= 0 and level[0] <= level[1]):
            raise ValueError(
                f"share={share} and digital={digital} are shares in [0, 1], longest={longest} and within={within} are "
                f"not negative, level={level} is an ascending range"
            )
        self.share, self.longest, self.within, self.level, self.digital = share, longest, within, level, digital

    def forward(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return waveforms with pauses and their lengths.

        Args:
            waveforms: ``(B, N)`` float32, zeros past the end of an utterance.
            lengths: Samples of each, ``(B,)`` int64.
        """
        size, device = len(lengths), waveforms.device
        chosen = torch.rand(size, device=device) < self.share
        bounds = torch.tensor([[self.longest], [self.within], [self.longest]], device=device) * _RATE
        before, within, after = (torch.rand(3, size, device=device) * bounds * chosen).long()
        longer = lengths + before + within + after
        at = torch.arange(int(longer.max()), device=device) - before[:, None]
        place = self._place(waveforms, lengths)[:, None]
        spoken = (at >= 0) & ((at < place) | (at >= place + within[:, None])) & (at < (lengths + within)[:, None])
        source = torch.where(at < place, at, at - within[:, None]).clamp(0, waveforms.shape[1] - 1)
        level = (waveforms.square().sum(1) / lengths).sqrt()
        tone = self._tone(level * chosen, at.shape[1])
        return (waveforms.gather(1, source) * spoken + tone) * length_mask(longer, at.shape[1]), longer

    @staticmethod
    def _place(waveforms: Tensor, lengths: Tensor) -> Tensor:
        """Return where a pause within goes, ``(B,)`` samples: the quietest block near a random place."""
        blocks = nn.functional.pad(waveforms, (0, -waveforms.shape[1] % _BLOCK)).unflatten(1, (-1, _BLOCK))
        power = blocks.square().sum(2)
        number = torch.arange(power.shape[1], device=waveforms.device)
        count = torch.div(lengths, _BLOCK, rounding_mode="floor").clamp_min(1)[:, None]
        drawn = (torch.rand(len(lengths), 1, device=waveforms.device) * count).long()
        near = ((number - drawn).abs() <= _REACH) & (number < count)
        return power.masked_fill(~near, float("inf")).argmin(1) * _BLOCK + _BLOCK // 2

    def _tone(self, level: Tensor, samples: int) -> Tensor:
        """Return room tone ``(B, samples)`` for utterances of these levels (root mean square)."""
        size, device = len(level), level.device
        low, high = self.level
        ratio = torch.rand(size, device=device) * (high - low) + low
        there = torch.rand(size, device=device) >= self.digital
        return coloured_noise(size, samples, device) * (level * 10 ** (ratio / 20) * there)[:, None]
