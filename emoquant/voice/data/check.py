"""Tells what is wrong with a corpus before a voice is trained on it."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from tqdm import tqdm

from emoquant.audio.espeak import PAUSE
from emoquant.audio.loading import audio_seconds, read_audio
from emoquant.audio.mel import MelSettings
from emoquant.data.base import SPLITS, Corpus, Utterance
from emoquant.data.rendered import RenderedCorpus
from emoquant.voice.alignment.alignment import BEGIN, END
from emoquant.voice.data.aligners import Aligner, RenderedAligner
from emoquant.voice.data.cache import ItemCache
from emoquant.voice.data.items import Analysis, VoiceItem
from emoquant.voice.text.written import spoken_text

#: Utterances that a finding names before it only counts them.
_NAMED = 5

_SILENCES = {BEGIN, END, PAUSE}


class Finding(NamedTuple):
    """Something that is wrong, or may be.

    Attributes:
        severity: ``"error"`` (training would stop), ``"warning"`` (it would suffer) or ``"note"``.
        what: What was found, with numbers, and the remedy.
        where: Ids of the utterances concerned.
    """

    severity: str
    what: str
    where: tuple[str, ...] = ()


def check_data(
    corpora: Corpus | list[Corpus],
    aligner: Aligner | None = None,
    cache_dir: str = ".cache/emoquant",
    longest: float = 20.0,
    at_most: int | None = None,
    mel: MelSettings | None = None,
    f0_floor: float = 60.0,
    f0_ceiling: float = 750.0,
) -> list[Finding]:
    """Print and return what is wrong with corpora for the training of a voice.

    Every utterance is read, aligned and analysed; what is sound is kept in the cache, so a training with the same
    aligner, mel and bounds of F0 need not do it again.

    Args:
        corpora: The corpora.
        aligner: Where phones and durations come from; exact times for rendered corpora by default. Without any for
            other corpora, only audio, texts and labels are checked.
        cache_dir: Folder of the caches.
        longest: Seconds from which on an utterance is called long.
        at_most: Utterances that are looked at, evenly spread; all by default.
        mel: Mel settings of the training.
        f0_floor: Lowest F0 in Hz.
        f0_ceiling: Highest F0 in Hz.

    Returns:
        Findings, errors first; empty for a corpus without fault.
    """
    analysis = Analysis(mel if mel is not None else MelSettings(), f0_floor, f0_ceiling)
    listed = [corpora] if isinstance(corpora, Corpus) else list(corpora)
    findings: list[Finding] = []
    utterances: list[Utterance] = []
    for corpus in listed:
        try:
            corpus.prepare()
            utterances += corpus.utterances()
        except (ValueError, OSError, RuntimeError) as error:
            findings.append(Finding("error", f"corpus {corpus.name!r}: {error}"))
    if aligner is None and utterances and all(isinstance(corpus, RenderedCorpus) for corpus in listed):
        aligner = RenderedAligner()
    if aligner is not None:
        aligner.open(listed)
    findings += check_labels(utterances)
    chosen = _spread(utterances, at_most)
    cache = ItemCache(cache_dir, aligner, analysis) if aligner is not None else None
    findings += _check_sound(chosen, cache, longest, whole=len(chosen) == len(utterances))
    findings.sort(key=lambda finding: ("error", "warning", "note").index(finding.severity))
    _print(findings, len(chosen), len(utterances), aligner)
    return findings


def _unreadable(text: str) -> str:
    try:
        spoken_text(text)
    except ValueError as error:
        return str(error)
    return ""


def check_labels(utterances: Sequence[Utterance]) -> list[Finding]:
    """Return what is wrong with texts, splits, speakers and emotions, without reading audio."""
    findings = []
    lacking = {
        "text; synthesis needs the words that are said": [u.id for u in utterances if not u.text.strip()],
        "speaker": [u.id for u in utterances if not u.speaker],
    }
    for what, ids in lacking.items():
        if ids:
            severity = "error" if what.startswith("text") else "warning"
            findings.append(Finding(severity, f"{len(ids)} utterances without {what}", tuple(ids)))
    if unread := [f"{u.id}: {why}" for u in utterances if (why := _unreadable(u.text))]:
        findings.append(Finding("error", f"{len(unread)} texts that no voice can say", tuple(unread)))
    names = Counter(utterance.id for utterance in utterances)
    if shared := [name for name, count in names.items() if count > 1]:
        findings.append(
            Finding("error", f"{len(shared)} ids are of several utterances; give each its own", tuple(shared))
        )
    counts = Counter(utterance.split for utterance in utterances)
    findings += [Finding("error", f"no utterance in the split {split!r}") for split in SPLITS if not counts[split]]
    splits = defaultdict(set)
    for utterance in utterances:
        splits[utterance.text.strip().lower()].add(utterance.split)
    leaks = [text for text, where in splits.items() if text and "train" in where and len(where) > 1]
    if leaks:
        findings.append(
            Finding(
                "warning",
                f"{len(leaks)} of {len(splits)} sentences are in training and in another split, e.g. {leaks[0]!r}: a "
                "voice is then judged on sentences that it has heard; split by text",
            )
        )
    cells = Counter((u.speaker, u.emotion) for u in utterances if u.split == "train")
    thin = [f"{speaker}/{emotion} ({count})" for (speaker, emotion), count in sorted(cells.items()) if count < 10]
    if thin:
        findings.append(
            Finding("warning", f"fewer than 10 training utterances of a speaker and emotion: {', '.join(thin[:8])}")
        )
    return findings


def _check_sound(
    utterances: Sequence[Utterance], cache: ItemCache | None, longest: float, whole: bool
) -> list[Finding]:
    broken: dict[str, list[str]] = defaultdict(list)
    suspect: dict[str, list[str]] = defaultdict(list)
    items: dict[str, VoiceItem] = {}
    for utterance in tqdm(utterances, desc="checking", unit="utt", disable=not utterances):
        try:
            waveform = read_audio(utterance.path, utterance.start, utterance.end)
        except (ValueError, OSError) as error:
            broken["the audio cannot be used"].append(f"{utterance.id}: {error}")
            continue
        for what in _audio_doubts(waveform, utterance, longest):
            suspect[what].append(utterance.id)
        if cache is not None and (found := cache.read(utterance)) is None:
            problem = cache.make(utterance)
            if problem:
                broken["the utterance cannot be analysed"].append(f"{utterance.id}: {problem}")
                continue
            found = cache.read(utterance)
        if cache is not None and found is not None:
            items[utterance.id] = found
    findings = [Finding("error", f"{len(ids)}: {what}", tuple(ids)) for what, ids in broken.items()]
    findings += [Finding("warning", f"{len(ids)}: {what}", tuple(ids)) for what, ids in suspect.items()]
    findings += _item_doubts(items)
    if whole:
        heard = {symbol for u in utterances if u.split == "train" and u.id in items for symbol in items[u.id].symbols}
        unheard = {symbol for item in items.values() for symbol in item.symbols} - heard
        if unheard:
            findings.append(Finding("warning", f"phones that are never heard in training: {sorted(unheard)}"))
    return findings


def _audio_doubts(waveform: torch.Tensor, utterance: Utterance, longest: float) -> list[str]:
    """Return what is suspicious about an utterance's samples."""
    doubts, seconds = [], len(waveform) / 16_000
    if seconds > longest:
        doubts.append(f"longer than {longest:g} s; cut it at pauses")
    if float((waveform.abs() >= 0.999).float().mean()) > 1e-3:
        doubts.append("clipped (over 0.1 % of the samples at full scale); use the original recording")
    if float(waveform.square().mean().sqrt()) < 1e-3:
        doubts.append("very quiet (below -60 dBFS); raise its level")
    level = waveform[: len(waveform) // 160 * 160].unflatten(0, (-1, 160)).square().mean(1)
    loud = (level > level.max() * 10**-3.5).nonzero()[:, 0]
    if len(loud) and max(int(loud[0]), len(level) - 1 - int(loud[-1])) > 100:
        doubts.append("over 1 s of silence at an end; set start and end")
    if utterance.end is None and abs(audio_seconds(utterance.path) - utterance.start - seconds) > 0.05:
        doubts.append("its header gives another length than its samples; write the file again")
    return doubts


def _item_doubts(items: dict[str, VoiceItem]) -> list[Finding]:
    """Return what is suspicious about the alignments and melodies of a corpus."""
    if not items:
        return []
    findings = []
    spoken = {name: [symbol not in _SILENCES for symbol in item.symbols] for name, item in items.items()}
    empty = sum(int((item.durations[spoken[name]] == 0).sum()) for name, item in items.items())
    total = sum(sum(mask) for mask in spoken.values())
    severity = "note" if empty <= 0.01 * total else "warning"
    if empty:
        findings.append(Finding(severity, f"{empty} of {total} phones ({empty / total:.2%}) have no mel frame"))
    rates = {name: sum(spoken[name]) / max(len(item.mels) / 62.5, 0.1) for name, item in items.items()}
    middle = float(np.median(list(rates.values())))
    odd = tuple(name for name, rate in rates.items() if not middle / 2 < rate < middle * 2)
    if odd:
        findings.append(
            Finding("warning", f"{len(odd)}: twice or half as many phones a second as usual; wrong text?", odd)
        )
    toneless = tuple(name for name, item in items.items() if item.voiced.mean() < 0.15)
    if toneless:
        findings.append(
            Finding("warning", f"{len(toneless)}: less than 15 % of the frames voiced; noise or whisper?", toneless)
        )
    return findings


def _spread(utterances: Sequence[Utterance], at_most: int | None) -> list[Utterance]:
    if at_most is None or at_most >= len(utterances):
        return list(utterances)
    rows = np.linspace(0, len(utterances) - 1, max(1, at_most)).round().astype(int)
    return [utterances[row] for row in rows]


def _print(findings: Sequence[Finding], looked: int, total: int, aligner: Aligner | None) -> None:
    print(f"{looked} of {total} utterances checked{'' if aligner else ' (no aligner given: audio and labels only)'}")
    for finding in findings:
        print(f"{finding.severity}: {finding.what}")
        for name in finding.where[:_NAMED]:
            print(f"    {name}")
        if len(finding.where) > _NAMED:
            print(f"    ... and {len(finding.where) - _NAMED} more")
    if not findings:
        print("nothing is wrong")
