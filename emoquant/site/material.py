"""Listening runs read from their folders, as the data of pages."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_type_hints

from emoquant.reports.rows import Results
from emoquant.site.sounds import Sound, Soundbank
from emoquant.storage.results import Row, read_results
from emoquant.voice.clips import Clip, read_clips

Kind = Literal["lambda", "codebooks", "mixing"]

#: What else a page says of a clip.
FACTS = ("kind", "condition", "lmbda", "predicted", "seed", "seconds", "style", "partner", "partner_emotion", "file")
#: Numbers of a clip that pages show, as its manifest names them: all that are measured.
NUMBERS = tuple(name for name, kind in get_type_hints(Clip).items() if kind is float and name not in FACTS)


class ListeningRun(NamedTuple):
    """Clips and figures of a listening run.

    Attributes:
        folder: Its folder.
        clips: Its clips.
        rows: Figures of all its clips together; empty where it left none.
    """

    folder: Path
    clips: list[Clip]
    rows: list[Row]

    @property
    def corpora(self) -> list[str]:
        """Names of the corpora that the references come from."""
        return list(dict.fromkeys(row.corpus for row in self.rows if row.corpus))


def read_run(folder: Path) -> ListeningRun:
    """Read the folder of a listening run.

    Raises:
        FileNotFoundError: There is no manifest.
        ValueError: The manifest or the results are damaged or hold no clips.
    """
    clips = read_clips(folder / "manifest.csv")
    if not clips:
        raise ValueError(f"{folder / 'manifest.csv'} lists no clips: let the listening run finish")
    results = folder / "results.csv"
    return ListeningRun(folder, clips, read_results(results) if results.is_file() else [])


def page_data(kind: Kind, runs: Sequence[ListeningRun], bank: Soundbank) -> dict[str, Any]:
    """Return the data of a listening page, ready for JSON but for its sounds (:func:`with_sounds`).

    Args:
        kind: Which page.
        runs: Its runs.
        bank: Takes the sounds.

    Raises:
        ValueError: A run has no codec, so that there is nothing to choose on the page.
    """
    for run in runs:
        if not any(clip.kind == "synthesis" and clip.codec != "none" for clip in run.clips):
            raise ValueError(f"{run.folder} has no clips through a codec, which pages are about: leave this run out")
    placed = [(number, clip) for number, run in enumerate(runs) for clip in run.clips]
    emotions = sorted({clip.emotion for _, clip in placed})
    items = sorted({_item(clip) for _, clip in placed if clip.kind == "synthesis"})
    codecs = list(dict.fromkeys((number, clip.codec) for number, clip in placed if clip.codec != "none"))
    clips: list[list[Any]] = []
    for number, clip in placed:
        codec = codecs.index((number, clip.codec)) if clip.codec != "none" else None
        sound = bank.add(runs[number].folder / clip.file)
        clips += [[item, number, codec, *_facts(clip), *_numbers(clip), sound] for item in _items_of(clip, items)]
    return {
        "page": kind,
        "runs": [run.folder.name for run in runs],
        "corpora": list(dict.fromkeys(name for run in runs for name in run.corpora)),
        "emotions": emotions,
        "items": [dict(zip(("emotion", "speaker", "reference", "said", "text"), item, strict=True)) for item in items],
        "codecs": [_codec(number, name, runs[number]) for number, name in codecs],
        "columns": ["item", "run", "codec", *FACTS, *NUMBERS, "sound"],
        "clips": clips,
        "figures": [row for number, run in enumerate(runs) for row in figures(number, run.rows)],
    }


def with_sounds(data: dict[str, Any], sounds: dict[str, Sound], ending: str) -> dict[str, Any]:
    """Return a page's data with length, loudness and F0 of its sounds.

    Args:
        data: Of :func:`page_data`.
        sounds: By id.
        ending: Ending of the sound files' names.
    """
    used = dict.fromkeys(clip[-1] for clip in data["clips"])
    facts = {
        name: {"seconds": sounds[name].seconds, "level": _number(sounds[name].level), "f0": sounds[name].f0}
        for name in used
    }
    return {**data, "sounds": facts, "ending": ending}


def figures(run: int, rows: Iterable[Row]) -> list[list[Any]]:
    """Return the means over a run's clips: run, stratum, codec, lambda, emotion, metric, value, low, high, n."""
    return [
        [run, row.stratum, row.codec, _number(row.lmbda), row.emotion, row.metric, *map(_number, row[5:8]), row.n]
        for row in rows
        if not row.metric.startswith(("trend/", "trained_on", "partner_share/"))
    ]


def attractions(rows: Iterable[Row], codecs: Sequence[str], corpora: Sequence[str]) -> list[list[Any]]:
    """Return the attraction of each emotion to each codebook: codec, lambda, emotion, value, low, high, n, corpus.

    Attraction is the change of the angle to the centroid of the codebook's emotion, in degrees, negative: drawn there.

    Args:
        rows: Results of an evaluation of these codecs.
        codecs: Codecs of the page.
        corpora: Corpora of the page; rows of others are left out, as codecs of another corpus may bear the same names.
            Where none is known, all rows are taken.
    """
    rows = [row for row in rows if not corpora or row.corpus in corpora]
    results = Results(rows) if rows else None
    target = {codec: results.codebook_emotion(codec) for codec in codecs} if results else {}
    return [
        [row.codec, _number(row.lmbda), row.emotion, *map(_number, row[5:8]), row.n, row.corpus]
        for row in rows
        if row.stratum == "all"
        and row.codec in target
        and row.emotion != "all"
        and row.metric == f"attraction/{target[row.codec]}"
    ]


def _codec(number: int, name: str, run: ListeningRun) -> dict[str, Any]:
    points = {clip.lmbda for clip in run.clips if clip.codec == name and clip.kind == "synthesis"}
    family, share = _family(name, run.rows)
    return {
        "name": name,
        "run": number,
        "points": sorted(point for point in points if not math.isnan(point)),
        "emotion": Results(run.rows).codebook_emotion(name) if run.rows else None,
        "family": family,
        "share": share,
    }


def _family(name: str, rows: Iterable[Row]) -> tuple[str, float | None]:
    """Return how a codec mixes two references and the share of the second, where the run has several shares.

    Without them, the codec's own name and None.
    """
    shares = [row for row in rows if row.metric.startswith("partner_share/")]
    own = next((row for row in shares if row.codec == name), None)
    if own is None or sum(row.metric == own.metric for row in shares) < 2:
        return name, None
    return own.metric.partition("/")[2], own.value


def _item(clip: Clip) -> tuple[str, str, str, str, str]:
    return clip.emotion, clip.speaker, clip.reference, clip.reference_text, clip.text


def _items_of(clip: Clip, items: Sequence[tuple[str, ...]]) -> list[int]:
    """Return the items that a clip belongs to: its own, or all that are said after the reference that it is of."""
    if clip.kind in ("ground_truth", "copy_synthesis"):
        return [index for index, item in enumerate(items) if item[1:3] == (clip.speaker, clip.reference)]
    return [index for index, item in enumerate(items) if item == _item(clip)]


def _facts(clip: Clip) -> list[Any]:
    # A seed has more digits than a number of JavaScript can hold, so it goes as text.
    held = {"lmbda": _point(clip.lmbda), "seed": str(clip.seed)}
    return [held.get(name, getattr(clip, name)) for name in FACTS]


def _numbers(clip: Clip) -> list[float | None]:
    return [_number(getattr(clip, name)) for name in NUMBERS]


def _point(lmbda: float) -> float | None:
    return None if math.isnan(lmbda) else lmbda


def _number(value: float) -> float | None:
    """Return a number with as many digits as a page can need; None for what is unknown."""
    return float(f"{value:.8g}") if math.isfinite(value) else None
