"""The step of a search from one frame to the next, and its recording as a CUDA graph."""

import math
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from emoquant.codecs.frame_search import FrameSearch

#: Frames of a search from which on recording its step pays.
LEAST_FRAMES = 16


class FrameResult(NamedTuple):
    """Hold the result of a step: one frame of ``N`` rows.

    Attributes:
        codes: Chosen codes, ``(N, P)`` int64.
        bits: Bits of the frame, ``(N,)`` float32.
        restored: Its reconstruction in components, ``(N, D)`` float32.
        error: Squared error of the reconstruction, ``(N,)`` float32.
    """

    codes: Tensor
    bits: Tensor
    restored: Tensor
    error: Tensor


class FrameStep:
    """Search the next frame of all rows, and hold the state that is passed from frame to frame.

    Its control flow does not depend on values of tensors, so that a whole step can be recorded as a CUDA graph.

    Args:
        search: The search of one frame.
        lmbda: Lagrange multiplier of each row, ``(N,)``.

    Attributes:
        rows: Number of rows that are searched.
    """

    def __init__(self, search: FrameSearch, lmbda: Tensor) -> None:
        self.search, self.rows = search, len(lmbda)
        self.weight = (lmbda / math.log(2)).view(1, -1, 1, 1)
        self.state: Any = search.entropy.start(lmbda, search.beam)
        self.forecast = lmbda.new_zeros(self.rows, search.quantizer.dim)

    def narrow(self, rows: int) -> None:
        """Continue with the first ``rows`` rows only."""
        if rows < self.rows:
            self.state = self.search.entropy.select(self.state, slice(rows))
            self.forecast, self.weight, self.rows = self.forecast[:rows], self.weight[:, :rows], rows

    def __call__(self, target: Tensor, first: Tensor | None, goes_on: bool = True) -> FrameResult:
        """Search a frame.

        Args:
            target: Components of the frame, ``(N, D)``.
            first: Code of the first position, ``(N,)`` int64, if that is given.
            goes_on: Whether another frame follows.
        """
        chosen = self.search(target - self.forecast, self.state, self.weight, first)
        restored = chosen.rough + chosen.fine + self.forecast
        if goes_on:
            self.search.entropy.end_frame(self.state, chosen.codes)
            self.forecast = self.search.quantizer.predictor * (self.forecast + chosen.fine)
        return FrameResult(chosen.codes, chosen.bits, restored, (target - restored).square().sum(-1))

    def carried(self) -> list[Tensor]:
        """Return the tensors of the state that is passed to the next frame."""
        found = [self.forecast]
        for name in self.search.entropy.carried:
            value = getattr(self.state, name)
            found += value if isinstance(value, list) else [value]
        return found

    def carry(self, tensors: list[Tensor]) -> None:
        """Set the state that :meth:`carried` returns, from tensors of the same shapes."""
        self.forecast, *tensors = tensors
        for name in self.search.entropy.carried:
            value = getattr(self.state, name)
            count = len(value) if isinstance(value, list) else 1
            setattr(self.state, name, tensors[:count] if isinstance(value, list) else tensors[0])
            tensors = tensors[count:]
        self.search.entropy.resume(self.state)


class ReplayedStep:
    """Run a step once, then record it as a CUDA graph and replay the graph for all further frames.

    A recorded step is one call of the host in place of about a hundred kernel launches. Rows that have ended are still
    computed until they are half of all rows; then the step is recorded again without them. If the device cannot record
    the step, a warning says so, and the step runs without recording.

    Args:
        step: The step.
        record: Records a function, as :func:`record_graph` does.
    """

    def __init__(self, step: FrameStep, record: Callable[[Callable[[], FrameResult]], "Recording"]) -> None:
        self.step, self.record, self.rows = step, record, step.rows
        self._begun = self._refused = False
        self._recording: Recording | None = None
        self._inputs: list[Tensor] = []

    def narrow(self, rows: int) -> None:
        """Continue with the first ``rows`` rows only, as soon as these are at most half of the recorded rows."""
        if 2 * rows <= self.rows:
            self.step.narrow(rows)
            self.rows, self._recording = rows, None

    def __call__(self, target: Tensor, first: Tensor | None, goes_on: bool = True) -> FrameResult:
        """Search a frame; see :meth:`FrameStep.__call__`. The result holds until the next call."""
        given = [target] if first is None else [target, first]
        if self._begun and not self._refused and self._recording is None:
            self._inputs = [each.clone() for each in given]
            self._recording = self._recorded()
        self._begun = True
        if self._recording is None:
            return self.step(target, first)
        for held, each in zip(self._inputs, given, strict=True):
            held.copy_(each)
        self._recording.replay()
        return self._recording.result

    def _recorded(self) -> "Recording | None":
        before = self.step.carried()
        held = [each.clone() for each in before]
        target, first = self._inputs[0], self._inputs[1] if len(self._inputs) > 1 else None

        def body() -> FrameResult:
            self.step.carry(held)
            result = self.step(target, first)
            for place, value in zip(held, self.step.carried(), strict=True):
                place.copy_(value)
            return result

        try:
            recording = self.record(body)
        except RuntimeError as error:
            warnings.warn(f"the search's step cannot be recorded and runs unrecorded: {error}", stacklevel=2)
            self._refused = True
            self.step.carry(before)
            return None
        self.step.carry(held)
        return recording


class Recording(NamedTuple):
    """Hold a recorded function.

    Attributes:
        replay: Computes the function again on the present values of its inputs.
        result: Its result, the same tensors after every replay.
    """

    replay: Callable[[], None]
    result: FrameResult


def record_graph(body: Callable[[], FrameResult]) -> Recording:
    """Record a function as a CUDA graph; nothing is computed yet."""
    graph, stream = torch.cuda.CUDAGraph(), torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        # Only what this thread does counts: the threads that load data and watch NCCL call CUDA meanwhile.
        graph.capture_begin(capture_error_mode="thread_local")
        try:
            result = body()
        finally:
            graph.capture_end()
    torch.cuda.current_stream().wait_stream(stream)
    return Recording(graph.replay, result)


def frame_step(search: FrameSearch, lmbda: Tensor, frames: int) -> FrameStep | ReplayedStep:
    """Return the step of a search over ``frames`` frames: recorded on a CUDA device if that saves time, else plain."""
    step = FrameStep(search, lmbda)
    return ReplayedStep(step, record_graph) if lmbda.device.type == "cuda" and frames >= LEAST_FRAMES else step
