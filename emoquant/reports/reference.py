"""Published figures to hold ours against: those of the study, shipped in ``published/``, or a file of the user's."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from emoquant.labels import SPELLINGS, canonical_emotion
from emoquant.reports.panels import Curve
from emoquant.reports.quantities import quantity
from emoquant.reports.rows import ALL
from emoquant.reports.style import line_style
from emoquant.storage.csv_files import read_csv
from emoquant.storage.results import Row

#: Figures by series (an emotion, ``"all"``, a codec) and lambda.
Published = dict[str, dict[float, float]]

SHIPPED = Path(__file__).parent / "published"

#: What the shipped figures were measured on.
SOURCES = {
    "esd_accuracy_vs_lambda": "ESD, n = 100 an emotion",
    "esd_similarity_vs_lambda": "ESD, n = 100 an emotion",
    "iemocap_ambiguity_vs_lambda": "IEMOCAP, agreement of the annotators in percent",
    "tts_bits_per_frame_vs_lambda": "references of the synthesised speech",
}

_POINTS, _SERIES, _POOLED = ("lambda", "lmbda"), ("codebook", "codec"), ("overall", "mean", "all", "uar")
_EMOTIONS = {spelling for name, others in SPELLINGS.items() for spelling in (name, *others)}


def locate_reference(reference: str | Path) -> Path:
    """Return the file of published figures: a path, or the stem of a shipped one (``esd_accuracy_vs_lambda``).

    Raises:
        FileNotFoundError: It is neither.
    """
    path = Path(reference)
    shipped = {file.stem: file for file in SHIPPED.iterdir()}
    if path.is_file() or str(reference) in shipped:
        return path if path.is_file() else shipped[str(reference)]
    raise FileNotFoundError(
        f"no published figures at {path}: expected a file, or one of the shipped {', '.join(sorted(shipped))}; "
        "correct the option `reference` or drop it"
    )


def reference_text(reference: str | Path) -> str:
    """Return what a caption says of published figures: where they are from."""
    name = Path(reference).stem
    return f"published figures ({SOURCES.get(name, Path(reference).name)})"


def source_name(reference: str | Path) -> str:
    """Return the heading of published figures in a picture: the corpus, where it is known.

    Example:
        >>> source_name("esd_accuracy_vs_lambda"), source_name("mine.csv")
        ('published (ESD)', 'published')
    """
    corpus = SOURCES.get(Path(reference).stem, "").partition(",")[0]
    return f"published ({corpus})" if corpus.isupper() else "published"


def read_reference(path: str | Path, metric: str, wanted: Sequence[str]) -> Published:
    """Read a table of published figures over lambda.

    Args:
        path: CSV, or the name of a shipped one, with a column ``lambda`` and either one for each emotion (``overall``
            or ``mean`` for all together) or the columns ``codec`` (or ``codebook``) and one of figures.
        metric: Metric that the figures are of; percentages are turned into shares where the metric is one.
        wanted: Series to return, those that the file has.

    Returns:
        Figures in the unit of the metric's rows.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It has no lambda column, a cell that is no number, or none of the wanted series.
    """
    path = locate_reference(path)
    table: Published = {}
    for line, record in read_csv(path):
        columns = list(record)
        if not set(columns) & set(_POINTS):
            raise ValueError(f"{path} has the columns {', '.join(columns)}: expected one named lambda")
        try:
            for series, at, value in _figures(record, columns):
                table.setdefault(series, {})[at] = value
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path}, line {line}: {error}") from error
    found = {series: table[series] for series in wanted if series in table}
    if not found:
        raise ValueError(f"{path} has figures of {', '.join(table)}: none of {', '.join(wanted)}")
    largest = max(value for figures in found.values() for value in figures.values())
    factor = 100.0 if quantity(metric).unit == "%" and largest > 1.5 else 1.0
    return {series: {at: value / factor for at, value in figures.items()} for series, figures in found.items()}


def _figures(record: Mapping[str, str], columns: Sequence[str]) -> list[tuple[str, float, float]]:
    at = float(next(record[column] for column in columns if column in _POINTS))
    others = [column for column in columns if column not in _POINTS]
    series = [column for column in others if column in _SERIES]
    if series:
        return [(record[series[0]], at, float(record[next(c for c in others if c != series[0])]))]
    return [(_series_name(column), at, float(record[column])) for column in others]


def _series_name(column: str) -> str:
    if column.lower() in _POOLED:
        return ALL
    return canonical_emotion(column) if column.lower() in _EMOTIONS else column


def published_curve(table: Published, series: str, metric: str, index: int = 0) -> Curve:
    """Return the published figures of one series as a curve.

    Args:
        table: What :func:`read_reference` returned.
        series: A key of it.
        metric: Metric that the figures are of.
        index: Place of the series, for its style.
    """
    nan = math.nan
    figures = table[series].items()
    rows = [Row("published", "published", at, series, metric, value, nan, nan, 0) for at, value in figures]
    return Curve(series, line_style(series, index), [row.lmbda for row in rows], rows, published=True)
