import math

import pytest

from emoquant.reports import MissingRowsError
from emoquant.storage.results import Row
from emoquant.voice.reports import SpeechTable


def row(stratum, metric, value, lmbda=math.nan, emotion="all", codec="none", n=4):
    return Row("fake", codec, lmbda, emotion, metric, value, math.nan, math.nan, n, stratum, "utterances")


ROWS = [
    row("synthesis/A", "recall", 0.25, 100.0, codec="c"),
    row("synthesis/A", "recall", 0.5, 0.0, codec="c"),
    row("synthesis/A", "recall", 0.75),
    row("synthesis/A", "recall", 1.0, emotion="sad", n=2),
    row("synthesis/A", "trend/recall", -1.0, codec="c"),
    row("random_vector/A", "recall", 0.0),
    row("ground_truth", "recall", 1.0),
    row("ground_truth", "word_error_rate", 0.76),
]


def lines(text):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]


def test_calibration_stands_around_synthesis_and_lambda_rises(tmp_path):
    paths = SpeechTable().write(ROWS, tmp_path)
    assert tmp_path / "speech_table.md" in paths
    table = lines((tmp_path / "speech_table.md").read_text(encoding="utf-8"))
    assert table[0] == ["clips", "codec", "λ", "n", "recall", "sad", "word errors"]
    assert table[2] == ["recordings", "", "", "4", "1.00", "", "0.76"]
    assert table[3] == ["synthesis, A", "", "", "4", "0.75", "1.00", ""]
    assert [line[1:3] for line in table[3:6]] == [["", ""], ["c", "0"], ["c", "100"]]
    assert table[6][0] == "random emotion vector, A"
    trends = lines((tmp_path / "speech_table_trends.md").read_text(encoding="utf-8"))
    assert trends[2:] == [["A", "c", "recall", "4", "-1.00", ""]]


def test_the_caption_of_trends_says_what_was_resampled(tmp_path):
    trends = [each._replace(low=-1.0, high=0.5, interval="speakers") for each in ROWS if each.metric == "trend/recall"]
    SpeechTable().write([*ROWS[:4], *trends], tmp_path)
    assert "resampling speakers" in (tmp_path / "captions.json").read_text(encoding="utf-8")


def test_rows_of_a_sweep_without_clips_are_refused(tmp_path):
    with pytest.raises(MissingRowsError, match="no rows of clips"):
        SpeechTable().write([row("all", "recall", 0.5)], tmp_path)
