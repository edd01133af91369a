"""Smoothing at the decoder: neighbouring reconstructions undo some of a frame's error without any bits.

Codes of a causal quantizer are chosen without the frames that follow, and an error at few bits lasts for some frames.
The linear estimate of a component from its reconstructions ``y`` is ``y_t + sum_k w_k y_{t+k} + v m``, with ``m`` the
mean of ``y`` over the utterance. The weights depend on the component and on how many codes a frame has, which the
decoder knows; they are fitted to training frames by ridge regression.
"""

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

#: Levels of codes a frame that have weights of their own, the least (which is added) and the most, in equal ratios.
LEVELS, FEWEST, MOST = 8, 1 / 32, 64.0
#: Weights that few frames may reach: ridge regression with errors of the variance that a level's frames have.
SPREAD = 0.1


class Smoother(nn.Module):
    """Weights of neighbouring frames and of the utterance's mean for every component.

    Args:
        taps: Frames that are weighted, the frame itself in the middle.
        dim: Components ``D``.
        coarse: Code positions that are coarse stages.
        skip: The code that stands for SKIP.

    Attributes:
        weights: ``(LEVELS, taps + 1, D)``, of the mean last; zeros leave frames as they are.

    Raises:
        ValueError: The number of frames is not odd.
    """

    weights: Tensor

    def __init__(self, taps: int, dim: int, coarse: int, skip: int) -> None:
        super().__init__()
        if taps < 1 or taps % 2 == 0:
            raise ValueError(f"smoothing must be 0 or an odd number of frames, not {taps}")
        self.taps, self.coarse, self.skip = taps, coarse, skip
        self.register_buffer("weights", torch.zeros(LEVELS, taps + 1, dim))

    def forward(self, components: Tensor, codes: Tensor) -> Tensor:
        """Return smoothed components ``(N, T, D)``.

        Args:
            components: Reconstructed components, ``(N, T, D)`` float32.
            codes: Codes that they were made of, ``(N, T, P)``; -1 past the end of an utterance.
        """
        low, share = self.level(codes)
        weights = torch.lerp(self.weights[low], self.weights[low + 1], share.view(-1, 1, 1))
        found = components.clone()
        for number, rows in enumerate(self._sources(components, codes)):
            found.addcmul_(rows, weights[:, number].unsqueeze(1))
        return found

    def level(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Return the lower of two levels that each utterance lies between, ``(N,)``, and the share of the upper one.

        Codes a frame are those of the groups that are no SKIP, and coarse codes that differ from the frame before.
        """
        rough, fine = codes[..., : self.coarse], codes[..., self.coarse :]
        frames = (codes[..., 0] >= 0).sum(1)
        count = ((fine >= 0) & (fine != self.skip)).sum((1, 2)) / frames.clamp(min=1)
        changes = (rough[:, 1:] != rough[:, :-1]) & (rough[:, 1:] >= 0) & (rough[:, 1:] != self.skip)
        count = count + changes.sum((1, 2)) / (frames - 1).clamp(min=1)
        octaves = math.log2(MOST / FEWEST)
        place = ((count + FEWEST).log2() - math.log2(FEWEST)) * ((LEVELS - 1) / octaves)
        low = place.floor().clamp(0, LEVELS - 2)
        return low.long(), (place - low).clamp(0, 1)

    def _sources(self, components: Tensor, codes: Tensor) -> Iterator[Tensor]:
        """Yield what is weighted: frames before and after (beyond an end the last one), and the utterance's mean."""
        valid = codes[..., 0] >= 0
        frames = valid.sum(1, keepdim=True)
        count, longest, _ = components.shape
        index = torch.arange(longest + self.taps - 1, device=components.device) - self.taps // 2
        place = torch.minimum(index.clamp(min=0), (frames - 1).clamp(min=0))
        extended = components[torch.arange(count, device=components.device).unsqueeze(1), place]
        for shift in range(self.taps):
            yield extended[:, shift : shift + longest]
        total = (components.double() * valid.unsqueeze(-1)).sum(1, keepdim=True)
        yield (total / frames.clamp(min=1).unsqueeze(-1)).float().expand_as(components)

    @torch.no_grad()
    def add(self, sums: Tensor, components: Tensor, codes: Tensor, aim: Tensor) -> None:
        """Add what coded training utterances say about the weights.

        Args:
            sums: What :meth:`no_sums` or an earlier call left; changed in place.
            components: Reconstructed components, ``(N, T, D)`` float32.
            codes: Their codes, ``(N, T, P)``; -1 past the end of an utterance.
            aim: The components of the frames themselves, ``(N, T, D)``.
        """
        valid = (codes[..., 0] >= 0).unsqueeze(-1)
        rows = [*self._sources(components, codes), aim - components]
        stacked = torch.stack([each * valid for each in rows], -1)  # (N, T, D, taps + 2)
        size, (low, share) = self.taps + 1, self.level(codes)
        products = torch.einsum("ntdi,ntdj->ndij", stacked.double(), stacked.double())
        frames = valid.sum((1, 2))
        for each, first, part, count in zip(products, low.tolist(), share.tolist(), frames.tolist(), strict=True):
            for i, one in ((first, 1 - part), (first + 1, part)):
                here = sums[:, i * size : (i + 1) * size]
                here[..., -1] += one * each[:, :-1, -1]
                sums[:, -1, 2 * i] += one * each[:, -1, -1]
                sums[:, -1, 2 * i + 1] += one * count
                for j, other in ((first, 1 - part), (first + 1, part)):
                    here[..., j * size : (j + 1) * size] += one * other * each[:, :-1, :-1]

    def no_sums(self) -> Tensor:
        """Return zeros for :meth:`add`: products of what is weighted, and of that with what is missing.

        The last row holds the squares of what is missing and the frames, level by level.
        """
        levels, size, dim = self.weights.shape
        return self.weights.new_zeros(dim, levels * size + 1, levels * size + 1, dtype=torch.float64)

    @torch.no_grad()
    def fit(self, sums: Tensor) -> None:
        """Set the weights to those of least squared error on the frames that were added.

        Args:
            sums: Sums of all processes.
        """
        sums = sums.cpu()
        products, wanted = sums[:, :-1, :-1], sums[:, :-1, -1:]
        missing, frames = sums[:, -1, : 2 * LEVELS].unflatten(1, (LEVELS, 2)).unbind(2)
        ridge = (missing / frames.clamp(min=1)).clamp(min=1e-9) / SPREAD**2
        ridge = ridge.repeat_interleave(self.taps + 1, 1)
        weights = torch.linalg.solve(products + torch.diag_embed(ridge), wanted)
        self.weights.copy_(weights.view(len(sums), LEVELS, -1).movedim(0, -1))
