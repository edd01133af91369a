"""A page of what is heard in recordings over time and over rate."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from emoquant.reports.style import line_style
from emoquant.reports.templating import environment

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
    files: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for stretch in stretches:
        files.setdefault(stretch.file, {}).setdefault(repr(stretch.point), []).append(_cell(stretch))
    return environment("emoquant.reports").get_template("timeline.html").render(files=files, unit=unit)


def _cell(stretch: Stretch) -> dict[str, Any]:
    """Return a stretch as the template shows it: with its classes, the likeliest first, and a colour."""
    order = sorted(stretch.probabilities.items(), key=lambda pair: -pair[1])
    red, green, blue = (int(line_style(stretch.emotion).colour[place : place + 2], 16) for place in (1, 3, 5))
    share = stretch.probabilities[stretch.emotion]
    strength = max(_PALEST, share**2 * 0.55)  # dark text stays readable on it
    return {
        **stretch._asdict(),
        "order": order,
        "share": share,
        "colour": f"rgb({red} {green} {blue} / {strength:.2f})",
    }
