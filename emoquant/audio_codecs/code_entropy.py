"""The bits of a codec's codes under an entropy model: what is less than the codec's rate is redundant in it."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from emoquant.entropy.base import Layout, frames_before
from emoquant.entropy.light import LightModel

T = TypeVar("T")


def evenly(utterances: Sequence[T], count: int) -> list[T]:
    """Return so many utterances from all over a split, evenly spaced; all where there are fewer.

    Example:
        >>> evenly("abcdefg", 3)
        ['a', 'd', 'g']
    """
    rows = np.linspace(0, len(utterances) - 1, min(count, len(utterances))).astype(int)
    return [utterances[row] for row in rows.tolist()]


class CodeEntropy:
    """Estimates the bits of an audio codec's codes with the light entropy model of this project.

    A frame's codes are predicted one after the other from those before them in the frame and from all codes of the
    frame before (:class:`~emoquant.entropy.LightModel`). The bits are estimates, ``-log2 q`` summed, which a range
    coder meets within a few bits an utterance.

    Args:
        codewords: Values ``K`` of a code.
        positions: Codes of a frame ``P``.
        width: Hidden units of the model.
        steps: Gradient steps.
        frames: Frames of a step.
        seed: Seed of the weights and of the order of frames.
    """

    def __init__(
        self, codewords: int, positions: int, width: int = 64, steps: int = 300, frames: int = 512, seed: int = 0
    ) -> None:
        self.layout = Layout(0, 1, positions, codewords, 1)
        self.steps, self.frames, self.seed = steps, frames, seed
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.model = LightModel(width, 1, False, 1, self.layout)

    @classmethod
    @torch.inference_mode(False)  # a test runs in that mode, where nothing can be trained
    def trained(cls, codewords: int, utterances: Sequence[Tensor]) -> "CodeEntropy":
        """Return a model of the shape of codes ``(T, P)`` of utterances, trained on them; errors as of :meth:`fit`."""
        model = cls(codewords, utterances[0].shape[1] if utterances else 1)
        model.fit(utterances)
        return model

    def fit(self, utterances: Sequence[Tensor]) -> None:
        """Train on the codes of utterances; the last tenth of them decides which step is kept.

        Args:
            utterances: Codes ``(T, P)`` in ``[0, K)`` of each; at least two utterances.

        Raises:
            ValueError: There are fewer.
        """
        if len(utterances) < 2:
            raise ValueError(f"an entropy model of codes needs at least 2 training utterances, got {len(utterances)}")
        held = max(1, len(utterances) // 10)
        codes, before = self._frames(utterances[:-held])
        check = self._frames(utterances[-held:])
        random = torch.Generator().manual_seed(self.seed)
        optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-2)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.steps)
        best, kept = self._bits(*check).sum(), {name: value.clone() for name, value in self.model.state_dict().items()}
        for step in range(1, self.steps + 1):
            rows = torch.randint(len(codes), (min(self.frames, len(codes)),), generator=random)
            with torch.enable_grad():
                loss = self.model.bits(codes[rows], before[rows], torch.ones(len(rows))).sum(-1).mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            schedule.step()
            if step % 50 == 0 and (found := self._bits(*check).sum()) < best:
                best, kept = found, {name: value.clone() for name, value in self.model.state_dict().items()}
        self.model.load_state_dict(kept)
        self.model.requires_grad_(False).eval()

    def bits(self, codes: Tensor) -> float:
        """Return the estimated bits of an utterance's codes ``(T, P)``."""
        return float(self._bits(*self._frames([codes])).sum())

    def _frames(self, utterances: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Return codes ``(N, P)`` and those of the frame before, ``(N, 1, P)``."""
        before = [frames_before(codes[None], 1)[0] for codes in utterances]
        return torch.cat(list(utterances)), torch.cat(before)

    @torch.no_grad()
    def _bits(self, codes: Tensor, before: Tensor) -> Tensor:
        """Return the bits of each frame, ``(N,)`` float64."""
        parts = zip(codes.split(4096), before.split(4096), strict=True)
        return torch.cat([self.model.bits(*part, torch.ones(len(part[0]))).double().sum(-1) for part in parts])
