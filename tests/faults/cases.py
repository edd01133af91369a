"""The table of bad input: what is given, and the error or the right result that comes of it.

The modules ``*_cases.py`` fill it; ``docs/faults.md`` is made from it (``GENERATE_EXPECTED=1 pytest tests/faults``).
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


class Case(NamedTuple):
    """One kind of bad (or unusual) input.

    Attributes:
        room: Heading in the document.
        given: What is given, in words.
        act: Does it in an empty folder; returns what came of it where that is no error.
        error: The error; None where there is a right result.
        says: What the message says, or the result in words.
        names: What the message must name besides: the file or the value.
    """

    room: str
    given: str
    act: Callable[[Path], object]
    error: type[BaseException] | None
    says: str
    names: str = ""


CASES: list[Case] = []


def case(room, given, error, says, names=""):
    def add(act):
        CASES.append(Case(room, given, act, error, says, names))
        return act

    return add
