"""One self-contained HTML page of a run: figures and tables with captions, and the configuration that made them."""

import base64
import html
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from emoquant.reports.base import Report, plain_name
from emoquant.reports.chance import ADVICE, classifier_doubt
from emoquant.reports.output import digest, read_index, write_file
from emoquant.reports.quantities import point_text, quantity
from emoquant.reports.rows import MissingRowsError, Results, classifiers_in
from emoquant.storage.files import read_text
from emoquant.storage.results import Row, read_results

_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.55 system-ui, sans-serif; color: #1a1a1a; background: #fff;
  max-width: 62rem; margin: 0 auto; padding: 1.5rem; }
h1, h2, h3 { line-height: 1.25; }
h2 { margin-top: 3rem; border-bottom: 1px solid #bbb; padding-bottom: .3rem; }
h3 { margin-top: 2.2rem; }
nav ol { columns: 2 17rem; column-gap: 2rem; margin-top: .3rem; }
nav small { color: #555; }
a { color: #0b4f8a; }
figure { margin: 1rem 0; overflow-x: auto; }
figure img { max-width: 100%; height: auto; }
figcaption { font-size: .92rem; max-width: 46rem; margin-top: .5rem; }
.scroll { overflow-x: auto; }
details .scroll { max-height: 28rem; overflow-y: auto; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
th, td { padding: .15rem .6rem; text-align: right; border-bottom: 1px solid #ddd; white-space: nowrap; }
th[scope=row], thead th:first-child, th.word, td.word { text-align: left; }
p.warning { border-left: .4rem solid #b30000; background: #fdf0ee; padding: .6rem .9rem; font-weight: 600; }
table.facts td { white-space: normal; overflow-wrap: anywhere; }
table.findings th, table.findings td { white-space: normal; text-align: left; vertical-align: top; }
table.findings td:nth-child(3) { min-width: 16rem; }
caption { text-align: left; font-size: .85rem; color: #444; }
details { margin: .6rem 0; }
summary { cursor: pointer; color: #0b4f8a; }
pre { background: #f5f5f5; padding: .8rem; overflow-x: auto; font-size: .8rem; }
@media (max-width: 40rem) {
  body { padding: 1rem; } h1 { font-size: 1.6rem; } table:not(.facts) td.word { white-space: normal; }
}
@media print { details { display: none; } figure { break-inside: avoid; } }
"""


class Section(NamedTuple):
    """Part of a page: the reports of one run.

    Attributes:
        title: Heading.
        folder: Folder that the reports were written into.
        rows: Rows of the run.
        config: Text of the run's configuration; empty where it is unknown.
    """

    title: str
    folder: Path
    rows: Sequence[Row]
    config: str


class StudyPage(Report):
    """One HTML file that needs nothing else: figures inside, tables of the numbers, captions, configuration.

    It shows what its own ``reports`` write, or, without any, everything that reports before it wrote into the folder.

    Args:
        title: Heading of the page.
        reports: Reports to write first.
        config: Name of the file of the run's configuration, in the folder or above it; ``config.yaml`` by default.
        name: Stem of the file.
    """

    def __init__(
        self,
        title: str = "What quantization leaves of emotions",
        reports: list[Report] | None = None,
        config: str | None = None,
        name: str = "study",
    ) -> None:
        self.title, self.reports, self.config, self.name = title, reports, config, plain_name(name)
        if config is not None and Path(config).name != config:
            raise ValueError(f"config must be a file of the run's folder without folders, not {config!r}")

    def write(self, rows: Sequence[Row], folder: Path) -> list[Path]:
        """Write the page, and the files of its own reports before it."""
        if not rows:
            raise MissingRowsError("the results hold no rows: a page needs some; run the evaluation again")
        paths = [path for report in self.reports or () for path in report.write(rows, folder)]
        section = Section(", ".join(Results(rows).corpora), folder, rows, _config_text(folder, self.config))
        return [*dict.fromkeys(paths), write_file(folder / f"{self.name}.html", study_page(self.title, [section]))]


def study_page(title: str, sections: Sequence[Section], opening: str = "") -> str:
    """Return the HTML of a page.

    Args:
        title: Heading.
        sections: Runs, at least one.
        opening: HTML in front of them.

    Raises:
        MissingRowsError: No section has a figure or table.
    """
    contents, body = page_parts(sections, embedded)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{_safe(title)}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>{_STYLE}</style>\n</head>\n<body>\n<header><h1>{_safe(title)}</h1></header>\n"
        f'<nav aria-label="Contents">{contents}</nav>\n<main>{warnings_html(sections)}{opening}{body}</main>\n'
        "</body>\n</html>\n"
    )


def page_parts(sections: Sequence[Section], address: Callable[[Path], str]) -> tuple[str, str]:
    """Return the contents and the body of a page, as HTML.

    Args:
        sections: Runs, at least one.
        address: What an image is called on the page, a relative link or a ``data:`` address (:func:`embedded`).

    Raises:
        MissingRowsError: No section has a figure or table.
    """
    indexed = [(section, _entries(section)) for section in sections]
    if not any(entries for _, entries in indexed):
        raise MissingRowsError(
            f"no report of these results is in {sections[0].folder}: put reports before the page or into its `reports`"
        )
    contents, bodies, number = [], [], 0
    for place, (section, entries) in enumerate(indexed, 1):
        items, body, first = [], [], number + 1
        titles = Counter(entry["title"] for entry in entries)
        for entry in entries:
            number += 1
            anchor = f"s{place}-{entry['stem']}"
            stem = f" <small>{_safe(entry['stem'].replace('_', ' '))}</small>" if titles[entry["title"]] > 1 else ""
            items.append(f'<li><a href="#{_safe(anchor)}">{_safe(entry["title"])}</a>{stem}</li>')
            body.append(_article(section.folder, entry, anchor, number, address))
        listed = f'<ol start="{first}">{"".join(items)}</ol>'
        contents.append(f'<p><a href="#s{place}">{_safe(section.title)}</a></p>{listed}')
        bodies.append(f'<section id="s{place}"><h2>{_safe(section.title)}</h2>{_facts(section.rows)}{"".join(body)}')
        bodies.append(f"{_config(section.config)}</section>")
    return "".join(contents), "".join(bodies)


def warnings_html(sections: Sequence[Section]) -> str:
    """Return what must be read before a page: corpora that the classifier does not know, each once."""
    found: dict[str, None] = {}
    for section in sections:
        results = Results(section.rows)
        for corpus in results.corpora:
            for name in classifiers_in(section.rows) or [""]:
                if not (doubt := classifier_doubt(Results(section.rows, name).of_corpus(corpus))):
                    continue
                found[f"{corpus}: {doubt} Figures and verdicts of recognition say nothing here; {ADVICE}."] = None
    return "".join(f'<p class="warning" role="note">{_safe(text)}</p>' for text in found)


def embedded(image: Path) -> str:
    """Return an image as an address that holds all of it."""
    kind = "svg+xml" if image.suffix == ".svg" else "png"
    return f"data:image/{kind};base64,{base64.b64encode(image.read_bytes()).decode('ascii')}"


def _entries(section: Section) -> list[dict[str, Any]]:
    made_of = digest(section.rows)
    return [entry for entry in read_index(section.folder) if entry.get("results") == made_of]


def _safe(text: str) -> str:
    return html.escape(str(text), quote=True)


def _facts(rows: Sequence[Row]) -> str:
    results = Results(rows)
    counts = {row.emotion: row.n for row in rows if row.stratum == "all"}
    pooled = counts.pop("all", None)
    points = sorted({row.lmbda for row in rows if row.lmbda == row.lmbda})
    facts = {
        "Corpus": ", ".join(results.corpora),
        "Codecs": ", ".join(dict.fromkeys(row.codec for row in rows)),
        "Classifiers": ", ".join(classifiers_in(rows)),
        "Operating points": ", ".join(point_text(point) for point in points),
        "Utterances": ", ".join(f"{n} {emotion}" for emotion, n in counts.items())
        + (f"; {pooled} together" if pooled else ""),
        "Intervals": "95 % bootstrap, resampling "
        + " and ".join(sorted({row.interval for row in rows if row.interval})),
    }
    lines = "".join(
        f'<tr><th scope="row">{_safe(k)}</th><td class="word">{_safe(v)}</td></tr>' for k, v in facts.items() if v
    )
    caption = "<caption>What was measured</caption>"
    return f'<div class="scroll"><table class="facts">{caption}<tbody>{lines}</tbody></table></div>'


def _article(folder: Path, entry: Mapping[str, Any], anchor: str, number: int, address: Callable[[Path], str]) -> str:
    files = {Path(name).suffix: folder / name for name in entry["files"]}
    image = files.get(".svg") or files.get(".png")
    shown = f'<img alt="{_safe(entry["alt"])}" src="{_safe(address(image))}">' if image else ""
    rows = read_results(files[".csv"]) if ".csv" in files else []
    report = _safe(json.dumps(entry["report"], ensure_ascii=False))
    return (
        f'<article id="{_safe(anchor)}"><h3>{number}. {_safe(entry["title"])}</h3><figure>{shown}'
        f"<figcaption>{_safe(entry['caption'])}</figcaption></figure>{_numbers(rows, entry['title'])}"
        f"<details><summary>The report behind it</summary><pre>{report}</pre></details></article>"
    )


def _numbers(rows: Sequence[Row], title: str) -> str:
    if not rows:
        return ""
    several = len({row.metric for row in rows}) > 1  # of one measure the title speaks already
    names = ["codec", "λ", "emotion", *(["measure"] if several else [])]
    head = "".join(f'<th scope="col" class="word">{name}</th>' for name in names)
    head += "".join(f'<th scope="col">{name}</th>' for name in ("value", "95 % interval", "n"))
    lines = []
    for row in rows:
        measure = quantity(row.metric)
        interval = "" if row.low != row.low else f"{measure.text(row.low)} to {measure.text(row.high)}"
        words = (row.codec, point_text(row.lmbda), row.emotion, measure.axis)[: len(names)]
        cells = "".join(f'<td class="word">{_safe(word)}</td>' for word in words)
        lines.append(f"<tr>{cells}<td>{measure.text(row.value)}</td><td>{interval}</td><td>{row.n}</td></tr>")
    return (
        f'<details><summary>The numbers ({len(rows)})</summary><div class="scroll" tabindex="0">'
        f"<table><caption>{_safe(title)}"
        f"</caption><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table></div></details>"
    )


def _config(text: str) -> str:
    if not text:
        return ""
    return f"<h3>Configuration</h3><details><summary>config.yaml of the run</summary><pre>{_safe(text)}</pre></details>"


def _config_text(folder: Path, given: str | None) -> str:
    places = [folder / (given or "config.yaml"), folder.parent / (given or "config.yaml")]
    found = next((path for path in places if path.is_file()), None)
    if found is None:
        if given:
            raise FileNotFoundError(f"no configuration at {places[1]}: correct the page's option `config` or drop it")
        return ""
    if found.is_symlink():
        raise ValueError(f"{found} is a link: a page shows nothing of other folders; copy the file")
    return read_text(found)
