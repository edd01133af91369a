import math

import pytest

from emoquant.storage.results import Row, read_results, write_results

ROWS = [
    Row("esd", "none", math.nan, "angry", "recall", 0.97, 0.9, 1.0, 100),
    Row("esd", "codec", 1e-4, "all", "predicted/happy", 1 / 3, math.nan, math.nan, 3, "speaker=0011", "speakers"),
]


def test_round_trip_keeps_every_digit(tmp_path):
    write_results(tmp_path / "deep" / "results.csv", ROWS)
    back = read_results(tmp_path / "deep" / "results.csv")
    assert repr(back) == repr(ROWS)  # repr: NaN equals itself
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["results.csv"]


def test_failed_write_keeps_the_old_file(tmp_path):
    path = tmp_path / "results.csv"
    write_results(path, ROWS)

    def broken():
        yield ROWS[0]
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_results(path, broken())
    assert len(read_results(path)) == 2
    assert [p.name for p in tmp_path.iterdir()] == ["results.csv"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "lacks the columns corpus"),
        (",".join(Row._fields) + "\nesd,c,0,angry,recall,much,0,1,5,all,,1,,,0,\n", "line 2: could not convert"),
        (",".join(Row._fields) + "\nesd,c,0,angry,recall,0.5,0,1,,all,,1,,,0,\n", "line 2: invalid literal"),
        (",".join(Row._fields) + "\nesd,c,0\n", "line 2"),
    ],
)
def test_foreign_and_damaged_files_are_named(tmp_path, text, message):
    path = tmp_path / "results.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_results(path)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="no results at"):
        read_results(tmp_path / "results.csv")
