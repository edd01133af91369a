"""MELD: utterances of the series Friends, seven emotions, with its own split.

S. Poria, D. Hazarika, N. Majumder, G. Naik, E. Cambria, R. Mihalcea: MELD: A Multimodal Multi-Party Dataset for Emotion
Recognition in Conversations. ACL 2019.
"""

from collections.abc import Iterator, Sequence

from emoquant.audio.containers import AUDIO_SUFFIXES
from emoquant.data.base import Utterance
from emoquant.data.manifest import ManifestCorpus
from emoquant.data.sheet import Sheet, column_named, csv_sheet

_SOURCE = "get MELD.Raw.tar.gz from https://affective-meld.github.io and unpack it, and its three archives, there"
#: Split -> the table of its utterances, and the folders that its clips lie in.
_PARTS = {
    "train": ("train_sent_emo.csv", ("train_splits", "train/train_splits", "train")),
    "validation": ("dev_sent_emo.csv", ("dev_splits_complete", "dev/dev_splits_complete", "dev")),
    "test": ("test_sent_emo.csv", ("output_repeated_splits_test", "test/output_repeated_splits_test", "test")),
}
_NUMBERS = ("Dialogue_ID", "Utterance_ID")
_COLUMNS = {"text": "Utterance", "speaker": "Speaker", "emotion": "Emotion"}


class MELD(ManifestCorpus):
    """MELD as it is unpacked, its clips as audio: ``train_splits/dia0_utt0.wav`` beside ``train_sent_emo.csv``.

    The clips come as video (.mp4), which is not read: ``ffmpeg -i dia0_utt0.mp4 -ac 1 -ar 16000 dia0_utt0.wav`` makes
    audio of one. An utterance is ``train_splits~dia0_utt0``; the actors speak in all three parts.

    Args:
        root: Folder of the three tables and of the folders of clips.
        trim: How many dB below its loudest 20 ms an utterance begins and ends; by default nothing is cut.

    Raises:
        ValueError: ``trim`` is not positive.
    """

    def __init__(self, root: str, trim: float | None = None) -> None:
        super().__init__(root, root, "meld", columns=_COLUMNS, split="column", trim=trim)

    def utterances(self) -> Sequence[Utterance]:
        """Return the utterances of the three parts, training first; see the base class."""
        return self._checked()

    def _sheets(self) -> Iterator[Sheet]:
        for split, (name, folders) in _PARTS.items():
            path = next((each for each in (self.root / name, *self.root.glob(f"*/{name}")) if each.is_file()), None)
            if path is None:
                raise FileNotFoundError(f"{self.root}: no {name} in it or in a folder of it; {_SOURCE}")
            folder = next((folder for folder in folders if self._clips(folder)), None)
            if folder is None:
                raise FileNotFoundError(
                    f"{self.root}: none of {', '.join(folders)} has audio like dia0_utt0.wav; {_SOURCE}, and make "
                    "audio of the clips: ffmpeg -i dia0_utt0.mp4 -ac 1 -ar 16000 dia0_utt0.wav"
                )
            yield self._with_paths(csv_sheet(path, (*_NUMBERS, *_COLUMNS.values())), folder, split)

    def _clips(self, folder: str) -> dict[str, str]:
        """Return the audio files of a folder by their names without ending."""
        paths = (self.root / folder).glob("dia*")
        return {path.stem: path.name for path in paths if path.suffix.lower() in AUDIO_SUFFIXES}

    def _with_paths(self, sheet: Sheet, folder: str, split: str) -> Sheet:
        missing = [name for name in _NUMBERS if column_named(sheet.header, name) is None]
        if missing:
            raise ValueError(f"{sheet.file}: no column {missing}; the file has {sheet.header}; {_SOURCE}")
        at = [sheet.header.index(column_named(sheet.header, name) or "") for name in _NUMBERS]
        there = self._clips(folder)

        def lines() -> Iterator[tuple[int, list[str]]]:
            for number, cells in sheet.lines:
                dialogue, utterance = (cells[place] if place < len(cells) else "" for place in at)
                name = f"dia{dialogue}_utt{utterance}"
                yield number, [*cells, f"{folder}/{there.get(name, name + '.wav')}", split]

        return Sheet(sheet.file, [*sheet.header, "path", "split"], lines())
