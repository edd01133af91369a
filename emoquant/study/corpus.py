"""Properties of a corpus that decide which experiments are possible, read before anything is trained."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from emoquant.audio.loading import AudioError, audio_seconds
from emoquant.commands.parsing import Parser
from emoquant.console.encoder_words import encoder_spec
from emoquant.console.words import DEFAULT_DATA, data_argument
from emoquant.data.base import SPLITS, Utterance
from emoquant.data.module import EmotionDataModule
from emoquant.data.speech import SpeechDataModule
from emoquant.labels import emotion_index, opposite_emotions
from emoquant.storage.runs import Begun

#: Utterances whose headers are read to estimate the length of the speech.
_SAMPLE = 64


class Offer(NamedTuple):
    """Properties of a corpus that decide which experiments are possible.

    Attributes:
        name: Its name.
        emotions: Emotions with utterances in all splits, in the order of the data.
        lacking: Emotions that the data name and that a split lacks.
        counts: Utterances of each split.
        votes: Whether test utterances have votes of annotators.
        pairs: Whether every test speaker has two emotions that can be paired.
        speakers: Test speakers.
        seconds: Mean length of an utterance, estimated.
        probe: Why the encoder's own head cannot classify the emotions, so that a probe is trained; empty if it can.
    """

    name: str
    emotions: list[str]
    lacking: list[str]
    counts: dict[str, int]
    votes: bool
    pairs: bool
    speakers: int
    seconds: float
    probe: str

    def reason_against(self, needs: Sequence[str], emotions: Sequence[str]) -> str:
        """Return why an experiment is impossible; empty if it is possible.

        Args:
            needs: ``votes``, ``pairs``, or names of emotions.
            emotions: Emotions that its trainings name.
        """
        if "votes" in needs and not self.votes:
            return f"{self.name} has no votes of annotators (columns votes_EMOTION)"
        if "pairs" in needs and not self.pairs:
            return "a test speaker has no second emotion to go with each of theirs"
        wanted = [need for need in (*needs, *emotions) if need not in ("votes", "pairs")]
        missing = [emotion for emotion in dict.fromkeys(wanted) if emotion not in self.emotions]
        return f"no {', '.join(missing)} in every split of {self.name}" if missing else ""


def open_module(word: str, *options: str, encodes: bool = True) -> SpeechDataModule:
    """Return the data module of a word after ``--data``, before its setup.

    Args:
        word: A shipped name, a YAML or a CSV.
        options: Further options of the module, as ``--data.emotions [...]``.
        encodes: Whether it will encode anything. If not, encoders that it names are left where they are, perhaps on a
            hub, and the default stands in.

    Raises:
        FileNotFoundError: There is no such data.
        ValueError: It is described wrongly.
    """
    parser = Parser()
    parser.add_subclass_arguments(SpeechDataModule, "data", required=True)
    parsed = parser.parse_args(["--data", data_argument(word), *options])
    for encoder in ("encoder", "speaker_encoder"):
        if not encodes and encoder in parsed.data.init_args:
            parsed.data.init_args[encoder] = None
    found: SpeechDataModule = parser.instantiate(parsed).data
    return found


def open_data(begun: Begun) -> EmotionDataModule:
    """Return the data module of frame features that words stand for, before its setup.

    Raises:
        FileNotFoundError: There is no such data.
        ValueError: The words are wrong, or stand for data that are no frame features.
    """
    options: list[str] = []
    spec = encoder_spec(begun.encoder)
    if spec is not None:
        options += ["--data.encoder", json.dumps(dict(spec))]
    if begun.emotions is not None:
        options += ["--data.emotions", json.dumps(begun.emotions)]
    data = open_module(begun.data or DEFAULT_DATA, *options)
    if not isinstance(data, EmotionDataModule):
        raise ValueError(f"--data {begun.data} is of {type(data).__name__}: expected frame features for codecs")
    return data


def look_at(data: EmotionDataModule) -> Offer:
    """Read a corpus and return its emotions, votes, pairs and sizes; nothing is encoded.

    Raises:
        FileNotFoundError: A corpus is not where it should be.
        ValueError: A corpus is wrong, or has no emotion in all splits.
    """
    data.prepare_data()
    utterances = [utterance for corpus in data.corpora for utterance in corpus.utterances()]
    wanted = data.emotions or list(dict.fromkeys(utterance.emotion for utterance in utterances))
    kept = [utterance for utterance in utterances if utterance.emotion in wanted]
    split = {name: [utterance for utterance in kept if utterance.split == name] for name in SPLITS}
    found = {name: Counter(utterance.emotion for utterance in split[name]) for name in SPLITS}
    emotions = [emotion for emotion in wanted if all(found[name][emotion] for name in SPLITS)]
    if len(emotions) < 2:
        counts = "; ".join(f"{name}: {dict(found[name]) or 'nothing'}" for name in SPLITS)
        raise ValueError(
            f"{data.name} has no two emotions with utterances in all splits ({counts}): choose another split "
            "(split: text or random in the data's YAML) or other emotions (--emotions)"
        )
    test = [utterance for utterance in split["test"] if utterance.emotion in emotions]
    return Offer(
        str(data.name),
        emotions,
        [emotion for emotion in wanted if emotion not in emotions],
        {name: sum(found[name][emotion] for emotion in emotions) for name in SPLITS},
        any(utterance.votes for utterance in test),
        _can_pair(test, emotions),
        len({utterance.speaker for utterance in test}),
        _mean_seconds(kept),
        _why_probe(data, emotions),
    )


def _can_pair(test: Sequence[Utterance], emotions: Sequence[str]) -> bool:
    partners = opposite_emotions(emotions)
    there = {(utterance.speaker, utterance.emotion) for utterance in test}
    return all((speaker, partners[emotion]) in there for speaker, emotion in there)


def _mean_seconds(utterances: Sequence[Utterance]) -> float:
    lengths = []
    for utterance in utterances[:: max(1, len(utterances) // _SAMPLE)]:
        try:
            end = utterance.end if utterance.end is not None else audio_seconds(utterance.path)
        except (AudioError, OSError):
            continue  # extraction names every bad file
        lengths.append(end - utterance.start)
    return sum(lengths) / len(lengths) if lengths else 0.0


def _why_probe(data: EmotionDataModule, emotions: Sequence[str]) -> str:
    try:
        head = data.encoder.head()
        for emotion in emotions:
            emotion_index(emotion, head.labels)
    except ValueError as error:
        return str(error)
    return ""
