"""Whether every utterance of a corpus is there once, under one label, and as many of them as were published."""

import logging
from collections.abc import Sequence

from emoquant.data.base import Utterance
from emoquant.data.table import UtteranceTable

_log = logging.getLogger(__name__)


def check_ids(corpus: str, utterances: Sequence[Utterance]) -> None:
    """Refuse a corpus in which an id is there twice: a copy, or one recording in two formats.

    Args:
        corpus: Name of the corpus, for the message.
        utterances: All of its utterances.

    Raises:
        ValueError: Two utterances have one id; the message names both files, and both labels where they contradict each
            other.
    """
    table = UtteranceTable.of(utterances)
    for first, second in table.repeated("id"):
        one, other = table[first], table[second]
        labels = "" if one.emotion == other.emotion else f", labelled {one.emotion} here and {other.emotion} there"
        raise ValueError(
            f"corpus {corpus!r}: {one.path} and {other.path} are one utterance by their id {one.id!r}{labels}: a copy, "
            "or one recording in two formats; keep one of them"
        )


def compare_count(place: object, found: int, published: int, what: str) -> None:
    """Say so where a corpus has more or fewer files than were published.

    Args:
        place: Folder of the corpus, for the message.
        found: How many are there.
        published: How many there should be.
        what: What is counted.
    """
    if found != published:
        _log.warning("%s: %d %s where %d were published; is the copy whole?", place, found, what, published)
