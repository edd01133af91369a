"""EmoBox: metadata of 32 corpora of emotional speech, with their folds, as lines of JSON.

Z. Ma et al.: EmoBox: Multilingual Multi-corpus Speech Emotion Recognition Toolkit and Benchmark. Interspeech 2024.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch.utilities import rank_zero_warn

from emoquant.data.base import Utterance
from emoquant.data.manifest import ManifestCorpus
from emoquant.data.sheet import Sheet, json_sheet, with_column
from emoquant.data.splits import split_at_random
from emoquant.devices.sharding import Share
from emoquant.labels import canonical_emotion
from emoquant.storage.documents import read_json, require_mapping

#: Split -> how EmoBox spells it in the names of its files.
_PARTS = {"train": "train", "validation": "valid", "test": "test"}
_COLUMNS = {"path": "wav", "emotion": "emo", "id": "key", "start": "start_time", "end": "end_time"}


class EmoBox(ManifestCorpus):
    """One corpus in one fold of EmoBox's metadata: ``data/iemocap/fold_1/iemocap_train_fold_1.jsonl``.

    Where a fold has no validation part, a fifth of the utterances of every emotion of its training part is drawn for
    it, as EmoBox does. The speakers are not named in the metadata: the folds hold them apart, intervals cannot.

    Args:
        dataset: Name of the corpus in EmoBox, ``"iemocap"``.
        fold: Number of the fold, from 1.
        metadata: Folder ``data`` of EmoBox's repository.
        root: Folder that the paths of the metadata (``downloads/iemocap/...``) are relative to.
        emotions: Labels of the metadata with what they mean, before the corpus's ``label_map.json``. What that map
            names and :mod:`emoquant.labels` does not know is ``other``, with a warning.
        seed: Draws the validation part.
        trim: How many dB below its loudest 20 ms an utterance begins and ends; by default nothing is cut.

    Raises:
        ValueError: An emotion has no name here, or ``trim`` is not positive.
    """

    def __init__(
        self,
        dataset: str,
        fold: int = 1,
        metadata: str = "data/EmoBox/data",
        root: str = "data/EmoBox",
        emotions: dict[Any, str] | None = None,
        seed: int = 0,
        trim: float | None = None,
    ) -> None:
        self.dataset, self.fold, self.own_names = dataset, fold, emotions or {}
        folder = Path(metadata) / dataset
        super().__init__(str(folder), root, dataset, columns=_COLUMNS, split="column", seed=seed, trim=trim)

    def utterances(self) -> Sequence[Utterance]:
        """Return the utterances of the fold, training part first; see the base class."""
        if not self._file("train").is_file():
            raise FileNotFoundError(
                f"{self._file('train')}: no such file; expected the metadata of EmoBox: get the folder data of "
                "https://github.com/emo-box/EmoBox, and name a corpus and a fold that it has"
            )
        self.emotions = self._label_map() | self.own_names
        found = self._checked()
        splits = list(found.names("split"))
        if "validation" in splits:
            return found
        train = [row for row, split in enumerate(splits) if split == "train"]
        ids, emotions = found.strings("id"), found.names("emotion")
        drawn = split_at_random([ids[row] for row in train], [emotions[row] for row in train], seed=self.seed)
        for row, part in zip(train, drawn, strict=True):
            splits[row] = "validation" if part == "test" else "train"
        return found.with_splits(splits)

    def own_folds(self) -> int:
        """Return the number of folds of the metadata."""
        return sum(path.is_dir() for path in self.manifest.glob("fold_*"))

    def utterances_in(self, fold: Share) -> Sequence[Utterance]:
        """Return the utterances in a fold of the metadata, fold 1 for number 0.

        Raises:
            ValueError: The metadata have another number of folds.
        """
        if fold.total != self.own_folds():
            raise ValueError(
                f"{self.manifest} has {self.own_folds()} folds, not {fold.total}: ask for as many as there are"
            )
        self.fold = fold.number + 1
        return self.utterances()

    def _sheets(self) -> Iterator[Sheet]:
        for split in _PARTS:
            if (path := self._file(split)).is_file():
                sheet = json_sheet(path, ("start_time", "end_time"))
                yield with_column(sheet, "split", split)

    def _file(self, split: str) -> Path:
        name = f"{self.dataset}_{_PARTS[split]}_fold_{self.fold}.jsonl"
        return self.manifest / f"fold_{self.fold}" / name

    def _label_map(self) -> dict[Any, str]:
        path = self.manifest / "label_map.json"
        named = require_mapping(read_json(path), path) if path.is_file() else {}
        meanings, others = dict[Any, str](), list[str]()
        for label, name in named.items():
            try:
                meanings[label] = canonical_emotion(str(name))
            except ValueError:
                meanings[label] = "other"
                others += [str(name)] if label not in self.own_names else []
        if others:
            rank_zero_warn(
                f"{path}: {', '.join(sorted(set(others)))} count as other; name them: emotions: {{LABEL: NAME}}"
            )
        return meanings
