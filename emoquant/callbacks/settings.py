"""The settings of a run: its YAML beside its other files, and as hyperparameters in every logger."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from jsonargparse import Namespace
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.cli import LightningArgumentParser, SaveConfigCallback
from lightning.pytorch.loggers import TensorBoardLogger
from torch.utils.tensorboard.summary import hparams

from emoquant.console.trainer_flags import is_trial, run_folder, runs_folder
from emoquant.storage.files import clean, write_whole
from emoquant.storage.runs import versions

Flat = dict[str, str | int | float | bool]


class RunSettings(SaveConfigCallback):
    """Writes ``config.yaml`` into the run's folder, and the settings as hyperparameters to every logger.

    TensorBoard shows hyperparameters beside metrics, whose names it needs: those of the progress bar that the
    validation logs, or those of the training.

    Args:
        parser: The command line's parser.
        config: What it parsed.
    """

    def __init__(self, parser: LightningArgumentParser, config: Namespace) -> None:
        super().__init__(parser, config, save_to_log_dir=False)
        self._announced = False

    def save_config(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Log the settings as hyperparameters to loggers other than TensorBoard's."""
        flat = self._flat()
        for logger in trainer.loggers:
            if not isinstance(logger, TensorBoardLogger):
                logger.log_hyperparams(flat)

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Write the YAML, once, and clean up after killed runs of the same name."""
        folder, saved = run_folder(trainer), self.already_saved
        if trainer.is_global_zero and not saved and not is_trial(trainer):
            folder.mkdir(parents=True, exist_ok=True)
            for run in versions(runs_folder(trainer)):  # what killed runs of the name left half-written
                clean(run.folder)
                clean(run.checkpoint.parent)
            write_whole(folder / self.config_filename, self._text().encode())
        super().setup(trainer, pl_module, stage)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log settings and the names of metrics to TensorBoard, once there are metrics."""
        if self._announced:
            return
        names = sorted(name for name in trainer.progress_bar_metrics if "/" in name)
        self._announce(trainer, [name for name in names if name.startswith("val/")] or names)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the settings of an evaluation to TensorBoard."""
        self._announce(trainer, [])

    def _announce(self, trainer: Trainer, names: Sequence[str]) -> None:
        if self._announced:
            return
        self._announced = True
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger) and trainer.is_global_zero:
                for summary in hparams(self._flat(), dict.fromkeys(names, 0.0)):
                    logger.experiment._get_file_writer().add_summary(summary)

    def _text(self) -> str:
        text: str = self.parser.dump(self.config, skip_none=False)
        return text

    def _flat(self) -> Flat:
        return flat_settings(yaml.safe_load(self._text()))


def flat_settings(settings: Any, prefix: str = "") -> Flat:  # noqa: ANN401 - what a YAML holds
    """Return nested settings as one dictionary of plain values.

    Classes are named without their modules; the level ``init_args`` and what is not set are left out.

    Args:
        settings: Mappings, lists and plain values.
        prefix: What names begin with.

    Example:
        >>> flat_settings({"model": {"class_path": "a.Task", "init_args": {"seed": 0, "sizes": [2, 3], "head": None}}})
        {'model': 'Task', 'model.seed': 0, 'model.sizes.0': 2, 'model.sizes.1': 3}
    """
    if isinstance(settings, Mapping):
        flat: Flat = {}
        for name, value in settings.items():
            if name == "class_path":
                flat[prefix or name] = str(value).rpartition(".")[2]
            else:
                flat |= flat_settings(value, prefix if name == "init_args" else f"{prefix}.{name}".lstrip("."))
        return flat
    if isinstance(settings, list):
        return {
            name: value
            for place, each in enumerate(settings)
            for name, value in flat_settings(each, f"{prefix}.{place}").items()
        }
    if settings is None:
        return {}
    return {prefix: settings if isinstance(settings, str | int | float | bool) else str(settings)}
