"""What utterances of an emotion are taken for: rows of shares by class, at operating points."""

import math
from collections.abc import Sequence
from itertools import pairwise

from emoquant.reports.quantities import point_text
from emoquant.reports.rows import UNQUANTIZED, MissingRowsError, Results
from emoquant.storage.results import Row

#: Name of all classes together that are no emotion of the corpus.
ELSE = "else"


class Outcomes:
    """Rows ``<stem>/<class>``: the share of an emotion's utterances that ended as the class.

    Args:
        results: Rows of one corpus.
        stem: Stem of the metrics.
        stratum: Part of the corpus.

    Attributes:
        emotions: True emotions.
        columns: Emotions that are classes too, then ``"else"`` if there are other classes.

    Raises:
        MissingRowsError: There are no such rows, or none in the stratum.
    """

    def __init__(self, results: Results, stem: str, stratum: str) -> None:
        classes = results.targets(stem)
        results.need(*([] if classes else [f"{stem}/<class>"]))
        if not any(row.stratum == stratum and row.metric.startswith(f"{stem}/") for row in results.rows):
            raise MissingRowsError(f"the results have no rows of {stem}/<class> in stratum {stratum!r}")
        self.results, self.stem, self.stratum = results, stem, stratum
        self.emotions = results.emotions(f"{stem}/{classes[0]}")
        own = [emotion for emotion in self.emotions if emotion in classes]
        self._others = [name for name in classes if name not in own]
        self.columns = [*own, *([ELSE] if self._others else [])]
        self._classes = classes

    @property
    def else_note(self) -> str:
        """What the column ``"else"`` is, as a sentence; empty without it."""
        return f"“{ELSE}”: classes that are no emotion of this corpus." if self._others else ""

    def codecs(self, wanted: Sequence[str] | None) -> list[str]:
        """Return the codecs that have such rows, or the wanted ones after a check."""
        return self.results.codecs(f"{self.stem}/{self._classes[0]}", wanted)

    def points(self, codec: str) -> list[float]:
        """Return the operating points of a codec, ascending."""
        return self.results.points(f"{self.stem}/{self._classes[0]}", codec)

    def cell(self, codec: str, point: float, emotion: str, column: str) -> Row | None:
        """Return the share of an emotion in a column; that of ``"else"`` is a sum without an interval.

        Args:
            codec: Codec; the unquantized features where the point is NaN.
            point: Operating point.
            emotion: True emotion.
            column: One of :attr:`columns`.
        """
        if column != ELSE:
            return self._find(codec, point, emotion, column)
        rows = [row for name in self._others if (row := self._find(codec, point, emotion, name)) is not None]
        if not rows:
            return None
        total = math.fsum(row.value for row in rows)
        return rows[0]._replace(metric=f"{self.stem}/{ELSE}", value=total, low=math.nan, high=math.nan)

    def rows(self, codec: str, point: float) -> list[Row]:
        """Return the rows of every emotion and class at one operating point."""
        found = [self._find(codec, point, emotion, name) for emotion in self.emotions for name in self._classes]
        return [row for row in found if row is not None]

    def chosen(self, codec: str, wanted: Sequence[float] | None, number: int) -> list[float]:
        """Return operating points for figures that show a few.

        Args:
            codec: Codec of the sweep.
            wanted: Points to show, checked; None for the unquantized features and points between which the shares
                change by about the same amount.
            number: How many of the sweep to choose at most.

        Raises:
            MissingRowsError: A wanted point was not evaluated.
        """
        points = self.points(codec)
        lacking = [p for p in wanted or () if p not in points and not math.isnan(p)]
        if lacking:
            known = ", ".join(map(point_text, points))
            asked = ", ".join(map(point_text, lacking))
            raise MissingRowsError(f"no {self.stem}/<class> of {codec} at λ {asked}: evaluated were {known}")
        if wanted:
            return list(wanted)
        before = [math.nan] if self.rows(UNQUANTIZED, math.nan) else []
        return [*before, *[points[i] for i in self._telling(codec, points, number)]]

    def _telling(self, codec: str, points: Sequence[float], number: int) -> list[int]:
        shares = [{(r.metric, r.emotion): r.value for r in self.rows(codec, point)} for point in points]
        travelled = [0.0]
        for last, now in pairwise(shares):
            travelled.append(travelled[-1] + math.fsum(abs(now[key] - last.get(key, 0.0)) for key in now))
        marks = [travelled[-1] * step / max(number - 1, 1) for step in range(number)]
        nearest = {min(range(len(points)), key=lambda i: abs(travelled[i] - mark)) for mark in marks[1:-1]}
        return sorted({0, len(points) - 1, *nearest})

    def _find(self, codec: str, point: float, emotion: str, name: str) -> Row | None:
        source = UNQUANTIZED if math.isnan(point) else codec
        return self.results.find(f"{self.stem}/{name}", source, point, emotion, self.stratum)
