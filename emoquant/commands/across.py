"""The command ``across``: codecs that were trained on one corpus, tested on others, as tables."""

import shlex
from pathlib import Path

from emoquant.reports.across import cells, write_across
from emoquant.storage.runs import RUNS
from emoquant.storage.shipped import find_config
from emoquant.study.across import measured_across
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
    config = find_config(experiment, ("eval", *GROUPS))
    found = measured_across(folders or [], config, emotions, shlex.split(test), again)
    wanted = cells(found, metrics or METRICS, rates or (10.0, 1.0))
    for path in write_across(out, wanted):
        print(path)
    return out / "across.md"
