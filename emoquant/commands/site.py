"""The command ``site``: a website of what a study left on the disk."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from emoquant.commands.runs import RUNS
from emoquant.commands.study import EXPERIMENTS
from emoquant.files import read_text
from emoquant.reports.pages import Section
from emoquant.results import read_results
from emoquant.site.build import Sources, build_site

#: Listening runs that are taken where none are named, by the page that they belong to.
LISTENING = {
    "sweep": ("lambda",),
    "codebooks": ("codebooks",),
    "mixing": ("proportions", "mixing", "neutral_first"),
}


def site(args: Sequence[str]) -> Path:
    """Build a website from listening runs and evaluations: ``emoquant site``.

    Args:
        args: Arguments after the command's name.

    Returns:
        Its first page.

    Raises:
        FileNotFoundError: A run that is named is not there, or left no results.
        ValueError: There is nothing to show, or a run is damaged.
    """
    parser = argparse.ArgumentParser(
        "emoquant site",
        description="Build a static website of a study: listening pages, report, provenance. It opens from the disk.",
        epilog="What is not named is taken from runs/ where it is there; an option without folders leaves a part out.",
    )
    parser.add_argument("--out", type=Path, default=RUNS / "site", help="folder to write (default: runs/site)")
    parser.add_argument("--title", default="What quantization leaves of emotions", help="name of the site")
    parser.add_argument("--sweep", nargs="*", type=Path, metavar="RUN", help="listening runs over lambda")
    parser.add_argument("--codebooks", nargs="*", type=Path, metavar="RUN", help="listening runs across codebooks")
    parser.add_argument("--mixing", nargs="*", type=Path, metavar="RUN", help="listening runs of mixtures")
    parser.add_argument("--study", nargs="*", type=Path, metavar="RUN", help="evaluations, for the report")
    parser.add_argument("--sound", choices=("opus", "mp3", "flac"), default="opus", help="compression of the sounds")
    options = parser.parse_args(args)
    parts = {name: _listening(name, getattr(options, name)) for name in LISTENING}
    runs = [RUNS / name for name in EXPERIMENTS if _results(RUNS / name)] if options.study is None else options.study
    sources = Sources(parts["sweep"], parts["codebooks"], parts["mixing"], [_section(run) for run in runs])
    page = build_site(options.out, sources, options.title, options.sound)
    print(page)
    return page


def _listening(name: str, given: list[Path] | None) -> list[Path]:
    if given is not None:
        return given
    return [RUNS / "listen" / run for run in LISTENING[name] if (RUNS / "listen" / run / "manifest.csv").is_file()]


def _results(run: Path) -> Path | None:
    """Return the results of a run's folder: its own, or those of its newest version."""
    if (run / "results.csv").is_file():
        return run / "results.csv"
    found = [path for path in run.glob("version_*/results.csv") if path.parent.name[8:].isdigit()]
    return max(found, key=lambda path: int(path.parent.name[8:]), default=None)


def _section(run: Path) -> Section:
    results = _results(run)
    if results is None:
        raise FileNotFoundError(f"no results.csv in {run} or a version_* of it: expected the folder of an evaluation")
    config = results.parent / "config.yaml"
    text = read_text(config) if config.is_file() else ""
    return Section(run.name.replace("_", " "), results.parent / "reports", read_results(results), text)
