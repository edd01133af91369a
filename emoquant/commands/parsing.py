"""Functions as commands: their arguments are options, their docstrings the help."""

import json
import sys
from collections.abc import Callable, Sequence
from inspect import signature
from pathlib import Path
from types import UnionType
from typing import Any, NoReturn, Union, get_args, get_origin

from jsonargparse import ArgumentParser, get_loader, set_loader
from yaml import YAMLError

from emoquant.console.encoder_words import encoder_spec
from emoquant.console.parser_messages import NOISE, readable
from emoquant.console.quiet import leave_out_noise
from emoquant.console.words import gather_lists

_load_yaml = get_loader("yaml")


def _load(text: str, **options: Any) -> Any:  # noqa: ANN401 - whatever a value of YAML is
    """Return a value of YAML; `None` alone is null.

    jsonargparse hands ``--data.corpora.trim null`` on to the inner class as the word ``None``, which a number refuses
    and a text takes for one.
    """
    return None if text.strip() == "None" else _load_yaml(text, **options)


set_loader("yaml", _load, exceptions=(YAMLError,))


class UsageError(ValueError):
    """Options that the parser refuses; the message is one line."""


class Parser(ArgumentParser):
    """Refuses with one line, and names the nearest option, instead of printing its usage."""

    def error(self, message: str, *args: object, **kwargs: object) -> NoReturn:
        """Raise the reason.

        Raises:
            UsageError: Always.
        """
        raise UsageError(readable(message, self._option_string_actions))


def call(function: Callable[..., Any], name: str, args: Sequence[str]) -> Any:  # noqa: ANN401 - what the function returns
    """Call a function with the arguments of a command line.

    Parameters without a default are words by their place; so are leading words for a first parameter that is a list. A
    function ``help_text`` of the same module adds to the help.

    Args:
        function: The function of the command.
        name: Name of the command.
        args: What follows it.

    Raises:
        UsageError: An argument is unknown, missing or of the wrong kind.
    """
    more = getattr(sys.modules[function.__module__], "help_text", None)
    about = (function.__doc__ or "").split("\n\n")[0]
    if more is not None and {"-h", "--help"} & set(args):
        about = f"{about}\n\n{more()}"
    parser = Parser(prog=f"emoquant {name}", description=about, allow_abbrev=False)
    parser.add_argument("-c", "--config", action="config", help="YAML with these options.")
    parser.add_function_arguments(function, as_positional=True, fail_untyped=False)
    leave_out_noise()
    own, sys.argv = sys.argv, sys.argv[:1]
    try:
        found = parser.instantiate(parser.parse_args(_spelt(function, args)))
    except ValueError as error:
        if isinstance(error, UsageError) or not str(error).startswith(NOISE):
            raise
        raise UsageError(readable(str(error))) from error
    finally:
        sys.argv = own
    return function(**{key: found[key] for key in signature(function).parameters})


def _spelt(function: Callable[..., Any], args: Sequence[str]) -> list[str]:
    """Return arguments as jsonargparse wants them: lists as JSON, encoders as classes, switches with their value."""
    words, parameters = list(args), signature(function).parameters
    first = next(iter(parameters.values()), None)
    if first is not None and first.default is not first.empty and "list" in str(first.annotation):
        count = next((index for index, word in enumerate(words) if word.startswith("-")), len(words))
        words = [*([f"--{first.name}", json.dumps(words[:count])] if count else []), *words[count:]]
    encoders = {f"--{name}" for name, parameter in parameters.items() if "FrameEncoder" in str(parameter.annotation)}
    several = {f"--{name}" for name, parameter in parameters.items() if _is_plain_list(parameter.annotation)}
    for place, word in enumerate(words[:-1]):
        if word in encoders:
            words[place + 1] = json.dumps(encoder_spec(words[place + 1]))
    switches = {f"--{name}" for name, parameter in parameters.items() if parameter.annotation in (bool, "bool")}
    said: list[str] = []
    for word, after in zip(words, [*words[1:], "-"], strict=False):
        said += [word, "true"] if word in switches and after.startswith("-") else [word]
    return gather_lists(said, several)


def _is_plain_list(annotation: Any) -> bool:  # noqa: ANN401 - whatever a parameter is annotated with
    """Return whether a parameter takes several words, numbers or paths."""
    kinds = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    return any(get_origin(kind) is list and get_args(kind)[0] in (str, int, float, Path) for kind in kinds)
