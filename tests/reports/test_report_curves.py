import json
import math

import numpy as np
import pytest
from PIL import Image
from synthetic_rows import EMOTIONS, LAMBDAS, kept, make_row, sweep_rows

from emoquant.reports import (
    AgreementCurves,
    CentroidCurves,
    CodebookUsage,
    DriftCurves,
    FlowFigure,
    GreedyComparison,
    MissingRowsError,
    RateCurves,
    RDCurve,
    SimilarityPanel,
    StrataCurves,
    SweepCurves,
)
from emoquant.reports.rates import bd_rate

ALL_REPORTS = [
    SweepCurves("recall"),
    SweepCurves("uar"),
    SweepCurves("utterance_similarity", layout="panels"),
    RateCurves("recall"),
    DriftCurves(),
    DriftCurves(x="bits_per_frame", distances=False),
    RDCurve(),
    CodebookUsage(),
    CentroidCurves(metric="attraction"),
    FlowFigure(),
    FlowFigure("ribbons"),
]


def drawn(report, rows):
    artifacts = report.draw_rows(rows)
    assert len(artifacts) == 1
    return artifacts[0]


def lines(axes):
    """Lines with markers: those of the data."""
    return [line for line in axes.get_lines() if line.get_marker() not in ("None", None, "")]


@pytest.mark.parametrize("report", ALL_REPORTS, ids=lambda r: r.name)
def test_pictures_are_whole_and_described(rows, tmp_path, report):
    report.write(rows, tmp_path / "a")
    (entry,) = json.loads((tmp_path / "a" / "captions.json").read_text())["artifacts"]
    assert "n = " in entry["caption"]
    assert "corpus esd" in entry["caption"]
    assert entry["alt"]
    with Image.open(tmp_path / "a" / f"{report.name}.png") as image:
        grey = np.asarray(image.convert("L"))
        assert 3.3 * 300 <= image.width <= 7.3 * 300
        assert (grey < 200).mean() > 0.01
        assert (grey[:, 0] > 250).all(), "something is cut off at the left edge"
        assert (grey[:, -1] > 250).all(), "something is cut off at the right edge"


@pytest.mark.parametrize(
    "report", [SweepCurves("recall"), RDCurve(), FlowFigure("ribbons"), FlowFigure()], ids=lambda r: r.name
)
def test_pictures_are_the_same_every_time(rows, tmp_path, report):
    for folder in ("a", "b"):
        report.write(rows, tmp_path / folder)
    for path in sorted((tmp_path / "a").iterdir()):
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


def test_sweep_curves_draw_the_rows(rows):
    artifact = drawn(SweepCurves("recall"), rows)
    (axes,) = artifact.figure.axes
    curves = [line for line in lines(axes) if len(line.get_xdata()) > 1]
    for line, emotion in zip(curves, EMOTIONS, strict=True):
        assert list(line.get_xdata()) == list(LAMBDAS)
        assert list(line.get_ydata()) == pytest.approx([90 * kept(point, emotion) for point in LAMBDAS])
    assert len(axes.collections) >= len(EMOTIONS), "every line has a band"
    assert axes.get_ylabel() == "Recall (%)"
    assert axes.get_xlabel() == "λ (squared feature units per bit)"
    assert [text.get_text() for text in artifact.figure.legends[0].get_texts()] == list(EMOTIONS)
    assert len(artifact.rows) == 5 * 8


def test_pooled_metrics_have_a_line_for_each_codec(rows):
    more = [*rows, *sweep_rows("greedy", unquantized=False)]
    artifact = drawn(SweepCurves("uar"), more)
    assert [text.get_text() for text in artifact.figure.legends[0].get_texts()] == ["esd", "greedy"]


def test_information_about_the_label_stands_beside_the_most_that_it_can_be(rows):
    more = [make_row("esd", p, "all", "label_information", 2.2 - p / 500) for p in LAMBDAS]
    entropy = [make_row("esd", p, "all", "label_entropy", 2.32) for p in LAMBDAS]
    assert (
        "At most 2.32 bits: entropy of the labels."
        in drawn(SweepCurves("label_information"), [*more, *entropy]).caption
    )
    assert "At most" not in drawn(SweepCurves("label_information"), more).caption
    assert "At most" not in drawn(SweepCurves("recall"), rows).caption


def test_rate_is_each_emotions_own(rows):
    (axes,) = drawn(RateCurves("recall"), rows).figure.axes
    for line, emotion in zip(lines(axes), EMOTIONS, strict=True):
        assert list(line.get_xdata()) == pytest.approx([200 * kept(point, emotion) for point in LAMBDAS])


def test_reference_is_drawn_beside_or_over_ours(rows, tmp_path):
    path = tmp_path / "published.csv"
    path.write_text("lambda,angry,sad,overall\n0,97.0,73.5,87.6\n500,0.5,0.0,20.0\n")
    beside = drawn(SweepCurves("recall", reference=str(path)), rows).figure.axes
    assert [axes.get_title() for axes in beside] == ["measured", "published"]
    assert [list(line.get_ydata()) for line in lines(beside[1])] == [[97.0, 0.5], [73.5, 0.0]]
    over = drawn(SweepCurves("recall", layout="panels", reference=str(path)), rows).figure.axes
    assert [len([c for c in lines(axes) if len(c.get_xdata()) > 1]) for axes in over] == [2, 1, 1, 2, 1]


def test_drifts_stand_side_by_side_and_undefined_ones_say_so(rows):
    figure = drawn(DriftCurves(), rows).figure
    assert len(figure.axes) == 6
    titles = [axes.get_title() for axes in figure.axes[:3]]
    assert titles == ["to neutral", "to the training mean", "to the all-SKIP vector"]
    assert any("zero" in text.get_text() for text in figure.axes[2].texts)
    assert not figure.axes[1].texts
    with pytest.raises(ValueError, match="targets must be some of neutral, mean, skip"):
        DriftCurves(targets=["sad"])


def test_greedy_panels_run_from_similar_to_dissimilar(rows):
    greedy = []
    for target in (0.9, 0.5, 0.2):
        for emotion in EMOTIONS:
            greedy.append(make_row("greedy", target, emotion, "recall", target))
            greedy.append(make_row("greedy", target, emotion, "utterance_similarity", target - 0.01))
    artifact = drawn(GreedyComparison(codecs=["esd", "greedy"]), [*rows, *greedy])
    left, right = artifact.figure.axes
    assert [axes.get_title() for axes in (left, right)] == ["esd", "greedy"]
    for axes in (left, right):
        first, last = axes.get_xlim()
        assert first > last
    assert list(lines(right)[0].get_xdata()) == pytest.approx([0.19, 0.49, 0.89])
    with pytest.raises(MissingRowsError, match="bits_per_frame of codec greedy"):
        GreedyComparison(over="bits_per_frame", codecs=["esd", "greedy"]).draw_rows([*rows, *greedy])


def test_metrics_of_a_target_are_plain_file_names():
    names = [GreedyComparison("similarity_to/sad", over=over).name for over in ("utterance_similarity", "uar")]
    assert names == ["greedy_similarity_to_sad_over_similarity", "greedy_similarity_to_sad_over_uar"]


def test_similarity_panel_measures_attraction_to_the_codebooks_emotion(biased_rows):
    artifact = drawn(SimilarityPanel(), biased_rows)
    assert len(artifact.figure.axes) == 10
    assert {(r.codec, r.metric) for r in artifact.rows if "attraction" in r.metric} == {
        (f"ecvq_{emotion}", f"attraction/{emotion}") for emotion in EMOTIONS
    }
    by_emotion = drawn(SimilarityPanel(columns="emotion"), biased_rows)
    assert by_emotion.figure.axes[0].get_title() == "angry utterances"
    assert sorted(map(repr, by_emotion.rows)) == sorted(map(repr, artifact.rows))
    with pytest.raises(MissingRowsError, match="codebooks"):
        SimilarityPanel().draw_rows(sweep_rows("plain"))


def test_flow_areas_reach_one_hundred(rows):
    figure = drawn(FlowFigure(), rows).figure
    assert len(figure.axes) == 5
    for axes in figure.axes:
        tops = [area.get_datalim(axes.transData).y1 for area in axes.collections]
        assert max(tops) == pytest.approx(100)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [*EMOTIONS, "else"]


def test_agreement_curves_show_parts_and_whole(strata_rows, tmp_path):
    path = tmp_path / "published.json"
    path.write_text(json.dumps({"ang": {"50.0": {"lambda": [0, 100], "accuracy": [0.5, 0.0], "f1": [0.6, 0.0]}}}))
    ours, published = AgreementCurves(reference=str(path)).draw_rows(strata_rows)
    assert len(ours.figure.axes) == 10
    legend = [text.get_text() for text in ours.figure.legends[0].get_texts()]
    assert legend == ["agreement ≤ 0.5 (n = 5)", "0.5 < agreement ≤ 1 (n = 5)", "all"]
    widths = [line.get_linewidth() for line in lines(ours.figure.axes[0])]
    assert widths == [0.8, 0.8, 2.0], "of fewer than 10 utterances: thin"
    more = [row._replace(n=10) for row in strata_rows]
    assert [one.get_linewidth() for one in lines(AgreementCurves().draw_rows(more)[0].figure.axes[0])] == [1.2, 1.2, 2]
    fewer = [row._replace(n=9) for row in strata_rows]
    assert {one.get_linewidth() for one in lines(AgreementCurves().draw_rows(fewer)[0].figure.axes[0])} == {0.8}
    assert "agreement<=0.5: n = 5 utterances" in ours.caption
    assert list(lines(published.figure.axes[0])[0].get_ydata()) == [50.0, 0.0]
    speakers = drawn(StrataCurves(), strata_rows)
    assert [text.get_text() for text in speakers.figure.legends[0].get_texts()] == ["each speaker", "all"]
    path.write_text('["no table"]')
    with pytest.raises(ValueError, match=r"published\.json is no table"):
        AgreementCurves(reference=str(path)).draw_rows(strata_rows)


def test_usage_needs_all_its_metrics_and_pooled_rows(rows, tmp_path):
    lacking = [row for row in rows if row.metric != "codebook_usage"]
    with pytest.raises(MissingRowsError, match="codebook_usage"):
        CodebookUsage().write(lacking, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("report", "gone"),
    [
        (SweepCurves("recall"), "recall"),
        (RateCurves("recall"), "bits_per_frame"),
        (DriftCurves(), "drift_to_mean"),
        (RDCurve(), "distortion"),
        (FlowFigure(), "predicted"),
        (AgreementCurves(), "f1"),
        (SimilarityPanel(codebooks={"esd": "sad"}), "attraction"),
    ],
)
def test_missing_metrics_are_named(rows, tmp_path, report, gone):
    with pytest.raises(MissingRowsError, match=gone):
        report.write([row for row in rows if row.metric.partition("/")[0] != gone], tmp_path)
    assert not list(tmp_path.iterdir())


def test_missing_strata_are_named(rows):
    with pytest.raises(MissingRowsError, match="no stratum holds 'agreement'"):
        AgreementCurves().draw_rows(rows)


@pytest.mark.parametrize(
    "make",
    [
        lambda: SweepCurves(layout="x"),
        lambda: FlowFigure("x"),
        lambda: SimilarityPanel("x"),
        lambda: RDCurve(name="a/b"),
    ],
)
def test_wrong_options_are_refused_at_once(make):
    with pytest.raises(ValueError, match="must be"):
        make()


def test_intervals_that_miss_their_value_or_are_unknown_are_drawn(tmp_path):
    rows = [make_row("none", math.nan, "sad", "recall", 0.5)._replace(low=0.55, high=0.6)]
    rows += [make_row("a", point, "sad", "recall", 0.5)._replace(low=math.nan, high=math.nan) for point in (0.0, 1.0)]
    SweepCurves("recall").write(rows, tmp_path)
    assert (tmp_path / "recall_over_lambda.png").is_file()


def test_published_figures_of_codecs_stand_beside_pooled_ones(rows, tmp_path):
    path = tmp_path / "bits.csv"
    path.write_text("codebook,lambda,bits_per_frame\nesd,0,62.31\nesd,500,18.37\nother,0,1\n")
    axes = drawn(SweepCurves("bits_per_frame", emotions=["all"], reference=str(path)), rows).figure.axes
    assert [a.get_title() for a in axes] == ["measured", "published"]
    assert [list(line.get_ydata()) for line in lines(axes[1])] == [[62.31, 18.37]]
    with pytest.raises(ValueError, match="has figures of esd, other: none of angry"):
        SweepCurves("bits_per_frame", reference=str(path)).draw_rows(rows)
    with pytest.raises(ValueError, match="over lambda"):
        SweepCurves("recall", x="bits_per_frame", reference=str(path))


def test_bd_rate_against_known_curves(rows):
    qualities = np.linspace(1, 5, 9)
    anchor = [(q, 100 * math.exp(-q)) for q in qualities]
    assert bd_rate(anchor, anchor) == 0.0
    assert bd_rate(anchor, [(q, 0.7 * rate) for q, rate in anchor[2:]]) == pytest.approx(-30)
    assert bd_rate(anchor, [*((q, 2 * rate) for q, rate in anchor[::-1]), (6.0, 0.0)]) == pytest.approx(100)
    assert bd_rate(anchor, [(7.0, 1.0), (8.0, 2.0)]) is None
    assert bd_rate(anchor, anchor[:1]) is None
    cheap = [row._replace(codec="cheap") for row in rows if row.codec == "esd"]
    cheap = [row._replace(value=row.value / 2) if row.metric == "bits_per_frame" else row for row in cheap]
    assert "BD-rate) against esd: cheap -50.0 %." in drawn(RDCurve(), [*rows, *cheap]).caption


def test_centroid_curves_show_whom_each_emotion_comes_to_resemble(rows):
    figure = drawn(CentroidCurves(), rows).figure
    assert [axes.get_title() for axes in figure.axes] == [f"{emotion} utterances" for emotion in EMOTIONS]
    widths = [[line.get_linewidth() for line in lines(axes)] for axes in figure.axes]
    assert [row.index(max(row)) for row in widths] == list(range(5)), "the own centroid is the thick line"
    with pytest.raises(MissingRowsError, match="similarity_to/<emotion>"):
        CentroidCurves().draw_rows([row for row in rows if not row.metric.startswith("similarity_to/")])


def test_a_narrow_range_of_rates_is_spread(rows):
    narrow = [row._replace(value=200 + row.value / 4) if row.metric == "bits_per_frame" else row for row in rows]
    artifact = drawn(RDCurve(), narrow)
    assert artifact.figure.axes[0].get_xscale() == "linear"
    assert "logarithmic" not in artifact.caption
    assert drawn(RDCurve(linear_below=1.0), narrow).figure.axes[0].get_xscale() == "symlog"
    assert drawn(RateCurves("recall"), rows).figure.axes[0].get_xscale() == "symlog"
