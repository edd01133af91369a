"""Work divided among jobs that know nothing of each other, such as those of an array."""

import hashlib


def parse_shard(shard: str, what: str = "shard") -> tuple[int, int]:
    """Return number and count of a part of the work, or of a fold.

    Args:
        shard: ``NUMBER/COUNT``, numbers from 0: the jobs of an array of eight take ``0/8`` to ``7/8``.
        what: What it is a part of, for the message.

    Raises:
        ValueError: It is something else.

    Example:
        >>> parse_shard("2/8")
        (2, 8)
    """
    number, slash, count = shard.partition("/")
    if not (slash and number.isdecimal() and count.isdecimal() and int(number) < int(count)):
        raise ValueError(f"{what} is {shard!r}: expected NUMBER/COUNT with NUMBER from 0 to COUNT - 1, such as 0/5")
    return int(number), int(count)


def share_of(name: str, count: int) -> int:
    """Return the number, below ``count``, of the job that a piece of work belongs to, by its name alone.

    Example:
        >>> sorted({share_of(f"utterance {number}", 3) for number in range(20)})
        [0, 1, 2]
    """
    digest = hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return int.from_bytes(digest, "big") % count
