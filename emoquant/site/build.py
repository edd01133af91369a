"""The study's website: one static folder that opens from disk or from any host, and asks for nothing outside itself."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from emoquant.reports.leaderboard import COLUMNS, Entry, cells, read_leaderboard, write_leaderboard
from emoquant.reports.pages import Section
from emoquant.site import words
from emoquant.site.material import Kind, ListeningRun, attractions, page_data, read_run, with_sounds
from emoquant.site.provenance import as_tables, run_config, versions, weights_of
from emoquant.site.render import Template, report_beside
from emoquant.site.sounds import Format, Sound, Soundbank
from emoquant.storage.files import write_whole
from emoquant.storage.folders import whole_folder

MARK = "provenance.json"
ASSETS = Path(__file__).parent / "assets"


class Sources(NamedTuple):
    """Runs and sections that a site is made of.

    Attributes:
        sweep: Folders of listening runs over lambda.
        codebooks: Folders of listening runs across codebooks; later ones complete the items of the first.
        mixing: Folders of listening runs of mixtures.
        study: Sections of the report.
        leaderboard: File of ``emoquant leaderboard``; None without one.
    """

    sweep: Sequence[Path] = ()
    codebooks: Sequence[Path] = ()
    mixing: Sequence[Path] = ()
    study: Sequence[Section] = ()
    leaderboard: Path | None = None


def build_site(out: Path, sources: Sources, title: str, form: Format = "opus") -> Path:
    """Build a site, whole or not at all, and return its index.

    Args:
        out: Folder to write; an older site there is replaced, anything else is not.
        sources: What it is made of.
        title: Name of the site.
        form: Compression of the sounds.

    Raises:
        FileNotFoundError: A run has no manifest or a clip has no file.
        ValueError: There is nothing to show, a run is damaged or without codecs, or the folder holds something else.
    """
    if not any(sources):
        raise ValueError("a site needs a listening run or a study: name at least one folder of a run")
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / MARK).is_file())):
        raise ValueError(f"{out} is there and is no site: give another folder, or remove it")
    out = out.resolve()  # "." has no name to make another of
    with whole_folder(out) as partial:
        _write(partial, sources, title, form)
    return out / "index.html"


def _write(folder: Path, sources: Sources, title: str, form: Format) -> None:
    kinds: dict[Kind, Sequence[Path]] = {
        "lambda": sources.sweep,
        "codebooks": sources.codebooks,
        "mixing": sources.mixing,
    }
    runs = {kind: [read_run(path) for path in folders] for kind, folders in kinds.items() if folders}
    bank = Soundbank(form)
    data = {kind: page_data(kind, found, bank) for kind, found in runs.items()}
    if "codebooks" in data:
        rows = [row for section in sources.study for row in section.rows]
        page = data["codebooks"]
        page["attractions"] = attractions(rows, [codec["name"] for codec in page["codecs"]], page["corpora"])
    sounds = bank.write(folder)
    pages = [*((kind, words.PAGES[kind].short) for kind in data), *([("report", "Report")] if sources.study else [])]
    entries = read_leaderboard(sources.leaderboard) if sources.leaderboard is not None else []
    pages += [("leaderboard", "Leaderboard")] if entries else []
    template = Template(folder, title, [("index", "Overview"), *pages, ("provenance", "Provenance")])
    (folder / "data").mkdir()
    for kind, found in data.items():
        heard = with_sounds(found, sounds, bank.ending)
        _write_listening(folder, template, kind, heard, words.listening(kind, found, runs[kind]), runs[kind])
    if sources.study:
        shown = report_beside(folder, sources.study)
        template.write("report", "report", heading="Report", lead=words.REPORT, **shown)
    if entries:
        _write_leaderboard(folder, template, entries)
    facts = _facts(sources, runs, sounds, bank)
    cards = [words.card(kind, found, len(sources.study)) for kind, found in data.items()]
    cards += [words.card("report", None, len(sources.study))] if sources.study else []
    cards += [words.leaderboard_card(entries)] if entries else []
    missing = [text for kind, text in words.LACKING.items() if kind not in dict(pages)]
    template.write("index", "index", heading="Overview", cards=cards, missing=missing)
    configs = [(run["name"], run["config"]) for run in facts["runs"] if run["config"]]
    tables = as_tables(facts)
    template.write(
        "provenance", "provenance", heading="Provenance", lead=words.PROVENANCE, tables=tables, configs=configs
    )
    write_whole(folder / MARK, (json.dumps(facts, indent=2, ensure_ascii=False) + "\n").encode())
    shutil.copytree(ASSETS, folder / "assets")


def _write_listening(
    folder: Path,
    template: Template,
    kind: Kind,
    heard: Mapping[str, Any],
    said: Mapping[str, Any],
    runs: Sequence[ListeningRun],
) -> None:
    """Write a listening page, its data and what can be downloaded."""
    downloads = _copied(folder, kind, runs)
    text = json.dumps(heard, ensure_ascii=False, allow_nan=False)
    write_whole(folder / "data" / f"{kind}.js", f"window.emoquantPage = {text};\n".encode())
    template.write(kind, "listen", **said, downloads=downloads)


def _write_leaderboard(folder: Path, template: Template, entries: Sequence[Entry]) -> None:
    """Write the page of the leaderboard, and the leaderboard as data."""
    write_leaderboard(folder / "data" / "leaderboard.json", entries)
    lines = [cells(entry) for entry in entries]
    template.write("leaderboard", "leaderboard", columns=COLUMNS, rows=lines, **words.LEADERBOARD)


def _copied(folder: Path, kind: str, runs: Sequence[ListeningRun]) -> list[tuple[str, str]]:
    """Copy the tables behind a page into the site, and return their links."""
    links = []
    for number, run in enumerate(runs):
        part = f"{kind}-{number + 1}" if number else kind
        for name, text in (("manifest", "every clip"), ("results", "the figures")):
            if (run.folder / f"{name}.csv").is_file():
                shutil.copyfile(run.folder / f"{name}.csv", folder / "data" / f"{part}-{name}.csv")
                links.append((f"data/{part}-{name}.csv", f"{text} as CSV"))
    return links


def _facts(
    sources: Sources, runs: Mapping[Kind, Sequence[ListeningRun]], sounds: Mapping[str, Sound], bank: Soundbank
) -> dict[str, Any]:
    listed: list[dict[str, Any]] = [
        {
            "name": run.folder.name,
            "part": words.PAGES[kind].short,
            "corpora": run.corpora,
            "size": f"{len(run.clips)} clips",
            "settings": sorted({clip.settings for clip in run.clips if clip.settings}),
            "config": run_config(run.folder),
        }
        for kind, found in runs.items()
        for run in found
    ]
    listed += [
        {
            "name": section.title,
            "part": "Report",
            "corpora": list(dict.fromkeys(row.corpus for row in section.rows)),
            "size": f"{len(section.rows)} figures",
            "settings": [],
            "config": section.config,
        }
        for section in sources.study
    ]
    return {
        "runs": listed,
        "weights": [each._asdict() for each in weights_of([run["config"] for run in listed])],
        "sounds": words.sound_facts(sounds, bank),
        "versions": versions(),
    }
