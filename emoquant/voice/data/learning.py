"""An aligner that learns from the corpus itself what its phones are like."""

import hashlib
from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from torch import Tensor
from tqdm import tqdm

from emoquant.audio.espeak import PAUSE
from emoquant.audio.loading import read_audio
from emoquant.data.base import Corpus, Utterance
from emoquant.voice.alignment.alignment import SILENCES, Alignment, Span
from emoquant.voice.alignment.phone_models import STATES, Found, PhoneModels, find_phones, learn_phones
from emoquant.voice.alignment.warping import FRAME_RATE, align_by_voice, cepstra
from emoquant.voice.data.aligners import Aligner
from emoquant.voice.text.voices import spoken

#: Shorter pauses between words, in seconds, are the closure of the plosive that follows.
_SHORTEST_PAUSE = 0.06


class _Plan(NamedTuple):
    """What is to be found in a recording.

    Attributes:
        labels: Phones, and a pause before and after each word.
        optional: Which of them may be left out: the pauses.
        words: The words.
        first: Place of each word's first phone among the labels.
    """

    labels: list[str]
    optional: list[bool]
    words: list[str]
    first: list[int]


class LearnedAligner(Aligner):
    """Phones by models that are learned from the corpus (monophones, Viterbi training), in any language of espeak-ng.

    The first alignment is that of :class:`~emoquant.voice.data.aligners.VoiceAligner`. Speakers may pause between any
    two words.

    Args:
        voice: Voice of espeak-ng that speaks the language.
        rate: Words a minute of the rendering that the first alignment comes from.
        utterances: Training utterances that the models are learned from, evenly spread.
        rounds: How often phones are found and learned again.

    Raises:
        ValueError: A number is below 1.
    """

    def __init__(self, voice: str = "en-us", rate: int = 170, utterances: int = 300, rounds: int = 4) -> None:
        if utterances < 1 or rounds < 1:
            raise ValueError(f"utterances is {utterances}, rounds {rounds}: expected at least 1")
        self.front_end = f"espeak:{voice}"
        self.voice, self.rate, self.utterances, self.rounds = voice, rate, utterances, rounds
        self._chosen: list[Utterance] = []
        self._source = ""
        self._models: PhoneModels | None = None

    def open(self, corpora: Sequence[Corpus]) -> None:
        """Choose the utterances that the models are learned from, of the training splits; see the base class.

        Raises:
            ValueError: There is no training utterance with a text.
        """
        known = [each for corpus in corpora for each in corpus.utterances() if each.split == "train" and each.text]
        if not known:
            raise ValueError("no training utterance with a text, which an aligner that learns needs")
        rows = np.unique(np.linspace(0, len(known) - 1, min(self.utterances, len(known))).round().astype(int))
        self._chosen, self._models = [known[row] for row in rows], None
        what = [f"{self.rate}:{self.rounds}"]
        what += [f"{each.path.stat().st_size}:{each.start}:{each.end}:{each.text}" for each in self._chosen]
        self._source = hashlib.sha256("\n".join(what).encode()).hexdigest()[:16]

    def stamp(self, utterance: Utterance) -> str:
        """Return a string that changes with what the models are learned from; see the base class.

        The models themselves would not do: rounding differs a little from process to process.
        """
        assert self._source, "open() comes first"
        return f"{super().stamp(utterance)}:{self._source}"

    def align(self, utterance: Utterance, waveform: Tensor) -> Alignment:
        """Return the likeliest times, by models that the first call learns; see the base class."""
        assert self._chosen, "open() comes first"
        if self._models is None:
            self._models = self._learn()
        plan = self._plan(utterance.text)
        features = np.asarray(cepstra(waveform), np.float64)
        borders = find_phones(features, plan.labels, plan.optional, self._models).edges[::STATES] / FRAME_RATE
        borders[-1] = len(waveform) / 16_000
        return _spans(plan, borders)

    def _learn(self) -> PhoneModels:
        found, plans = [], []
        for each in tqdm(self._chosen, desc="first alignment", unit="utt"):
            waveform = read_audio(each.path, each.start, each.end)
            first = align_by_voice(waveform, each.text, self.voice, self.rate)
            found.append(_start(np.asarray(cepstra(waveform), np.float64), first.phones))
            plans.append(self._plan(each.text))
        for _ in range(self.rounds):
            models = learn_phones(found)
            found = [
                find_phones(each.features, plan.labels, plan.optional, models)
                for each, plan in zip(found, plans, strict=True)
            ]
        return learn_phones(found)

    def _plan(self, text: str) -> _Plan:
        speech = spoken(text, self.voice, self.rate)
        starts = sorted(start for _, start, _ in speech.words)
        plan = _Plan([PAUSE], [True], [word for word, *_ in sorted(speech.words, key=lambda word: word[1])], [])
        for label, start, _ in speech.phonemes:
            if label in SILENCES:
                continue
            if bisect_right(starts, start + 1e-3) > len(plan.first):
                if plan.labels[-1] != PAUSE:
                    plan.labels.append(PAUSE)
                    plan.optional.append(True)
                plan.first.append(len(plan.labels))
            plan.labels.append(label)
            plan.optional.append(False)
        plan.labels.append(PAUSE)
        plan.optional.append(True)
        return plan


def _start(features: np.ndarray, phones: Sequence[Span]) -> Found:
    """Return a first alignment as states: a third of the time for each."""
    labels = [PAUSE if phone.label in SILENCES else phone.label for phone in phones]
    borders = np.array([phones[0].start, *(phone.end for phone in phones)]) * FRAME_RATE
    places = np.interp(np.arange(STATES * len(phones) + 1) / STATES, np.arange(len(borders)), borders)
    return Found(features, labels, np.clip(np.rint(places), 0, len(features)).astype(np.int64))


def _spans(plan: _Plan, borders: np.ndarray) -> Alignment:
    """Return an alignment in seconds; a pause that is none goes to the phone after it, at the end to the one before."""
    phones: list[Span] = []
    starts: dict[int, float] = {}
    begin = 0.0
    for place, (label, end) in enumerate(zip(plan.labels, borders[1:].tolist(), strict=True)):
        if label != PAUSE or end - begin >= _SHORTEST_PAUSE:
            phones.append(Span(label, begin, end))
            starts[place], begin = begin, end
    phones[-1] = phones[-1]._replace(end=float(borders[-1]))
    begins = [starts[place] for place in plan.first]
    ends = [*begins[1:], phones[-1].end]
    return Alignment(phones, [Span(*word) for word in zip(plan.words, begins, ends, strict=False)])
