"""Utterances in columns: a sequence of a million of them takes 100 to 200 MB instead of more than a gigabyte."""

import math
import os
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from operator import eq
from pathlib import Path
from typing import Any, overload

import numpy as np

from emoquant.data.base import Corpus, Utterance
from emoquant.devices.sharding import Share
from emoquant.labels import DIMENSIONS

#: Rows that a builder collects before it moves them into columns; with more the garbage collector goes through them.
_ROWS = 256
#: Columns of texts that are kept one by one, and those of few values.
_TEXTS, _KINDS = ("id", "name", "text"), ("folder", "emotion", "speaker", "split", "language", "votes")
_UNRATED = (math.nan,) * len(DIMENSIONS)
#: Texts that are selected at once: every byte of theirs needs eight meanwhile.
_SELECTED = 1 << 16


class Names:
    """Values of few kinds, as numbers into a list.

    Attributes:
        kinds: The distinct values, in the order of their first appearance.
        codes: Number of each row's value, ``(N,)`` int32.
    """

    def __init__(self, kinds: list[Any], codes: np.ndarray) -> None:
        self.kinds, self.codes = kinds, codes

    def __getitem__(self, index: int) -> Any:  # noqa: ANN401 (what was put in)
        return self.kinds[self.codes[index]]

    def __iter__(self) -> Iterator[Any]:
        return (self.kinds[code] for code in self.codes)

    def among(self, kinds: Sequence[Any]) -> np.ndarray:
        """Return whether each row's value is one of some, ``(N,)`` bool."""
        return np.array([kind in kinds for kind in self.kinds], bool)[self.codes]

    def numbers(self, names: Sequence[Any]) -> np.ndarray:
        """Return the position of each row's value among names, ``(N,)`` int64; -1 for one that is not among them."""
        position = {name: index for index, name in enumerate(names)}
        return np.array([position.get(kind, -1) for kind in self.kinds], np.int64)[self.codes]

    def select(self, rows: np.ndarray) -> "Names":
        """Return the values of some rows."""
        return Names(self.kinds, self.codes[rows])

    def join(self, other: "Names") -> "Names":
        """Return these values and then others."""
        number = {kind: code for code, kind in enumerate(dict.fromkeys([*self.kinds, *other.kinds]))}
        kinds = list(number)
        moved = np.array([number[kind] for kind in other.kinds], np.int32)
        return Names(kinds, np.concatenate([self.codes, moved[other.codes] if len(moved) else other.codes]))


class Texts:
    """Texts that mostly differ, one after the other in one buffer.

    Attributes:
        data: Their characters in UTF-8, ``(bytes,)`` uint8.
        ends: Where each one ends, ``(N,)`` int64.
    """

    def __init__(self, data: np.ndarray, ends: np.ndarray) -> None:
        self.data, self.ends = data, ends

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, row: int) -> str:
        begin = self.ends[row - 1] if row else 0
        return self.data[begin : self.ends[row]].tobytes().decode("utf-8", "surrogatepass")

    def __iter__(self) -> Iterator[str]:
        data, begin = self.data.tobytes(), 0
        for end in self.ends:
            yield data[begin:end].decode("utf-8", "surrogatepass")
            begin = end

    def select(self, rows: np.ndarray) -> "Texts":
        """Return the texts of some rows."""
        sizes = np.diff(self.ends, prepend=0)[rows]
        ends, begins, parts = np.cumsum(sizes), self.ends[rows] - sizes, [self.data[:0]]
        for first in range(0, len(rows), _SELECTED):
            part = slice(first, first + _SELECTED)
            places = np.repeat(begins[part] - (ends[part] - sizes[part]), sizes[part])
            done = ends[first] - sizes[first]
            parts.append(self.data[places + np.arange(done, done + len(places))])
        return Texts(np.concatenate(parts), ends)

    def join(self, other: "Texts") -> "Texts":
        """Return these texts and then others."""
        return Texts(np.concatenate([self.data, other.data]), np.concatenate([self.ends, other.ends + len(self.data)]))


class Builder:
    """Collects utterances for a table, one after the other."""

    def __init__(self) -> None:
        self._texts: dict[str, tuple[bytearray, array[int]]] = {name: (bytearray(), array("q")) for name in _TEXTS}
        self._codes: dict[str, tuple[dict[Any, int], array[int]]] = {name: ({}, array("i")) for name in _KINDS}
        self._times, self._dimensions = array("d"), array("d")
        self._rows: list[tuple[Any, ...]] = []

    def append(self, utterance: Utterance) -> None:
        """Add an utterance."""
        folder, file = os.path.split(utterance.path)
        end = math.nan if utterance.end is None else utterance.end
        votes = tuple(utterance.votes.items())
        name, emotion, speaker, split = utterance.id, utterance.emotion, utterance.speaker, utterance.split
        text, language, start = utterance.text, utterance.language, utterance.start
        rated = tuple(utterance.dimensions.get(each, math.nan) for each in DIMENSIONS) if utterance.dimensions else ()
        self.add(name, folder, file, emotion, speaker, split, text, language, start, end, votes, rated)

    def add(
        self,
        name: str,
        folder: str,
        file: str,
        emotion: str,
        speaker: str,
        split: str,
        text: str,
        language: str,
        start: float,
        end: float,
        votes: tuple[tuple[str, float], ...],
        rated: tuple[float, ...] = (),
    ) -> None:
        """Add an utterance by its fields: the id, folder and name of the file, and so on; no end is NaN.

        ``rated`` are the ratings of the dimensions, NaN for those that there are not, or nothing at all.
        """
        self._rows.append((name, file, text, folder, emotion, speaker, split, language, votes, start, end, rated))
        if len(self._rows) == _ROWS:
            self._flush()

    def _flush(self) -> None:
        """Move the rows that were collected into the columns, which is faster for many at once."""
        if not self._rows:
            return
        *columns, starts, ends, rated = zip(*self._rows, strict=True)
        values = dict(zip((*_TEXTS, *_KINDS), columns, strict=True))
        for name, (data, sizes) in self._texts.items():
            encoded = [text.encode("utf-8", "surrogatepass") for text in values[name]]
            data += b"".join(encoded)
            sizes.extend(map(len, encoded))
        for name, (numbers, codes) in self._codes.items():
            for kind in dict.fromkeys(values[name]):
                numbers.setdefault(kind, len(numbers))
            codes.extend(map(numbers.__getitem__, values[name]))
        self._times.extend(chain.from_iterable(zip(starts, ends, strict=True)))
        self._dimensions.extend(chain.from_iterable(each or _UNRATED for each in rated))
        self._rows.clear()

    def table(self) -> "UtteranceTable":
        """Return the table; nothing can be added afterwards."""
        self._flush()
        texts = {
            name: Texts(np.frombuffer(data, np.uint8), np.cumsum(np.frombuffer(sizes, np.int64)))
            for name, (data, sizes) in self._texts.items()
        }
        names = {
            name: Names(list(kinds), np.frombuffer(codes, np.int32)) for name, (kinds, codes) in self._codes.items()
        }
        times = np.frombuffer(self._times, np.float64).reshape(-1, 2)
        rated = np.frombuffer(self._dimensions, np.float64).reshape(-1, len(DIMENSIONS))
        return UtteranceTable(texts, names, times, None if np.isnan(rated).all() else rated)


@dataclass(eq=False)
class UtteranceTable(Sequence[Utterance]):
    """A sequence of utterances that is kept in columns.

    Attributes:
        times: Start and end in seconds, ``(N, 2)`` float64; NaN for the end of the file.
        dimensions: Ratings of :data:`emoquant.labels.DIMENSIONS`, ``(N, 3)`` float64, NaN where there is none; None
            where no utterance has any.
    """

    _texts: Mapping[str, Texts]
    _names: Mapping[str, Names]
    times: np.ndarray
    dimensions: np.ndarray | None = None

    @staticmethod
    def of(utterances: Iterable[Utterance]) -> "UtteranceTable":
        """Return utterances as a table; one that is a table already is returned as it is."""
        if isinstance(utterances, UtteranceTable):
            return utterances
        builder = Builder()
        for utterance in utterances:
            builder.append(utterance)
        return builder.table()

    def names(self, column: str) -> Names:
        """Return the column ``emotion``, ``speaker``, ``split``, ``language``, ``folder`` or ``votes``."""
        return self._names[column]

    def strings(self, column: str) -> Texts:
        """Return the column ``id``, ``name`` (of the file in its folder) or ``text``."""
        return self._texts[column]

    def repeated(self, column: str, *others: np.ndarray) -> list[tuple[int, int]]:
        """Return pairs of rows with one string in a column, and the same values ``(N,)`` in others."""
        texts = self.strings(column)
        hashes = np.fromiter(map(hash, texts), np.int64, len(self))
        return [(first, second) for first, second in repeated_rows(hashes, *others) if texts[first] == texts[second]]

    def select(self, rows: np.ndarray) -> "UtteranceTable":
        """Return the utterances of some rows, ``(M,)`` int64, in their order."""
        texts = {name: column.select(rows) for name, column in self._texts.items()}
        names = {name: column.select(rows) for name, column in self._names.items()}
        rated = None if self.dimensions is None else self.dimensions[rows]
        return UtteranceTable(texts, names, self.times[rows], rated)

    def join(self, other: "UtteranceTable") -> "UtteranceTable":
        """Return these utterances and then others."""
        texts = {name: column.join(other._texts[name]) for name, column in self._texts.items()}
        names = {name: column.join(other._names[name]) for name, column in self._names.items()}
        rated = None
        if self.dimensions is not None or other.dimensions is not None:
            rated = np.concatenate([self._rated(), other._rated()])
        return UtteranceTable(texts, names, np.concatenate([self.times, other.times]), rated)

    def _rated(self) -> np.ndarray:
        return np.full((len(self), len(DIMENSIONS)), np.nan) if self.dimensions is None else self.dimensions

    def with_splits(self, splits: Sequence[str]) -> "UtteranceTable":
        """Return the utterances with other splits."""
        numbers: dict[str, int] = {}
        codes = np.array([numbers.setdefault(split, len(numbers)) for split in splits], np.int32)
        return replace(self, _names={**self._names, "split": Names(list(numbers), codes)})

    def with_times(self, times: np.ndarray) -> "UtteranceTable":
        """Return the utterances with other starts and ends, ``(N, 2)`` float64 in seconds; NaN for no end."""
        return replace(self, times=times)

    def __len__(self) -> int:
        return len(self.times)

    @overload
    def __getitem__(self, index: int) -> Utterance: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Utterance]: ...
    def __getitem__(self, index: int | slice) -> Utterance | Sequence[Utterance]:
        if isinstance(index, slice):
            return self.select(np.arange(len(self))[index])
        index = range(len(self))[index]
        start, end = self.times[index].tolist()
        values: dict[str, Any] = {name: column[index] for name, column in self._texts.items()}
        values |= {name: column[index] for name, column in self._names.items()}
        path, votes = Path(values.pop("folder"), values.pop("name")), dict(values.pop("votes"))
        rated = {} if self.dimensions is None else _known(self.dimensions[index])
        end = None if math.isnan(end) else end
        return Utterance(path=path, start=start, end=end, votes=votes, dimensions=rated, **values)

    def __eq__(self, other: object) -> bool:
        """Whether another sequence has the same utterances."""
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(eq, self, other))

    __hash__ = None  # type: ignore[assignment]  # it can change


def _known(ratings: np.ndarray) -> dict[str, float]:
    """Return the ratings that there are, by dimension."""
    return {name: value for name, value in zip(DIMENSIONS, ratings.tolist(), strict=True) if not math.isnan(value)}


def repeated_rows(*columns: np.ndarray) -> list[tuple[int, int]]:
    """Return the rows that equal an earlier one in all columns, each after the last such one, in their order.

    Example:
        >>> repeated_rows(np.array([3, 5, 3, 3]))
        [(0, 2), (2, 3)]
    """
    order = np.lexsort(columns)  # stable
    alike = np.logical_and.reduce([column[order][1:] == column[order][:-1] for column in columns])
    pairs = [(int(order[row]), int(order[row + 1])) for row in np.flatnonzero(alike)]
    return sorted(pairs, key=lambda pair: pair[1])


def read_table(corpus: Corpus, fold: Share | None) -> UtteranceTable:
    """Return the utterances of a corpus with its own splits, or with those of a fold."""
    return UtteranceTable.of(corpus.utterances() if fold is None else corpus.utterances_in(fold))
