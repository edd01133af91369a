"""EmoDB, the Berlin database: ten actors, ten German sentences, seven emotions.

F. Burkhardt, A. Paeschke, M. Rolfes, W. Sendlmeier, B. Weiss: A database of German emotional speech. Interspeech 2005.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from emoquant.data.base import Corpus, Utterance
from emoquant.data.folders import audio_files, check_ids, compare_count, required_folder
from emoquant.data.splits import split_by_policy

_SOURCE = "get it from http://emodb.bilderbar.info/download/ and unpack it there"
_EMOTIONS = {
    **{"W": "angry", "L": "boredom", "E": "disgust", "A": "fear"},
    **{"F": "happy", "T": "sad", "N": "neutral"},
}
#: Utterances, and the speakers' numbers.
_PUBLISHED = 535
_SPEAKERS = {"03", *(f"{number:02d}" for number in range(8, 17))}
_TEXTS = {
    "a01": "Der Lappen liegt auf dem Eisschrank.",
    "a02": "Das will sie am Mittwoch abgeben.",
    "a04": "Heute abend könnte ich es ihm sagen.",
    "a05": "Das schwarze Stück Papier befindet sich da oben neben dem Holzstück.",
    "a07": "In sieben Stunden wird es soweit sein.",
    "b01": "Was sind denn das für Tüten, die da unter dem Tisch stehen?",
    "b02": "Sie haben es gerade hochgetragen und jetzt gehen sie wieder runter.",
    "b03": "An den Wochenenden bin ich jetzt immer nach Hause gefahren und habe Agnes besucht.",
    "b09": "Ich will das eben wegbringen und dann mit Karl was trinken gehen.",
    "b10": "Die wird auf dem Platz sein, wo wir sie immer hinlegen.",
}


class EmoDB(Corpus):
    """EmoDB in its folder ``wav/03a01Fa.wav``: speaker, sentence, emotion (a German letter) and version.

    Args:
        root: Folder that holds ``wav``.
        split: What is held out: ``"speaker"``, ``"text"`` or ``"both"``.
        seed: Chooses it.

    Raises:
        ValueError: The split is unknown.
    """

    def __init__(self, root: str, split: Literal["speaker", "text", "both"] = "speaker", seed: int = 0) -> None:
        if split not in ("speaker", "text", "both"):
            raise ValueError(f"split is {split!r}, expected 'speaker', 'text' or 'both'")
        self.name = "emodb"
        self.root, self.split, self.seed = Path(root), split, seed

    def utterances(self) -> Sequence[Utterance]:
        """Return the utterances by name; see the base class."""
        folder = required_folder(self.root / "wav", "files like 03a01Fa.wav", _SOURCE)
        found = [self._utterance(path) for path in audio_files(folder)]
        if not found:
            raise FileNotFoundError(f"{folder}: no file like 03a01Fa.wav; {_SOURCE}")
        check_ids(self.name, found)
        compare_count(folder, len(found), _PUBLISHED, "utterances")
        speakers, texts = [u.speaker for u in found], [u.text for u in found]
        splits = split_by_policy(self.split, speakers, texts, 0.2, 0.1, self.seed)
        return [utterance._replace(split=split) for utterance, split in zip(found, splits, strict=True)]

    @staticmethod
    def _utterance(path: Path) -> Utterance:
        match = re.fullmatch(r"(\d\d)([ab]\d\d)([WLEAFTN])([a-z])", path.stem)
        if match is None or match[1] not in _SPEAKERS or match[2] not in _TEXTS:
            raise ValueError(f"{path}: expected a name like 03a01Fa.wav; remove other files")
        return Utterance(path.stem, path, _EMOTIONS[match[3]], match[1], "", _TEXTS[match[2]], "de")
