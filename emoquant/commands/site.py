"""The command ``site``: a website of what a study left on the disk."""

from pathlib import Path
from typing import Literal

from emoquant.reports.pages import Section
from emoquant.site.build import Sources, build_site
from emoquant.storage.files import read_text
from emoquant.storage.results import read_results
from emoquant.storage.runs import RESULTS, RUNS, evaluated, newest

#: Listening runs by the page that they belong to, where none are named.
LISTENING = {
    "sweep": ("lambda",),
    "codebooks": ("codebooks",),
    "mixing": ("proportions", "mixing", "neutral_first"),
}


def site(
    folder: Path = Path(RUNS),
    out: Path | None = None,
    title: str = "What quantization leaves of emotions",
    sweep: list[Path] | None = None,
    codebooks: list[Path] | None = None,
    mixing: list[Path] | None = None,
    study: list[Path] | None = None,
    leaderboard: Path | None = None,
    sound: Literal["opus", "mp3", "flac"] = "opus",
) -> Path:
    """Build a static website of a study: listening pages, report, provenance; it opens from the disk.

    What is not named is taken from the folder of runs where it is there; an empty list leaves a part out.

    Args:
        folder: Folder of runs.
        out: Folder to write; `site` in the folder of runs by default.
        title: Name of the site.
        sweep: Listening runs over lambda.
        codebooks: Listening runs across codebooks.
        mixing: Listening runs of mixtures.
        study: Evaluations, for the report.
        leaderboard: File of `emoquant leaderboard`; leaderboard.json in the folder of runs by default.
        sound: Compression of the sounds.

    Returns:
        Its first page.

    Raises:
        FileNotFoundError: A run that is named is not there, or left no results.
        ValueError: There is nothing to show, or a run is damaged.
    """
    given = {"sweep": sweep, "codebooks": codebooks, "mixing": mixing}
    parts = {name: _listening(name, folder, runs) for name, runs in given.items()}
    evaluations = _evaluations(folder) if study is None else study
    sections = [_section(run) for run in evaluations]
    table = leaderboard or (folder / "leaderboard.json" if (folder / "leaderboard.json").is_file() else None)
    sources = Sources(parts["sweep"], parts["codebooks"], parts["mixing"], sections, table)
    page = build_site(out or folder / "site", sources, title, sound)
    print(page)
    return page


def _listening(name: str, folder: Path, given: list[Path] | None) -> list[Path]:
    if given is not None:
        return given
    return [folder / "listen" / run for run in LISTENING[name] if (folder / "listen" / run / "manifest.csv").is_file()]


def _evaluations(folder: Path) -> list[Path]:
    """Return the evaluations in a folder of runs, the sweep over lambda first."""
    found = [run for run in sorted(folder.glob("*/")) if run.name != "site" and newest(run, RESULTS) is not None]
    return sorted(found, key=lambda run: run.name != "lambda_sweep")


def _section(place: Path) -> Section:
    run = evaluated(place)
    text = read_text(run.config) if run.config.is_file() else ""
    return Section(run.name.replace("_", " "), run.folder / "reports", read_results(run.results), text)
