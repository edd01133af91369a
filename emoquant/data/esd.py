"""The Emotional Speech Dataset: 10 English and 10 Mandarin speakers, 5 emotions, 350 parallel sentences each.

K. Zhou, B. Sisman, R. Liu, H. Li: Emotional voice conversion: theory, databases and ESD. Speech Communication 137,
2022.
"""

import logging
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Literal

from emoquant.data.base import Corpus, Utterance
from emoquant.data.folders import audio_files, read_text, required_folder, subfolders
from emoquant.data.splits import split_by_group

_log = logging.getLogger(__name__)

_SOURCE = "ESD is given for research on request: https://hltsingapore.github.io/ESD/"
_EMOTIONS = {"Angry": "angry", "Happy": "happy", "Neutral": "neutral", "Sad": "sad", "Surprise": "surprise"}
_SPLITS = {"evaluation": "validation", "test": "test", "train": "train"}
_LANGUAGES = {"english": range(11, 21), "mandarin": range(1, 11)}
_TAGS = {"english": "en", "mandarin": "zh"}
_SENTENCES = 350


class ESD(Corpus):
    """ESD in its folders ``0001/Angry/0001_000351.wav`` with a transcript ``0001/0001.txt`` for each speaker.

    Both published layouts are read: audio in the emotion's folder, or in ``evaluation``, ``test`` and ``train`` below
    it. The official split goes by sentence: of the 350 of each speaker and emotion the first 20 are for evaluation
    (here: validation), the next 30 for the test, the rest for training. The other one holds out speakers of each
    language.

    Args:
        root: Folder that holds the speakers' folders.
        languages: ``"english"``, ``"mandarin"`` or both.
        split: ``"official"`` or ``"speaker"``.
        seed: Chooses the held-out speakers.

    Raises:
        ValueError: A language or the split is unknown.
    """

    def __init__(
        self,
        root: str,
        languages: Sequence[Literal["english", "mandarin"]] = ("english",),
        split: Literal["official", "speaker"] = "official",
        seed: int = 0,
    ) -> None:
        if not languages or set(languages) - set(_LANGUAGES) or len(set(languages)) < len(languages):
            raise ValueError(f"languages is {list(languages)}, expected some of {list(_LANGUAGES)}")
        if split not in ("official", "speaker"):
            raise ValueError(f"split is {split!r}, expected 'official' or 'speaker'")
        self.name = "esd"
        self.root, self.languages, self.split, self.seed = Path(root), tuple(languages), split, seed

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
            found += self._split([u for speaker in present for u in self._speaker(speaker, _TAGS[language])])
        return found

    def _split(self, utterances: list[Utterance]) -> list[Utterance]:
        if self.split == "official":
            return utterances
        try:
            splits = split_by_group([utterance.speaker for utterance in utterances], seed=self.seed)
        except ValueError as error:
            raise ValueError(f"{self.root}: split by speaker: {error}") from None
        return [utterance._replace(split=split) for utterance, split in zip(utterances, splits, strict=True)]

    def _speaker(self, speaker: str, tag: str) -> list[Utterance]:
        folder = self.root / speaker
        texts = _transcript(folder / f"{speaker}.txt")
        found = []
        for name, emotion in _EMOTIONS.items():
            files = self._files(required_folder(folder / name, "its audio files", _SOURCE))
            if not files:
                raise FileNotFoundError(f"{folder / name}: no audio file; expected {speaker}_000001.wav and so on")
            if len(files) != _SENTENCES:
                _log.warning("%s: %d audio files instead of %d", folder / name, len(files), _SENTENCES)
            for path, split in files:
                text = texts.get(path.stem, "")
                found.append(Utterance(path.stem, path, emotion, speaker, split, text, tag))
        untold = sum(not utterance.text for utterance in found)
        if untold:
            _log.warning("%s: %d utterances are not in the transcript", folder, untold)
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
    match = re.fullmatch(r"\d{4}_(\d{6})", path.stem)
    if match is None or int(match[1]) < 1:
        raise ValueError(f"{path}: expected a name like 0001_000351.wav")
    sentence = (int(match[1]) - 1) % _SENTENCES + 1
    return "validation" if sentence <= 20 else "test" if sentence <= 50 else "train"


def _transcript(path: Path) -> dict[str, str]:
    """Return the text of each utterance: lines of id, text and emotion, separated by tabs or spaces."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no transcript; expected lines of id, text and emotion; {_SOURCE}")
    texts = {}
    for line in read_text(path, "gb18030").splitlines():
        words = re.split(r"\t+", line.strip()) if "\t" in line.strip() else line.split(maxsplit=1)
        if len(words) == 2 and "\t" not in line:
            words = [words[0], *words[1].rsplit(maxsplit=1)]
        if len(words) >= 2:
            texts[words[0].strip()] = words[1].strip()
    return texts
