"""The figure over bits a second: points where they belong, reference lines, and the table."""

import math

import pytest

from emoquant.reports import BitrateCurves, MissingRowsError
from emoquant.reports.rows import Results
from emoquant.storage.results import Row


def rows():
    """Return rows of a codec of features, of one of audio with codes and of the unquantized features."""
    points = {"codec": {0.0: 9000.0, 5.0: 40.0, 500.0: 0.6}, "lyra": {3200.0: 3213.0, 9200.0: 9238.0}}
    found = [Row("esd", "none", math.nan, "all", "decision_bits_per_second", 0.9, math.nan, math.nan, 50)]

    def add(codec, point, metric, value, emotion="all"):
        found.append(Row("esd", codec, point, emotion, metric, value, value - 0.1, value + 0.1, 50, "all", "speakers"))

    for emotion in ("angry", "sad"):
        add("none", math.nan, "recall", 0.8, emotion)
    add("none", math.nan, "uar", 0.8)
    for codec, rates in points.items():
        for index, (point, rate) in enumerate(rates.items()):
            add(codec, point, "bits_per_second", rate)
            add(codec, point, "agreement", 0.9 - 0.2 * index)
            add(codec, point, "uar", 0.7 - 0.1 * index)
            for emotion in ("angry", "sad"):
                add(codec, point, "recall", 0.7 - 0.1 * index, emotion)
                add(codec, point, "bits_per_second", rate * 1.1, emotion)
        if codec == "lyra":
            for point in rates:
                add(codec, point, "entropy_coded_bits_per_second", 0.8 * point)
    return found


def test_every_codec_is_drawn_over_its_rate():
    figure, recalls, table = BitrateCurves().draw(Results(rows()))
    first, second = figure.figure.axes
    lines = [line for line in first.lines if len(line.get_xdata()) > 1 and not set(line.get_xdata()) <= {0, 1}]
    assert [sorted(line.get_xdata()) for line in lines] == [[0.6, 40.0, 9000.0], [3213.0, 9238.0]]
    assert list(lines[0].get_xdata()) == sorted(lines[0].get_xdata())
    flat = sorted(line.get_ydata()[0] for line in second.lines if list(line.get_xdata()) == [0, 1])
    assert flat == [50.0, 80.0]  # chance of two emotions, and before quantization
    stars = [line for line in second.lines if line.get_marker() == "*"]
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in stars] == [(0.9, 80.0)]
    assert "star: the decision alone, 0.9 bits/s" in figure.caption
    assert len([axes for axes in recalls.figure.axes if axes.get_visible()]) == 2
    assert recalls.figure.axes[0].get_title() == "angry"
    lines = table.texts[".md"].splitlines()
    assert lines[0].startswith("| codec | point | bits/s | entropy coded | Agreement (%) |")
    assert r"| lyra | 3200 | 3213.0 | 2560 | 90.0 \[80.0, 100.0\] | 70.0 \[60.0, 80.0\] | 50 |" in lines
    assert lines[2].startswith("| none | \N{EN DASH} | \N{EN DASH} | \N{EN DASH} |")


def test_results_without_bits_a_second_are_refused():
    with pytest.raises(MissingRowsError, match="no rows of bits_per_second"):
        BitrateCurves().draw(Results([row for row in rows() if row.metric != "bits_per_second"]))


def test_files_are_written(tmp_path):
    paths = BitrateCurves().write(rows(), tmp_path)
    assert {path.name for path in paths} >= {"bitrate.png", "bitrate_recall.svg", "bitrate_table.md", "bitrate.csv"}
