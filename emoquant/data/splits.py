"""Division of a corpus without splits of its own: by speaker, by sentence, by both, or at random.

Groups (speakers, sentences) are put in an order that a hash of seed and name decides, so that the same groups are held
out on every machine and Python version, and a group that is added moves few others.
"""

import hashlib
from collections.abc import Sequence
from typing import Literal

Policy = Literal["speaker", "text", "both"]


def held_out(groups: Sequence[str], share: float = 0.2, seed: int = 0) -> set[str]:
    """Return the groups that are held out: the given share of them, rounded, at least one.

    Args:
        groups: Names of the groups, in any order and with repetitions.
        share: Share of the distinct groups, in (0, 1).
        seed: Chooses the groups.

    Raises:
        ValueError: There are fewer than two groups, or the share is not in (0, 1).

    Example:
        >>> sorted(held_out(["ann", "bob", "cy", "dan", "eve", "ann"]))
        ['dan']
    """
    names = sorted(set(groups), key=lambda name: hashlib.sha256(f"{seed}:{name}".encode()).digest())
    if not 0 < share < 1:
        raise ValueError(f"share of held-out groups is {share}, expected a number between 0 and 1")
    if len(names) < 2:
        raise ValueError(f"cannot hold out a group of {names}: at least two are needed")
    return set(names[: min(max(1, round(share * len(names))), len(names) - 1)])


def split_by_group(
    groups: Sequence[str], test: float = 0.2, validation: float = 0.1, seed: int = 0, kind: str = "speaker"
) -> list[str]:
    """Return the split of every utterance, such that no group is in two splits.

    Args:
        groups: Group (speaker or sentence) of each utterance; empty names are an error.
        test: Share of the groups held out for the test.
        validation: Share of the remaining groups held out for validation.
        seed: Chooses the groups.
        kind: What a group is, for messages: ``"speaker"``, ``"sentence"`` or ``"utterance"``.

    Raises:
        ValueError: There are fewer than three groups or an utterance has none.
    """
    _check_groups(groups, kind, 3)
    tested = held_out(groups, test, seed)
    validated = held_out([group for group in groups if group not in tested], validation, seed)
    return ["test" if group in tested else "validation" if group in validated else "train" for group in groups]


def split_by_both(
    speakers: Sequence[str],
    texts: Sequence[str],
    test: float = 0.2,
    validation: float = 0.1,
    seed: int = 0,
) -> list[str]:
    """Return a split with an unseen speaker and unseen sentences.

    The test split has every utterance of one held-out speaker and, of the other speakers, every utterance of the
    held-out sentences: two parts, which the speaker distinguishes. Validation has further sentences of the training
    speakers.

    Args:
        speakers: Speaker of each utterance.
        texts: Sentence of each utterance.
        test: Share of the sentences held out for the test.
        validation: Share of the remaining sentences held out for validation.
        seed: Chooses speaker and sentences.

    Raises:
        ValueError: There are too few speakers or sentences, or an utterance has none.
    """
    _check_groups(speakers, "speaker", 2)
    by_text = split_by_group(texts, test, validation, seed, "sentence")
    out = held_out(speakers, 1 / len(set(speakers)), seed)
    return ["test" if speaker in out else split for speaker, split in zip(speakers, by_text, strict=True)]


def split_at_random(
    names: Sequence[str], emotions: Sequence[str], test: float = 0.2, validation: float = 0.1, seed: int = 0
) -> list[str]:
    """Return the split of every utterance, by a random division of each emotion that ignores speakers and texts.

    Speakers are then in several splits, so that figures hold for known speakers only. An emotion with fewer than three
    utterances is only in the training split.

    Args:
        names: Name of each utterance.
        emotions: Emotion of each.
        test: Share of an emotion's utterances held out for the test.
        validation: Share of the remaining ones held out for validation.
        seed: Chooses them.
    """
    splits = ["train"] * len(names)
    for emotion in dict.fromkeys(emotions):
        rows = [row for row, found in enumerate(emotions) if found == emotion]
        if len(rows) >= 3:
            chosen = split_by_group([names[row] for row in rows], test, validation, seed, "utterance")
            for row, split in zip(rows, chosen, strict=True):
                splits[row] = split
    return splits


def split_by_policy(
    policy: Policy, speakers: Sequence[str], texts: Sequence[str], test: float, validation: float, seed: int
) -> list[str]:
    """Return the split of every utterance under a named policy (see the functions above)."""
    if policy == "both":
        return split_by_both(speakers, texts, test, validation, seed)
    if policy not in ("speaker", "text"):
        raise ValueError(f"split policy {policy!r}: expected 'speaker', 'text' or 'both'")
    if policy == "speaker":
        return split_by_group(speakers, test, validation, seed)
    return split_by_group(texts, test, validation, seed, "sentence")


def _check_groups(groups: Sequence[str], kind: str, least: int) -> None:
    if not all(groups):
        raise ValueError(f"utterance {list(groups).index('')} of the corpus has no {kind}; choose another split policy")
    if len(distinct := sorted(set(groups))) < least:
        raise ValueError(
            f"{len(distinct)} {kind}{'s' * (len(distinct) > 1)} ({', '.join(distinct)}) where at least {least} are "
            "needed, so that none is in two of training, validation and test; choose another split (the option of a "
            "corpus that has one, split: text)"
        )
