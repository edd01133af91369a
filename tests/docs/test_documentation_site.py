"""The documentation site is built without a warning; its notebook runs, its reference names what the package offers."""

import json
import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

import emoquant

for package in ("mkdocs_jupyter", "mkdocstrings", "material", "ipykernel"):
    pytest.importorskip(package, reason="the extra docs is not installed")
ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "docs" / "first_steps.ipynb"


class Text(HTMLParser):
    """The words of a page, and the identifiers that links lead to."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.words, self.ids = "", set()
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.ids |= {value for name, value in attrs if name == "id"}

    def handle_data(self, data):
        self.words += data


def build(root, out):
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--config-file", root / "mkdocs.yml", "--site-dir", out],
        cwd=root, env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)},
        text=True, capture_output=True, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    out = tmp_path_factory.mktemp("site")
    done = build(ROOT, out)
    assert done.returncode == 0, done.stderr
    return out


def test_the_notebook_runs(site):
    words = Text(site / "first_steps" / "index.html").words
    assert "lambda 500:" in words
    assert "bytes, cosine similarity" in words
    assert "surprise" in words


def test_the_notebook_is_kept_without_outputs():
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)


def test_every_public_name_is_in_the_reference(site):
    ids = Text(site / "api" / "emoquant" / "index.html").ids
    known = {name.rpartition(".")[2] for name in ids if name}
    assert {*emoquant.__all__} - {"read_results"} <= known
    assert "results_frame" in known  # emoquant.read_results


@pytest.mark.parametrize("wrong", ["[nothing](nothing.md)", "::: emoquant.codecs.no_such_name"])
def test_a_link_or_a_name_that_leads_nowhere_ends_the_build(wrong, tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text(f"# Page\n\n{wrong}\n")
    settings = f"site_name: x\nplugins:\n  - mkdocstrings: {{handlers: {{python: {{paths: [{ROOT}]}}}}}}\n"
    (tmp_path / "mkdocs.yml").write_text(settings)
    done = build(tmp_path, tmp_path / "out")
    assert done.returncode != 0
    assert wrong.rpartition("(")[2].strip("):").split()[-1] in done.stderr
