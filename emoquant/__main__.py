"""The command ``emoquant``: extract, check-data, compress, decompress, train-all, study, site, app."""

import sys
from collections.abc import Sequence
from typing import Any


def main(args: Sequence[str] | None = None) -> Any:  # noqa: ANN401 - what the command's function returns
    """Run a command and return what its function returns.

    Args:
        args: Command-line arguments; those of the process by default.

    Raises:
        SystemExit: The arguments are wrong, help was asked for, or the command failed with a message for its user.
    """
    from jsonargparse import auto_cli

    args = list(sys.argv[1:] if args is None else args)
    try:
        if args and args[0] in ("train-all", "study"):
            from emoquant.commands import study as module

            return (module.train_all if args[0] == "train-all" else module.study)(args[1:])
        if args and args[0] == "site":
            from emoquant.commands.site import site as build

            return build(args[1:])
        return auto_cli(_commands(args[0] if args else ""), args=args, prog="emoquant")
    except (ValueError, OSError) as error:
        raise SystemExit(f"emoquant {args[0] if args else ''}: {error}") from error


def _commands(chosen: str) -> dict[str, Any]:
    from emoquant.commands.compress import compress
    from emoquant.commands.decompress import decompress

    commands: dict[str, Any] = {
        "extract": extract, "check-data": check_data, "compress": compress, "decompress": decompress,
        "train-all": train_all, "study": study, "site": site, "app": app,
    }  # fmt: skip
    if chosen == "extract":
        from emoquant.data.extraction import extract_corpora

        commands["extract"] = extract_corpora
    if chosen == "check-data":
        from emoquant.data.voice.check import check_data as check

        commands["check-data"] = check
    if chosen == "app":
        from emoquant.commands.app import app as serve

        commands["app"] = serve
    return commands


def extract() -> None:
    """Put the frame features of corpora into the feature store (``emoquant extract --help`` for its options)."""


def check_data() -> None:
    """Tell what is wrong with corpora for the training of a voice (``emoquant check-data --help``)."""


def train_all() -> None:
    """Train from several YAMLs, skipping what is finished (``emoquant train-all --help``)."""


def study() -> None:
    """Run experiments with the trainings that they need and write one page (``emoquant study --help``)."""


def site() -> None:
    """Build a website of listening pages, report and provenance (``emoquant site --help``)."""


def app() -> None:
    """Serve a page to try codecs and a voice on your own speech (``emoquant app --help``)."""


if __name__ == "__main__":
    main()
