"""RAVDESS: 24 actors, two sentences, eight emotions.

S. R. Livingstone, F. A. Russo: The Ryerson Audio-Visual Database of Emotional Speech and Song. PLoS ONE 13 (5), 2018.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from emoquant.audio.trimming import TRIM, require_threshold
from emoquant.data.base import Corpus, Utterance
from emoquant.data.cutting import cut_to_speech
from emoquant.data.folders import audio_files, check_ids, compare_count, required_folder, subfolders
from emoquant.data.splits import split_by_group
from emoquant.storage.files import say_left_out

_SOURCE = "get Audio_Speech_Actors_01-24.zip from https://zenodo.org/record/1188976 and unpack it there"
_EMOTIONS = {
    **{"01": "neutral", "02": "calm", "03": "happy", "04": "sad", "05": "angry"},
    **{"06": "fear", "07": "disgust", "08": "surprise"},
}
_TEXTS = {"01": "Kids are talking by the door.", "02": "Dogs are sitting by the door."}
_NAME = re.compile(r"(0[123])-(0[12])-(0[1-8])-(0[12])-(0[12])-(0[12])-(\d\d)")
#: Audio files of speech and of song that were published.
_SPOKEN, _SUNG = 1_440, 1_012


class RAVDESS(Corpus):
    """RAVDESS in its folders ``Actor_01/03-01-06-01-02-01-01.wav``, audio only.

    A file's name gives modality, channel, emotion, intensity, sentence, repetition and actor. Sound tracks of the
    videos (01-..., 02-...) are the same recordings again and left out, as are songs. Speakers are held out. As
    published the files have about a second of silence before and after the sentence; it is cut unless ``trim`` is None.

    Args:
        root: Folder that holds ``Actor_01`` to ``Actor_24``.
        song: Whether sung utterances are taken too.
        seed: Chooses the held-out speakers.
        trim: How many dB below its loudest 20 ms an utterance begins and ends; None leaves files whole.

    Raises:
        ValueError: ``trim`` is not positive.
    """

    def __init__(self, root: str, song: bool = False, seed: int = 0, trim: float | None = TRIM) -> None:
        require_threshold(trim)
        self.name = "ravdess"
        self.root, self.song, self.seed, self.trim = Path(root), song, seed, trim

    def utterances(self) -> Sequence[Utterance]:
        """Return the utterances by actor and name; see the base class."""
        required_folder(self.root, "the folders Actor_01 to Actor_24", _SOURCE)
        folders = [folder for folder in subfolders(self.root) if re.fullmatch(r"Actor_\d\d", folder.name)]
        paths = [path for folder in folders for path in audio_files(folder, (".wav", ".flac", ".mp4"))]
        names = {path: _fields(path) for path in paths}
        videos = [path.name for path in paths if names[path][0] != "03"]
        say_left_out(self.root, videos, "videos or their sound tracks")
        songs = [path.name for path in paths if names[path][:2] == ("03", "02")]
        if not self.song:
            say_left_out(self.root, songs, "songs")
        taken = [path for path in paths if path.name not in {*videos, *(() if self.song else songs)}]
        if not taken:
            raise FileNotFoundError(f"{self.root}: no file like Actor_01/03-01-06-01-02-01-01.wav; {_SOURCE}")
        found = [self._utterance(path, *names[path][2:]) for path in taken]
        check_ids(self.name, found)
        sung = sum(names[path][1] == "02" for path in taken)
        compare_count(self.root, len(found) - sung, _SPOKEN, "utterances")
        if self.song:
            compare_count(self.root, sung, _SUNG, "songs")
        splits = split_by_group([utterance.speaker for utterance in found], seed=self.seed)
        return cut_to_speech([u._replace(split=split) for u, split in zip(found, splits, strict=True)], self.trim)

    @staticmethod
    def _utterance(path: Path, emotion: str, _intensity: str, text: str, _repetition: str, actor: str) -> Utterance:
        if path.parent.name != f"Actor_{actor}":
            raise ValueError(f"{path} is of Actor_{actor} by its name, of {path.parent.name} by its folder; move it")
        return Utterance(path.stem, path, _EMOTIONS[emotion], f"Actor_{actor}", "", _TEXTS[text], "en")


def _fields(path: Path) -> tuple[str, ...]:
    match = _NAME.fullmatch(path.stem)
    if match is None:
        raise ValueError(f"{path}: expected a name like 03-01-06-01-02-01-01.wav; remove other files")
    return match.groups()
