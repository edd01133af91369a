import math

from synthetic_rows import LAMBDAS, make_row, sweep_rows

from emoquant.reports import EmotionTable, SweepCurves
from emoquant.reports.findings import findings
from emoquant.reports.rows import Results
from emoquant.reports.trust import lowest_coverage, speaker_text, triplet_text

TRIPLETS = [
    make_row("none", math.nan, "all", f"triplet_accuracy{space}/{kind}", value, n=90, spread=0.02)
    for space, values in {"": (0.2, 0.6, 0.3), "@lda": (0.8, 0.8, 0.7)}.items()
    for kind, value in zip(("text", "speaker", "both"), values, strict=True)
]


def in_lda(rows):
    cosines = ("utterance_similarity", "similarity_to")
    return [
        row._replace(metric=row.metric.replace(stem, f"{stem}@lda"))
        for row in rows
        for stem in cosines
        if row.metric.partition("/")[0] == stem
    ]


def test_captions_of_cosines_say_what_the_space_means():
    rows = [*sweep_rows(), *TRIPLETS]
    rows += in_lda(rows)
    (similar,) = EmotionTable("utterance_similarity").draw_rows(rows)
    assert "emotion of the same text: 20.0 % [18.0, 22.0]; of the same speaker: 60.0 %" in similar.caption
    assert "same text: 20.0 %" in similar.texts[".md"].replace("\\", "")
    assert r"same text: 20.0 \%" in similar.texts[".tex"]
    (curves,) = SweepCurves("utterance_similarity@lda").draw_rows(rows)
    assert "In the space lda" in curves.caption
    assert "80.0 %" in curves.caption
    assert "in the space lda" in curves.title
    assert "triplets" not in EmotionTable("recall").draw_rows(rows)[0].caption
    assert triplet_text(Results(sweep_rows()), sweep_rows()) == ""


def test_captions_say_how_much_wider_intervals_of_speakers_are_and_how_often_they_hold():
    row = make_row("c", 1.0, "all", "uar", 0.6)._replace(interval="utterances", speakers=4)
    row = row._replace(speaker_low=0.5, speaker_high=0.74)
    text = speaker_text([row])
    assert "hold for these 4 speakers only" in text
    assert "3.0 times as wide" in text
    assert ("% of simulated corpora, not in 95 %" in text) == (lowest_coverage(4) < 0.95)
    assert speaker_text(sweep_rows()) == ""
    assert lowest_coverage(2) == lowest_coverage(4)
    assert lowest_coverage(30) == lowest_coverage(24)


def test_findings_on_cosines_are_given_in_every_space():
    rows = [*sweep_rows(), *(make_row("esd", point, "all", "distinct_outputs", 80, n=100) for point in LAMBDAS)]
    similar = [row for row in rows if row.metric == "utterance_similarity"]
    rows += [row._replace(metric="excess_similarity", value=row.value / 3) for row in similar]
    rows += [row._replace(metric=f"{row.metric}@lda") for row in rows if "_similarity" in row.metric]
    statements = [finding.statement for finding in findings(rows)]
    assert "The emotions lose their similarity, neutral hardly does." in statements
    assert "The emotions lose their similarity, neutral hardly does (in the space lda)." in statements
