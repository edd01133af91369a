"""Smoothing at the decoder: a linear filter over neighbouring frames that lowers the error and costs no bits.

Codes of a causal quantizer are chosen without the frames that follow, and at few bits an error lasts for some frames.
The smoothed component is ``y_t + sum_k w_k y_{t+k} + v m``, with ``y`` its reconstructions and ``m`` the mean of ``y``
over the utterance. The weights ``w`` and ``v`` depend on the component and on the utterance's mean number of new codes
a frame (:meth:`Smoother.level`), which the decoder knows. They are fitted to training frames by ridge regression.
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
    """Smooth every component by a weighted sum of neighbouring frames and of the utterance's mean.

    Args:
        taps: Frames in the weighted sum, the frame itself in the middle; an odd number.
        dim: Components ``D``.
        coarse: Code positions that are coarse stages.
        skip: The code that stands for SKIP.

    Attributes:
        weights: Weights at each level of the number of codes, ``(LEVELS, taps + 1, D)``; the last of ``taps + 1`` is
            that of the mean. Zeros leave frames as they are.

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
        """Return the levels to interpolate the weights between: the lower one ``(N,)`` and the share of the upper one.

        Levels divide the utterance's mean number of new codes a frame in equal ratios. A new code is a code of a group
        other than SKIP, or a coarse code other than SKIP that differs from that of the frame before.
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
        """Add coded training utterances to the sums of products that the ridge regression needs.

        Args:
            sums: The sums so far, zeros of :meth:`no_sums` at first; changed in place.
            components: Reconstructed components, ``(N, T, D)`` float32.
            codes: Their codes, ``(N, T, P)``; -1 past the end of an utterance.
            aim: The target of the regression: components of the frames before coding, ``(N, T, D)``.
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
        """Return zeros for the sums of :meth:`add`, ``(D, LEVELS (taps + 1) + 1, LEVELS (taps + 1) + 1)`` float64.

        For each component: the products of the regressors (frames and mean) with each other, in the last column those
        of the regressors with the error before smoothing, in the last row squared error and frames level by level.
        """
        levels, size, dim = self.weights.shape
        return self.weights.new_zeros(dim, levels * size + 1, levels * size + 1, dtype=torch.float64)

    @torch.no_grad()
    def fit(self, sums: Tensor) -> None:
        """Fit the weights by ridge regression on the frames that were added.

        Args:
            sums: The sums of :meth:`add`, added up over all processes.
        """
        sums = sums.cpu()
        products, wanted = sums[:, :-1, :-1], sums[:, :-1, -1:]
        missing, frames = sums[:, -1, : 2 * LEVELS].unflatten(1, (LEVELS, 2)).unbind(2)
        ridge = (missing / frames.clamp(min=1)).clamp(min=1e-9) / SPREAD**2
        ridge = ridge.repeat_interleave(self.taps + 1, 1)
        weights = torch.linalg.solve(products + torch.diag_embed(ridge), wanted)
        self.weights.copy_(weights.view(len(sums), LEVELS, -1).movedim(0, -1))
