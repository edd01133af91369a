"""Reports of a part of the corpus that the results lack say so, and draw nothing."""

import pytest
from test_bitrate import rows as bitrate_rows

from emoquant.reports import (
    BitrateCurves,
    CentroidCurves,
    CodebookUsage,
    ConfusionMatrices,
    CrossMatrix,
    DriftCurves,
    EmotionTable,
    FlowFigure,
    GreedyComparison,
    LayerMap,
    MissingRowsError,
    RateCurves,
    RDCurve,
    SimilarityPanel,
    SweepCurves,
)

PLAIN = (
    SweepCurves, RateCurves, GreedyComparison, DriftCurves, CentroidCurves, CodebookUsage, RDCurve, FlowFigure,
    ConfusionMatrices, EmotionTable,
)  # fmt: skip


@pytest.mark.parametrize("kind", PLAIN, ids=lambda kind: kind.__name__)
def test_a_stratum_that_is_not_there_is_no_figure(rows, tmp_path, kind):
    with pytest.raises(MissingRowsError):
        kind(stratum="speaker=9").write(rows, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", [CrossMatrix, SimilarityPanel], ids=lambda kind: kind.__name__)
def test_a_stratum_that_is_not_there_is_no_figure_of_codebooks(biased_rows, kind):
    with pytest.raises(MissingRowsError, match="stratum"):
        kind(stratum="speaker=9").draw_rows(biased_rows)


@pytest.mark.parametrize("kind", [BitrateCurves, LayerMap], ids=lambda kind: kind.__name__)
def test_a_stratum_that_is_not_there_is_no_figure_of_rates_or_layers(kind):
    with pytest.raises(MissingRowsError):
        kind(metrics=["agreement"], stratum="speaker=9").draw_rows(bitrate_rows())


def test_the_axis_and_the_stratum_of_an_empty_figure_are_named(rows):
    with pytest.raises(MissingRowsError, match="drift_over_lambda: nothing over lmbda in stratum 'speaker=9'"):
        DriftCurves(stratum="speaker=9").draw_rows(rows)
