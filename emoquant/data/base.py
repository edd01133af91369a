"""What every corpus of emotional speech offers."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from emoquant.data.folds import Fold, split_in_fold

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

    def own_folds(self) -> int:
        """Return the number of folds that the corpus is published with; 0 where it is divided here."""
        return 0

    def fold_group(self, utterance: Utterance) -> str:
        """Return what of an utterance is in one split of a fold only: its speaker."""
        return utterance.speaker

    def utterances_in(self, fold: Fold) -> Sequence[Utterance]:
        """Return the utterances with their splits in a fold, in which each speaker is tested once over all folds.

        Args:
            fold: The fold.

        Raises:
            ValueError: The speakers are too few for so many folds, or unknown; see :meth:`utterances`.
        """
        found = self.utterances()
        splits = split_in_fold([self.fold_group(utterance) for utterance in found], fold)
        return [utterance._replace(split=split) for utterance, split in zip(found, splits, strict=True)]

    @abstractmethod
    def utterances(self) -> Sequence[Utterance]:
        """Return every utterance of the corpus with its split, in a fixed order.

        Raises:
            FileNotFoundError: The folder or a file that the corpus must have is missing; the message names it, what
                was expected there and how to get it.
            ValueError: A label, a split or an id is wrong; the message names the file and the line.
        """
