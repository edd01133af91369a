"""Rows of an evaluation to ``results.csv``, then the reports that its YAML lists."""

from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_info, rank_zero_warn
from torch import nn

from emoquant.codecs.history import History, shares_text, sources_of
from emoquant.console.trainer_flags import is_trial, run_folder
from emoquant.reports import MissingRowsError, Report, default_reports
from emoquant.reports.chance import ADVICE, classifier_doubt
from emoquant.reports.redraw import FOLDER, RESULTS
from emoquant.reports.rows import Results, classifiers_in
from emoquant.storage.csv_files import write_csv
from emoquant.storage.frames import SOURCES
from emoquant.storage.results import Row, write_results

PREVIOUS = "results.previous.csv"
#: Measures that a terminal shows: title, width and form of each.
_SHOWN = {
    "bits_per_frame": ("bits/frame", 12, ".2f"),
    "uar": ("UAR", 8, ".3f"),
    "f1": ("macro-F1", 10, ".3f"),
    "agreement": ("agreement", 11, ".3f"),
    "kl": ("KL", 8, ".3f"),
    "utterance_similarity": ("similarity", 12, ".4f"),
}


class ResultsWriter(Callback):
    """Writes ``results.csv`` beside the run's ``config.yaml`` and draws reports of it into ``reports/``.

    Beside them ``codecs.csv`` says which checkpoints the codecs were loaded from: digest, training (corpus, epochs,
    share of each emotion, seed) and encoder.

    The file is written once, whole, after the last batch; so a folder with a configuration but without results is that
    of a run that was interrupted. Results that an earlier run left in the same folder are set aside as
    ``results.previous.csv`` when a test starts. Rank zero writes.

    The task's part is its attribute ``rows``: a list of :class:`~emoquant.storage.results.Row`, the same on every rank.

    Args:
        reports: Reports to draw; None for all that the rows allow, an empty list for none.
    """

    def __init__(self, reports: list[Report] | None = None) -> None:
        self.reports = reports

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Set earlier results aside.

        Raises:
            TypeError: The task measures nothing that could be written.
        """
        if not hasattr(pl_module, "rows"):
            raise TypeError(f"{type(pl_module).__name__} has no `rows`: use ResultsWriter with an evaluation task")
        folder = run_folder(trainer)
        if trainer.is_global_zero and not is_trial(trainer) and (folder / RESULTS).exists():
            (folder / RESULTS).replace(folder / PREVIOUS)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the results, then the reports.

        Raises:
            MissingRowsError: A report needs rows that there are not; results and the other reports are written.
        """
        folder = run_folder(trainer)
        rows: list[Row] = pl_module.rows  # type: ignore[assignment]  # tasks that are evaluated have them
        if not trainer.is_global_zero or not rows:
            return
        if is_trial(trainer):
            rank_zero_info(f"{summary(rows)}\na trial of a few batches: nothing is written")
            return
        write_results(folder / RESULTS, rows)
        write_sources(folder / SOURCES, pl_module)
        rank_zero_info(f"{summary(rows)}\n{folder / RESULTS}: {len(rows)} rows")
        for classifier in classifiers_in(rows) or [""]:
            if doubt := classifier_doubt(Results(rows, classifier)):
                rank_zero_warn(f"{doubt} Figures of recognition say nothing here; {ADVICE}")
        missing: MissingRowsError | None = None
        for report in default_reports(rows) if self.reports is None else self.reports:
            try:
                report.write(rows, folder / FOLDER)
            except MissingRowsError as error:
                missing = error
        if missing is not None:
            raise missing


def write_sources(path: Path, module: nn.Module) -> None:
    """Write which checkpoints the codecs of a task were loaded from; nothing if they come from none.

    Args:
        path: The CSV file.
        module: The task.
    """
    rows: list[list[Any]] = []
    for name, source in sources_of(module):
        training: dict[str, Any] = {}
        if source.history is not None:
            training = source.history.stored() | {"emotions": shares_text(source.history.emotions)}
        cells = ("" if (cell := training.get(field)) is None else cell for field in History._fields)
        encoder = source.encoder.name if source.encoder.fingerprint else ""
        rows.append([name, str(source.checkpoint), source.sha256, *cells, encoder])
    if rows:
        write_csv(path, ["codec", "checkpoint", "sha256", *History._fields, "encoder"], rows)


def summary(rows: list[Row]) -> str:
    """Return a table for the terminal: rate, recognition and similarity at every operating point of every codec.

    Args:
        rows: Rows of an evaluation.
    """
    first = next(iter(classifiers_in(rows)), "")
    found: dict[tuple[str, str], dict[str, float]] = {}
    for row in rows:
        if row.emotion == row.stratum == "all" and row.metric in _SHOWN:
            codec = row.codec if row.classifier in ("", first) else f"{row.codec} by {row.classifier}"
            found.setdefault((codec, f"{row.lmbda:g}"), {})[row.metric] = row.value
    wide = max([16, *(len(codec) + 1 for codec, _ in found)])
    lines = [f"{'codec':<{wide}}{'lmbda':>8}" + "".join(f"{name:>{width}}" for name, width, _ in _SHOWN.values())]
    for (codec, point), values in found.items():
        cells = (
            f"{format(values[m], form) if m in values else '-':>{width}}" for m, (_, width, form) in _SHOWN.items()
        )
        lines.append(f"{codec:<{wide}}{point.replace('nan', '-'):>8}" + "".join(cells))
    return "\n".join(lines)
