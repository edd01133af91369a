"""What captions say of how far a figure can be trusted: triplets of the space of cosines, intervals of few speakers."""

import math
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from emoquant.reports.quantities import quantity
from emoquant.reports.rows import UNQUANTIZED, Results
from emoquant.storage.csv_files import read_csv
from emoquant.storage.results import Row

#: Stems of metrics that are cosines of vectors, or made of them.
COSINES = (
    "utterance_similarity",
    "excess_similarity",
    "similarity_to",
    "attraction",
    "drift_to_neutral",
    "drift_to_mean",
    "drift_to_skip",
    "null_drift_to_neutral",
    "excess_drift_to_neutral",
    "preference_for_neutral",
    "excess_preference_for_neutral",
)
#: How often intervals hold in simulations, written by ``benchmarks/interval_coverage.py``.
COVERAGE = Path(__file__).parent / "coverage.csv"
#: What intervals promise.
LEVEL = 0.95

_AGAINST = {"text": "same text", "speaker": "same speaker", "both": "same text and speaker"}


def triplet_text(results: Results, rows: Iterable[Row]) -> str:
    """Return how often the same emotion is nearer than the same text or speaker, in the spaces of shown cosines.

    Args:
        results: Rows of one corpus.
        rows: Rows that are shown; without a cosine among them, or without triplets in the corpus, there is no sentence.
    """
    stems = {row.metric.partition("/")[0] for row in rows}
    spaces = sorted({stem.partition("@")[2] for stem in stems if stem.partition("@")[0] in COSINES})
    return " ".join(filter(None, (_triplets_of(results, space) for space in spaces)))


def _triplets_of(results: Results, space: str) -> str:
    stem = f"triplet_accuracy@{space}" if space else "triplet_accuracy"
    found = {kind: results.find(f"{stem}/{kind}", UNQUANTIZED, math.nan) for kind in _AGAINST}
    parts = [
        f"{_AGAINST[kind]}: {quantity(stem).text(row.value)} %{_interval(row)}"
        for kind, row in found.items()
        if row is not None
    ]
    where = f"In the space {space}" if space else "In the space of the features"
    return (
        f"{where}, the same emotion is nearer than another emotion of the {'; of the '.join(parts)} "
        "(triplets before quantization, chance 50 %)."
        if parts
        else ""
    )


def _interval(row: Row) -> str:
    ends = (row.low, row.high) if math.isnan(row.speaker_low) else (row.speaker_low, row.speaker_high)
    if math.isnan(ends[0]):
        return ""
    return f" [{', '.join(quantity(row.metric).text(min(max(end, 0.0), 1.0)) for end in ends)}]"


def speaker_text(rows: Iterable[Row]) -> str:
    """Return how much wider intervals are that are clustered by speaker, and how often those hold.

    Args:
        rows: Rows that are shown; those whose intervals are over speakers already say nothing of the first.
    """
    known = [row for row in rows if row.speakers and row.high > row.low and not math.isnan(row.speaker_low)]
    if not known:
        return ""
    speakers = min(row.speakers for row in known)
    parts = []
    of_utterances = [row for row in known if row.interval == "utterances"]
    if of_utterances:
        ratios = sorted((row.speaker_high - row.speaker_low) / (row.high - row.low) for row in of_utterances)
        parts.append(
            f"Intervals over utterances hold for these {speakers} speakers only; clustered by speaker (columns "
            f"speaker_low, speaker_high) they are {ratios[len(ratios) // 2]:.1f} times as wide."
        )
    lowest = lowest_coverage(speakers)
    if lowest < LEVEL:
        parts.append(
            f"Of {speakers} speakers, intervals clustered by speaker hold the truth of new ones in {100 * lowest:.0f} "
            "% of simulated corpora, not in 95 %."
        )
    return " ".join(parts)


def lowest_coverage(speakers: int) -> float:
    """Return the lowest share of simulated corpora in which intervals clustered by speaker hold, over its figures.

    Shares that can't be told from 95 % count as that. Of numbers of speakers that were not simulated it is that of the
    next lower one, of less than the lowest that of the lowest.

    Args:
        speakers: Number of speakers.
    """
    found = _coverage()
    simulated = max((number for number in found if number <= speakers), default=min(found))
    return found[simulated]


@cache
def _coverage() -> dict[int, float]:
    lowest: dict[int, float] = {}
    for _, record in read_csv(COVERAGE, ["speakers", "clustered", "repetitions"], "table of coverage"):
        share, count = float(record["clustered"]), int(record["repetitions"])
        spread = 1.96 * math.sqrt(LEVEL * (1 - LEVEL) / count)
        share = LEVEL if share > LEVEL - spread else share
        number = int(record["speakers"])
        lowest[number] = min(share, lowest.get(number, 1.0))
    return lowest
