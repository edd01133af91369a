"""Redraw the reports of finished runs: ``python -m emoquant.reports RUN``; nothing is computed again."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from emoquant.files import read_text
from emoquant.reports.base import Report
from emoquant.reports.defaults import default_reports
from emoquant.reports.output import write_file
from emoquant.reports.pages import Section, study_page
from emoquant.reports.redraw import CONFIG, FOLDER, RESULTS, configured_reports
from emoquant.results import Row, read_results


def main(args: Sequence[str] | None = None) -> int:
    """Redraw reports and return the exit status: 0, or 2 after a one-line error.

    Args:
        args: Command line; that of the process by default.
    """
    parser = argparse.ArgumentParser(prog="python -m emoquant.reports", description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help=f"folder of a run with its {RESULTS}")
    parser.add_argument(
        "--out", type=Path, help=f"folder to write to (default: RUN/{FOLDER}; one subfolder a run if several)"
    )
    parser.add_argument("--page", type=Path, help="also write one self-contained HTML page of all the runs")
    parser.add_argument("--title", default="What quantization leaves of emotions", help="heading of that page")
    parser.add_argument("--default", action="store_true", help=f"draw the default set, whatever {CONFIG} lists")
    options = parser.parse_args(args)
    try:
        loaded = [(run, *_load(run, options.default)) for run in options.runs]
    except (OSError, ValueError) as error:
        return _fail(error)
    try:
        sections = [_redraw(run, rows, reports, _target(run, options)) for run, rows, reports in loaded]
        if options.page:
            print(write_file(options.page, study_page(options.title, sections)))
    except (OSError, ValueError) as error:
        return _fail(error)
    return 0


def _fail(error: Exception) -> int:
    print(f"error: {error}", file=sys.stderr)
    return 2


def _target(run: Path, options: argparse.Namespace) -> Path:
    if not options.out:
        folder = run / FOLDER
        if not folder.resolve().is_relative_to(run.resolve()):
            raise ValueError(f"{folder} leads out of the run by a link: name a folder to write to (--out)")
        return folder
    folder = Path(options.out)
    return folder / run.resolve().name if len(options.runs) > 1 else folder


def _load(run: Path, default: bool) -> tuple[list[Row], list[Report]]:
    rows, config = read_results(run / RESULTS), run / CONFIG
    listed = [] if default or not config.is_file() else configured_reports(config)
    return rows, listed or default_reports(rows)


def _redraw(run: Path, rows: list[Row], reports: list[Report], folder: Path) -> Section:
    for path in dict.fromkeys(path for report in reports for path in report.write(rows, folder)):
        print(path)
    config = run / CONFIG
    place = run.resolve()
    title = place.parent.name if place.name.startswith("version_") else place.name
    return Section(title, folder, rows, read_text(config) if config.is_file() else "")


if __name__ == "__main__":
    sys.exit(main())
