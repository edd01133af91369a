"""The interface of a corpus of emotional speech: labelled utterances, splits and folds."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from emoquant.data.folds import split_in_fold
from emoquant.devices.sharding import Share
from emoquant.types import Utterance

__all__ = ["SPLITS", "Corpus", "Utterance"]

SPLITS = ("train", "validation", "test")


class Corpus(ABC):
    """Base class of corpora: labelled utterances on disk.

    Attributes:
        name: Name in the tables and in the feature cache.
    """

    name: str

    def prepare(self) -> None:  # noqa: B027 (most corpora have nothing to make)
        """Create files that the corpus needs (rendered speech), once, on one process, before :meth:`utterances`."""

    def own_folds(self) -> int:
        """Return the number of folds that the corpus was published with; 0 if it has none."""
        return 0

    def fold_group(self, utterance: Utterance) -> str:
        """Return the group of an utterance, by default its speaker; the utterances of a group are in one fold."""
        return utterance.speaker

    def utterances_in(self, fold: Share) -> Sequence[Utterance]:
        """Return the utterances with their splits in a fold; over all folds each speaker is tested once.

        Args:
            fold: The fold.

        Raises:
            ValueError: There are fewer speakers than folds, or speakers are unknown; also as in :meth:`utterances`.
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
