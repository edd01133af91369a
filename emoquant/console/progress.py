"""Progress of long work: a bar in a terminal, a line every tenth in a file or a pipe."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

from tqdm import tqdm

Item = TypeVar("Item")


class Bar(Protocol):
    """The protocol of a progress bar."""

    def update(self, n: int = 1, /) -> object:
        """Count ``n`` more."""


class _Lines:
    """Writes a line to the standard error every time that another tenth is done."""

    def __init__(self, total: int, what: str, unit: str) -> None:
        self._done, self._total, self._what, self._unit = 0, max(total, 1), what, unit

    def update(self, n: int = 1, /) -> None:
        """Count ``n`` more."""
        before, self._done = self._done, self._done + n
        if 10 * self._done // self._total > 10 * before // self._total:
            share = 100 * self._done // self._total
            print(f"{self._what}: {self._done} of {self._total} {self._unit} ({share} %)", file=sys.stderr, flush=True)


@contextmanager
def progress(total: int, what: str, unit: str = "utt", shown: bool = True) -> Iterator[Bar]:
    """Show how much of some work is done.

    Args:
        total: Pieces of the work.
        what: The work in words.
        unit: A piece of it.
        shown: Whether anything is shown.

    Yields:
        The bar.
    """
    if shown and total and not sys.stderr.isatty():
        yield _Lines(total, what, unit)
        return
    with tqdm(total=total, desc=what, unit=unit, disable=not shown or not total) as bar:
        yield bar


def tracked(items: Iterable[Item], total: int, what: str, shown: bool = True) -> Iterator[Item]:
    """Yield items and show how many are done; see :func:`progress`."""
    with progress(total, what, shown=shown) as bar:
        for item in items:
            yield item
            bar.update()
