"""Reports of a finished run, made again from its files alone."""

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml

from emoquant.reports.base import Report

RESULTS, CONFIG, FOLDER = "results.csv", "config.yaml", "reports"


def configured_reports(config: Path) -> list[Report]:
    """Return the reports that a run's configuration lists: ``init_args.reports`` of its ``ResultsWriter``.

    Args:
        config: The ``config.yaml`` beside the results.

    Returns:
        Reports in the order of the file; empty where it lists none.

    Raises:
        ValueError: The file is no YAML, or an entry names no report or options that it does not have.
    """
    try:
        content = yaml.safe_load(config.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{config} is no YAML that can be read: {' '.join(str(error).split())}") from error
    try:
        return [build_report(entry) for entry in _listed(content)]
    except RecursionError as error:
        raise ValueError(f"{config} holds itself (an anchor of YAML inside what it names): write it out") from error


def _listed(content: object) -> Iterator[object]:
    if isinstance(content, Mapping):
        arguments = content.get("init_args")
        if str(content.get("class_path", "")).endswith("ResultsWriter") and isinstance(arguments, Mapping):
            reports = arguments.get("reports") or []
            if not isinstance(reports, list):
                raise ValueError(f"reports is {reports!r}, expected a list")
            yield from reports
            return
        for value in content.values():
            yield from _listed(value)
    elif isinstance(content, Sequence) and not isinstance(content, str):
        for value in content:
            yield from _listed(value)


def build_report(entry: object) -> Report:
    """Return the report that an entry of a configuration describes.

    Args:
        entry: ``{"class_path": ..., "init_args": {...}}``, or the name of a class; options may hold reports.

    Raises:
        ValueError: There is no such report, or it does not take these options.

    Example:
        >>> build_report({"class_path": "EmotionTable", "init_args": {"metric": "recall"}}).name
        'recall_table'
    """
    path, arguments = (entry, {}) if isinstance(entry, str) else _parts(entry)
    module, _, name = path.rpartition(".")
    try:
        kind = getattr(import_module(module or "emoquant.reports"), name)
    except (ImportError, AttributeError, TypeError, ValueError) as error:  # the last two of names with odd dots
        raise ValueError(
            f"no report {path!r}: expected a class of emoquant.reports or the full name of one; {error}"
        ) from error
    if not (isinstance(kind, type) and issubclass(kind, Report)):
        raise ValueError(f"{path} is no report: expected a subclass of emoquant.reports.Report")
    try:
        return kind(**{key: _built(value) for key, value in arguments.items()})
    except TypeError as error:
        raise ValueError(f"{path} does not take these options: {error}") from error


def _parts(entry: object) -> tuple[str, Mapping[str, Any]]:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("class_path"), str):
        raise ValueError(f"a report is described by class_path and init_args, not by {entry!r}")
    arguments = entry.get("init_args") or {}
    if not isinstance(arguments, Mapping):
        raise ValueError(f"init_args of {entry['class_path']} are {arguments!r}, expected names with values")
    return entry["class_path"], arguments


def _built(value: Any) -> Any:  # noqa: ANN401 - an option of any kind
    if isinstance(value, Mapping) and "class_path" in value:
        return build_report(value)
    if isinstance(value, list):
        return [_built(item) for item in value]
    return value
