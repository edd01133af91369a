"""Evaluations of the codecs of every corpus on every corpus."""

import json
from collections.abc import Sequence
from pathlib import Path

from emoquant.cli import run
from emoquant.storage.results import Row, read_results
from emoquant.storage.runs import RESULTS, Begun, begun_in, newest


def measured_across(
    folders: Sequence[Path], config: Path, emotions: Sequence[str] | None, more: Sequence[str], again: bool
) -> dict[tuple[str, str], list[Row]]:
    """Return the rows of an evaluation for every pair of corpora; what is not there yet is measured.

    Args:
        folders: Folders of runs, one a corpus.
        config: YAML of the evaluation.
        emotions: Emotions that are kept in every test; those of each corpus by default.
        more: Further words of every evaluation.
        again: Whether what is there is measured again.

    Returns:
        Rows by the names of the folders of training and test.

    Raises:
        FileNotFoundError: A folder was not begun, or lacks what the evaluation builds on.
        ValueError: There are fewer than two folders, two of the same name, or they are of several encoders.
    """
    begun = _begun(folders)
    found: dict[tuple[str, str], list[Row]] = {}
    for trained in begun:
        for tested, data in begun.items():
            place = trained / _name(config, trained, tested)
            if again or newest(place, RESULTS) is None:
                run([*_words(config, trained, tested, data, emotions), *more])
            done = newest(place, RESULTS)
            if done is None:
                raise FileNotFoundError(f"no {RESULTS} in {place}: the evaluation of {tested} by {trained} left none")
            found[trained.name, tested.name] = read_results(done.results)
    return found


def _begun(folders: Sequence[Path]) -> dict[Path, Begun]:
    found = {}
    for folder in folders:
        begun = begun_in(folder)
        if begun is None:
            raise FileNotFoundError(f"{folder} is no folder of runs that was begun: emoquant study --folder {folder}")
        found[folder] = begun
    if len({folder.name for folder in found}) < len(found):
        raise ValueError(f"folders name the corpora of the tables, and two of {', '.join(map(str, found))} are alike")
    if len(found) < 2 or len({each.encoder for each in found.values()}) > 1:
        named = ", ".join(f"{folder} ({each.encoder or 'default encoder'})" for folder, each in found.items())
        raise ValueError(f"expected folders of two or more corpora and one encoder, not {named or 'none'}")
    return found


def _name(config: Path, trained: Path, tested: Path) -> str:
    """Return the name of an evaluation's run: of other data than its folder's it names them."""
    return config.stem if trained == tested else f"{config.stem}@{tested.name}"


def _words(config: Path, trained: Path, tested: Path, data: Begun, emotions: Sequence[str] | None) -> list[str]:
    words = ["test", str(config), "--folder", str(trained), "--name", _name(config, trained, tested)]
    words += ["--data", data.data] if data.data is not None else []
    kept = list(emotions or data.emotions or ())
    words += ["--emotions", json.dumps(kept)] if kept else []
    probe = newest(tested / "probe", "checkpoints/last.ckpt")
    if probe is not None:
        init = {"checkpoint": str(probe.folder)}
        words += ["--model.classifier", json.dumps({"class_path": "emoquant.encoders.ProbeHead", "init_args": init})]
    return words
