"""Folds of an evaluation as one: the sums of all folds, each with its own codec, give one results file."""

import hashlib
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from lightning.pytorch import Trainer
from lightning.pytorch.utilities import rank_zero_info, rank_zero_warn

from emoquant.codecs.base import Codec
from emoquant.devices.sharding import Share
from emoquant.interfaces.protocols import EmotionData
from emoquant.metrics import SweepMetrics
from emoquant.metrics.choice import common_point
from emoquant.storage.documents import read_json, require_mapping
from emoquant.storage.files import write_whole
from emoquant.storage.results import Row, write_results
from emoquant.storage.runs import RESULTS
from emoquant.tasks.partial import PartialSums


def pool_folds(
    sweep: SweepMetrics, folder: Path, trainer: Trainer, data: EmotionData, more: Sequence[Row], options: object
) -> bool:
    """Write the sums of a fold, and once all folds are there, the results of all utterances together.

    Each utterance is measured once, by the codec, the centroids and the classifier of the fold that tests its speaker.
    Operating points are joined by their place; where lambdas were found on validation data they differ a little between
    folds, and the rows name their geometric mean. Triplets are within a fold and have no rows here.

    Args:
        sweep: The sweep of this fold, whose own rows are made; the sums of other folds are added to it.
        folder: Folder of the sums and of the pooled ``results.csv``.
        trainer: The trainer, for the processes.
        data: The data, divided by a fold.
        more: Further rows about the codecs.
        options: What changes sums beside data and codecs.

    Returns:
        Whether all folds are there.

    Raises:
        ValueError: The data are not divided by a fold.
    """
    if data.fold is None:
        raise ValueError("sums of folds were asked for (pool), but the data are in no fold: name it, --data.fold 0/5")
    number, count = data.fold
    sweep.crossed = sweep.methods = None
    codecs = [cast(Codec, codec) for codec in sweep.codecs]
    rank, world = trainer.global_rank, trainer.world_size
    key = _key(sweep, data, count, options)
    partial = PartialSums(folder, key, Share(number * world + rank, count * world), 0)
    partial.finish(sweep)
    places = [folder / f"{key}-{each}-of-{count}.json" for each in range(count)]
    if trainer.is_global_zero:
        points = {codec.name: [None if math.isnan(p) else p for p in codec.points] for codec in codecs}
        write_whole(places[number], json.dumps(points).encode())
    trainer.strategy.barrier("sums of the fold written")
    others = [each for each in range(count) if _of_other_points(folder, key, each, count)]
    if others:
        rank_zero_warn(
            f"folds {others} have another number of operating points than fold {number} (or other data) and cannot be "
            f"joined with it: leave out rates that not every fold's codec reaches, or delete {folder}"
        )
    if trainer.strategy.broadcast(bool(partial.missing()) or not all(place.is_file() for place in places)):
        return False
    partial.add_others(sweep, rank, world)
    tables = [require_mapping(read_json(place), place) for place in places]
    for codec in codecs:
        folds = zip(*(table[codec.name] for table in tables), strict=True)
        codec.points = tuple(common_point([p for p in each if p is not None] or [math.nan]) for each in folds)
    rows = [*sweep.compute(), *more]
    if trainer.is_global_zero:
        write_results(folder / RESULTS, rows)
    rank_zero_info(f"{count} folds together: {folder / RESULTS}")
    return True


def _key(sweep: SweepMetrics, data: EmotionData, count: int, options: object) -> str:
    """Return a digest of what all folds of an evaluation share; shapes of sums are among it."""
    ids = sorted(name for split in ("train", "validation", "test") for name in data.dataset(split).ids())
    codecs = [(codec.name, type(codec).__qualname__, len(cast(Codec, codec).points)) for codec in sweep.codecs]
    text = f"{data.name} {data.emotions} {data.origin} {count} {codecs} {options} {ids}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _of_other_points(folder: Path, key: str, number: int, count: int) -> bool:
    """Return whether a fold left sums under another digest and none under this one."""
    ours = folder / f"{key}-{number}-of-{count}.json"
    return not ours.is_file() and any(folder.glob(f"*-{number}-of-{count}.json"))
