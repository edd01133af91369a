"""The commands ``fit``, ``validate``, ``test`` and ``predict``: LightningCLI behind plain words."""

import re
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

from lightning.pytorch import LightningDataModule, LightningModule
from lightning.pytorch.cli import ArgsType, LightningArgumentParser, LightningCLI
from lightning.pytorch.utilities import rank_zero_only

import emoquant.callbacks
import emoquant.data
import emoquant.tasks
import emoquant.voice.data  # noqa: F401 - imported so that a YAML may name their classes without the module
from emoquant.callbacks import RunSettings
from emoquant.cli.event_files import named_event_files
from emoquant.cli.last import last_checkpoint
from emoquant.cli.placing import apply_words
from emoquant.cli.recording import add_recorders
from emoquant.commands.helping import option_names
from emoquant.commands.parsing import UsageError
from emoquant.console.parser_messages import readable
from emoquant.console.quiet import leave_out_noise
from emoquant.console.trainer_flags import callbacks_left, last_saved_last, runs_folder
from emoquant.console.words import Setting, parse_line, settle
from emoquant.reports import Report
from emoquant.storage.documents import inlined
from emoquant.storage.runs import RUNS, begin
from emoquant.storage.shipped import CONFIGS, did_you_mean

TRAINER_DEFAULTS = CONFIGS / "trainer.yaml"
COMMANDS = ("fit", "validate", "test", "predict")
#: Words that every command has, beside the folder of the runs: type and help.
WORDS: dict[str, tuple[Any, str]] = {
    "name": (str, "Name of the run; the YAML's by default."),
    "encoder": (str | dict[str, Any], "Encoder of the data: a name on a hub, a folder, or a YAML."),
    "emotions": (list[str], "Emotions that are kept, in their order."),
    "train_emotions": (
        str | dict[str, float], "Emotions of the training split with their shares: happy, or happy=0.5,sad=0.5."
    ),
    "allow_class": (
        str | list[str], "Module outside the project whose classes a checkpoint may name; its code is run."
    ),
    "needs": (list[str], "What an experiment needs of the data: votes, pairs, or emotions; for emoquant study."),
    "partners": (
        str | dict[str, str], "Emotion of a second reference by emotion, or opposite: test items become pairs."
    ),
    "reports": (list[Report], "Tables and figures that an evaluation draws; all that its rows allow by default."),
}  # fmt: skip


class _Parser(LightningArgumentParser):
    """Refuses with one line instead of the usage of several hundred options."""

    def error(self, message: str, *args: object, **kwargs: object) -> NoReturn:
        """Raise the reason.

        Raises:
            UsageError: Always.
        """
        raise UsageError(readable(message, self._option_string_actions))


def _nearest_argument(message: str, setting: Setting) -> str:
    """Return a hint where a class has no argument of a name: the nearest one of the classes of the configurations."""
    unknown = re.search(r"Option '(\w+)' is not accepted", message)
    if unknown is None or "did you mean" in message:
        return message
    paths = [Path(value) for word, value in pairwise(setting.args) if word in ("--config", "--data")]
    try:
        names = {name for path in paths if path.is_file() for name in option_names(inlined(path))}
    except (ImportError, ValueError):  # another mistake in the same configuration
        return message
    near = did_you_mean(unknown[1], sorted(names))
    return f"{message}{near and '; ' + near}"


class EmoquantCLI(LightningCLI):
    """LightningCLI whose classes, sizes and paths come from the words, the YAML and the flags alone.

    Lightning lets the hyperparameters stored in a checkpoint override the YAML and the flags of the run; here what the
    user wrote wins, and a checkpoint that does not fit the model says so when its weights are loaded.

    ``--ckpt_path last`` stands for the newest checkpoint of the runs of the same name, so that a command can be given
    again after an interruption, by a person or a queue: it goes on where there is one, and begins where there is none.
    """

    setting: Setting
    chosen: str

    @classmethod
    def subcommands(cls) -> dict[str, set[str]]:
        """Return the chosen method of the trainer alone, and the arguments that the CLI fills in itself."""
        return {cls.chosen: LightningCLI.subcommands()[cls.chosen]}

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the words that every command has."""
        group = parser.add_argument_group("words")
        group.add_argument("--folder", type=str, default=RUNS, help="Folder of the runs.")
        for word, (kind, text) in WORDS.items():
            group.add_argument(f"--{word}", type=kind | None, default=None, help=text)

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Parse the words without a warning that the process has arguments of its own, which DDP starts it again by."""
        own, sys.argv = sys.argv, sys.argv[:1]
        try:
            super().parse_arguments(parser, args)
        finally:
            sys.argv = own

    def _parse_ckpt_path(self) -> None:
        pass

    def before_instantiate_classes(self) -> None:
        """Carry the words into the options of data, model and trainer."""
        config = self.config[self.subcommand]
        apply_words(config, self.chosen, self.setting.name, self.setting.folder)
        add_recorders(config)
        config.trainer.callbacks = last_saved_last(callbacks_left(config.trainer) or []) or None

    def _run_subcommand(self, subcommand: str) -> None:
        options = self.config_init[subcommand]
        if options.get("ckpt_path") == "last":
            options["ckpt_path"] = last_checkpoint(self.trainer, required=subcommand != "fit")
        if self.setting.begins is not None and not options.trainer.fast_dev_run:
            rank_zero_only(begin)(Path(self.setting.folder), self.setting.begins)
        with named_event_files(str(runs_folder(self.trainer))):
            super()._run_subcommand(subcommand)


def run(args: Sequence[str] | None = None) -> EmoquantCLI:
    """Run a task: ``run(["fit", "codec", "--folder", "runs/mine"])``.

    Args:
        args: Command line; that of the process by default.

    Returns:
        The finished command with its ``trainer``, ``model`` and ``datamodule``.

    Raises:
        FileNotFoundError: A configuration, a corpus or a checkpoint is missing.
        UsageError: The parser refuses an option.
        ValueError: Something does not fit; the message says what.
    """
    words = list(sys.argv[1:] if args is None else args)
    if not words or words[0] not in COMMANDS:
        given = words[0] if words else ""
        raise UsageError(f"expected one of {', '.join(COMMANDS)}, not {given!r}; {did_you_mean(given, COMMANDS)}")
    if not TRAINER_DEFAULTS.is_file():
        raise FileNotFoundError(f"{TRAINER_DEFAULTS} is missing, which every run begins with: install emoquant again")
    leave_out_noise()
    setting = settle(parse_line(words[0], words[1:]))
    defaults = {"default_config_files": [str(TRAINER_DEFAULTS)], "allow_abbrev": False}
    kind = type("CLI", (EmoquantCLI,), {"chosen": words[0], "setting": setting})
    try:
        return kind(
            model_class=LightningModule,
            subclass_mode_model=True,
            datamodule_class=LightningDataModule,
            subclass_mode_data=True,
            auto_configure_optimizers=False,
            seed_everything_default=0,
            save_config_callback=RunSettings,
            parser_class=_Parser,
            parser_kwargs={"allow_abbrev": False, words[0]: defaults},
            args=setting.args,
        )
    except UsageError as error:
        raise UsageError(_nearest_argument(str(error), setting)) from error


__all__ = ["COMMANDS", "TRAINER_DEFAULTS", "EmoquantCLI", "UsageError", "run"]
