"""The command ``results``: the whole study over corpora and encoders, and the page of its findings."""

import csv
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from emoquant.commands.study import SEEDS, study
from emoquant.reports.findings_table import HEAD, found_in
from emoquant.reports.output import write_file
from emoquant.reports.results_page import Part, results_page
from emoquant.storage.results import Row, read_results
from emoquant.storage.runs import RESULTS, Begun, newest
from emoquant.study.corpus import look_at, open_data
from emoquant.study.estimate import extraction_minutes, minutes
from emoquant.study.plan import GROUPS, experiments_named, make_plan, shipped_experiments
from emoquant.study.repetitions import TOGETHER

#: What is run by default: corpora of the development data, and encoders.
CORPORA = ("development_ravdess", "development_nemo", "development_emodb", "development_kemo")
ENCODERS = ("checkpoints/emotion2vec-tiny", "checkpoints/speaker-lstm", "log_mel")
#: Experiments with folds and seeds: the default codec, the study's plain one, the transform codec.
SWEEPS = ("lambda_sweep", "plain_mode", "transform_sweep")
#: Bits a frame of the page's table of rates.
RATES = (10.0, 1.0)


class Cell(NamedTuple):
    """A corpus with an encoder, in one of two kinds of runs.

    Attributes:
        corpus: Word after ``--data``.
        encoder: Word after ``--encoder``.
        kind: ``"experiments"``: all, by the corpus's splits; ``"sweeps"``: with folds and seeds.
    """

    corpus: str
    encoder: str
    kind: str

    @property
    def names(self) -> tuple[str, str]:
        """Short names of corpus and encoder."""
        return Path(self.corpus).stem.removeprefix("development_"), Path(self.encoder).name

    def place(self, folder: Path) -> Path:
        """Return the folder of its runs."""
        return folder / "-".join(self.names) / self.kind


def results(
    corpora: list[str] | None = None,
    encoders: list[str] | None = None,
    folder: Path = Path("runs/results"),
    page: Path = Path("docs/results.md"),
    kinds: list[str] | None = None,
    seeds: list[int] | None = None,
    folds: int = 3,
    experiments: list[str] | None = None,
    fit: str = "",
    test: str = "",
    dry_run: bool = False,
    write_only: bool = False,
) -> Path | None:
    """Run the study over corpora and encoders, and write the page of its findings.

    The plan with estimated hours is printed first. What is finished is not run again, so that the same command goes on
    after an interruption; what fails is said and left out. The page says of all that is missing that it was not run.

    Args:
        corpora: The corpora: shipped names, YAMLs or CSVs; the four of the development data by default.
        encoders: The encoders; emotion2vec-tiny, the speaker LSTM and log-mel spectra by default.
        folder: Folder of all runs, CORPUS-ENCODER/experiments and CORPUS-ENCODER/sweeps.
        page: The page.
        kinds: 'experiments' (all of the default codec, by the splits of the corpora) and 'sweeps' (default, plain and
            transform codec with folds and seeds); both by default.
        seeds: Seeds of the sweeps; 0, 1 and 2 by default.
        folds: Folds of the sweeps, so that every speaker is tested once; 0 for the splits of the corpora.
        experiments: Experiments of the first kind; all shipped ones by default.
        fit: Further options of every training, as one argument.
        test: Further options of every evaluation, as one argument.
        dry_run: Print the plan, and do nothing.
        write_only: Run nothing, and write the page from what is there.

    Returns:
        The page; None for a dry run.

    Raises:
        ValueError: A kind is unknown.
    """
    wanted = kinds or ["experiments", "sweeps"]
    if not {*wanted} <= {"experiments", "sweeps"}:
        raise ValueError(f"kinds is {wanted}: expected 'experiments', 'sweeps', or both")
    cells = [
        Cell(corpus, encoder, kind)
        for kind in wanted for corpus in corpora or CORPORA for encoder in encoders or ENCODERS
    ]  # fmt: skip
    chosen = seeds or [0, 1, 2]
    if not write_only:
        print(_plan(cells, experiments, len(chosen) * max(1, folds)), flush=True)
    if dry_run:
        return None
    for cell in () if write_only else cells:
        sweeps = cell.kind == "sweeps"
        try:
            study([*SWEEPS] if sweeps else experiments, cell.corpus, cell.encoder, folder=cell.place(folder),
                  seeds=chosen if sweeps else None, folds=folds if sweeps else 0, fit=fit, test=test,
                  classifiers=_classifiers(cell))  # fmt: skip
        except (ValueError, OSError) as error:
            print(f"{' x '.join(cell.names)}, {cell.kind}: {error}", flush=True)
    shown = [*dict.fromkeys(cell.names[0] for cell in cells)], [*dict.fromkeys(cell.names[1] for cell in cells)]
    known = [*shipped_experiments(), *(each for group in GROUPS for each in experiments_named(group))]
    names = [experiment.name for experiment in known]
    parts = [_part(cell, folder, names) for cell in cells]
    command = shlex.join(["emoquant", "results", *_said("--corpora", corpora), *_said("--encoders", encoders)])
    written = write_file(page, results_page([part for part in parts if part.rows], *shown, command, RATES))
    print(written)
    return written


def _said(flag: str, words: list[str] | None) -> list[str]:
    return [flag, ",".join(words)] if words else []


def _classifiers(cell: Cell) -> list[str]:
    """Return the classifiers of a pair: the encoder's head where it knows the emotions, and two kinds of probes."""
    offer = look_at(open_data(Begun(cell.corpus, cell.encoder, None)))
    return [*([] if offer.probe else ["head"]), "probe", "probe_lda"]


def _plan(cells: Sequence[Cell], experiments: Sequence[str] | None, repeats: int) -> str:
    """Return what is to be run, with estimated hours of one CPU core."""
    lines, total = [f"{'corpus':<14}{'encoder':<20}{'runs':<14}{'steps':>6}{'hours':>8}"], 0.0
    for cell in cells:
        sweeps = cell.kind == "sweeps"
        names = SWEEPS if sweeps else experiments or ()
        wanted = [each for name in names for each in experiments_named(name)] or shipped_experiments()
        corpus, encoder = cell.names
        try:
            offer = look_at(open_data(Begun(cell.corpus, cell.encoder, None)))
        except (ValueError, OSError) as error:
            lines.append(f"{corpus:<14}{encoder:<20}{cell.kind:<14} left out: {error}")
            continue
        plan = make_plan(wanted, offer, (), ["probe", "probe_lda"])
        spent = sum(minutes(step, offer) for step in plan.steps) * (repeats if sweeps else 1)
        hours = (spent + extraction_minutes(offer)) / 60
        count = len(plan.steps) * (repeats if sweeps else 1)
        lines.append(f"{corpus:<14}{encoder:<20}{cell.kind:<14}{count:>6}{hours:>8.1f}")
        total += hours
    return "\n".join([*lines, f"about {total:.1f} hours of one CPU core, estimated", ""])


def _part(cell: Cell, folder: Path, experiments: Sequence[str]) -> Part:
    """Return the figures and findings of a pair that are there."""
    place = cell.place(folder)
    rows: dict[str, Sequence[Row]] = {}
    for experiment in experiments:
        joined = [place / kind / experiment / RESULTS for kind in (SEEDS, TOGETHER)]
        run = newest(place / experiment, RESULTS)
        paths = [path for path in joined if path.is_file()] + ([] if run is None else [run.results])
        if paths:
            rows[experiment] = read_results(paths[0])
    return Part(*cell.names, cell.kind, _findings(place, rows), rows)


def _findings(place: Path, rows: dict[str, Sequence[Row]]) -> list[dict[str, str]]:
    """Return the lines of a folder's findings.csv, or the findings of its rows where it has none."""
    path = place / "findings.csv"
    if path.is_file():
        with path.open(encoding="utf-8", newline="") as file:
            return [*csv.DictReader(file)]
    return [dict(zip(HEAD, found.cells(), strict=True)) for found in found_in([*rows.items()])]
