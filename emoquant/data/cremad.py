"""CREMA-D: 91 actors, 12 sentences, six emotions, with the votes of about ten raters for each clip.

H. Cao et al.: CREMA-D: crowd-sourced emotional multimodal actors dataset. IEEE Trans. Affective Computing 5 (4), 2014.
"""

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from emoquant.data.base import Corpus, Utterance
from emoquant.data.folders import audio_files, required_folder
from emoquant.data.splits import split_by_group

_SOURCE = "get it from https://github.com/CheyneyComputerScience/CREMA-D (git lfs)"
_EMOTIONS = {"ANG": "angry", "DIS": "disgust", "FEA": "fear", "HAP": "happy", "NEU": "neutral", "SAD": "sad"}
_VOTES = {"A": "angry", "D": "disgust", "F": "fear", "H": "happy", "N": "neutral", "S": "sad"}
_TEXTS = {
    "DFA": "Don't forget a jacket.",
    "IEO": "It's eleven o'clock.",
    "IOM": "I'm on my way to the meeting.",
    "ITH": "I think I have a doctor's appointment.",
    "ITS": "I think I've seen this before.",
    "IWL": "I would like a new alarm clock.",
    "IWW": "I wonder what this is about.",
    "MTI": "Maybe tomorrow it will be cold.",
    "TAI": "The airplane is almost full.",
    "TIE": "That is exactly what happened.",
    "TSI": "The surface is slick.",
    "WSI": "We'll stop in a couple of minutes.",
}
#: First digit of a row's number in the table of votes: what the raters saw or heard.
_MODALITIES = {"voice": "1", "face": "2", "audiovisual": "3"}
#: Published without a sound in it.
_SILENT = {"1076_MTI_SAD_XX"}


class CREMAD(Corpus):
    """CREMA-D with ``AudioWAV/1001_IEO_ANG_HI.wav`` and the votes of ``processedResults/tabulatedVotes.csv``.

    The emotion is what the actor was asked for. Speakers are held out. The clip ``1076_MTI_SAD_XX``, which was
    published without sound, is left out.

    Args:
        root: Folder that holds ``AudioWAV`` and ``processedResults``.
        votes: Whose votes: raters who heard the ``"voice"``, saw the ``"face"`` or both (``"audiovisual"``).
        seed: Chooses the held-out speakers.

    Raises:
        ValueError: The kind of votes is unknown.
    """

    def __init__(self, root: str, votes: Literal["voice", "face", "audiovisual"] = "voice", seed: int = 0) -> None:
        if votes not in _MODALITIES:
            raise ValueError(f"votes is {votes!r}, expected one of {list(_MODALITIES)}")
        self.name = "cremad"
        self.root, self.votes, self.seed = Path(root), votes, seed

    def utterances(self) -> Sequence[Utterance]:
        """Return the utterances by name; see the base class."""
        folder = required_folder(self.root / "AudioWAV", "files like 1001_IEO_ANG_HI.wav", _SOURCE)
        votes = self._read_votes()
        paths = [path for path in audio_files(folder) if path.stem not in _SILENT]
        if not paths:
            raise FileNotFoundError(f"{folder}: no file like 1001_IEO_ANG_HI.wav; {_SOURCE}")
        found = [self._utterance(path, votes) for path in paths]
        splits = split_by_group([utterance.speaker for utterance in found], seed=self.seed)
        return [utterance._replace(split=split) for utterance, split in zip(found, splits, strict=True)]

    def _read_votes(self) -> dict[str, dict[str, float]]:
        path = self.root / "processedResults" / "tabulatedVotes.csv"
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no table of votes; {_SOURCE}")
        votes = {}
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            missing = {"", "fileName", *_VOTES} - set(reader.fieldnames or ())
            if missing:
                raise ValueError(f"{path}: no column {sorted(missing)}; expected the published table of votes")
            for row in reader:
                if row[""].startswith(_MODALITIES[self.votes]):
                    counts = {emotion: float(row[letter]) for letter, emotion in _VOTES.items()}
                    votes[row["fileName"]] = {emotion: count for emotion, count in counts.items() if count}
        return votes

    @staticmethod
    def _utterance(path: Path, votes: Mapping[str, dict[str, float]]) -> Utterance:
        match = re.fullmatch(r"(\d{4})_([A-Z]{3})_([A-Z]{3})_(LO|MD|HI|XX|X)", path.stem)
        if match is None or match[2] not in _TEXTS or match[3] not in _EMOTIONS:
            raise ValueError(f"{path}: expected a name like 1001_IEO_ANG_HI.wav; remove other files")
        text, emotion = _TEXTS[match[2]], _EMOTIONS[match[3]]
        return Utterance(path.stem, path, emotion, match[1], "", text, "en", votes=votes.get(path.stem, {}))
