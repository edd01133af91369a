"""The two command lines: training tasks (``train.py``) and evaluation tasks (``eval.py``)."""

from pathlib import Path
from typing import Any

from lightning.pytorch import LightningDataModule, LightningModule
from lightning.pytorch.cli import ArgsType, LightningCLI

import emoquant.callbacks
import emoquant.data
import emoquant.tasks  # noqa: F401 - imported so that a YAML may name their classes without the module

TRAINER_DEFAULTS = str(Path(__file__).parent.parent / "configs" / "trainer.yaml")


class EmoquantCLI(LightningCLI):
    """LightningCLI whose classes, sizes and paths come from the YAML alone.

    Lightning lets the hyperparameters stored in a checkpoint override the YAML and the flags of the run; here what the
    user wrote wins, and a checkpoint that does not fit the model says so when its weights are loaded.
    """

    def _parse_ckpt_path(self) -> None:
        pass

    offered: tuple[str, ...]

    @classmethod
    def subcommands(cls) -> dict[str, set[str]]:
        """Return the trainer's methods on offer and the arguments that the CLI fills in itself."""
        return {name: LightningCLI.subcommands()[name] for name in cls.offered}


class TrainCLI(EmoquantCLI):
    """Runs ``fit``, ``validate`` and ``test`` of a training task."""

    offered = ("fit", "validate", "test")


class EvaluateCLI(EmoquantCLI):
    """Runs ``test`` (measure codecs) and ``predict`` (write what they make) of an evaluation task."""

    offered = ("test", "predict")


def _options(offered: tuple[str, ...], description: str) -> dict[str, Any]:
    defaults = {"default_config_files": [TRAINER_DEFAULTS]}
    return {
        "model_class": LightningModule,
        "subclass_mode_model": True,
        "datamodule_class": LightningDataModule,
        "subclass_mode_data": True,
        "auto_configure_optimizers": False,
        "seed_everything_default": 0,
        "save_config_kwargs": {"overwrite": True},
        "parser_kwargs": {"description": description, **{name: defaults for name in offered}},
    }


def train(args: ArgsType = None) -> TrainCLI:
    """Run a training task: ``train.py fit --config configs/train/codec.yaml``.

    Args:
        args: Command line as a list of strings; that of the process by default.

    Returns:
        The finished command with its ``trainer``, ``model`` and ``datamodule``.
    """
    return TrainCLI(args=args, **_options(TrainCLI.offered, "Train a quantizer, an entropy model or a classifier."))


def evaluate(args: ArgsType = None) -> EvaluateCLI:
    """Run an evaluation task: ``eval.py test --config configs/eval/lambda_sweep.yaml``.

    Args:
        args: Command line as a list of strings; that of the process by default.

    Returns:
        The finished command with its ``trainer``, ``model`` and ``datamodule``.
    """
    return EvaluateCLI(args=args, **_options(EvaluateCLI.offered, "Measure what quantization does to emotions."))
