"""Base class of entropy models: log-probabilities of codes for training, an incremental state for the search."""

import math
from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from emoquant.devices.precision import full_float32

#: Rows below which matrix products take another kernel, so that a row would depend on their number.
MINIMUM_ROWS = 8

#: Largest lambda that codecs are made for, relative to the variance of the features per dimension.
LARGEST_RATIO = 600.0


class Layout(NamedTuple):
    """Describe the order of the codes of a frame.

    Attributes:
        coarse: Number of stages over all dimensions; their codes come first.
        groups: Number of groups ``G``.
        layers: Number of layers ``L`` of a group; the codes of a group follow each other.
        codewords: Codewords ``K`` of a position; code ``K`` is SKIP.
        group_dim: Dimensions of a group, ``D / G``; those of 768 in 12 groups by default.
    """

    coarse: int
    groups: int
    layers: int
    codewords: int
    group_dim: int = 64

    @property
    def dim(self) -> int:
        """Feature dimensions ``D``."""
        return self.groups * self.group_dim

    @property
    def positions(self) -> int:
        """Codes of a frame, ``P = coarse + G L``."""
        return self.coarse + self.groups * self.layers

    @property
    def vocabulary(self) -> int:
        """Codes that a position can have, ``V = K + 1``."""
        return self.codewords + 1


def last_knot(layout: Layout) -> float:
    """Return the lambda (over the variance per dimension) beyond which the codes of a layout hardly change.

    - Without a coarse stage: 32.
    - With a coarse stage and groups of ``d`` dimensions: ``d^2 / 128``, at least 2 (2 for 16 dimensions, 32 for 64).
      Beyond it the groups' codes are all SKIP, as a codeword of fewer dimensions reduces the error by less.

    Example:
        >>> last_knot(Layout(1, 12, 3, 128, 16)), last_knot(Layout(1, 12, 3, 128, 64)), last_knot(Layout(0, 12, 3, 128))
        (2.0, 32.0, 32.0)
    """
    return max(2.0, layout.group_dim**2 / 128) if layout.coarse else 32.0


class LambdaBasis(nn.Module):
    """Interpolate between knots on the axis of log lambda: piecewise linear, constant beyond the ends.

    Lambda is divided by ``scale``, the variance of the features per dimension, so that a model does not depend on the
    unit of the features.

    Args:
        knots: Number of knots ``J``; with 1 nothing depends on lambda.
        low: Lambda over scale at the first knot; smaller lambdas, 0 included, are treated like this one.
        high: Lambda over scale at the last knot; larger lambdas are treated like this one. None to choose it in
            :meth:`complete`.
    """

    scale: Tensor

    def __init__(self, knots: int, low: float, high: float | None = None) -> None:
        super().__init__()
        if knots < 1 or not 0 < low < (math.inf if high is None else high):
            raise ValueError(f"expected at least one knot and 0 < low < high, not {knots} knots from {low} to {high}")
        self.knots, self.low, self.high = knots, low, math.nan if high is None else high
        self.register_buffer("scale", torch.ones(()))

    def settings(self) -> dict[str, Any]:
        """Return the constructor arguments; ``high`` is None while it is open."""
        return {"knots": self.knots, "low": self.low, "high": None if math.isnan(self.high) else self.high}

    def complete(self, layout: Layout) -> None:
        """Set the last knot by :func:`last_knot` for a layout, if it was left open.

        Raises:
            ValueError: The last knot is not above the first.
        """
        if math.isnan(self.high):
            self.high = last_knot(layout)
            if self.low >= self.high:
                raise ValueError(f"the first knot at {self.low} is not below the last at {self.high}: give high")

    def forward(self, lmbda: Tensor) -> Tensor:
        """Return the weights of the knots ``(N, J)`` float32 for Lagrange multipliers ``(N,)``; each row sums to 1."""
        if self.knots == 1:
            return torch.ones(len(lmbda), 1, device=lmbda.device)
        ratio = (lmbda.double() / self.scale.double()).clamp(self.low, self.high)
        place = torch.log(ratio / self.low) / math.log(self.high / self.low) * (self.knots - 1)
        grid = torch.arange(self.knots, device=lmbda.device)
        return (1 - (place.unsqueeze(1) - grid).abs()).clamp(min=0).float()

    def skip_prior(self) -> Tensor:
        """Return initial log odds (natural) of SKIP at each knot, ``(J,)``, to start a training from.

        As lambda grows, a codeword's gain is below its cost in more and more frames, until nearly all codes are SKIP.
        Training alone would take long to learn that at knots where only SKIP occurs.
        """
        if self.knots == 1:
            return torch.zeros(1)
        ratio = torch.logspace(math.log2(self.low), math.log2(self.high), self.knots, base=2.0)
        return (4 * ratio.log()).clamp(0, 16)


class EntropyModel(nn.Module, ABC):
    """Model the probabilities of a frame's codes, position after position: ``q(z_p | z_<p, earlier frames, lambda)``.

    The parameters are allocated after construction, by :meth:`build`, as the layout depends on the feature dimensions,
    which are known only from the data. The search goes through a frame in blocks of steps. The coarse stages (if there
    are any) are the first block, one position a step; the groups are the last block. A ``parallel`` model codes one
    layer of all groups in a step (groups are independent given the coarse codes and earlier frames); any other codes
    one position a step.

    Attributes:
        memory: Number of earlier frames that the probabilities depend on; 0 for none.
        parallel: Whether the groups are coded in parallel.
        layout: The layout that it was built for.
        basis: Interpolation over lambda.
        carried: Names of the attributes of a state that are passed from frame to frame: tensors or lists of them. All
            other attributes are constant or set anew in every frame.
    """

    memory: int = 0
    parallel: bool = False
    carried: tuple[str, ...] = ()
    layout: Layout
    basis: LambdaBasis

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Return the constructor arguments of a model of the same shape, as plain values."""

    @abstractmethod
    def build(self, layout: Layout) -> None:
        """Allocate the parameters for a layout, unless that was done before.

        Raises:
            ValueError: The model was built for another layout.
        """

    @abstractmethod
    def forward(self, codes: Tensor, previous: Tensor, lmbda: Tensor) -> Tensor:
        """Return teacher-forced log-probabilities in bits, ``log2 q``, ``(N, P, V)`` float32, normalised over ``V``.

        Args:
            codes: Codes of frames, ``(N, P)`` int64 in ``[0, K]``.
            previous: Codes of the :attr:`memory` frames before each, nearest first, ``(N, memory, P)``; -1 before the
                beginning of an utterance.
            lmbda: Lagrange multiplier that each frame was coded at, ``(N,)``.
        """

    @abstractmethod
    def start(self, lmbda: Tensor, width: int = 1) -> Any:  # noqa: ANN401 - each model has its own state
        """Return the state of ``N`` rows before their first frame.

        Args:
            lmbda: Lagrange multiplier of each row, ``(N,)``.
            width: Number of beams ``W`` that the search keeps.
        """

    @abstractmethod
    def logits(self, state: Any, block: int, step: int) -> Tensor:  # noqa: ANN401 - each model has its own state
        """Return unnormalised log-probabilities (natural) of the codes of a step, ``(S, N, W, V)`` float32.

        ``S`` are the positions of the step: 1, or the groups in the last block of a parallel model. ``W`` is 1 before
        the first :meth:`advance` of the frame. The order of calls in a frame is fixed: block after block, step after
        step, each :meth:`logits` followed by :meth:`advance`, then :meth:`end_frame`.
        """

    def write_logits(self, state: Any, block: int, step: int, out: Tensor) -> None:  # noqa: ANN401 - as logits
        """Write the :meth:`logits` of a step into a tensor ``(S, N, W, V)``."""
        out.copy_(self.logits(state, block, step))

    @abstractmethod
    def advance(
        self,
        state: Any,  # noqa: ANN401 - each model has its own state
        block: int,
        step: int,
        codes: Tensor,
        parents: Tensor | None,
    ) -> None:
        """Update the state with the codes that were chosen in a step.

        Args:
            state: The state; changed in place.
            block: Block of the step.
            step: Step in the block.
            codes: Chosen codes, ``(S, N, W)`` int64.
            parents: Beam that each chosen code continues, ``(S, N, W)`` int64; None if every beam continues itself.
        """

    @abstractmethod
    def end_frame(self, state: Any, codes: Tensor) -> None:  # noqa: ANN401 - each model has its own state
        """Update the state with the final codes ``(N, P)`` of the frame, and begin the next frame."""

    @abstractmethod
    def select(self, state: Any, rows: Tensor | slice) -> Any:  # noqa: ANN401 - each model has its own state
        """Return the state of some rows, before the first :meth:`advance` of a frame.

        Args:
            state: The state; it is not changed.
            rows: Indices of rows, int64, in the order of the new state (rows may be left out or repeated), or a slice,
                which copies nothing.
        """

    def resume(self, state: Any) -> None:  # noqa: ANN401 - each model has its own state
        """Begin the next frame from the :attr:`carried` attributes of the state."""

    def bits(self, codes: Tensor, previous: Tensor, lmbda: Tensor) -> Tensor:
        """Return the bits of every code, ``-log2 q``, ``(N, P)`` float32; arguments as in :meth:`forward`."""
        with full_float32(codes.device):
            return -self(codes, previous, lmbda).gather(-1, codes.unsqueeze(-1)).squeeze(-1)

    def _check_layout(self, layout: Layout) -> bool:
        """Whether the parameters are still to be allocated."""
        built: Layout | None = getattr(self, "layout", None)
        if built is not None and built != layout:
            raise ValueError(
                f"the entropy model was built for {built}, the quantizer has {layout}: train it on that one"
            )
        self.layout = layout
        self.basis.complete(layout)
        return built is None


def distinct_lambdas(lmbda: Tensor) -> tuple[Tensor, Tensor]:
    """Return the distinct lambdas, filled up to :data:`MINIMUM_ROWS` by the first, and the index of each row's one."""
    distinct, index = lmbda.unique(return_inverse=True)
    return torch.cat([distinct, distinct[:1].expand(max(0, MINIMUM_ROWS - len(distinct)))]), index


def frames_before(codes: Tensor, memory: int) -> Tensor:
    """Return the codes of the frames before each frame of utterances, nearest first.

    Args:
        codes: Codes, ``(B, T, P)``.
        memory: Number of frames ``M``.

    Returns:
        ``(B, T, M, P)``, -1 before the first frame.
    """
    padded = nn.functional.pad(codes, (0, 0, memory, 0), value=-1)
    count = codes.shape[1]
    before = [padded[:, memory - lag : memory - lag + count] for lag in range(1, memory + 1)]
    return torch.stack(before, 2) if before else codes.new_zeros(*codes.shape[:2], 0, codes.shape[2])
