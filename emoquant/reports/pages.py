"""One self-contained HTML page of a run: figures and tables with captions, and the configuration that made them."""

import base64
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from emoquant.reports.base import Report, plain_name
from emoquant.reports.chance import ADVICE, classifier_doubt
from emoquant.reports.findings_table import HEAD, found_in
from emoquant.reports.output import digest, read_index, write_file
from emoquant.reports.quantities import point_text, quantity
from emoquant.reports.rows import MissingRowsError, Results, classifiers_in
from emoquant.reports.templating import environment
from emoquant.reports.verdicts import VERDICTS
from emoquant.storage.files import read_text
from emoquant.storage.results import Row, read_results


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


def study_page(title: str, sections: Sequence[Section]) -> str:
    """Return the HTML of a page: warnings and verdicts, then the runs.

    Args:
        title: Heading.
        sections: Runs, at least one.

    Raises:
        MissingRowsError: No section has a figure or table.
    """
    page = environment("emoquant.reports").get_template("study.html")
    return page.render(title=title, **report_content(sections, embedded))


def report_content(sections: Sequence[Section], address: Callable[[Path], str]) -> dict[str, Any]:
    """Return what ``templates/parts.html`` shows of runs: warnings, findings and sections.

    Args:
        sections: Runs, at least one.
        address: What an image is called on the page, a relative link or a ``data:`` address (:func:`embedded`).

    Raises:
        MissingRowsError: No section has a figure or table.
    """
    shown: list[dict[str, Any]] = []
    number = 1
    for place, section in enumerate(sections, 1):
        entries = _entries(section)
        titles = Counter(entry["title"] for entry in entries)
        figures = [_figure(section.folder, e, f"s{place}", titles[e["title"]] > 1, address) for e in entries]
        shown.append({**section._asdict(), "anchor": f"s{place}", "first": number, "figures": figures})
        shown[-1]["facts"] = _facts(section.rows)
        number += len(figures)
    if number == 1:
        raise MissingRowsError(
            f"no report of these results is in {sections[0].folder}: put reports before the page or into its `reports`"
        )
    found = found_in([(section.title, section.rows) for section in sections])
    legend = "; ".join(f"“{verdict}”: {meaning}" for verdict, meaning in VERDICTS.items())
    findings = {"head": HEAD, "lines": [one.cells() for one in found], "legend": legend}
    return {"warnings": _warnings(sections), "findings": findings, "sections": shown}


def _warnings(sections: Sequence[Section]) -> list[str]:
    """Return what must be read before a page: corpora that the classifier does not know, each once."""
    found: dict[str, None] = {}
    for section in sections:
        results = Results(section.rows)
        for corpus in results.corpora:
            for name in classifiers_in(section.rows) or [""]:
                if not (doubt := classifier_doubt(Results(section.rows, name).of_corpus(corpus))):
                    continue
                found[f"{corpus}: {doubt} Figures and verdicts of recognition say nothing here; {ADVICE}."] = None
    return list(found)


def embedded(image: Path) -> str:
    """Return an image as an address that holds all of it."""
    kind = "svg+xml" if image.suffix == ".svg" else "png"
    return f"data:image/{kind};base64,{base64.b64encode(image.read_bytes()).decode('ascii')}"


def _entries(section: Section) -> list[dict[str, Any]]:
    made_of = digest(section.rows)
    return [entry for entry in read_index(section.folder) if entry.get("results") == made_of]


def _facts(rows: Sequence[Row]) -> dict[str, str]:
    results = Results(rows)
    counts: dict[str, int] = {}
    for row in rows:
        if row.stratum == "all":
            counts[row.emotion] = max(row.n, counts.get(row.emotion, 0))
    pooled = counts.pop("all", None)
    points = sorted({row.lmbda for row in rows if row.lmbda == row.lmbda})
    return {
        "Corpus": ", ".join(results.corpora),
        "Codecs": ", ".join(dict.fromkeys(row.codec for row in rows)),
        "Classifiers": ", ".join(classifiers_in(rows)),
        "Operating points": ", ".join(point_text(point) for point in points),
        "Utterances": ", ".join(f"{n} {emotion}" for emotion, n in counts.items())
        + (f"; {pooled} together" if pooled else ""),
        "Intervals": "95 % bootstrap, resampling "
        + " and ".join(sorted({row.interval for row in rows if row.interval})),
    }


def _figure(
    folder: Path, entry: Mapping[str, Any], section: str, shares_title: bool, address: Callable[[Path], str]
) -> dict[str, Any]:
    """Return an entry of the index as the templates show it; one that shares its title has a subtitle."""
    files = {Path(name).suffix: folder / name for name in entry["files"]}
    image = files.get(".svg") or files.get(".png")
    return {
        **entry,
        "anchor": f"{section}-{entry['stem']}",
        "subtitle": entry["stem"].replace("_", " ") if shares_title else "",
        "image": address(image) if image else "",
        "numbers": _numbers(read_results(files[".csv"]) if ".csv" in files else []),
        "report": json.dumps(entry["report"], ensure_ascii=False),
    }


def _numbers(rows: Sequence[Row]) -> dict[str, Any]:
    """Return rows as a table: headings, how many of them are of words, and lines."""
    several = len({row.metric for row in rows}) > 1  # of one measure the title speaks already
    names = ["codec", "λ", "emotion", *(["measure"] if several else [])]
    lines = []
    for row in rows:
        measure = quantity(row.metric)
        interval = "" if row.low != row.low else f"{measure.text(row.low)} to {measure.text(row.high)}"
        words = (row.codec, point_text(row.lmbda), row.emotion, measure.axis)[: len(names)]
        lines.append((*words, measure.text(row.value), interval, row.n))
    return {"head": [*names, "value", "95 % interval", "n"], "words": len(names), "lines": lines}


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
