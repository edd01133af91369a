"""The command ``emoquant``."""

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import emoquant
from emoquant.console.errors import debugging, error_block, user_errors
from emoquant.storage.shipped import did_you_mean

#: Command -> module and function, and what it is for. Modules are imported when their command is used.
COMMANDS: dict[str, tuple[str, str]] = {
    "fit": ("emoquant.cli:run", "train a codec, a probe, a voice: emoquant fit codec --data esd --folder runs/esd"),
    "validate": ("emoquant.cli:run", "measure a training's checkpoint on validation data"),
    "test": ("emoquant.cli:run", "evaluate codecs on test data: emoquant test lambda_sweep --folder runs/esd"),
    "predict": ("emoquant.cli:run", "synthesise speech from quantized references: emoquant predict lambda"),
    "study": ("emoquant.commands.study:study", "train and evaluate all that the data allow, and write one page"),
    "results": (
        "emoquant.commands.results:results",
        "the whole study over corpora and encoders, and the page of its findings",
    ),
    "across": (
        "emoquant.commands.across:across",
        "codecs of one corpus tested on others: emoquant across runs/esd runs/ravdess",
    ),
    "layers": (
        "emoquant.commands.layers:layers",
        "where in a model of transformers emotion is: agreement and UAR over layer and lambda",
    ),
    "bits": (
        "emoquant.commands.bits:bits",
        "what else than emotion is in the bits of a codec: speaker, text, melody, over bits a second",
    ),
    "manifest": ("emoquant.commands.manifest:manifest", "list a folder of recordings with their emotions as a table"),
    "measure": (
        "emoquant.commands.measure:measure_folder",
        "emotions of your own recordings over time and over lambda, without labels or training",
    ),
    "leaderboard": (
        "emoquant.commands.leaderboard:leaderboard",
        "codecs of several evaluations in one table: emoquant leaderboard runs/codecs",
    ),
    "extract": ("emoquant.commands.extract:extract", "put the frame features of corpora into the feature store"),
    "compress": ("emoquant.commands.compress:compress", "compress features or audio with a codec"),
    "decompress": ("emoquant.commands.decompress:decompress", "turn compressed files back into features"),
    "contents": ("emoquant.commands.contents:contents", "list the utterances of an archive of compressed features"),
    "share": (
        "emoquant.commands.share:share",
        "save a codec, probe, voice or vocoder for others, also on the hub",
    ),
    "site": ("emoquant.commands.site:site", "build a website of listening pages, report and provenance"),
    "reports": ("emoquant.commands.reports:reports", "draw the reports of a finished evaluation again"),
    "app": ("emoquant.commands.app:app", "try codecs and a voice on your own speech, in the browser"),
    "completion": (
        "emoquant.commands.completion:completion",
        'let the shell complete words: eval "$(emoquant completion)"',
    ),
    "say": (
        "emoquant.commands.say:say",
        "say a text with the emotion of a recording, by a voice",
    ),
    "check-data": ("emoquant.commands.check:check", "say what is wrong with a corpus for training a voice"),
}
_LIGHTNING = ("fit", "validate", "test", "predict")


def main(args: Sequence[str] | None = None) -> Any:  # noqa: ANN401 - what the command's function returns
    """Run a command and return what its function returns.

    Args:
        args: Command-line arguments; those of the process by default.

    Raises:
        SystemExit: Help was asked for (status 0), the arguments are wrong (2), or the command failed (1).
    """
    words = list(sys.argv[1:] if args is None else args)
    if "" not in sys.path:
        sys.path.insert(0, "")  # classes of one's own in the working folder, as with `python -m emoquant`
    if not words or words[0] in ("-h", "--help"):
        print(_usage())
        raise SystemExit(0)
    if words[0] == "--version":
        print(f"emoquant {emoquant.__version__}")
        raise SystemExit(0)
    name = words[0]
    if name not in COMMANDS:
        near = did_you_mean(name, COMMANDS)
        print(f"emoquant: no command {name!r}{near and '; ' + near}\n(emoquant --help lists them)", file=sys.stderr)
        raise SystemExit(2)
    shown = " ".join(["emoquant", *(word for word in words[:2] if not word.startswith("-"))])
    try:
        return _run(name, words)
    except user_errors() as error:
        if debugging():
            raise
        print(error_block(shown, error), file=sys.stderr)
        raise SystemExit(2 if type(error).__name__ == "UsageError" else 1) from error


def script() -> None:
    """Run the command of the process; what its function returns is for Python alone, not a status to exit with."""
    main()


def _run(name: str, words: list[str]) -> Any:  # noqa: ANN401 - what the command's function returns
    if name in _LIGHTNING:
        if {"-h", "--help"} & set(words):
            from emoquant.commands.helping import task_help

            print(task_help(words))
            raise SystemExit(0)
        return _load(name)(words)
    from emoquant.commands.parsing import call

    return call(_load(name), name, words[1:])


def _load(name: str) -> Callable[..., Any]:
    module, _, function = COMMANDS[name][0].partition(":")
    found: Callable[..., Any] = getattr(import_module(module), function)
    return found


def _usage() -> str:
    lines = [f"  {name:<11} {about}" for name, (_, about) in COMMANDS.items()]
    return "\n".join(
        [
            "usage: emoquant COMMAND [CONFIGURATION] [WORDS] [OPTIONS]",
            "",
            "How discrete codes carry emotion in speech.",
            "",
            *lines,
            "",
            "words of every command that has a use for them:",
            "  --data NAME|YAML|CSV   the corpus: a shipped name, a YAML, or a table with the columns path and emotion",
            "  --encoder NAME|FOLDER|YAML   the encoder of frame features",
            "  --emotions A B ...     the emotions that are kept",
            "  --folder FOLDER        where runs are kept and found (default: runs)",
            "  --seed N   --devices N",
            "",
            "options: emoquant COMMAND --help, emoquant fit codec --help; emoquant --version",
        ]
    )


if __name__ == "__main__":
    script()
