"""The command ``emoquant``."""

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import emoquant
from emoquant.commands import COMMANDS, FUNCTIONS
from emoquant.console.errors import debugging, error_block, user_errors
from emoquant.storage.shipped import did_you_mean


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
    if FUNCTIONS.get(name) == ("cli", "run"):
        if {"-h", "--help"} & set(words):
            from emoquant.commands.helping import task_help

            print(task_help(words))
            raise SystemExit(0)
        return _load(name)(words)
    from emoquant.commands.parsing import call

    return call(_load(name), name, words[1:])


def _load(name: str) -> Callable[..., Any]:
    module, function = FUNCTIONS.get(name, (f"commands.{name}", name))
    found: Callable[..., Any] = getattr(import_module(f"emoquant.{module}"), function)
    return found


def _usage() -> str:
    lines = [f"  {name:<11} {about}" for name, about in COMMANDS.items()]
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
