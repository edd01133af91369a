"""The Emotional Speech Dataset: 10 English and 10 Mandarin speakers, 5 emotions, 350 parallel sentences each.

K. Zhou, B. Sisman, R. Liu, H. Li: Emotional voice conversion: theory, databases and ESD. Speech Communication 137,
2022.
"""

import logging
import re
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Literal

from emoquant.data.base import Corpus, Utterance
from emoquant.data.esd_text import Line, read_corrections, read_transcript
from emoquant.data.folders import audio_files, check_ids, compare_count, required_folder, subfolders
from emoquant.data.splits import split_by_group

_log = logging.getLogger(__name__)

_SOURCE = "ESD is given for research on request: https://hltsingapore.github.io/ESD/"
_EMOTIONS = {"Angry": "angry", "Happy": "happy", "Neutral": "neutral", "Sad": "sad", "Surprise": "surprise"}
_SPLITS = {"evaluation": "validation", "test": "test", "train": "train"}
_LANGUAGES = {"english": range(11, 21), "mandarin": range(1, 11)}
_TAGS = {"english": "en", "mandarin": "zh"}
#: Sentences of a speaker in an emotion, where those of each emotion begin, and utterances of a language.
_SENTENCES = 350
_BLOCKS = {"Neutral": 0, "Angry": 350, "Happy": 700, "Sad": 1050, "Surprise": 1400}
_PUBLISHED = 17_500


class ESD(Corpus):
    """ESD in its folders ``0001/Angry/0001_000351.wav`` with a transcript ``0001/0001.txt`` for each speaker.

    Both published layouts are read: audio in the emotion's folder, or in ``evaluation``, ``test`` and ``train`` below
    it. The official split goes by sentence: of the 350 of each speaker and emotion the first 20 are for evaluation
    (here: validation), the next 30 for the test, the rest for training. The other one holds out speakers of each
    language. Speaker and number of every file are held against its folder. Transcripts are read in each of the
    encodings and with each of the separators that the published copies have.

    Args:
        root: Folder that holds the speakers' folders.
        languages: ``"english"``, ``"mandarin"`` or both.
        split: ``"official"`` or ``"speaker"``.
        seed: Chooses the held-out speakers.
        corrections: CSV file (UTF-8) with the columns ``id`` and ``text``: what is said where a transcript is wrong.

    Raises:
        ValueError: A language or the split is unknown.
    """

    def __init__(
        self,
        root: str,
        languages: Sequence[Literal["english", "mandarin"]] = ("english",),
        split: Literal["official", "speaker"] = "official",
        seed: int = 0,
        corrections: str | None = None,
    ) -> None:
        if not languages or set(languages) - set(_LANGUAGES) or len(set(languages)) < len(languages):
            raise ValueError(f"languages is {list(languages)}, expected some of {list(_LANGUAGES)}")
        if split not in ("official", "speaker"):
            raise ValueError(f"split is {split!r}, expected 'official' or 'speaker'")
        self.name = "esd"
        self.root, self.languages, self.split, self.seed = Path(root), tuple(languages), split, seed
        self.corrections = Path(corrections) if corrections is not None else None

    def utterances(self) -> Sequence[Utterance]:
        """Return the utterances by speaker, emotion and number; see the base class."""
        required_folder(self.root, "the speakers' folders 0001 to 0020", _SOURCE)
        found: list[Utterance] = []
        for language in self.languages:
            speakers = [f"{number:04d}" for number in _LANGUAGES[language]]
            present = [speaker for speaker in speakers if (self.root / speaker).is_dir()]
            if not present:
                raise FileNotFoundError(
                    f"{self.root}: none of the {language} speakers' folders {speakers[0]} to {speakers[-1]}, but "
                    f"{[folder.name for folder in subfolders(self.root)][:5]}; set root to the folder that holds them"
                )
            if len(present) < len(speakers):
                _log.warning(
                    "%s: %s speakers are missing: %s", self.root, language, sorted(set(speakers) - set(present))
                )
            of_language = [u for speaker in present for u in self._speaker(speaker, language)]
            compare_count(self.root, len(of_language), _PUBLISHED, f"{language} utterances")
            found += self._split(of_language)
        check_ids(self.name, found)
        return found if self.corrections is None else self._corrected(found, self.corrections)

    def _corrected(self, found: list[Utterance], path: Path) -> list[Utterance]:
        texts = read_corrections(path)
        speakers = {f"{number:04d}" for language in self.languages for number in _LANGUAGES[language]}
        if unknown := sorted(name for name in set(texts) - {u.id for u in found} if name[:4] in speakers):
            raise ValueError(f"{path}: no utterance {', '.join(unknown[:5])} in {self.root}; correct the ids")
        return [u._replace(text=texts.get(u.id, u.text)) for u in found]

    def _split(self, utterances: list[Utterance]) -> list[Utterance]:
        if self.split == "official":
            return utterances
        try:
            splits = split_by_group([utterance.speaker for utterance in utterances], seed=self.seed)
        except ValueError as error:
            raise ValueError(f"{self.root}: split by speaker: {error}") from None
        return [utterance._replace(split=split) for utterance, split in zip(utterances, splits, strict=True)]

    def _speaker(self, speaker: str, language: str) -> list[Utterance]:
        folder = self.root / speaker
        transcript = folder / f"{speaker}.txt"
        if not transcript.is_file():
            raise FileNotFoundError(f"{transcript}: no transcript; expected lines of id, text and emotion; {_SOURCE}")
        lines = read_transcript(transcript, "gb18030" if language == "mandarin" else "cp1252")
        found = []
        for name, emotion in _EMOTIONS.items():
            files = self._files(required_folder(folder / name, "its audio files", _SOURCE))
            if not files:
                raise FileNotFoundError(f"{folder / name}: no audio file; expected {speaker}_000001.wav and so on")
            if len(files) != _SENTENCES:
                _log.warning("%s: %d audio files instead of %d", folder / name, len(files), _SENTENCES)
            for path, split in files:
                _check_place(path, speaker, name, split)
                text = lines.get(path.stem, Line("", "")).text
                found.append(Utterance(path.stem, path, emotion, speaker, split, text, _TAGS[language]))
        _check_lines(transcript, lines, found)
        return found

    def _files(self, folder: Path) -> list[tuple[Path, str]]:
        """Return the audio files of an emotion with their official splits.

        Raises:
            ValueError: An utterance is there twice.
        """
        files = [(path, _official_split(path)) for path in audio_files(folder)]
        for name, split in _SPLITS.items():
            if (folder / name).is_dir():
                files += [(path, split) for path in audio_files(folder / name)]
        files.sort(key=lambda item: item[0].name)
        for (path, _), (other, _) in pairwise(files):
            if path.stem == other.stem:
                raise ValueError(
                    f"{path} and {other} are one utterance: the two published layouts lie in one folder; "
                    "keep the audio of one of them"
                )
        return files


def _official_split(path: Path) -> str:
    sentence = (_number(path) - 1) % _SENTENCES + 1
    return "validation" if sentence <= 20 else "test" if sentence <= 50 else "train"


def _number(path: Path) -> int:
    match = re.fullmatch(r"\d{4}_(\d{6})", path.stem)
    if match is None or not 1 <= int(match[1]) <= _SENTENCES * len(_BLOCKS):
        raise ValueError(f"{path}: expected a name like 0001_000351.wav; remove other files")
    return int(match[1])


def _check_place(path: Path, speaker: str, emotion: str, split: str) -> None:
    """Hold the speaker and number in a file's name against the folder that it lies in."""
    number = _number(path)
    if not path.stem.startswith(speaker):
        raise ValueError(f"{path} is of speaker {path.stem[:4]} by its name, of {speaker} by its folder; move it")
    meant = next(name for name, first in _BLOCKS.items() if first < number <= first + _SENTENCES)
    if meant != emotion:
        raise ValueError(f"{path} is {meant} by its number, {emotion} by its folder; move it")
    if split != _official_split(path):
        raise ValueError(
            f"{path} is of the split {_official_split(path)!r} by its number, of {split!r} by its folder; move it"
        )


def _check_lines(transcript: Path, lines: dict[str, Line], found: list[Utterance]) -> None:
    """Say what a transcript lacks or contradicts."""
    if untold := sum(not utterance.text for utterance in found):
        _log.warning("%s: %d utterances are not in the transcript", transcript, untold)
    wrong = [u.id for u in found if u.id in lines and lines[u.id].emotion not in ("", u.emotion)]
    if wrong:
        _log.warning(
            "%s: %d emotions contradict the folders, which count: %s", transcript, len(wrong), ", ".join(wrong[:5])
        )
    texts: dict[int, set[str]] = defaultdict(set)
    for utterance in found:
        if utterance.text:
            texts[(_number(utterance.path) - 1) % _SENTENCES + 1].add(re.sub(r"\W+", "", utterance.text).lower())
    if uneven := sorted(number for number, variants in texts.items() if len(variants) > 1):
        _log.warning(
            "%s: %d sentences differ between the emotions: %s; write what is said into a file of corrections",
            transcript,
            len(uneven),
            ", ".join(map(str, uneven[:5])),
        )
