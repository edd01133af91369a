"""Sentences that captions share: how many utterances, which intervals, what the axis is."""

from collections.abc import Iterable, Sequence

from emoquant.reports.quantities import Quantity, point_text
from emoquant.storage.results import Row


def count_text(rows: Iterable[Row]) -> str:
    """Return how many utterances stand behind rows, by emotion.

    Args:
        rows: Rows shown.

    Example:
        >>> count_text([Row("c", "k", 0.0, e, "recall", 1.0, 1.0, 1.0, 100) for e in ("angry", "sad")])
        'n = 100 utterances for each of angry and sad.'
    """
    counts: dict[str, list[int]] = {}
    for row in rows:
        counts.setdefault(row.emotion, []).append(row.n)
    ranges = {emotion: span_text(values) for emotion, values in counts.items()}
    spans = set(ranges.values())
    pooled = ranges.pop("all", None) if len(ranges) > 1 else None
    if not ranges:
        return ""
    if len(set(ranges.values())) == 1:
        span = next(iter(ranges.values()))
        names = list(ranges)
        whose = "" if names == ["all"] else f" for each of {_joined(names)}" if len(names) > 1 else f" of {names[0]}"
        text = f"n = {span} utterances{whose}"
    else:
        text = "n = " + ", ".join(f"{span} {emotion}" for emotion, span in ranges.items()) + " utterances"
    return text + (f" ({pooled} together)." if pooled and len(spans) > 1 else ".")


def interval_text(rows: Iterable[Row], shown: str) -> str:
    """Return what the intervals are.

    Args:
        rows: Rows shown.
        shown: How they are drawn, for example ``"Bands"``.
    """
    rows = [row for row in rows if row.low == row.low]
    if not rows:
        return "No intervals are given."
    kinds = sorted({row.interval for row in rows if row.interval})
    return f"{shown}: 95 % bootstrap intervals{', resampling ' + ' and '.join(kinds) if kinds else ''}."


def widest_text(rows: Iterable[Row], measure: Quantity) -> str:
    """Return the widest interval among rows, for tables that leave intervals out.

    Args:
        rows: Rows shown.
        measure: How their metric is shown.
    """
    known = [row for row in rows if row.low == row.low and row.high == row.high]
    if not known:
        return ""
    row = max(known, key=lambda r: r.high - r.low)
    where = f"{row.emotion} at λ = {point_text(row.lmbda)}" if row.lmbda == row.lmbda else f"{row.emotion}, unquantized"
    kind = f", bootstrap over {row.interval}" if row.interval else ""
    return f"Widest 95 % interval{kind}: {measure.text(row.low)} to {measure.text(row.high)} ({where})."


def axis_text(knee: float) -> str:
    """Return what the reader must know about an axis that shows zero."""
    return f"The horizontal axis is logarithmic above {point_text(knee)} and linear below (shaded)."


def sentences(*parts: str) -> str:
    """Join sentences, leaving out empty ones."""
    return " ".join(part for part in parts if part)


def span_text(values: Sequence[int]) -> str:
    """Return the range of counts: ``5``, or ``1 to 5`` where they differ."""
    low, high = min(values), max(values)
    return f"{low}" if low == high else f"{low} to {high}"


def _joined(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + f" and {names[-1]}"
