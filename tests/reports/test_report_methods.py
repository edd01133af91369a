import math

import pytest

from emoquant.reports import MethodTable, MissingRowsError
from emoquant.storage.results import Row, read_results


def row(codec, point, metric, value, n=40, ends=(math.nan, math.nan)):
    speakers = 0 if math.isnan(ends[0]) else 4
    return Row("c", codec, point, "all", metric, value, *ends, n, "all", "", 1, *ends, speakers)


ROWS = [
    row("none", math.nan, "chosen_f1", 0.5, ends=(0.4, 0.6)),
    row("balanced", 1.0, "bits_per_frame", 1.0),
    row("balanced", 32.0, "bits_per_frame", 32.0),
    row("balanced", 32.0, "validation_f1", 0.7, n=12),
    row("balanced", 32.0, "chosen_f1", 0.45, ends=(0.35, 0.55)),
    row("balanced", 32.0, "chosen_f1_gain/none", -0.05, ends=(-0.1, 0.0)),
    row("balanced", 1.0, "f1_gain/none", -0.25, ends=(-0.3, -0.2)),
    row("balanced", 32.0, "f1_gain/none", -0.05, ends=(-0.1, 0.0)),
]


def test_gains_stand_beside_the_points_that_validation_chose(tmp_path):
    MethodTable().write(ROWS, tmp_path)
    table = (tmp_path / "methods.md").read_text()
    assert "| method | point | F1, validation | F1, test | over none |" in table
    assert "| balanced | 32 | 0.700 | 0.450 \\[0.350, 0.550\\] | -0.050 \\[-0.100, +0.000\\] |" in table
    assert "n = 40 test utterances of 4 speakers" in table
    points = (tmp_path / "methods_over_none.md").read_text()
    assert "| balanced | 1 | 1 | -0.250 \\[-0.300, -0.200\\] |" in points


def test_rows_of_another_evaluation_are_refused(tmp_path):
    with pytest.raises(MissingRowsError, match="chosen_f1"):
        MethodTable().write([row("a", 1.0, "f1", 0.5)], tmp_path)


def test_figures_of_a_point_that_reads_alike_are_left_out(tmp_path):
    near = [row("balanced", 32.000001, "validation_f1", 0.1, n=12), row("balanced", 32.000001, "f1_gain/none", 0.1)]
    MethodTable().write([*ROWS, *near], tmp_path)
    shown = read_results(tmp_path / "methods.csv")
    assert [(each.metric, each.lmbda) for each in shown if each.codec == "balanced"] == [
        ("chosen_f1", 32.0), ("validation_f1", 32.0), ("chosen_f1_gain/none", 32.0),
    ]  # fmt: skip
