"""CREMA-D: 91 actors, 12 sentences, six emotions, with the votes of about ten raters for each clip.

H. Cao et al.: CREMA-D: crowd-sourced emotional multimodal actors dataset. IEEE Trans. Affective Computing 5 (4), 2014.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from emoquant.data.base import Corpus, Utterance
from emoquant.data.folders import audio_files, check_ids, compare_count, required_folder
from emoquant.data.splits import split_by_group
from emoquant.storage.csv_files import read_csv
from emoquant.storage.files import say_left_out

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
#: Published with nearly no sound in them, or (1064_IEO_DIS_MD) with one sentence in every emotion.
_UNUSABLE = {"1076_MTI_NEU_XX", "1076_MTI_SAD_XX", "1064_TIE_SAD_XX", "1064_IEO_DIS_MD"}
_PUBLISHED = 7_442


class CREMAD(Corpus):
    """CREMA-D with ``AudioWAV/1001_IEO_ANG_HI.wav`` and the votes of ``processedResults/tabulatedVotes.csv``.

    The emotion is what the actor was asked for. Speakers are held out. Four clips that were published with nearly no
    sound or with several emotions in them are left out.

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
        present = audio_files(folder)
        paths = [path for path in present if path.stem not in _UNUSABLE]
        if not paths:
            raise FileNotFoundError(f"{folder}: no file like 1001_IEO_ANG_HI.wav; {_SOURCE}")
        found = [self._utterance(path, votes) for path in paths]
        check_ids(self.name, found)
        say_left_out(folder, [p.name for p in present if p.stem in _UNUSABLE], "published without usable sound")
        compare_count(folder, len(present), _PUBLISHED, "clips")
        splits = split_by_group([utterance.speaker for utterance in found], seed=self.seed)
        return [utterance._replace(split=split) for utterance, split in zip(found, splits, strict=True)]

    def _read_votes(self) -> dict[str, dict[str, float]]:
        path = self.root / "processedResults" / "tabulatedVotes.csv"
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no table of votes; {_SOURCE}")
        votes = {}
        for line, row in read_csv(path, ("", "fileName", *_VOTES), "table of votes (as published)"):
            if row[""].startswith(_MODALITIES[self.votes]):
                try:
                    counts = {emotion: float(row[letter]) for letter, emotion in _VOTES.items()}
                except ValueError as error:
                    raise ValueError(f"{path}, line {line}: votes that are no numbers: {error}") from None
                if not all(0 <= count < 1000 for count in counts.values()):
                    raise ValueError(f"{path}, line {line}: votes {list(counts.values())}, expected counts")
                if row["fileName"] in votes:
                    raise ValueError(f"{path}, line {line}: {row['fileName']} has votes before; remove one")
                votes[row["fileName"]] = {emotion: count for emotion, count in counts.items() if count}
        return votes

    @staticmethod
    def _utterance(path: Path, votes: Mapping[str, dict[str, float]]) -> Utterance:
        match = re.fullmatch(r"(\d{4})_([A-Z]{3})_([A-Z]{3})_(LO|MD|HI|XX|X)", path.stem)
        if match is None or match[2] not in _TEXTS or match[3] not in _EMOTIONS:
            raise ValueError(f"{path}: expected a name like 1001_IEO_ANG_HI.wav; remove other files")
        text, emotion = _TEXTS[match[2]], _EMOTIONS[match[3]]
        return Utterance(path.stem, path, emotion, match[1], "", text, "en", votes=votes.get(path.stem, {}))
