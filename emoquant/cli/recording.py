"""Callbacks that keep what an evaluation finds: a task gets them, whether its configuration lists them or not."""

from jsonargparse import Namespace
from lightning.pytorch import LightningModule

from emoquant.callbacks import ResultsWriter, SweepProgress
from emoquant.console.trainer_flags import class_of
from emoquant.tasks import CodecEvaluationTask
from emoquant.voice.callbacks import ListeningWriter
from emoquant.voice.tasks import ListeningTask

#: The callbacks of a task, which show its progress and write its results.
RECORDERS = {CodecEvaluationTask: (SweepProgress, ResultsWriter), ListeningTask: (ListeningWriter,)}


def add_recorders(config: Namespace) -> None:
    """Add the callbacks without which an evaluation would leave nothing, and give reports to the one that draws them.

    Args:
        config: Parsed options of the subcommand; its trainer's callbacks are changed in place.

    Raises:
        ValueError: There are reports, but the task measures nothing that could be drawn.
    """
    kind = class_of(config.model) if config.get("model") else LightningModule
    wanted = [each for task, recorders in RECORDERS.items() if issubclass(kind, task) for each in recorders]
    callbacks = list(config.trainer.get("callbacks") or [])
    for recorder in wanted:
        if not any(issubclass(class_of(callback), recorder) for callback in callbacks):
            path = f"{recorder.__module__}.{recorder.__qualname__}"
            callbacks.append(Namespace(class_path=path, init_args=Namespace()))
    if config.get("reports") is not None:
        writers = [callback for callback in callbacks if issubclass(class_of(callback), ResultsWriter)]
        if not writers:
            raise ValueError(
                f"reports are drawn of an evaluation's results, and {kind.__name__} has none: leave them out"
            )
        for writer in writers:
            if writer.init_args.get("reports") is None:
                writer.init_args.reports = config.reports
    config.trainer.callbacks = callbacks or None
