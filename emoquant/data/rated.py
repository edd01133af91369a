"""Corpora with recognition rates by listeners, which are converted to votes."""

import math
from collections.abc import Sequence
from pathlib import Path

from emoquant.data.base import Corpus, Utterance
from emoquant.data.table import Builder
from emoquant.storage.csv_files import read_csv


class RatedCorpus(Corpus):
    """Add votes to a corpus, from a table of recognition rates.

    A rate is the share of the listeners who recognised the intended emotion. The answers of the others are not known,
    so their votes go to ``unknown``, which is none of a corpus's emotions. The agreement on an utterance is then its
    rate, and measures of votes use only the votes for the intended emotion.

    Args:
        corpus: The corpus; its own votes are replaced for utterances with a rate.
        ratings: CSV file (UTF-8, with a header) with a line for each rated utterance.
        key: Column that holds the utterances' ids.
        rate: Column of the rates; utterances with an empty cell keep the corpus's votes.
        full: Rate if all listeners recognise the emotion: 100 for percent, 1 for shares.
        only_rated: Whether test utterances without a rate are left out.

    Raises:
        ValueError: ``full`` is not above 0.
    """

    def __init__(
        self,
        corpus: Corpus,
        ratings: str,
        key: str = "id",
        rate: str = "rating_recognised",
        full: float = 100.0,
        only_rated: bool = False,
    ) -> None:
        if not full > 0:
            raise ValueError(f"full is {full}: expected the rate that means everybody, 100 for percent")
        self.corpus, self.ratings, self.name = corpus, Path(ratings), corpus.name
        self.key, self.rate, self.full, self.only_rated = key, rate, full, only_rated

    def prepare(self) -> None:
        """Prepare the corpus."""
        self.corpus.prepare()

    def utterances(self) -> Sequence[Utterance]:
        """Return the utterances with votes.

        Raises:
            FileNotFoundError: There is no such file of ratings, or the corpus is not there.
            ValueError: The file lacks a column, has an invalid rate, or has a rate for none of the utterances.
        """
        rates = self._rates()
        found, rated = Builder(), 0
        for utterance in self.corpus.utterances():
            share = rates.get(utterance.id)
            rated += share is not None
            if share is not None:
                found.append(utterance._replace(votes=_votes(utterance.emotion, share)))
            elif not self.only_rated or utterance.split != "test":
                found.append(utterance)
        if not rated:
            raise ValueError(
                f"{self.ratings} rates none of the utterances of {self.name!r}: check the column {self.key!r}"
            )
        return found.table()

    def _rates(self) -> dict[str, float]:
        if not self.ratings.is_file():
            raise FileNotFoundError(f"no ratings at {self.ratings}: expected a CSV with {self.key!r} and {self.rate!r}")
        rates = {}
        for line, record in read_csv(self.ratings, (self.key, self.rate), "table of ratings"):
            if (cell := record[self.rate].strip()) != "":
                rates[record[self.key]] = self._share(cell, line)
        return rates

    def _share(self, cell: str, line: int) -> float:
        try:
            share = float(cell) / self.full
        except ValueError:
            share = math.nan
        if not 0 <= share <= 1:
            raise ValueError(f"{self.ratings}, line {line}: rate {cell!r}, expected a number from 0 to {self.full:g}")
        return share


def _votes(emotion: str, share: float) -> dict[str, float]:
    votes = {emotion: share, "unknown": 1 - share}
    return {name: value for name, value in votes.items() if value > 0}
