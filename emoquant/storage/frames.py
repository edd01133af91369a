"""Results as a pandas table, with what their codecs were trained on."""

from pathlib import Path
from typing import TYPE_CHECKING

from emoquant.storage.csv_files import read_csv
from emoquant.storage.results import Row, read_results
from emoquant.storage.runs import RESULTS, newest

if TYPE_CHECKING:
    import pandas

#: File beside the results that says which checkpoints the codecs came from, and its columns that are joined.
SOURCES = "codecs.csv"
TRAINING = {"corpus": "trained_on_corpus", "emotions": "trained_on_emotions", "seed": "seed", "encoder": "encoder"}


def results_frame(path: str | Path) -> "pandas.DataFrame":
    """Return the figures of an evaluation, a row each.

    Columns are those of :class:`~emoquant.storage.results.Row` and, from ``codecs.csv`` beside the file, what the codec
    was trained on: ``trained_on_corpus``, ``trained_on_emotions`` (``happy=0.5,sad=0.5``), ``seed`` and ``encoder``,
    all text and empty where that is not known.

    Args:
        path: A ``results.csv``, or the folder of an evaluation, whose newest version counts.

    Raises:
        FileNotFoundError: There are no results.
        ValueError: A file is damaged; the message names the line.

    Example:
        Recall over lambda, a column for each emotion::

            results = emoquant.read_results("runs/lambda_sweep").query("metric == 'recall' and stratum == 'all'")
            results.pivot_table(index="lmbda", columns="emotion", values="value")
    """
    import pandas

    place = Path(path)
    run = newest(place, RESULTS) if place.is_dir() else None
    file = place if place.is_file() else run.results if run else place / RESULTS
    frame = pandas.DataFrame(read_results(file), columns=list(Row._fields))
    trained: dict[str, dict[str, str]] = {}
    if (file.parent / SOURCES).is_file():
        trained = {
            record["codec"]: record for _, record in read_csv(file.parent / SOURCES, ["codec"], "list of codecs")
        }
    for field, column in TRAINING.items():
        frame[column] = [trained.get(codec, {}).get(field, "") for codec in frame["codec"]]
    return frame
