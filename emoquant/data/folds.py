"""Folds of a corpus: every speaker is tested once, and trained on in all folds but two."""

import hashlib
from collections.abc import Sequence

from emoquant.devices.sharding import Share


def split_in_fold(groups: Sequence[str], fold: Share) -> list[str]:
    """Return the split of every utterance in a fold; no group is in two splits, and each is tested in one fold.

    The groups are dealt into as many parts as there are folds, in an order that a hash of their names decides. In fold
    ``k`` part ``k`` is the test split and the next one the validation split.

    Args:
        groups: Group (speaker, session) of each utterance.
        fold: The fold.

    Raises:
        ValueError: There are fewer than three folds, more folds than groups, or an utterance has no group.
    """
    names = sorted(set(groups), key=lambda name: hashlib.sha256(name.encode()).digest())
    if "" in names:
        raise ValueError(f"utterance {list(groups).index('')} of the corpus has no speaker: folds are of speakers")
    if not 3 <= fold.total <= len(names):
        raise ValueError(
            f"{fold.total} folds of {len(names)} speakers or sessions: expected at least 3, and no more than there are "
            "speakers or sessions"
        )
    part = {name: place % fold.total for place, name in enumerate(names)}
    splits = {fold.number: "test", (fold.number + 1) % fold.total: "validation"}
    return [splits.get(part[group], "train") for group in groups]
