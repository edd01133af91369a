"""Names in other scripts: which font of the system has their letters, where the figures' own has not."""

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache

from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font
from matplotlib.text import Text

#: The figures' own font.
FONT = "DejaVu Sans"


@contextmanager
def other_scripts(figure: Figure) -> Iterator[None]:
    """Let texts of a figure fall back to fonts of the system, for the length of a block that draws it.

    Characters that no font has are drawn as boxes, with one warning that names them.

    Args:
        figure: The figure.
    """
    texts = list(_texts(figure))
    missing = {character for text in texts for character in _lacking(text.get_text())}
    fonts = fallback_fonts(missing)
    for text in texts:
        if fonts and missing & set(text.get_text()):
            text.set_fontfamily([FONT, *fonts])
    if unknown := missing - {character for name in fonts for character in missing if _has(name, character)}:
        named = ", ".join(f"{character} (U+{ord(character):04X})" for character in sorted(unknown)[:5])
        _say_once(f"{named}{', ...' if len(unknown) > 5 else ''}")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


@cache
def _say_once(characters: str) -> None:
    warnings.warn(
        f"no font of this system has {characters}; boxes are drawn: install one (Noto Sans ...)",
        stacklevel=2,
    )


def fallback_fonts(characters: Iterable[str]) -> list[str]:
    """Return names of fonts of the system that have characters between them, as few as a greedy choice needs.

    Args:
        characters: Characters that the figures' own font lacks.
    """
    left, chosen = set(characters), []
    while left:
        counts = {name: sum(_has(name, character) for character in left) for name in _families()}
        best = max(counts, key=lambda name: (counts[name], name), default="")
        if not counts.get(best):
            break
        chosen.append(best)
        left = {character for character in left if not _has(best, character)}
    return chosen


def _texts(figure: Figure) -> Iterator[Text]:
    for axes in figure.get_axes():
        for axis in (axes.xaxis, axes.yaxis):
            axis.get_ticklabels(which="both")  # makes them, with their texts
    for found in figure.findobj(Text):
        if isinstance(found, Text) and found.get_text():
            yield found


def _lacking(text: str) -> set[str]:
    if text.isascii():
        return set()
    return {character for character in text if not character.isspace() and ord(character) not in _characters(FONT)}


def _has(name: str, character: str) -> bool:
    return ord(character) in _characters(name)


def _families() -> list[str]:
    names = {entry.name for entry in fontManager.ttflist} - {FONT}
    return sorted(name for name in names if not name.startswith("Last Resort"))  # boxes for every character


@cache
def _characters(name: str) -> frozenset[int]:
    path = findfont(FontProperties(family=[name]), fallback_to_default=False)
    return frozenset(get_font(path).get_charmap())
