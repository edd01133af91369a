"""Published figures to hold ours against, read from a file that the user names."""

import csv
import math
from pathlib import Path

from emoquant.reports.panels import Curve
from emoquant.reports.quantities import quantity
from emoquant.reports.style import line_style
from emoquant.results import Row

_POINT_COLUMNS = ("lambda", "lmbda")
_POOLED = ("overall", "mean", "all")


def read_reference(path: str | Path, metric: str) -> dict[str, dict[float, float]]:
    """Read a table of published figures over lambda.

    Args:
        path: CSV with a column ``lambda`` and a column for each emotion; ``overall`` or ``mean`` for all together.
        metric: Metric that the figures are of; percentages are turned into shares where the metric is one.

    Returns:
        Figures by emotion and lambda, in the unit of the metric's rows.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It has no lambda column or a cell that is no number.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"no published figures at {path}: expected a CSV; correct the option `reference` or drop it"
        )
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        columns = list(reader.fieldnames or ())
        points = [column for column in columns if column in _POINT_COLUMNS]
        if not points:
            raise ValueError(f"{path} has the columns {', '.join(columns)}: expected one named lambda")
        table: dict[str, dict[float, float]] = {"all" if c in _POOLED else c: {} for c in columns if c not in points}
        for record in reader:
            try:
                at = float(record[points[0]])
                for column in table:
                    source = next(c for c in columns if (c in _POOLED and column == "all") or c == column)
                    table[column][at] = float(record[source])
            except ValueError as error:
                raise ValueError(f"{path}, line {reader.line_num}: {error}") from error
    values = [value for column in table.values() for value in column.values()]
    factor = 100.0 if quantity(metric).unit == "%" and max(values, default=0.0) > 1.5 else 1.0
    return {column: {at: value / factor for at, value in found.items()} for column, found in table.items()}


def published_curve(table: dict[str, dict[float, float]], emotion: str, metric: str) -> Curve:
    """Return the published figures of one emotion as a curve.

    Args:
        table: What :func:`read_reference` returned.
        emotion: A column of it.
        metric: Metric that the figures are of.
    """
    nan = math.nan
    rows = [
        Row("published", "published", at, emotion, metric, value, nan, nan, 0) for at, value in table[emotion].items()
    ]
    return Curve(emotion, line_style(emotion), [row.lmbda for row in rows], rows, published=True)
