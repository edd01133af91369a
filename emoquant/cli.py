"""The two command lines: training tasks (``train.py``) and evaluation tasks (``eval.py``)."""

import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch import LightningDataModule, LightningModule
from lightning.pytorch.cli import ArgsType, LightningCLI
from lightning.pytorch.utilities import rank_zero_info

import emoquant.callbacks
import emoquant.data
import emoquant.tasks  # noqa: F401 - imported so that a YAML may name their classes without the module
from emoquant.codecs.checkpoint import find_checkpoint
from emoquant.files import read_tensors

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
    """Runs ``fit``, ``validate`` and ``test`` of a training task.

    ``--ckpt_path last`` stands for the newest checkpoint of the runs of the same name, so that a command can be given
    again after an interruption, by a person or a queue: it goes on where there is one, and begins where there is none.
    """

    offered = ("fit", "validate", "test")

    def _run_subcommand(self, subcommand: str) -> None:
        options = self.config_init[subcommand]
        if options.get("ckpt_path") == "last":
            options["ckpt_path"] = self._newest(required=subcommand != "fit")
        super()._run_subcommand(subcommand)

    def _newest(self, required: bool) -> str | None:
        """Return the checkpoint that is furthest: the newest run's last one, or what a preempted SLURM job left.

        Lightning takes the latter only where no checkpoint is named. It is the better one of two at the same step: the
        run that was preempted saves its last checkpoint as if the epoch had ended there.
        """
        root = Path(self.trainer.default_root_dir)
        folder = Path(getattr(self.trainer.logger, "root_dir", root))
        found: list[Path] = []
        if SLURMEnvironment.detect():
            preempted = [path for path in root.glob("hpc_ckpt_*.ckpt") if path.stem[9:].isdecimal()]
            found += sorted(preempted, key=lambda path: int(path.stem[9:]))[-1:]
        with suppress(FileNotFoundError):
            found += [find_checkpoint(folder)] if folder.is_dir() else []
        if not found and required:
            raise FileNotFoundError(f"--ckpt_path last: no version_*/checkpoints/last.ckpt in {folder}; train first")
        path = max(found, key=_step) if len(found) > 1 else next(iter(found), None)
        rank_zero_info(f"goes on from {path}" if path else f"no checkpoint in {folder} yet: begins anew")
        return str(path) if path else None


def _step(path: Path) -> int:
    """Return the step at which a checkpoint was saved."""
    return int(read_tensors(path, mmap=True)["global_step"])


class EvaluateCLI(EmoquantCLI):
    """Runs ``test`` (measure codecs) and ``predict`` (write what they make) of an evaluation task."""

    offered = ("test", "predict")


def _check_yaml(args: ArgsType) -> None:
    """Name the configuration that is no YAML, which the parser does not."""
    words = sys.argv[1:] if args is None else [str(word) for word in args] if isinstance(args, list) else []
    named = [after for word, after in zip(words, [*words[1:], ""], strict=True) if word in ("-c", "--config")]
    for name in named + [word.partition("=")[2] for word in words if word.startswith("--config=")]:
        try:
            if Path(name).is_file():
                yaml.safe_load(Path(name).read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise SystemExit(f"{name} is no YAML that can be read: {' '.join(str(error).split())}") from error


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
    _check_yaml(args)
    return TrainCLI(args=args, **_options(TrainCLI.offered, "Train a quantizer, an entropy model or a classifier."))


def evaluate(args: ArgsType = None) -> EvaluateCLI:
    """Run an evaluation task: ``eval.py test --config configs/eval/lambda_sweep.yaml``.

    Args:
        args: Command line as a list of strings; that of the process by default.

    Returns:
        The finished command with its ``trainer``, ``model`` and ``datamodule``.
    """
    _check_yaml(args)
    return EvaluateCLI(args=args, **_options(EvaluateCLI.offered, "Measure what quantization does to emotions."))
