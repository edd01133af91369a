"""Items on disk: one ``.npz`` file an utterance, made where it is missing or out of date."""

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from emoquant.console.progress import tracked
from emoquant.data.base import Utterance
from emoquant.storage.files import whole_file
from emoquant.storage.tensors import read_arrays
from emoquant.voice.data.aligners import Aligner
from emoquant.voice.data.items import Analysis, VoiceItem, make_item

#: Bad utterances that an error names before it only counts them.
_NAMED = 10


class CorpusError(ValueError):
    """Utterances that cannot be used for synthesis; the message names them."""


class ItemCache:
    """Items of utterances in a folder, one for each way to analyse them.

    A file is written under another name, flushed and renamed, so an interruption leaves no half item; one that is
    damaged, or whose audio, text, alignment or settings changed, is made again.

    Args:
        cache_dir: Items lie in ``CACHE_DIR/voice/``.
        aligner: Where phones and times come from.
        analysis: How mel and F0 are computed.
    """

    def __init__(self, cache_dir: str | Path, aligner: Aligner, analysis: Analysis) -> None:
        self.folder = Path(cache_dir) / "voice"
        self.aligner, self.analysis = aligner, analysis
        self._settings = json.dumps(
            [1, analysis.mel.to_dict(), analysis.f0_floor, analysis.f0_ceiling, aligner.front_end], sort_keys=True
        )

    def path(self, utterance: Utterance) -> Path:
        """Return the file of an utterance's item."""
        end = utterance.end if utterance.end is not None else ""
        what = f"{os.path.abspath(utterance.path)}|{utterance.start}|{end}|{utterance.id}|{self._settings}"
        name = hashlib.blake2b(what.encode(), digest_size=16).hexdigest()
        return self.folder / name[:2] / f"{name[2:]}.npz"

    def read(self, utterance: Utterance) -> VoiceItem | None:
        """Return the item of an utterance; None where there is none that is sound and up to date."""
        try:
            arrays = read_arrays(self.path(utterance))
            if str(arrays["stamp"]) != self._stamp(utterance):
                return None
            symbols = str(arrays["symbols"]).split("\n")
            return VoiceItem(symbols, *(arrays[name] for name in VoiceItem._fields[1:]))
        except (FileNotFoundError, KeyError, ValueError):
            return None

    def fill(self, utterances: Sequence[Utterance], rank: int = 0, world_size: int = 1, progress: bool = True) -> int:
        """Make what the cache lacks of this rank's share, and return how many items that were.

        Raises:
            CorpusError: Utterances cannot be used; the message names them, everything else is in the cache.
            ImportError: A package that alignment or F0 needs is not installed.
        """
        lacking = [utterance for utterance in utterances[rank::world_size] if self.read(utterance) is None]
        failures: list[str] = []
        for utterance in tracked(lacking, len(lacking), "analysing speech", shown=progress and rank == 0):
            if problem := self.make(utterance):
                failures.append(f"{utterance.id}: {problem}")
        if failures:
            more = f"\n... and {len(failures) - _NAMED} more" if len(failures) > _NAMED else ""
            raise CorpusError(
                f"{len(failures)} of {len(lacking)} utterances cannot be used for synthesis (the others are cached); "
                "see them all with: python -m emoquant check-data\n" + "\n".join(failures[:_NAMED]) + more
            )
        return len(lacking)

    def make(self, utterance: Utterance) -> str:
        """Make an item; return what is wrong with the utterance, or nothing."""
        try:
            item = make_item(utterance, self.aligner, self.analysis)
        except (ValueError, FileNotFoundError, RuntimeError) as error:
            return str(error)
        self._write(self.path(utterance), item, self._stamp(utterance))
        return ""

    def _stamp(self, utterance: Utterance) -> str:
        found = utterance.path.stat()
        return f"{found.st_size}:{found.st_mtime_ns}:{self.aligner.stamp(utterance)}"

    @staticmethod
    def _write(path: Path, item: VoiceItem, stamp: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        arrays = {**item._asdict(), "symbols": np.array("\n".join(item.symbols)), "stamp": np.array(stamp)}
        with whole_file(path) as partial, partial.open("wb") as file:
            np.savez(file, **arrays)
