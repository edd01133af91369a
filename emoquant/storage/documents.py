"""YAML and JSON files that somebody else may have written: bounded in size, depth and references, and never code."""

import json
import re
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import yaml

from emoquant.storage.files import read_text

#: Bytes of a YAML file (its reader takes a second for each 100 kB) and of a JSON file.
_MOST_YAML, _MOST_JSON = 128 * 2**10, 32 * 2**20
#: Values that a YAML file may have with all its references written out, and how deep they may lie in each other.
_MOST_VALUES, _DEEPEST = 100_000, 64


class _Loader(yaml.SafeLoader):
    """Reads YAML's plain kinds of values; numbers like ``1e-5``, too, which YAML 1.1 takes for texts."""

    def compose_document(self) -> yaml.Node | None:
        node: yaml.Node | None = super().compose_document()
        if node is not None:
            _check(node, {}, 1)
        return node


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:\d[\d_]*\.?\d*|\.\d+)[eE][-+]?\d+$"),
    list("-+0123456789."),
)


def _check(node: yaml.Node, sizes: dict[int, int], depth: int) -> int:
    """Return how many values a node holds with its references written out; sizes of known nodes are kept."""
    if depth > _DEEPEST:
        raise ValueError(f"values lie more than {_DEEPEST} deep in each other")
    if id(node) in sizes:
        if not sizes[id(node)]:
            raise ValueError("it holds itself (an anchor of YAML inside what it names)")
        return sizes[id(node)]
    sizes[id(node)] = 0
    children: list[yaml.Node] = []
    if isinstance(node, yaml.MappingNode):
        children = [each for pair in node.value for each in pair]
    elif isinstance(node, yaml.SequenceNode):
        children = list(node.value)
    count = 1 + sum(_check(child, sizes, depth + 1) for child in children)
    if count > _MOST_VALUES:
        raise ValueError(f"its references stand for more than {_MOST_VALUES} values")
    sizes[id(node)] = count
    return count


def parse_yaml(text: str, source: Path | str) -> Any:  # noqa: ANN401 - whatever the file holds
    """Return what a text of YAML holds: texts, numbers, lists and mappings.

    Args:
        text: The text.
        source: Where it comes from, for messages.

    Raises:
        ValueError: It is no YAML, names a class of Python, holds itself, or is too deep or too long.
    """
    if len(text) > _MOST_YAML:
        raise ValueError(f"{source}: more than {_MOST_YAML} characters of YAML; is it the right file?")
    try:
        return yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError, TypeError, RecursionError, OverflowError, AttributeError, LookupError) as error:
        reason = " ".join(str(error).split())[:300] or "too deep"
        raise ValueError(f"{source} is no YAML that can be read: {reason}") from error


def read_yaml(path: Path) -> Any:  # noqa: ANN401 - whatever the file holds
    """Return what a YAML file holds; errors as of :func:`parse_yaml` and :func:`~emoquant.storage.files.read_text`."""
    return parse_yaml(read_text(path, _MOST_YAML), path)


def read_json(path: Path) -> Any:  # noqa: ANN401 - whatever the file holds
    """Return what a JSON file holds.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is not UTF-8, no JSON, too deep or too long; the message names the file.
    """
    try:
        return json.loads(read_text(path, _MOST_JSON))
    except RecursionError:
        raise ValueError(f"{path} is no JSON that can be read: too deep") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is no JSON that can be read: {error}") from error


def require_mapping(content: object, source: Path | str, *keys: Hashable) -> dict[Any, Any]:
    """Return content that is a mapping with keys.

    Raises:
        ValueError: It is none, or lacks one; the message names the source.
    """
    if not isinstance(content, dict):
        raise ValueError(f"{source}: expected names with values, found {type(content).__name__}")
    if missing := [str(key) for key in keys if key not in content]:
        raise ValueError(f"{source} lacks {', '.join(missing)}")
    return content


def read_config(path: Path) -> dict[str, Any]:
    """Return the content of a configuration.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no YAML of options, or too long, too deep, or holds itself.
    """
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise ValueError(f"{path} is no configuration: expected options such as `model:` and `trainer:`")
    return content


def inlined(path: Path, within: tuple[Path, ...] = ()) -> Any:  # noqa: ANN401 - content of a YAML
    """Return the content of a YAML with the YAMLs that it names in their places.

    Args:
        path: The YAML.
        within: YAMLs that it is named in, each by the one before.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: See :func:`read_config`; or one of them names itself, or a YAML that names it.
    """
    own = path.resolve()
    if own in within:
        raise ValueError(f"{path} names itself, or a YAML that names it")
    return _inlined(read_config(path), path.parent, (*within, own))


def _inlined(value: Any, beside: Path, within: tuple[Path, ...]) -> Any:  # noqa: ANN401 - part of a YAML
    if isinstance(value, Mapping):
        return {str(key): _inlined(each, beside, within) for key, each in value.items()}
    if isinstance(value, list):
        return [_inlined(each, beside, within) for each in value]
    if isinstance(value, str) and value.endswith(".yaml") and (beside / value).is_file():
        return inlined(beside / value, within)
    return value
