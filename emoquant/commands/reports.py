"""The command ``reports``: the reports of finished evaluations, drawn again; nothing is computed."""

from pathlib import Path

from emoquant.reports.base import Report
from emoquant.reports.defaults import default_reports
from emoquant.reports.output import write_file
from emoquant.reports.pages import Section, study_page
from emoquant.reports.redraw import CONFIG, FOLDER, configured_reports
from emoquant.storage.files import read_text
from emoquant.storage.results import Row, read_results
from emoquant.storage.runs import Run, evaluated


def reports(
    runs: list[Path] | None = None,
    out: Path | None = None,
    page: Path | None = None,
    title: str = "What quantization leaves of emotions",
    default: bool = False,
) -> None:
    """Draw the reports of finished evaluations again.

    Args:
        runs: Folders of evaluations: of a run, whose newest version counts, or of a version.
        out: Folder to write to; `reports` in the run's folder by default. One subfolder a run if there are several.
        page: Also write one self-contained HTML page of all the runs.
        title: Heading of that page.
        default: Draw the default set, whatever the run's config.yaml lists.

    Raises:
        FileNotFoundError: A run has no results.
        ValueError: No run is named, or results or a configuration are damaged.
    """
    if not runs:
        raise ValueError("no run is named: expected folders of evaluations, such as runs/lambda_sweep")
    found = [evaluated(Path(run)) for run in runs]
    loaded = [(run, *_load(run, default)) for run in found]
    sections = [_redraw(run, rows, listed, _target(run, out, len(found))) for run, rows, listed in loaded]
    if page is not None:
        print(write_file(page, study_page(title, sections)))


def _load(run: Run, default: bool) -> tuple[list[Row], list[Report]]:
    rows, config = read_results(run.results), run.folder / CONFIG
    listed = [] if default or not config.is_file() else configured_reports(config)
    return rows, listed or default_reports(rows)


def _target(run: Run, out: Path | None, count: int) -> Path:
    if out is not None:
        return out / (run.name if count > 1 else "")
    folder = run.folder / FOLDER
    if not folder.resolve().is_relative_to(run.folder.resolve()):
        raise ValueError(f"{folder} leads out of the run by a link: name a folder to write to (--out)")
    return folder


def _redraw(run: Run, rows: list[Row], listed: list[Report], folder: Path) -> Section:
    for path in dict.fromkeys(path for report in listed for path in report.write(rows, folder)):
        print(path)
    text = read_text(run.config) if run.config.is_file() else ""
    return Section(run.name, folder, rows, text)
