"""Collective operations of the processes (ranks) of a distributed run; outside of one they act on this process."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

from torch import distributed

T = TypeVar("T")

#: How long a process waits for others that do long work of their own: extraction, or rendering of clips.
PATIENCE = timedelta(days=7)


class RankError(RuntimeError):
    """An error of another process."""


def world_size() -> int:
    """Return the processes of the running job, 1 outside of one; asked at run time, never remembered."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def own_rank() -> int:
    """Return the number of this process, from 0."""
    return distributed.get_rank() if world_size() > 1 else 0


def require_plain_strategy(strategy: object) -> None:
    """Check that every process holds the whole model: a single device, or DDP.

    Raises:
        ValueError: The strategy shards or offloads parameters, which codebooks and the search cannot do with.
    """
    name, kinds = type(strategy).__name__, {kind.__name__ for kind in type(strategy).__mro__}
    if not kinds & {"SingleDeviceStrategy", "DDPStrategy"} or "DeepSpeedStrategy" in kinds:
        raise ValueError(
            f"the strategy {name} divides a model among processes, but codebooks, searches and voices need it whole: "
            "use --trainer.strategy ddp, or auto on one device"
        )


def require_share(split: str, utterances: int, processes: int) -> None:
    """Check that every process gets an utterance of a split; an empty split is no concern of this.

    Args:
        split: Name of the split.
        utterances: Its utterances.
        processes: Processes that share them.

    Raises:
        ValueError: There are fewer utterances than processes.
    """
    if 0 < utterances < processes:
        raise ValueError(
            f"the split {split!r} has {utterances} utterances for {processes} processes, but each of them needs one: "
            f"take fewer devices (--devices {utterances}), or a larger split"
        )


class Attempt:
    """Stores the error of a block in a distributed run, so that all processes can be told before it is raised."""

    error: Exception | None = None

    def __enter__(self) -> "Attempt":
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, Exception) and world_size() > 1:
            self.error = error
        return error is not None and error is self.error

    def settle(self) -> None:
        """Raise the error on the process that has it, and a :class:`RankError` on the others; a collective call."""
        together(self._raise, Exception)

    def _raise(self) -> None:
        if self.error is not None:
            raise self.error


def from_first(make: Callable[[], T]) -> T:
    """Call a function on the first process alone and return its result on all; a collective call.

    Raises:
        RankError: It failed there (on the other processes; the first one raises the error itself).
    """
    found = together(lambda: make() if own_rank() == 0 else None, Exception)
    first: T = gathered(found)[0]  # type: ignore[assignment]  # of the process that made it
    return first


def any_rank(flag: bool) -> bool:
    """Return whether a flag is set on any process; a collective call."""
    return any(gathered(flag))


def gathered(own: T) -> list[T]:
    """Return what every process has, in the order of the processes; a collective call."""
    if world_size() == 1:
        return [own]
    found: list[Any] = [None] * world_size()
    distributed.all_gather_object(found, own)
    return found


def together(work: Callable[[], T], complaints: type[Exception] | tuple[type[Exception], ...] = ()) -> T:
    """Do this process's share of long work and wait until all processes have done theirs; a collective call.

    It waits as long as that takes (:data:`PATIENCE`), where a barrier of NCCL ends after minutes. An error ends the
    work of its process at once, and :class:`emoquant.callbacks.FailTogether` that of the others. A complaint is an
    error that says at the end of a share what in it could not be used: the others do theirs, and then all raise.

    Args:
        work: This process's share.
        complaints: Kinds of errors that are complaints.

    Raises:
        RankError: Another process had a complaint.
    """
    if world_size() == 1:
        return work()
    found: list[T] = []
    attempt = Attempt()
    group = distributed.new_group(backend="gloo", timeout=PATIENCE)
    try:
        with attempt:
            found = [work()]
        if attempt.error is not None and not isinstance(attempt.error, complaints):
            raise attempt.error
        told: list[str | None] = [None] * world_size()
        own = None if attempt.error is None else f"{type(attempt.error).__name__}: {attempt.error}"
        distributed.all_gather_object(told, own, group=group)
    finally:
        distributed.destroy_process_group(group)  # whoever waits for a process that failed hears of it here
    if attempt.error is not None:
        raise attempt.error
    failed = [f"rank {rank}: {text}" for rank, text in enumerate(told) if text is not None]
    if failed:
        raise RankError("\n".join(failed))
    return found[0]
