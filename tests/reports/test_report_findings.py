"""Findings of the study: found where they are planted in the rows, not found where the opposite is."""

import csv
import math

import pytest
from synthetic_rows import EMOTIONS, make_row, trained_rows

from emoquant.reports.findings import findings
from emoquant.reports.findings_table import findings_html, found_in, write_findings

FAR, MOVED = "At the far end", "The emotions do not just get lost"
STAYS, DIRECT = "The emotions lose", "Lowering similarity directly"
KEPT, PULLED, AGREED = "A codebook trained", "It pulls", "Agreement of the annotators"
SPOKEN = "Speech synthesised"


def swept(planted):
    """Return a sweep in which neutral stays and draws the others, or in which another emotion does."""
    favourite = "neutral" if planted else "sad"
    rows = [make_row("none", math.nan, emotion, "recall", 0.9) for emotion in EMOTIONS]
    for lmbda, left in ((0.0, 0.99), (100.0, 0.8), (500.0, 0.1)):
        for emotion in EMOTIONS:
            own = emotion == favourite
            rows.append(make_row("codec", lmbda, emotion, "recall", 1.0 if own else left if left > 0.5 else 0.0))
            rows.append(make_row("codec", lmbda, emotion, "utterance_similarity", 0.9 if own else left))
            drift = (1 - left if planted else left - 1) * (emotion != "neutral")
            rows.append(make_row("codec", lmbda, emotion, "preference_for_neutral", drift))
        rows.append(make_row("codec", lmbda, "all", "utterance_similarity", left))
        rows.append(make_row("codec", lmbda, "all", "distinct_outputs", 1.0))
    for target in (0.9, 0.5, 0.2):
        for emotion in EMOTIONS:
            lost_at = 0.9 if (emotion == "neutral") == planted else 0.2
            rows.append(make_row("greedy", target, emotion, "recall", 0.1 if target <= lost_at else 0.9))
    return rows


def biased(planted):
    rows = []
    for codec in EMOTIONS:
        rows += trained_rows(codec, codec)
        for lmbda in (0.0, 500.0):
            for emotion in EMOTIONS:
                kept = (emotion == codec) == planted
                rows.append(make_row(codec, lmbda, emotion, "recall", 1.0 if kept else 0.0))
                rows += [make_row(codec, lmbda, emotion, f"attraction/{e}", -9.0 if planted else 9.0) for e in EMOTIONS]
    return rows


def voted(planted):
    """Return recall by agreement: falling alike, or sooner where the annotators disagreed."""
    rows = []
    for part, sooner in (("agreement<=0.6", not planted), ("0.6<agreement<=1", False)):
        for emotion in EMOTIONS:
            rows.append(make_row("none", math.nan, emotion, "recall", 0.8, stratum=part))
            rows.append(make_row("codec", 100.0, emotion, "recall", 0.2 if sooner else 0.7, stratum=part))
    return rows


def spoken(planted):
    """Return recognition of synthesised speech: neutral as lambda grows, or not."""
    rows = []
    for stratum in ("synthesis/A", "synthesis/B"):
        rows += [make_row("codec", 500.0, emotion, "recall", 0.1, stratum=stratum) for emotion in EMOTIONS]
        trend = 0.7 if planted else -0.1
        rows.append(make_row("codec", math.nan, "all", "trend/predicted/neutral", trend, stratum=stratum))
    return rows


CASES = [(swept, FAR, 5), (swept, MOVED, 4), (swept, STAYS, 4), (swept, DIRECT, 4)]
CASES += [(biased, KEPT, 5), (biased, PULLED, 20), (voted, AGREED, 5), (spoken, SPOKEN, 2)]


@pytest.mark.parametrize("planted", [True, False])
@pytest.mark.parametrize(("world", "statement", "cases"), CASES, ids=lambda value: str(value)[:12])
def test_a_finding_holds_where_it_is_planted_only(world, statement, cases, planted):
    (found,) = [finding for finding in findings(world(planted)) if finding.statement.startswith(statement)]
    assert len(found.cases) == cases
    assert (found.verdict == "holds") == planted
    if statement not in (FAR, STAYS):  # sad took the place of neutral there: the rest is lost as before
        assert found.verdict == ("holds" if planted else "does not hold")


def test_no_clear_effect_says_how_large_an_effect_would_have_been_missed():
    (found,) = [finding for finding in findings(voted(True)) if finding.statement.startswith(AGREED)]
    assert {case.figure for case in found.cases} == {"overlap; a difference below 0.10 of the recall would not show"}


def test_what_holds_for_some_holds_in_part():
    (found,) = [finding for finding in findings(swept(False)) if finding.statement.startswith(FAR)]
    assert found.verdict == "in part"
    assert [case.name for case in found.cases if case.holds] == ["angry", "happy", "surprise"]


def test_runs_of_something_else_say_nothing(rows):
    assert findings([row for row in rows if row.metric == "bits_per_frame"]) == []
    assert findings_html([]) == ""


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
    assert lines[0]["verdict"] == "holds (5 of 5)"
    assert "1 distinct outputs of 20 utterances" in lines[0]["figures"]
    assert len(text.read_text(encoding="utf-8").splitlines()) == len(found) + 2
    assert findings_html(found).count("<tr>") == len(found) + 1
