"""What every corpus of emotional speech offers."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

SPLITS = ("train", "validation", "test")


class Utterance(NamedTuple):
    """One labelled utterance.

    Attributes:
        id: Name that is unique in its corpus; it never holds a path separator.
        path: Audio file.
        emotion: Canonical name (:mod:`emoquant.labels`).
        speaker: Name of the speaker, unique in the corpus; empty where unknown.
        split: ``"train"``, ``"validation"`` or ``"test"``.
        text: What is said; empty where unknown.
        language: BCP 47 tag; empty where unknown.
        start: Where the utterance begins in the file, in seconds.
        end: Where it ends, in seconds; None for the end of the file.
        votes: Annotators' votes per canonical emotion (counts or shares); empty where nobody voted.
        dimensions: Annotators' mean ratings of arousal, valence and dominance, on the corpus's scale; those that there
            are.
    """

    id: str
    path: Path
    emotion: str
    speaker: str
    split: str
    text: str = ""
    language: str = ""
    start: float = 0.0
    end: float | None = None
    votes: Mapping[str, float] = {}
    dimensions: Mapping[str, float] = {}


class Corpus(ABC):
    """A labelled corpus on disk.

    Attributes:
        name: Name in the tables and in the feature cache.
    """

    name: str

    def prepare(self) -> None:  # noqa: B027 (most corpora have nothing to make)
        """Make what can be made (a rendered corpus); called once, on one process, before :meth:`utterances`."""

    @abstractmethod
    def utterances(self) -> Sequence[Utterance]:
        """Return every utterance of the corpus with its split, in a fixed order.

        Raises:
            FileNotFoundError: The folder or a file that the corpus must have is missing; the message names it, what
                was expected there and how to get it.
            ValueError: A label, a split or an id is wrong; the message names the file and the line.
        """
