"""Names that mean something to what they are written for, through the command that draws a run again."""

import html
import warnings

from bad_world import results_of
from cases import case

from emoquant.commands.reports import reports
from emoquant.storage.results import read_results

REPORTS = """class_path: ResultsWriter
init_args:
  reports:
  - {class_path: CrossMatrix, init_args: {metric: recall, lmbda: 10.0}}
  - {class_path: StudyPage}
"""
ODD = ["lr $1$ $x^$", "a^2_b~c|d", "R&D <b>x</b>", "=1+2"]


def redrawn(folder, *names):
    """Draw a run of codecs of these names; return all texts that were written, by the endings of the files."""
    results_of(folder / "run", names)
    (folder / "run" / "config.yaml").write_text(REPORTS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reports([folder / "run"])
    found = {}
    for path in (folder / "run" / "reports").iterdir():
        if path.suffix in (".md", ".tex", ".html", ".svg", ".csv"):
            found[path.suffix] = found.get(path.suffix, "") + path.read_text(encoding="utf-8")
    return found


@case("Names", "signs of dollars, carets, tildes, bars, HTML or formulas in names", None, "escaped in every format")
def _(folder):
    texts = redrawn(folder, *ODD)
    assert r"lr \$1\$" in texts[".tex"]
    assert r"a\textasciicircum{}2\_b\textasciitilde{}c" in texts[".tex"]
    assert r"a^2_b\~c\|d" in texts[".md"]
    assert "<b>" not in texts[".md"] + texts[".html"]
    assert html.escape("R&D <b>x</b>") in texts[".html"]
    assert "\n=" not in texts[".csv"]
    assert ",=" not in texts[".csv"]


@case("Names", "names in scripts that no font of the system has", None, "boxes, and one warning")
def _(folder):
    assert "名" in redrawn(folder, "名前", "имя")[".md"]


@case("Names", "a name of 300 characters in results.csv", ValueError, "is no name: expected at most 200", "line 2")
def _(folder):
    results_of(folder / "run", ["x" * 300])
    read_results(folder / "run" / "results.csv")


@case("Names", "a break of a line in a name", ValueError, "is no name", "line 3")
def _(folder):
    results_of(folder / "run", ["x\ny"])
    read_results(folder / "run" / "results.csv")
