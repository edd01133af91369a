"""Codecs of many runs in one table, kept as JSON: the measured points of each on each corpus and encoder."""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from emoquant.reports.quantities import quantity
from emoquant.reports.rows import MissingRowsError, Results
from emoquant.reports.writing import markdown_table
from emoquant.storage.documents import read_json, read_yaml
from emoquant.storage.files import write_whole
from emoquant.storage.results import Row, read_results
from emoquant.storage.runs import Run

#: Encoder of data that name none.
_DEFAULT = "checkpoints/emotion2vec-tiny"
#: Metrics of the columns, with intervals where there are some.
_METRICS = ("bits_per_second", "agreement", "uar")


class Entry(NamedTuple):
    """One operating point of one codec on one corpus.

    Attributes:
        codec: Name of the codec.
        encoder: Encoder of the features, in words.
        corpus: Name of the corpus.
        point: Operating point: nominal bits a second of a codec of audio, lambda of one of features.
        bits_per_second: Measured rate.
        agreement: Share of decisions that are those before coding, and the ends of its interval.
        uar: Unweighted average recall, and the ends of its interval.
        n: Utterances.
        digest: First digits of the SHA-256 of the ``results.csv`` that it is from.
    """

    codec: str
    encoder: str
    corpus: str
    point: float
    bits_per_second: float
    agreement: tuple[float, float, float]
    uar: tuple[float, float, float]
    n: int
    digest: str


def entries_of(run: Run) -> list[Entry]:
    """Return the entries of an evaluation.

    Args:
        run: Its folder, with ``results.csv`` and ``config.yaml``.

    Raises:
        MissingRowsError: The results have no bits a second, or no agreement or recall.
        ValueError: A file is damaged.
    """
    rows = read_results(run.results)
    digest = hashlib.sha256(run.results.read_bytes()).hexdigest()[:12]
    encoder = encoder_text(read_yaml(run.config)) if run.config.is_file() else _DEFAULT
    found = []
    for corpus in Results(rows).corpora:
        results = Results(rows).of_corpus(corpus)
        results.need(*_METRICS)
        for codec in results.codecs("bits_per_second"):
            for point in results.points("bits_per_second", codec):
                rate, agreement, uar = (results.find(metric, codec, point) for metric in _METRICS)
                if rate is None or agreement is None or uar is None:
                    raise MissingRowsError(f"{run.results}: codec {codec!r} lacks agreement or UAR at {point:g}")
                row = codec, encoder, corpus, point, rate.value, _three(agreement), _three(uar), agreement.n, digest
                found.append(Entry(*row))
    return found


def encoder_text(config: object) -> str:
    """Return the encoder that a run's configuration names, in words.

    Example:
        >>> spec = {"class_path": "emoquant.encoders.TransformersEncoder", "init_args": {"model": "a/b", "layer": 6}}
        >>> encoder_text({"data": {"class_path": "D", "init_args": {"encoder": spec}}})
        'a/b, layer 6'
    """
    spec: Any = config
    for key in ("data", "init_args", "encoder"):
        spec = spec.get(key) if isinstance(spec, Mapping) else None
    if not isinstance(spec, Mapping):
        return _DEFAULT
    init = spec.get("init_args")
    init = init if isinstance(init, Mapping) else {}
    name = str(init.get("model") or str(spec.get("class_path", "")).rpartition(".")[2])
    return f"{name}, layer {init['layer']}" if init.get("layer") not in (None, -1) else name


def _three(row: Row) -> tuple[float, float, float]:
    return row.value, row.low, row.high


def merged(old: Iterable[Entry], new: Iterable[Entry]) -> list[Entry]:
    """Return entries of which the newer stands for an older one of the same codec, encoder, corpus and point.

    They are ordered by corpus, encoder, codec and rate.
    """
    found = {(entry.corpus, entry.encoder, entry.codec, entry.point): entry for entry in (*old, *new)}
    return sorted(found.values(), key=lambda each: (each.corpus, each.encoder, each.codec, each.bits_per_second))


def read_leaderboard(path: Path) -> list[Entry]:
    """Return the entries of a leaderboard file.

    Raises:
        ValueError: It is damaged, or no leaderboard.
    """
    content = read_json(path)
    try:
        return [_entry(each) for each in content["entries"]]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is no leaderboard ({error}): expected what emoquant leaderboard writes") from error


def _entry(content: Mapping[str, Any]) -> Entry:
    cells = dict(content)
    for name in ("agreement", "uar"):
        value, low, high = (math.nan if each is None else float(each) for each in cells[name])
        cells[name] = value, low, high
    entry = Entry(**cells)
    numbers = (entry.point, entry.bits_per_second, entry.n)
    texts = (entry.codec, entry.encoder, entry.corpus, entry.digest)
    if not all(isinstance(each, int | float) for each in numbers) or not all(isinstance(each, str) for each in texts):
        raise ValueError("a cell is of another kind")
    return entry


def write_leaderboard(path: Path, entries: Sequence[Entry]) -> list[Path]:
    """Write entries as JSON, and beside it as a table in Markdown; return both paths."""
    plain = [
        {key: [None if math.isnan(part) else part for part in value] if isinstance(value, tuple) else value
         for key, value in entry._asdict().items()}
        for entry in entries
    ]  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, (json.dumps({"entries": plain}, indent=1, ensure_ascii=False) + "\n").encode())
    table = path.with_suffix(".md")
    write_whole(table, markdown_table(COLUMNS, [cells(entry) for entry in entries]).encode())
    return [path, table]


#: Headings of :func:`cells`.
COLUMNS = ("corpus", "encoder", "codec", "point", "bits/s", "agreement, %", "UAR, %", "n", "results")


def cells(entry: Entry) -> tuple[str, ...]:
    """Return an entry as the cells of a table, under :data:`COLUMNS`."""
    shares = [quantity("agreement").figure(*entry.agreement), quantity("uar").figure(*entry.uar)]
    texts = f"{entry.point:g}", f"{entry.bits_per_second:.4g}", *shares, str(entry.n), entry.digest
    return (entry.corpus, entry.encoder, entry.codec, *texts)
