"""Errors as a user reads them: one block of at most six lines, without a traceback."""

import os
import sys
import textwrap

#: Environment variable that shows tracebacks.
DEBUG = "EMOQUANT_DEBUG"
_WIDTH, _LINES = 110, 6


def error_block(command: str, error: BaseException) -> str:
    """Return the text that a command prints when it ends with an error.

    Args:
        command: The command as it was typed, without its options: ``emoquant fit codec``.
        error: The error; its message says what, where, what was expected and what mends it.

    Example:
        >>> print(error_block("emoquant fit codec", ValueError("no corpus at data/ESD: link it there")))
        emoquant fit codec: no corpus at data/ESD: link it there
        (EMOQUANT_DEBUG=1 shows where in the code)
    """
    text = " ".join(str(error).split()) or type(error).__name__
    if not isinstance(error, ValueError | OSError) or isinstance(error, UnicodeError):
        text = f"{type(error).__name__}: {text}"
    lines = textwrap.wrap(f"{command}: {text}", _WIDTH, subsequent_indent="  ", break_on_hyphens=False)
    if len(lines) > _LINES - 1:
        lines = [*lines[: _LINES - 2], "  ..."]
    return "\n".join([*lines, f"({DEBUG}=1 shows where in the code)"])


def debugging() -> bool:
    """Return whether the user asked for tracebacks (:data:`DEBUG`)."""
    return os.environ.get(DEBUG, "0") not in ("", "0")


def user_errors() -> tuple[type[BaseException], ...]:
    """Return the kinds of errors whose message is for the user; Lightning's only where it was imported."""
    found: tuple[type[BaseException], ...] = (ValueError, OSError, ImportError, RuntimeError, TypeError)
    lightning = sys.modules.get("lightning.fabric.utilities.exceptions")
    return (*found, lightning.MisconfigurationException) if lightning else found
