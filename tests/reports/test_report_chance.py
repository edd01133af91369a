"""A classifier that does not know a corpus is said in every caption, at the head of the page, and on the console."""

import json
import math

import pytest
from synthetic_rows import EMOTIONS, make_row

from emoquant.reports import CrossMatrix, EmotionTable, StudyPage, SweepCurves
from emoquant.reports.chance import classifier_doubt, collapse
from emoquant.reports.rows import MissingRowsError, Results
from emoquant.reports.writing import markdown_text

SAID = "The classifier does not know this corpus: its UAR before quantization is 24.0 % [18.0, 30.0], chance is 20.0 %"


@pytest.fixture(scope="module")
def doubted(rows):
    def told(row):
        known = row.codec == "none" and row.metric == "uar"
        return row._replace(value=0.24, low=0.18, high=0.30) if known else row

    return [told(row) for row in rows]


def test_every_caption_and_the_head_of_the_page_say_it(doubted, rows, tmp_path):
    EmotionTable("recall").write(doubted, tmp_path)
    SweepCurves("utterance_similarity").write(doubted, tmp_path)
    for entry in json.loads((tmp_path / "captions.json").read_text())["artifacts"]:
        assert entry["caption"].startswith(SAID)
    assert (tmp_path / "recall_table.md").read_text().startswith(f"**{markdown_text(SAID)}")
    assert r"\caption{The classifier does not know this corpus" in (tmp_path / "recall_table.tex").read_text()
    assert r"is 24.0 \% [18.0, 30.0], chance is 20.0 \%" in (tmp_path / "recall_table.tex").read_text()
    StudyPage().write(doubted, tmp_path)
    page = (tmp_path / "study.html").read_text(encoding="utf-8")
    assert f'<main><p class="warning" role="note">esd: {SAID}' in page
    assert "train a probe on its features" in page
    EmotionTable("recall").write(rows, tmp_path / "known")
    StudyPage().write(rows, tmp_path / "known")
    assert "does not know" not in (tmp_path / "known" / "study.html").read_text(encoding="utf-8")
    assert "does not know" not in (tmp_path / "known" / "captions.json").read_text()


def test_only_the_corpus_that_is_not_known_is_doubted(doubted, rows, tmp_path):
    both = [*rows, *(row._replace(corpus="nemo") for row in doubted)]
    captions = {artifact.stem: artifact.caption for artifact in EmotionTable("recall").draw_rows(both)}
    assert captions["recall_table_nemo"].startswith("The classifier does not know")
    assert captions["recall_table_esd"].startswith("Recall")


def test_codebooks_without_the_unquantized_features_are_not_judged(biased_rows):
    assert classifier_doubt(Results(biased_rows)) == ""
    assert CrossMatrix("recall").draw_rows(biased_rows)[0].caption.startswith("Recall")


def test_what_collapse_rests_on_must_be_there():
    rows = [make_row("codec", 1.0, emotion, "recall", 0.5) for emotion in EMOTIONS]
    with pytest.raises(MissingRowsError, match="no distinct_outputs by codec at 1"):
        collapse(Results(rows), "codec", 1.0)
    rows.append(make_row("codec", 1.0, "all", "distinct_outputs", 19.0)._replace(low=math.nan, high=math.nan))
    assert collapse(Results(rows), "codec", 1.0, recognised=False) == ""
    with pytest.raises(MissingRowsError, match="no uar by codec"):
        collapse(Results(rows), "codec", 1.0)
    rows.append(make_row("codec", 1.0, "all", "uar", 0.22))
    assert collapse(Results(rows), "codec", 1.0) == "UAR is 22.0 % [18.0, 26.0], chance is 20.0 %"
