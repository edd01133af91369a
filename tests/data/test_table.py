import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emoquant.data.base import Utterance
from emoquant.data.table import UtteranceTable
from emoquant.labels import DIMENSIONS

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0/"), max_size=6)
utterances = st.lists(
    st.builds(
        Utterance,
        id=text,
        path=st.builds(Path, st.sampled_from(["/a", "b/ü c", "."]), text.filter(lambda t: t not in ("", ".", ".."))),
        emotion=st.sampled_from(["sad", "happy"]),
        speaker=text,
        split=st.sampled_from(["train", "test"]),
        text=text,
        language=st.sampled_from(["", "de"]),
        start=st.floats(0, 9),
        end=st.none() | st.floats(0, 9),
        votes=st.dictionaries(st.sampled_from(["sad", "fear"]), st.floats(0, 9)),
        dimensions=st.dictionaries(st.sampled_from(DIMENSIONS), st.floats(-1, 7)),
    ),
    max_size=20,
)


@given(utterances)
def test_a_table_is_the_sequence_it_was_made_of(found):
    table = UtteranceTable.of(found)
    assert len(table) == len(found)
    assert list(table) == found
    assert table == found
    assert UtteranceTable.of(table) is table


@given(utterances, utterances, st.randoms())
def test_selecting_and_joining(one, two, random):
    joined = UtteranceTable.of(one).join(UtteranceTable.of(two))
    assert list(joined) == one + two
    rows = [index for index in range(len(joined)) if random.random() < 0.5]
    assert list(joined.select(np.array(rows, np.int64))) == [(one + two)[row] for row in rows]
    assert list(joined[2:5]) == (one + two)[2:5]


def test_rows_from_the_end_and_out_of_range():
    table = UtteranceTable.of([Utterance(str(n), Path("a.wav"), "sad", "s", "train") for n in range(3)])
    assert table[-1].id == "2"
    with pytest.raises(IndexError):
        table[3]


@pytest.mark.parametrize(("kind", "column"), [("names", "id"), ("strings", "emotion")])
def test_a_column_of_the_other_kind_is_not_there(kind, column):
    table = UtteranceTable.of([Utterance("1", Path("a.wav"), "sad", "s", "train")])
    with pytest.raises(KeyError, match=column):
        getattr(table, kind)(column)


def test_a_table_is_small():
    table = UtteranceTable.of(
        Utterance(
            f"utterance_{n}", Path(f"audio/{n // 1000}/utterance_{n}.wav"), "sad", f"s{n % 50}", "train", "A text."
        )
        for n in range(5000)
    )
    columns = [table.strings(name) for name in ("id", "name", "text")]
    size = sum(column.data.nbytes + column.ends.nbytes for column in columns)
    size += sum(
        table.names(name).codes.nbytes for name in ("folder", "emotion", "speaker", "split", "language", "votes")
    )
    assert (size + table.times.nbytes) / 5000 < 160
    assert sys.getsizeof(table[0]) > 0
