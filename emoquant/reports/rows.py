"""Rows of a results file, looked up by what they are about."""

import math
from collections.abc import Iterable, Iterator, Sequence

from emoquant.storage.results import Row

#: Name of the codec that leaves features as they are.
UNQUANTIZED = "none"
#: Emotion and stratum of figures over everything.
ALL = "all"
#: Metric of the rows that say what a codec was trained on: the share of an emotion.
TRAINED_ON = "trained_on"


class MissingRowsError(ValueError):
    """A report was asked of results that lack the rows it shows."""


class Results:
    """Rows of one classifier with look-up by metric, codec, operating point, emotion and stratum.

    Args:
        rows: Rows of one or several corpora.
        classifier: Classifier whose rows are kept, beside those that need none; the first of the file by default.

    Raises:
        MissingRowsError: There are no rows.
        ValueError: Two rows are about the same thing.
    """

    def __init__(self, rows: Iterable[Row], classifier: str = "") -> None:
        given = tuple(rows)
        self.classifier = classifier or next(iter(classifiers_in(given)), "")
        self.rows = tuple(row for row in given if row.classifier in ("", self.classifier))
        if not self.rows:
            raise MissingRowsError("the results hold no rows: nothing to report; run the evaluation again")
        self._found: dict[tuple[str, str, str, float | None, str, str], Row] = {}
        for row in self.rows:
            key = (row.corpus, row.metric, row.codec, _key(row.lmbda), row.emotion, row.stratum)
            if key in self._found:
                raise ValueError(
                    f"the results hold two rows of {row.metric} for {row.codec}, {row.lmbda:g}, {row.emotion}"
                )
            self._found[key] = row

    @property
    def corpora(self) -> list[str]:
        """Corpora in the order of the file."""
        return _unique(row.corpus for row in self.rows)

    @property
    def corpus(self) -> str:
        """The first corpus of the file."""
        return self.rows[0].corpus

    @property
    def metrics(self) -> list[str]:
        """Metrics in the order of the file."""
        return _unique(row.metric for row in self.rows)

    def of_corpus(self, corpus: str) -> "Results":
        """Return the rows of one corpus."""
        return Results(row for row in self.rows if row.corpus == corpus)

    def codecs(self, metric: str, wanted: Sequence[str] | None = None) -> list[str]:
        """Return the codecs that have rows of a metric, in the order of the file, the identity left out.

        Args:
            metric: Metric to look for.
            wanted: Codecs to return instead, in this order.

        Raises:
            MissingRowsError: No codec, or not every wanted one, has such rows.
        """
        found = _unique(row.codec for row in self.rows if row.metric == metric and row.codec != UNQUANTIZED)
        lacking = [codec for codec in wanted or () if codec not in found]
        if lacking or not found:
            raise MissingRowsError(self._lack(f"{metric} of codec {', '.join(lacking) or '(any)'}", metric))
        return list(wanted) if wanted else found

    def emotions(self, metric: str, wanted: Sequence[str] | None = None) -> list[str]:
        """Return the emotions that have rows of a metric, in the order of the file, ``"all"`` left out.

        Args:
            metric: Metric to look for.
            wanted: Emotions to return instead, in this order.

        Raises:
            MissingRowsError: A wanted emotion has no such rows.
        """
        found = _unique(row.emotion for row in self.rows if row.metric == metric)
        lacking = [emotion for emotion in wanted or () if emotion not in found]
        if lacking:
            raise MissingRowsError(self._lack(f"{metric} of emotion {', '.join(lacking)}", metric))
        return list(wanted) if wanted else [emotion for emotion in found if emotion != ALL]

    def strata(self, metric: str) -> list[str]:
        """Return the strata that have rows of a metric, in the order of the file, ``"all"`` left out."""
        return [s for s in _unique(row.stratum for row in self.rows if row.metric == metric) if s != ALL]

    def targets(self, stem: str) -> list[str]:
        """Return what follows the slash in the metrics of a stem: ``similarity_to/happy`` -> ``happy``."""
        return [m.partition("/")[2] for m in self.metrics if m.startswith(f"{stem}/")]

    def spaces(self) -> list[str]:
        """Return the spaces that cosines were measured in, beside that of the features."""
        found = (metric.partition("/")[0].partition("@")[2] for metric in self.metrics)
        return _unique(space for space in found if space)

    def points(self, metric: str, codec: str) -> list[float]:
        """Return the operating points of a codec at which a metric is known, ascending, NaN left out."""
        found = {r.lmbda for r in self.rows if r.metric == metric and r.codec == codec and not math.isnan(r.lmbda)}
        return sorted(found)

    def find(self, metric: str, codec: str, point: float, emotion: str = ALL, stratum: str = ALL) -> Row | None:
        """Return the row about one thing in the first corpus, or None."""
        return self._found.get((self.corpus, metric, codec, _key(point), emotion, stratum))

    def row(self, metric: str, codec: str, point: float, emotion: str = ALL, stratum: str = ALL) -> Row:
        """Return the row about one thing in the first corpus.

        Raises:
            MissingRowsError: There is none.
        """
        found = self.find(metric, codec, point, emotion, stratum)
        if found is None:
            whose = "" if emotion == ALL else f" of {emotion}"
            where = "" if stratum == ALL else f" in stratum {stratum!r}"
            raise MissingRowsError(f"no {metric}{whose} by {codec} at {point:g}{where}")
        return found

    def series(self, metric: str, codec: str, emotion: str = ALL, stratum: str = ALL) -> list[Row]:
        """Return the rows of a metric over a codec's operating points, ascending."""
        rows = (self.find(metric, codec, point, emotion, stratum) for point in self.points(metric, codec))
        return [row for row in rows if row is not None]

    def codebook_emotion(self, codec: str) -> str | None:
        """Return the one emotion that a codec was trained on; None for several, or where the results do not say it."""
        shares = {row.emotion: row.value for row in self.rows if row.metric == TRAINED_ON and row.codec == codec}
        return next(iter(shares)) if len(shares) == 1 else None

    def need(self, *metrics: str) -> None:
        """Check that metrics are in the results.

        Raises:
            MissingRowsError: One is not; the message lists what there is.
        """
        for metric in metrics:
            if metric not in self.metrics:
                raise MissingRowsError(self._lack(metric, metric))

    def _lack(self, what: str, metric: str) -> str:
        there = sorted({row.codec for row in self.rows if row.metric == metric != TRAINED_ON})
        having = f"{metric} is there for the codecs {', '.join(there)}" if there else _listed(self.metrics)
        return f"the results have no rows of {what}: {having}; evaluate with that measure or drop the report"


def classifiers_in(rows: Iterable[Row]) -> list[str]:
    """Return the classifiers that rows name, in the order of the file; none for files that name none."""
    return [name for name in _unique(row.classifier for row in rows) if name]


def _listed(metrics: Sequence[str]) -> str:
    stems = _unique(metric.partition("/")[0] + ("/..." if "/" in metric else "") for metric in metrics)
    return f"they hold {', '.join(stems)}"


def _key(point: float) -> float | None:
    return None if math.isnan(point) else point


def _unique(values: Iterable[str] | Iterator[str]) -> list[str]:
    return list(dict.fromkeys(values))
