"""Reports of a finished run, made again from its files alone."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from emoquant import reports as own_reports
from emoquant.console.parser_messages import readable
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
    """Return the report that an entry of a configuration describes; options are checked against their types.

    Args:
        entry: ``{"class_path": ..., "init_args": {...}}``, or the name of a class; options may hold reports.

    Raises:
        ValueError: There is no such report, or it does not take these options.

    Example:
        >>> build_report({"class_path": "EmotionTable", "init_args": {"metric": "recall"}}).name
        'recall_table'
    """
    from jsonargparse import ArgumentError, ArgumentParser

    own = _require_own(entry)
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--report", type=Report, required=True)
    try:
        report: Report = parser.instantiate(parser.parse_object({"report": own})).report
    except (ArgumentError, TypeError, AttributeError, LookupError, OverflowError) as error:
        raise ValueError(f"{own['class_path']} does not take these options: {readable(str(error))}") from error
    return report


def _require_own(entry: object) -> dict[str, Any]:
    """Return an entry in its full form, if it and all that it holds are reports of the project.

    The classes are looked up, never imported: a run's folder that somebody sends may hold a module of any name.

    Raises:
        ValueError: It is another class, or no entry.
    """
    whole = {"class_path": entry} if isinstance(entry, str) else entry
    if not isinstance(whole, Mapping) or not isinstance(whole.get("class_path"), str):
        raise ValueError(f"a report is described by class_path and init_args, not by {entry!r}")
    path, arguments = whole["class_path"], whole.get("init_args") or {}
    name = path.removeprefix("emoquant.reports.")
    kind = getattr(own_reports, name) if name in own_reports.__all__ else None
    if not (isinstance(kind, type) and issubclass(kind, Report)):
        raise ValueError(
            f"no report {path[:200]!r}: expected a class of emoquant.reports; reports of your own are drawn by the "
            "command that made the run"
        )
    # Other keys, such as dict_kwargs or `reports+`, are ways of jsonargparse to name a class elsewhere.
    if not isinstance(arguments, Mapping) or not {*whole} <= {"class_path", "init_args"}:
        raise ValueError(
            f"{path} is described by {str(dict(whole))[:200]}: expected init_args of names with values, and no more"
        )
    if odd := [key for key in arguments if not str(key).isidentifier()]:
        raise ValueError(f"{path} has the options {odd!r}: expected plain names")
    inner = arguments.get("reports") or []
    if not isinstance(inner, list):
        raise ValueError(f"reports of {path} is {inner!r}, expected a list")
    held = {"reports": [_require_own(each) for each in inner]} if inner else {}
    return {"class_path": path, "init_args": {**arguments, **held}}
