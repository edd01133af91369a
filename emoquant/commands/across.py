"""The command ``across``: codecs that were trained on one corpus, tested on others, as tables."""

import json
from pathlib import Path

from emoquant.cli import run
from emoquant.reports.across import cells, write_across
from emoquant.storage.results import Row, read_results
from emoquant.storage.runs import RESULTS, RUNS, Begun, begun_in, newest
from emoquant.storage.shipped import find_config
from emoquant.study.plan import GROUPS

#: Measures of the tables.
METRICS = ("uar", "f1", "agreement", "utterance_similarity")


def across(
    folders: list[Path] | None = None,
    experiment: str = "lambda_sweep",
    out: Path = Path(RUNS) / "across",
    rates: list[float] | None = None,
    metrics: list[str] | None = None,
    emotions: list[str] | None = None,
    test: str = "",
    again: bool = False,
) -> Path:
    """Test the codecs of every corpus on every corpus, and write a table for each measure.

    What is measured already is not measured again. On a corpus every codec is heard by the same classifier: the probe
    that was trained in the corpus's folder, or where there is none the head of the encoder.

    Args:
        folders: Folders of runs, one a corpus, all of one encoder, with what the experiment builds on
            (``emoquant study`` trains it).
        experiment: The evaluation: a shipped name or a YAML.
        out: Folder of the tables, across.csv and across.md.
        rates: Bits a frame at which codecs are compared, of those that the experiment places; 10 and 1 by default. An
            experiment of methods is read at the points that validation data of the codec's own corpus chose, too.
        metrics: Measures of the tables; UAR, Macro-F1, agreement and similarity by default, or what is named.
        emotions: Emotions that are kept in every test; those of each corpus by default.
        test: Further options of every evaluation, as one argument.
        again: Measure again what is measured.

    Returns:
        The table in Markdown.

    Raises:
        FileNotFoundError: A folder was not begun, or lacks what the experiment builds on.
        ValueError: There are fewer than two folders, or they are of several encoders.
    """
    begun = _begun(folders or [])
    config = find_config(experiment, ("eval", *GROUPS))
    found: dict[tuple[str, str], list[Row]] = {}
    for trained in begun:
        for tested, data in begun.items():
            place = trained / _name(config, trained, tested)
            if again or newest(place, RESULTS) is None:
                run(_words(config, trained, tested, data, emotions) + test.split())
            done = newest(place, RESULTS)
            if done is None:
                raise FileNotFoundError(f"no {RESULTS} in {place}: the evaluation of {tested} by {trained} left none")
            found[trained.name, tested.name] = read_results(done.results)
    wanted = cells(found, metrics or METRICS, rates or (10.0, 1.0))
    for path in write_across(out, wanted):
        print(path)
    return out / "across.md"


def _begun(folders: list[Path]) -> dict[Path, Begun]:
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


def _words(config: Path, trained: Path, tested: Path, data: Begun, emotions: list[str] | None) -> list[str]:
    words = ["test", str(config), "--folder", str(trained), "--name", _name(config, trained, tested)]
    words += ["--data", data.data] if data.data is not None else []
    kept = emotions or data.emotions
    words += ["--emotions", json.dumps(kept)] if kept else []
    probe = newest(tested / "probe", "checkpoints/last.ckpt")
    if probe is not None:
        init = {"checkpoint": str(probe.folder)}
        words += ["--model.classifier", json.dumps({"class_path": "emoquant.encoders.ProbeHead", "init_args": init})]
    return words
