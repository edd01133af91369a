"""Work divided: among jobs that know nothing of each other, such as those of an array, and into batches."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np


class Share(NamedTuple):
    """One of several parts of the work, or folds of a corpus.

    Attributes:
        number: Which, from 0.
        total: How many there are.
    """

    number: int
    total: int


def parse_shard(shard: str, what: str = "shard") -> Share:
    """Return a part of the work, or a fold.

    Args:
        shard: ``NUMBER/COUNT``, numbers from 0: the jobs of an array of eight take ``0/8`` to ``7/8``.
        what: What it is a part of, for the message.

    Raises:
        ValueError: It is something else.

    Example:
        >>> parse_shard("2/8")
        Share(number=2, total=8)
    """
    number, slash, count = shard.partition("/")
    if not (slash and number.isdecimal() and count.isdecimal() and int(number) < int(count)):
        raise ValueError(f"{what} is {shard!r}: expected NUMBER/COUNT with NUMBER from 0 to COUNT - 1, such as 0/5")
    return Share(int(number), int(count))


def share_of(name: str, count: int) -> int:
    """Return the number, below ``count``, of the job that a piece of work belongs to, by its name alone.

    Example:
        >>> sorted({share_of(f"utterance {number}", 3) for number in range(20)})
        [0, 1, 2]
    """
    digest = hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return int.from_bytes(digest, "big") % count


def by_length(lengths: Sequence[float] | np.ndarray, budget: float, most: int | None = None) -> Iterator[list[int]]:
    """Yield batches of indices in falling order of length, so that a batch is padded to its first member.

    Args:
        lengths: Length of each item.
        budget: Largest size of a batch with its padding; an item that is longer has a batch of its own.
        most: Most items of a batch, one at least; any number by default.

    Example:
        >>> list(by_length([1, 3, 2, 1], 4))
        [[1], [2, 0], [3]]
    """
    sizes = np.asarray(lengths)
    order, begin = np.argsort(-sizes, kind="stable"), 0
    while begin < len(order):
        longest = sizes[order[begin]]
        count = len(order) if longest <= 0 else max(1, int(budget // longest))
        end = begin + max(1, min(count, len(order) if most is None else most))
        yield order[begin:end].tolist()
        begin = end
