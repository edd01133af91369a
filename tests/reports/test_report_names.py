"""Names of corpora and codecs read as they are, wherever they are drawn or written."""

import csv
import html
import re
import warnings
import xml.etree.ElementTree as ElementTree

import pytest
from matplotlib.font_manager import FontProperties, findfont, get_font
from synthetic_rows import sweep_rows

from emoquant.reports import CrossMatrix, EmotionTable, GreedyComparison, StudyPage
from emoquant.reports.base import file_name, plain_name
from emoquant.reports.findings_table import found_in, write_findings
from emoquant.reports.fonts import FONT, fallback_fonts, other_scripts
from emoquant.reports.redraw import build_report
from emoquant.reports.style import new_figure, paper_style
from emoquant.reports.writing import latex_text, markdown_text
from emoquant.storage.csv_files import csv_cell, csv_text
from emoquant.storage.results import read_results, write_results

#: Each stands for something that a reader of one of the formats takes for more than a name.
NAMES = [
    "lr $1$ $x^$",
    "a_b^2~c",
    "R&D <b>|</b>",
    "100% #1",
    r"\input{x}",
    "=1+2",
    "-1",
    "'x",
    "_hidden",
    "{x}",
    "*a* `b`",
]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Tables of every name, of both kinds of report."""
    folder = tmp_path_factory.mktemp("names")
    rows = [
        row._replace(corpus="c$ {&}|", codec=name if row.codec != "none" else "none")
        for name in NAMES
        for row in sweep_rows(points=(0.0, 10.0), unquantized=name == NAMES[0])
        if row.metric in ("recall", "uar")
    ]
    paths = CrossMatrix("recall", lmbda=10.0, name="matrix").write(rows, folder)
    StudyPage().write(rows, folder)
    return folder, rows, paths


def test_figures_show_names_as_they_are(drawn):
    folder, _, _ = drawn
    figure = CrossMatrix("recall", lmbda=10.0).draw_rows(drawn[1])[0].figure
    shown = {text.get_text() for axes in figure.get_axes() for text in axes.get_yticklabels()}
    assert shown == set(NAMES)
    assert not any(text.get_parse_math() for axes in figure.get_axes() for text in axes.get_yticklabels())
    ElementTree.parse(folder / "matrix.svg")


def test_latex_has_no_bare_sign(drawn):
    text = (drawn[0] / "matrix.tex").read_text()
    plain = re.sub(r"\\textasciicircum\{\}|\\textasciitilde\{\}|\\textbackslash\{\}|\$\\lambda\$|\$[n-]\$", "", text)
    assert not re.search(r"(?<!\\)[\^~#%]", plain)
    assert plain.replace(r"\$", "").count("$") == 0
    assert plain.count("&") - plain.count(r"\&") == sum(line.count(" & ") for line in plain.split("\n"))
    assert r"\input" not in text


def test_markdown_tables_keep_their_columns_and_hold_no_html(drawn):
    text = (drawn[0] / "matrix.md").read_text()
    lines = [line for line in text.split("\n") if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1
    assert "<" not in text
    for name in NAMES:
        assert any(html.unescape(re.sub(r"\\(.)", r"\1", line)).startswith(f"| {name} |") for line in lines), name


def test_pages_hold_no_html_of_names(drawn):
    assert "<b>" not in (drawn[0] / "study.html").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_cells_are_no_formulas_and_come_back(tmp_path, name):
    rows = [row._replace(codec=name, corpus=name) for row in sweep_rows(points=(0.0,), unquantized=False)[:3]]
    write_results(tmp_path / "results.csv", rows)
    assert read_results(tmp_path / "results.csv") == rows
    assert csv_text(csv_cell(name)) == name
    with (tmp_path / "results.csv").open(newline="") as file:
        for record in csv.reader(file):
            assert not record[0].startswith(("=", "+", "-", "@"))


def test_findings_of_odd_names(tmp_path):
    rows = [row._replace(codec="=a|<b>" if row.codec != "none" else "none") for row in sweep_rows()]
    write_findings(tmp_path, found_in([("=x|y", rows)]))
    text = (tmp_path / "findings.md").read_text()
    assert "<b>" not in text
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in text.split("\n") if line}) == 1
    with (tmp_path / "findings.csv").open(newline="") as file:
        assert not any(cell.startswith("=") for record in csv.reader(file) for cell in record)


def test_names_that_are_alike_as_files_have_files_of_their_own(tmp_path):
    rows = [
        row._replace(codec=name if row.codec != "none" else "none")
        for name in ("a^", "a$")
        for row in sweep_rows(points=(0.0, 10.0), unquantized=name == "a$")
    ]
    paths = EmotionTable("recall").write(rows, tmp_path)
    assert len(set(paths)) == len(paths)
    assert (tmp_path / "recall_table_a.md").read_text() != (tmp_path / "recall_table_a_2.md").read_text()


@pytest.mark.parametrize("name", ["../x", "a/b", "a\\b", ".x", "", " x", "a\nb", "x" * 300, 3, None, "c:x"])
def test_names_of_files_that_lead_elsewhere_are_refused(name):
    with pytest.raises(ValueError, match="plain file name"):
        plain_name(name)


def test_files_are_named_after_what_they_show_unless_a_name_is_given():
    assert EmotionTable("recall", name="").name == EmotionTable("recall").name == "recall_table"
    assert GreedyComparison("recall", name="").name == "greedy_recall_over_similarity"
    assert GreedyComparison("recall", name="ours").draw_rows(sweep_rows())[0].stem == "ours"
    given = {"class_path": "EmotionTable", "init_args": {"metric": "recall", "name": None}}
    assert build_report(given).name == "recall_table", "as runs of earlier versions have it"


def test_long_names_make_short_files():
    assert len(file_name("é" * 500).encode()) <= 100
    assert file_name("../../x") == "x" or "/" not in file_name("../../x")
    assert not file_name("..a").startswith(".")


def test_other_scripts_use_the_systems_fonts():
    own = get_font(findfont(FontProperties(family=[FONT]))).get_charmap()
    other = get_font(findfont(FontProperties(family=["STIXGeneral"]))).get_charmap()
    character = chr(min(code for code in other if code not in own and chr(code).isprintable() and code > 0x3000))
    assert fallback_fonts({character})
    with paper_style():
        figure = new_figure(2, 2)
        axes = figure.subplots()
        axes.set_xticks([0, 1], ["plain", f"name {character}"])
        axes.set_title(f"title {character}")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with other_scripts(figure):
            pass
    assert axes.title.get_fontfamily()[0] == FONT
    assert len(axes.title.get_fontfamily()) == 2
    assert axes.get_xticklabels()[0].get_fontfamily() == [FONT]
    assert len(axes.get_xticklabels()[1].get_fontfamily()) == 2


def test_characters_without_a_font_are_one_warning(tmp_path):
    rows = [
        row._replace(codec="\U0001fae0 x" if row.codec != "none" else "none", corpus="\U000e0101\U0001fae0")
        for row in sweep_rows()
    ]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        CrossMatrix("recall", lmbda=10.0).write(rows, tmp_path)
    assert len([each for each in caught if "no font of this system" in str(each.message)]) == 1
    assert not [each for each in caught if "Glyph" in str(each.message)]


def test_escapes():
    assert latex_text('a^2 ~ <x> | "q" \\') == (
        r"a\textasciicircum{}2 \textasciitilde{} \textless{}x\textgreater{} \textbar{} ''q'' \textbackslash{}"
    )
    assert markdown_text("look_ahead _x_ [a](b) <i> & `c`") == r"look_ahead \_x\_ \[a\](b) &lt;i&gt; &amp; \`c\`"
