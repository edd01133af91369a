"""Findings of the study: found where they are planted in the rows, not found where the opposite is."""

import csv
import math

import pytest
from synthetic_rows import EMOTIONS, make_row, trained_rows

from emoquant.reports import EmotionTable, SweepCurves
from emoquant.reports.chance import classifier_doubt
from emoquant.reports.evidence import Estimate
from emoquant.reports.findings import findings
from emoquant.reports.findings_table import found_in, write_findings
from emoquant.reports.pages import Section, study_page
from emoquant.reports.rows import Results

FAR, MOVED = "At the far end", "The emotions do not just get lost"
STAYS, DIRECT = "The emotions lose", "Lowering similarity directly"
KEPT, PULLED, AGREED = "A codebook trained", "It pulls", "Agreement of the annotators"
SPOKEN = "Speech synthesised"


def left_of(codec, lmbda, recalls, outputs=15.0, spread=0.6, neutral=0.3):
    """Return what every rule asks for first: UAR, distinct outputs, distance left to the mean."""
    uar = sum(recalls) / len(recalls)
    return [
        make_row(codec, lmbda, "all", "uar", uar),
        make_row(codec, lmbda, "all", "distinct_outputs", outputs),
        make_row(codec, lmbda, "all", "distance_to_mean", spread),
        make_row(codec, lmbda, "all", "distance_to_neutral", neutral),
    ]


def unquantized(recall=0.9):
    return [
        *(make_row("none", math.nan, emotion, "recall", recall) for emotion in EMOTIONS),
        make_row("none", math.nan, "all", "uar", recall),
    ]


def swept(planted, outputs=15.0, spread=0.6):
    """Return a sweep in which neutral stays and draws the others before all becomes neutral, or the opposite."""
    rows = unquantized()
    for lmbda, left in ((0.0, 0.99), (100.0, 0.7), (500.0, 0.1)):
        for emotion in EMOTIONS:
            own = (emotion == "neutral") == planted
            recall = float(emotion == "neutral") if lmbda == 500.0 else 0.8
            rows.append(make_row("codec", lmbda, emotion, "recall", recall))
            neutral = float(planted) if lmbda == 500.0 else 0.1
            rows.append(make_row("codec", lmbda, emotion, "predicted/neutral", neutral))
            rows.append(make_row("codec", lmbda, emotion, "utterance_similarity", 0.99 if own else left, spread=0.01))
            rows.append(make_row("codec", lmbda, emotion, "excess_similarity", 0.2 if own else -0.1))
            drift = (1 - left if planted else left - 1) * (emotion != "neutral")
            rows.append(make_row("codec", lmbda, emotion, "preference_for_neutral", drift, spread=0.01))
            rows.append(make_row("codec", lmbda, emotion, "excess_preference_for_neutral", drift))
        rows += left_of("codec", lmbda, [0.2 if lmbda == 500.0 else 0.8], outputs, spread)
        rows += [make_row("codec", lmbda, "all", f"predicted/{e}", 0.7 * (e == "neutral")) for e in EMOTIONS]
        rows += [make_row("codec", lmbda, "all", f"probability/{e}", 0.24 - 0.02 * i) for i, e in enumerate(EMOTIONS)]
        rows.append(make_row("codec", lmbda, "all", "margin", 0.02))
    for target in (0.9, 0.5, 0.2):
        lost = [target <= (0.9 if (emotion == "neutral") == planted else 0.2) for emotion in EMOTIONS]
        recalls = [0.1 if gone else 0.9 for gone in lost]
        rows += [make_row("greedy", target, e, "recall", r) for e, r in zip(EMOTIONS, recalls, strict=True)]
        rows += left_of("greedy", target, recalls, outputs, spread)
    return rows


def biased(planted, precision=0.8, outputs=15.0):
    rows = unquantized()
    for codec in EMOTIONS:
        rows += trained_rows(codec, codec)
        for lmbda in (0.0, 500.0):
            for emotion in EMOTIONS:
                kept = (emotion == codec) == planted
                rows.append(make_row(codec, lmbda, emotion, "recall", 1.0 if kept else 0.3))
                rows.append(make_row(codec, lmbda, emotion, "precision", precision))
                turn = -9.0 if planted else 9.0
                rows += [make_row(codec, lmbda, emotion, f"attraction/{e}", turn * (e == codec)) for e in EMOTIONS]
            rows += left_of(codec, lmbda, [0.5], outputs)
    return rows


def voted(planted, spread=0.04):
    """Return recall by agreement: falling alike, or sooner where the annotators disagreed."""
    rows = unquantized(0.8)
    for part, sooner in (("agreement<=0.6", not planted), ("0.6<agreement<=1", False)):
        for emotion in EMOTIONS:
            rows.append(make_row("none", math.nan, emotion, "recall", 0.8, stratum=part, spread=spread))
            left = 0.2 if sooner else 0.6
            rows.append(make_row("codec", 100.0, emotion, "recall", left, stratum=part, spread=spread))
    return rows + left_of("codec", 100.0, [0.5])


def spoken(planted, recall=0.5):
    """Return recognition of synthesised speech: neutral as lambda grows, or not."""
    rows = []
    for stratum in ("synthesis/A", "synthesis/B"):
        rows += [make_row("codec", 500.0, emotion, "recall", recall, stratum=stratum) for emotion in (*EMOTIONS, "all")]
        trend = 0.7 if planted else -0.1
        rows.append(make_row("codec", math.nan, "all", "trend/predicted/neutral", trend, stratum=stratum))
    return rows


def found_of(rows, statement):
    (found,) = [finding for finding in findings(rows) if finding.statement.startswith(statement)]
    return found


CASES = [(swept, FAR, 4), (swept, MOVED, 4), (swept, STAYS, 4), (swept, DIRECT, 4)]
CASES += [(biased, KEPT, 5), (biased, PULLED, 20), (voted, AGREED, 5), (spoken, SPOKEN, 2)]


@pytest.mark.parametrize("planted", [True, False])
@pytest.mark.parametrize(("world", "statement", "cases"), CASES, ids=lambda value: str(value)[:12])
def test_a_finding_holds_where_it_is_planted_only(world, statement, cases, planted):
    found = found_of(world(planted), statement)
    assert len(found.cases) == cases
    assert found.verdict == ("holds" if planted else "does not hold")


COLLAPSED = [(swept, FAR), (swept, MOVED), (swept, STAYS), (swept, DIRECT), (biased, KEPT), (biased, PULLED)]


@pytest.mark.parametrize(("world", "statement"), COLLAPSED, ids=lambda value: str(value)[:12])
def test_the_same_figures_of_one_output_are_a_collapse(world, statement):
    found = found_of(world(True, outputs=1.0), statement)
    assert found.verdict == "collapse"
    assert "1 distinct outputs of 20 utterances are left" in found.collapse
    if world is swept:
        assert "5.0 % of the distance to the training mean" in found_of(swept(True, spread=0.05), statement).collapse


def test_everything_neutral_because_it_is_next_to_the_mean_is_a_collapse():
    rows = [
        row._replace(value=0.58, low=0.5, high=0.66) if row.metric == "distance_to_neutral" else row
        for row in swept(True)
    ]
    found = found_of(rows, FAR)
    assert found.verdict == "collapse"
    assert (
        "went to the training mean (60.0 [56.0, 64.0] % of the distance left) rather than to neutral" in found.collapse
    )


def test_speech_that_is_heard_at_chance_is_a_collapse():
    found = found_of(spoken(True, recall=0.22), SPOKEN)
    assert found.verdict == "collapse"
    assert "recall is 22.0 [18.0, 26.0] % at λ = 500, chance is 20.0 %" in found.collapse


def test_the_end_is_named_with_its_probabilities_and_margin():
    remark = found_of(swept(True, outputs=1.0), FAR).remark
    assert remark == (
        "70% are classified neutral; mean probabilities angry 0.24, happy 0.22, neutral 0.20; "
        "margin of the first over the second 0.02"
    )


def test_a_codebook_that_calls_everything_by_its_name_keeps_nothing():
    found = found_of(biased(True, precision=0.2), KEPT)
    assert found.verdict == "does not hold"
    assert all("precision 20.0" in case.figure for case in found.cases)


def test_an_effect_below_the_smallest_of_interest_is_none():
    """Attraction of 0.02 degrees with an interval that excludes 0, and a preference of 0.01."""
    rows = [
        row._replace(value=-0.02, low=-0.03, high=-0.01) if "attraction" in row.metric and row.value else row
        for row in biased(True)
    ]
    assert found_of(rows, PULLED).verdict == "does not hold"
    rows = [
        row._replace(value=0.01, low=0.005, high=0.015) if row.metric == "preference_for_neutral" else row
        for row in swept(True)
    ]
    assert found_of(rows, MOVED).verdict == "does not hold"


def test_what_shrinking_to_the_mean_explains_does_not_count():
    flat = [row._replace(value=0.0, low=-0.01, high=0.01) if "excess" in row.metric else row for row in swept(True)]
    assert found_of(flat, MOVED).verdict == "does not hold"
    assert found_of(flat, STAYS).verdict == "does not hold"


def test_too_few_utterances_leave_a_finding_open():
    wide = [row._replace(low=row.value - 0.5, high=row.value + 0.5) if "uar" not in row.metric else row
            for row in swept(True)]  # fmt: skip
    assert found_of(wide, MOVED).verdict == "open"
    assert found_of(voted(True, spread=0.2), AGREED).verdict == "open"


def test_no_effect_is_shown_by_equivalence_and_not_by_intervals_that_overlap():
    assert found_of(voted(True), AGREED).cases[0].figure == "+0.00 [-0.08, +0.08] at λ = 100"
    assert "two one-sided tests" in found_of(voted(True), AGREED).rule


def test_many_tests_are_corrected():
    """Of four emotions one has a p-value of 0.04: alone it would count, among all tests it does not."""
    rows = [
        row._replace(value=0.1, low=0.044, high=0.156)
        if row.metric == "preference_for_neutral" and row.emotion == "sad"
        else row._replace(value=0.0, low=-0.04, high=0.04)
        if row.metric == "preference_for_neutral"
        else row
        for row in swept(True)
    ]
    alone = Estimate(0.1, 0.044, 0.156).p_above(0.05)
    assert 0.02 < alone < 0.05
    assert [case.answer for case in found_of(rows, MOVED).cases if case.name == "sad"] == ["open"]


def test_a_classifier_at_chance_withholds_every_verdict():
    for doubted in (unquantized(0.22), [*unquantized(), make_row("none", math.nan, "all", "predicted/sad", 0.85)]):
        rows = [row for row in swept(True) if row.codec != "none"] + doubted
        assert {finding.verdict for finding in findings(rows)} == {"withheld"}
        (cells, *_) = [one.cells() for one in found_in([("sweep", rows)])]
        assert cells[1] == "withheld"
        assert "does not know this corpus" in cells[2]
        assert "train a probe" in cells[2]
    assert "UAR before quantization is 22.0 % [18.0, 26.0], chance is 20.0 %" in classifier_doubt(
        Results(unquantized(0.22))
    )
    assert "takes 85 % of the utterances for sad" in cells[2]
    assert classifier_doubt(Results(unquantized())) == ""
    assert classifier_doubt(Results(spoken(True))) == ""


def test_what_holds_for_some_holds_in_part():
    rows = [
        row._replace(value=0.9, low=0.86, high=0.94) if row[:5] == ("esd", "codec", 500.0, "sad", "predicted/neutral")
        else row for row in swept(True)
    ]  # fmt: skip
    found = found_of(rows, FAR)
    assert found.verdict == "in part"
    assert [case.name for case in found.cases if case.answer == "no"] == ["sad"]


def test_runs_of_something_else_say_nothing(rows):
    assert findings([row for row in rows if row.metric == "bits_per_frame"]) == []


def test_what_codebooks_were_trained_on_is_read_and_not_guessed_from_their_names():
    def said(rows):
        return {finding.statement for finding in findings(rows) if finding.statement.startswith((KEPT, PULLED))}

    named = [row for row in biased(True) if row.metric != "trained_on"]
    assert not said(named)
    assert len(said([*named, *(row for codec in EMOTIONS for row in trained_rows(codec, codec))])) == 2
    assert not said([*named, *(row for codec in EMOTIONS for row in trained_rows(codec, "happy", "sad"))])


def test_the_table_names_every_finding_once_for_a_corpus_and_a_codec(tmp_path):
    other = [row._replace(corpus="nemo") for row in swept(False)]
    plain = [row._replace(codec="plain") if row.codec == "codec" else row for row in swept(False)]
    runs = {"sweep": swept(True), "again": swept(True), "codebooks": biased(True), "other": other, "plain": plain}
    found = found_in(list(runs.items()))
    assert [(one.experiment, one.corpus, one.codec) for one in found] == [
        *[("sweep", "esd", "codec")] * 4,
        *[("codebooks", "esd", ", ".join(EMOTIONS))] * 2,
        *[("other", "nemo", "codec")] * 4,
        *[("plain", "esd", "plain")] * 4,
    ]
    table, text = write_findings(tmp_path, found)
    with table.open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert lines[0]["verdict"] == "holds (4 of 4)"
    assert "margin of the first over the second 0.02" in lines[0]["figures"]
    assert len(text.read_text(encoding="utf-8").splitlines()) == len(found) + 2


def test_a_page_opens_with_a_verdict_on_every_finding(rows, tmp_path):
    bare, rows = [row for row in rows if row.metric == "bits_per_frame"], swept(True)
    EmotionTable("recall").write(rows, tmp_path)
    text = study_page("One", [Section("sweep", tmp_path, rows, "")])
    opening = text[text.index('id="findings"') : text.index('id="s1"')]
    found = found_in([("sweep", rows)])
    assert len(found) == 4
    assert opening.count("<tr>") == len(found) + 1
    assert opening.count('<th scope="row">') == opening.count("<td>holds (") == len(found)
    SweepCurves("bits_per_frame", name="rate").write(bare, tmp_path / "bare")
    assert 'id="findings"' not in study_page("None", [Section("rate", tmp_path / "bare", bare, "")])


def test_findings_say_under_which_classifiers_they_hold(tmp_path):
    rows = [row._replace(classifier="head") for row in swept(planted=True)]
    rows += [row._replace(classifier="probe") for row in swept(planted=False)]
    found = [one for one in found_in([("lambda_sweep", rows)]) if one.finding.statement.startswith(MOVED)]
    assert {one.classifier: one.finding.verdict for one in found} == {"head": "holds", "probe": "does not hold"}
    assert {one.everywhere for one in found} == {"holds under head; does not hold under probe"}
    write_findings(tmp_path, found)
    with (tmp_path / "findings.csv").open() as file:
        assert [line["classifier"] for line in csv.DictReader(file)] == ["head", "probe"]
