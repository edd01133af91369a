"""Selection of training utterances with emotions in given proportions, for codebooks of one emotion or of several."""

from collections.abc import Mapping, Sequence

import numpy as np

from emoquant.labels import canonical_emotion

#: Word for the emotions that shares do not name.
REST = "rest"


def rows_by_share(
    emotions: np.ndarray,
    names: Sequence[str],
    shares: Mapping[str, float],
    utterances: int | None = None,
    seed: int = 0,
) -> np.ndarray:
    """Draw as many rows as possible without repetition, such that the emotions have given proportions.

    Args:
        emotions: Index of each utterance's emotion, ``(N,)``.
        names: Names of the emotions that the indices stand for.
        shares: Wanted share of each emotion; only their ratios count. The share of ``rest`` is divided evenly between
            the emotions that are not named.
        utterances: Maximum number of rows; as many as the proportions allow by default.
        seed: Seed of the draw.

    Returns:
        Rows in rising order, ``(M,)`` int64; the number of each emotion is rounded, and at least one.

    Raises:
        ValueError: An emotion is unknown or has no utterance, or a share or the number is not above 0.

    Example:
        >>> rows_by_share(np.array([0, 0, 0, 1, 1, 2]), ["happy", "sad", "angry"], {"happy": 2, "angry": 1}).tolist()
        [0, 2, 5]
    """
    wanted = with_rest(shares, names)
    if not wanted or any(not np.isfinite(share) or share <= 0 for share in wanted.values()):
        raise ValueError(f"training emotions need shares above 0, got {dict(shares)}; leave out what is not wanted")
    if utterances is not None and utterances < len(wanted):
        raise ValueError(f"{utterances} training utterances cannot hold {len(wanted)} emotions")
    unknown = [name for name in wanted if name not in names]
    found = {name: np.flatnonzero(emotions == names.index(name)) for name in wanted if name in names}
    lacking = unknown + [name for name, rows in found.items() if not len(rows)]
    if lacking:
        raise ValueError(
            f"the training split has no utterance of {', '.join(lacking)}; its emotions are {', '.join(names)}"
        )
    whole = sum(wanted.values())
    total = min(len(found[name]) / (share / whole) for name, share in wanted.items())
    total = total if utterances is None else min(total, utterances)
    chosen = []
    for name, share in wanted.items():
        rows = found[name]
        count = min(len(rows), max(1, round(total * share / whole)))
        random = np.random.default_rng([seed, names.index(name)])
        chosen.append(rows if count == len(rows) else random.permutation(rows)[:count])
    return np.sort(np.concatenate(chosen)).astype(np.int64)


def with_rest(shares: Mapping[str, float], names: Sequence[str]) -> dict[str, float]:
    """Return shares by canonical names, with that of ``rest`` divided evenly between the emotions that are not named.

    Raises:
        ValueError: There is a rest, but every emotion is named.

    Example:
        >>> with_rest({"happy": 0.9, "rest": 0.1}, ["angry", "happy", "sad"])
        {'happy': 0.9, 'angry': 0.05, 'sad': 0.05}
    """
    wanted = {canonical_emotion(name): share for name, share in shares.items() if name != REST}
    others = [name for name in names if name not in wanted]
    if REST in shares and not others:
        raise ValueError(f"training emotions have a share for the rest, but all of {', '.join(names)} are named")
    return wanted | ({name: shares[REST] / len(others) for name in others} if REST in shares else {})
