import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from emoquant.reports import EmotionTable, MissingRowsError, StudyPage, SweepCurves, default_reports
from emoquant.reports.output import read_index
from emoquant.reports.pages import Section, study_page

VOID = {"meta", "img", "br", "hr", "link"}


class Checker(HTMLParser):
    """Collects tags and checks that they nest."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.ids, self.anchors, self.text = [], [], [], [], ""
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.tags.append((tag, found))
        self.ids += [found["id"]] if "id" in found else []
        self.anchors += [found["href"]] if tag == "a" else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def page(rows, tmp_path_factory):
    tmp_path = tmp_path_factory.mktemp("run")
    (tmp_path / "config.yaml").write_text("model: <script>alert('&')</script>\n")
    for report in default_reports(rows):
        report.write(rows, tmp_path / "reports")
    return (tmp_path / "reports" / "study.html").read_text(encoding="utf-8")


def test_the_page_needs_nothing_else(page):
    checked = Checker(page)
    names = {tag for tag, _ in checked.tags}
    assert not names & {"script", "link", "iframe"}
    images = [found for tag, found in checked.tags if tag == "img"]
    assert len(images) == 16
    assert all(found["src"].startswith("data:image/svg+xml;base64,") for found in images)
    assert all(anchor.startswith("#") for anchor in checked.anchors)
    assert "url(" not in page


def test_the_page_can_be_read_without_seeing_it(page):
    checked = Checker(page)
    assert all(found["alt"] for tag, found in checked.tags if tag == "img")
    assert ("html", {"lang": "en"}) in checked.tags
    headings = [int(tag[1]) for tag, _ in checked.tags if tag in ("h1", "h2", "h3")]
    assert headings[0] == 1
    assert headings.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(headings))
    assert len(checked.ids) == len(set(checked.ids))
    assert {anchor[1:] for anchor in checked.anchors} <= set(checked.ids)
    assert all("scope" in found for tag, found in checked.tags if tag == "th")


def test_captions_numbers_and_configuration_are_on_the_page(page, rows):
    checked = Checker(page)
    assert "model: <script>alert('&')</script>" in checked.text
    assert "<script>" not in page
    assert checked.text.count("n = 20 utterances for each of") >= 8
    row = next(row for row in rows if (row.metric, row.emotion, row.lmbda) == ("recall", "sad", 10.0))
    assert f"{100 * row.low:.1f} to {100 * row.high:.1f}" in checked.text
    assert "0, 0.0001, 0.1, 1, 10, 100, 500" in checked.text
    assert "20 angry, 20 happy, 20 neutral, 20 sad, 20 surprise; 100 together" in checked.text
    titles = [line.partition(". ")[2] for line in re.findall(r"<h3>(\d+\. [^<]+)", page)]
    assert len(titles) == len(set(titles)) >= 16, "every figure has a heading of its own"


def test_the_page_is_the_same_every_time_and_writes_its_own_reports(rows, tmp_path):
    report = StudyPage(title="A & B", reports=[EmotionTable("recall"), SweepCurves("recall")], name="ours")
    for folder in ("a", "b"):
        paths = report.write(rows, tmp_path / folder)
        assert paths[-1] == tmp_path / folder / "ours.html"
        assert len(paths) == len(set(paths))
    assert (tmp_path / "a/ours.html").read_bytes() == (tmp_path / "b/ours.html").read_bytes()
    assert "<h1>A &amp; B</h1>" in (tmp_path / "a/ours.html").read_text(encoding="utf-8")


def test_runs_are_sections_of_one_page(rows, tmp_path):
    for name in ("first", "second"):
        EmotionTable("recall").write(rows, tmp_path / name)
    text = study_page("Two", [Section(name, tmp_path / name, rows, "") for name in ("first", "second")])
    checked = Checker(text)
    assert [anchor for anchor in checked.anchors if "recall" not in anchor] == ["#s1", "#s2"]
    assert "2. Recall over λ" in checked.text


def test_figures_of_earlier_results_are_left_out(rows, tmp_path):
    EmotionTable("recall").write(rows, tmp_path)
    EmotionTable("f1").write(rows, tmp_path)
    assert len(read_index(tmp_path)) == 2
    newer = [row._replace(value=row.value / 2) for row in rows]
    with pytest.raises(MissingRowsError, match="no report of these results"):
        StudyPage().write(newer, tmp_path)
    EmotionTable("f1").write(newer, tmp_path)
    assert [entry["stem"] for entry in read_index(tmp_path)] == ["f1_table"]
    StudyPage().write(newer, tmp_path)
    assert "Recall over" not in (tmp_path / "study.html").read_text(encoding="utf-8")


def test_a_page_without_figures_is_refused(rows, tmp_path):
    with pytest.raises(MissingRowsError, match="put reports before the page"):
        StudyPage().write(rows, tmp_path)
    with pytest.raises(MissingRowsError, match="no rows"):
        StudyPage().write([], tmp_path)
    with pytest.raises(FileNotFoundError, match="option `config`"):
        StudyPage(reports=[EmotionTable()], config="none.yaml").write(rows, tmp_path)


def test_speakers_are_drawn_apart_where_they_were_measured_apart(strata_rows):
    def names(rows):
        return [type(report).__name__ for report in default_reports(rows)]

    apart = [row for row in strata_rows if row.stratum == "all" or row.stratum.startswith("speaker=")]
    together = [row for row in strata_rows if row.stratum == "all"]
    assert "StrataCurves" in names(apart)
    assert "StrataCurves" not in names(together)
