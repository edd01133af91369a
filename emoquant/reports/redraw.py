"""Reports of a finished run, made again from its files alone."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from emoquant import reports as own_reports
from emoquant.reports.base import Report
from emoquant.reports.reference import SHIPPED
from emoquant.storage.documents import read_yaml

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
        found = [build_report(entry) for entry in _listed(read_yaml(config))]
    except RecursionError as error:
        raise ValueError(f"{config}: values lie too deep in each other") from error
    except ValueError as error:
        raise error if str(config) in str(error) else ValueError(f"{config}: {error}") from error
    for report in found:
        _stay_inside(report, config)
    return found


def _stay_inside(report: Report, config: Path) -> None:
    """Refuse a report that would read files outside of the run that it is made again from."""
    reference = getattr(report, "reference", None)
    if reference is not None and str(reference) not in {file.stem for file in SHIPPED.iterdir()}:
        run = config.parent.resolve()
        if not isinstance(reference, str) or not Path(reference).resolve().is_relative_to(run):
            raise ValueError(
                f"{config} names the figures {str(reference)[:200]!r}, which lie outside of the run: copy them there, "
                "name shipped ones, or draw the default set (--default)"
            )
    for inner in getattr(report, "reports", None) or ():
        _stay_inside(inner, config)


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
    # Looked up, never imported: a run's folder that somebody sends may hold a module of any name.
    own = module in ("", "emoquant.reports") and name in own_reports.__all__
    kind = getattr(own_reports, name) if own else None
    if not (isinstance(kind, type) and issubclass(kind, Report)):
        raise ValueError(
            f"no report {path[:200]!r}: expected a class of emoquant.reports; reports of your own are drawn by "
            "the command that made the run"
        )
    try:
        return kind(**{key: _built(value) for key, value in arguments.items()})
    except (TypeError, AttributeError, LookupError, OverflowError) as error:
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
