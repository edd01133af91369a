"""A page of what is heard in recordings over time and over rate."""

import html
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from emoquant.reports.style import line_style

_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff; max-width: 64rem; margin: 0 auto;
  padding: 1.5rem; }
section { margin-top: 2rem; overflow-x: auto; }
h2 { font-size: 1.05rem; overflow-wrap: anywhere; margin-bottom: .3rem; }
table { border-collapse: collapse; font-size: .78rem; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .45rem; border: 1px solid #fff; text-align: center; white-space: nowrap; }
th[scope=row] { text-align: right; font-weight: 400; }
td.whole { border-right: .4rem solid #fff; font-weight: 600; }
"""
#: Share of the colour in the palest cell.
_PALEST = 0.08


class Stretch(NamedTuple):
    """A stretch of a recording at one operating point.

    Attributes:
        file: Name of the recording.
        point: Operating point; NaN before coding.
        begin: Where it begins, in seconds.
        end: Where it ends, in seconds.
        whole: Whether it is the whole recording.
        bits_per_second: Rate; NaN before coding.
        emotion: The likeliest emotion.
        probabilities: Probability of each class.
    """

    file: str
    point: float
    begin: float
    end: float
    whole: bool
    bits_per_second: float
    emotion: str
    probabilities: Mapping[str, float]


def timeline_page(stretches: Sequence[Stretch], unit: str) -> str:
    """Return one self-contained HTML page: a table a recording, a row an operating point, a column a stretch of time.

    A cell names the likeliest emotion and its probability, which also is how strong its colour is; all probabilities
    are in its title.

    Args:
        stretches: What was heard, in the order of the page.
        unit: What the operating points are: ``"λ"``.
    """
    files: dict[str, list[Stretch]] = {}
    for stretch in stretches:
        files.setdefault(stretch.file, []).append(stretch)
    parts = [_section(name, found, unit) for name, found in files.items()]
    about = (
        "What the classifier takes each second for, and how sure it is, before coding and at each operating point. The "
        "first column is the whole recording. Hold the pointer over a cell to see every class."
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Emotions over time</title>'
        f"<style>{_STYLE}</style></head><body><main><h1>Emotions over time</h1><p>{about}</p>"
        f"{''.join(parts)}</main></body></html>\n"
    )


def _section(name: str, found: Sequence[Stretch], unit: str) -> str:
    rows: dict[str, list[Stretch]] = {}
    for stretch in found:
        rows.setdefault(f"{stretch.point!r}", []).append(stretch)
    first = next(iter(rows.values()))
    heads = [("whole" if each.whole else f"{each.begin:g} s") for each in first]
    head = "".join(f'<th scope="col">{text}</th>' for text in (unit, "bits/s", *heads))
    body = "".join(_row(each) for each in rows.values())
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f"<section><h2>{html.escape(name)}</h2>{table}</section>"


def _row(found: Sequence[Stretch]) -> str:
    point, rate = found[0].point, found[0].bits_per_second
    texts = ("before" if math.isnan(point) else f"{point:g}", "" if math.isnan(rate) else f"{rate:.3g}")
    return f'<tr><th scope="row">{texts[0]}</th><td>{texts[1]}</td>{"".join(_cell(each) for each in found)}</tr>'


def _cell(stretch: Stretch) -> str:
    share = stretch.probabilities[stretch.emotion]
    order = sorted(stretch.probabilities.items(), key=lambda pair: -pair[1])
    title = f"{stretch.begin:g} to {stretch.end:g} s: " + ", ".join(f"{name} {value:.0%}" for name, value in order)
    red, green, blue = (int(line_style(stretch.emotion).colour[place : place + 2], 16) for place in (1, 3, 5))
    strength = max(_PALEST, share**2 * 0.55)  # dark text stays readable on it
    colour = f"rgb({red} {green} {blue} / {strength:.2f})"
    kind = ' class="whole"' if stretch.whole else ""
    text = f"{html.escape(stretch.emotion)} {share:.0%}"
    return f'<td{kind} style="background:{colour}" title="{html.escape(title)}">{text}</td>'
