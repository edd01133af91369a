"""The Griffin-Lim vocoder: phases that fit a magnitude spectrogram, found by alternating projections."""

import math

import torch
from torch import Tensor

from emoquant.audio.mel import MelSettings
from emoquant.voice.tts.vocoders.base import Vocoder


class GriffinLim(Vocoder):
    """Reconstruct phases by fast Griffin-Lim, from magnitudes that the pseudo-inverse of the mel filterbank gives.

    It needs no F0; on predicted mels its pitch is often wrong.

    Args:
        mel: Settings of the mel spectrograms.
        iterations: Number of projections.
        momentum: Weight of the previous step, in [0, 1).
        seed: Seed of the initial phases.

    Raises:
        ValueError: A number is out of range.

    Reference:
        N. Perraudin, P. Balazs, P. L. Sondergaard: A fast Griffin-Lim algorithm. WASPAA 2013.
    """

    def __init__(
        self, mel: MelSettings | None = None, iterations: int = 60, momentum: float = 0.99, seed: int = 0
    ) -> None:
        super().__init__()
        if iterations < 1 or not 0 <= momentum < 1:
            raise ValueError(f"expected iterations >= 1 and momentum in [0, 1), not {iterations} and {momentum}")
        self.mel = mel if mel is not None else MelSettings()
        self.iterations, self.momentum, self.seed = iterations, momentum, seed

    def render(self, mels: Tensor, f0: Tensor, voiced: Tensor) -> Tensor:
        """Return the waveform of one utterance; see the base class."""
        samples = len(mels) * self.mel.hop
        wanted = self.mel.expand(torch.cat([mels, mels[-1:]]) if self.mel.center else mels)
        magnitudes = (self.mel.pseudo_inverse(mels.device) @ wanted.T).clamp_min(self.mel.eps)  # (F, T or T + 1)
        generator = torch.Generator().manual_seed(self.seed)
        angles = 2 * math.pi * torch.rand(magnitudes.shape, generator=generator).to(mels.device)
        phases, previous = torch.polar(torch.ones_like(angles), angles), torch.zeros_like(magnitudes)
        for _ in range(self.iterations):
            rebuilt = self.mel.stft(self.mel.istft((magnitudes * phases)[None], samples))[0]
            moved = rebuilt - self.momentum / (1 + self.momentum) * previous
            phases, previous = moved / moved.abs().clamp_min(1e-16), rebuilt
        return self.mel.istft((magnitudes * phases)[None], samples)[0]
