"""Tokenizers of speech: they give codes, and nothing is decoded."""

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from emoquant.audio_codecs.base import Clip, digest
from emoquant.storage.documents import require_mapping
from emoquant.storage.files import read_text
from emoquant.storage.tensors import read_array

#: Seconds by which tokens may be fewer or more than their utterance has; three frames at least.
_TOLERANCE = 0.1


class Tokenizer(ABC):
    """Turns speech into frames of codes. Probes measure what the codes keep (``emoquant bits``).

    Attributes:
        name: Name in the tables.
        codewords: Values of each code of a frame; one number for each place in the frame.
        frame_rate: Frames a second.
    """

    name: str
    codewords: tuple[int, ...]
    frame_rate: float

    @property
    def bits_per_frame(self) -> float:
        """Bits of a frame where every code is sent in ``log2 K`` bits."""
        return float(np.log2(self.codewords).sum())

    @abstractmethod
    def tokens(self, clips: Sequence[Clip], sample_rate: int = 16_000) -> list[Tensor]:
        """Return the codes of utterances, ``(T, P)`` int64 each; those of one do not depend on the others.

        Args:
            clips: Utterances.
            sample_rate: Samples a second of their waveforms.

        Raises:
            ValueError: An utterance has no codes.
        """

    @abstractmethod
    def fingerprint(self) -> str:
        """Return a hex digest of everything that the codes depend on."""


class TokenFolder(Tokenizer):
    """Reads tokens that another program wrote into a folder: S3 tokens of CosyVoice, semantic tokens, units.

    Three formats are read, and may be mixed:

    - ``<name>.npy``: integers ``(T,)``, or ``(T, P)`` for P codes a frame;
    - ``<name>.txt``: one frame a line, P integers with spaces between them;
    - ``*.jsonl`` or ``part_1_of_4``: an utterance a line, ``{"key": name, "code": [...]}``, as the program
      ``s3tokenizer`` writes them.

    A name is the utterance's id or the stem of its audio file. Tokens are of the utterance, or of the whole file that
    the corpus cuts it out of.

    Args:
        folder: The folder.
        codewords: Values of a code (6,561 for S3 v2), or a list of them, one for each code of a frame.
        frame_rate: Frames of codes a second (25 for S3 v2).
        name: Name in the tables; the folder's by default.

    Raises:
        ValueError: A number is out of range.
    """

    def __init__(self, folder: str, codewords: int | list[int], frame_rate: float, name: str | None = None) -> None:
        self.codewords = (codewords,) if isinstance(codewords, int) else tuple(codewords)
        if not self.codewords or min(self.codewords) < 2 or not frame_rate > 0:
            raise ValueError(f"codewords must be at least 2 and frame_rate positive, got {codewords} and {frame_rate}")
        self.folder, self.frame_rate, self.name = Path(folder), frame_rate, name or Path(folder).name

    @cached_property
    def _places(self) -> Mapping[str, tuple[Path, Any]]:
        """File and, for a line of JSON, codes of each name.

        Raises:
            FileNotFoundError: There is no folder, or no tokens in it.
            ValueError: A file is damaged, or two hold tokens of one name.
        """
        if not self.folder.is_dir():
            raise FileNotFoundError(f"no folder {self.folder}: expected tokens, a .npy or .txt file an utterance")
        found: dict[str, tuple[Path, Any]] = {}
        for path in sorted(self.folder.rglob("*")):
            for name, codes in _named(path) if path.is_file() else ():
                if name in found:
                    raise ValueError(f"{found[name][0]} and {path} both have tokens of {name!r}: keep one of them")
                found[name] = path, codes
        if not found:
            raise FileNotFoundError(f"{self.folder} holds no tokens: expected .npy, .txt or .jsonl files")
        return found

    def tokens(self, clips: Sequence[Clip], sample_rate: int = 16_000) -> list[Tensor]:
        """Return the codes of utterances; see :meth:`Tokenizer.tokens`.

        Raises:
            FileNotFoundError: Tokens are missing; the message names the first utterance.
            ValueError: A file is damaged, holds a code out of range, or is longer or shorter than its utterance.
        """
        missing = [clip.name for clip in clips if self._find(clip) is None]
        if missing:
            raise FileNotFoundError(
                f"{self.folder} lacks the tokens of {len(missing)} utterances, the first is {missing[0]!r}: expected "
                f"{missing[0]}.npy or .txt, or a file named like the utterance's own"
            )
        return [self._read(clip, len(clip.waveform) / sample_rate) for clip in clips]

    def _find(self, clip: Clip) -> tuple[Path, Any] | None:
        return self._places.get(clip.name) or self._places.get(clip.path.stem)

    def _read(self, clip: Clip, seconds: float) -> Tensor:
        path, codes = self._find(clip) or (Path(), None)
        frames = self._checked(path, _read_file(path) if codes is None else _as_array(codes, path))
        first, count = round(clip.start * self.frame_rate), round(seconds * self.frame_rate)
        slack = max(_TOLERANCE * self.frame_rate, 3.0)
        if first and len(frames) >= first + count - slack:  # the whole file that the utterance is cut out of
            frames = frames[first : first + max(count, 1)]
        if abs(len(frames) - count) > slack or not len(frames):
            raise ValueError(
                f"{path} has {len(frames)} frames of tokens ({len(frames) / self.frame_rate:.2f} s) of {clip.name!r}, "
                f"which is {seconds:.2f} s long: check frame_rate ({self.frame_rate:g}), and tokenize it whole"
            )
        return torch.from_numpy(frames)

    def _checked(self, path: Path, codes: np.ndarray) -> np.ndarray:
        """Return codes ``(T, P)`` int64 that are within the codebooks."""
        places = len(self.codewords)
        frames = codes.reshape(-1, 1) if codes.ndim == 1 else codes
        if frames.ndim != 2 or frames.shape[1] != places or not len(frames):
            raise ValueError(
                f"{path}: tokens of shape {codes.shape}, expected (frames, {places}): {places} codes a frame, as "
                "codewords says"
            )
        if frames.dtype.kind not in "iu":
            raise ValueError(f"{path}: tokens are of the type {frames.dtype}, expected integers")
        wrong = (frames < 0) | (frames >= np.array(self.codewords))
        if wrong.any():
            frame, place = np.argwhere(wrong)[0].tolist()
            raise ValueError(
                f"{path}: token {frames[frame, place]} in frame {frame}, expected 0 to {self.codewords[place] - 1}: "
                "check codewords"
            )
        return frames.astype(np.int64)

    def fingerprint(self) -> str:
        """Return a digest of the files' names, sizes and times of change."""
        states = sorted({(str(path), os.stat(path).st_size, os.stat(path).st_mtime_ns) for path, _ in
                         self._places.values()})  # fmt: skip
        return digest(self.codewords, self.frame_rate, states)


def _named(path: Path) -> Iterator[tuple[str, Any]]:
    """Yield the names that a file has tokens of, with the tokens of a line of JSON."""
    if path.suffix.lower() in (".npy", ".txt"):
        yield path.stem, None
    elif path.suffix.lower() == ".jsonl" or (path.name.startswith("part_") and "_of_" in path.name):
        for number, line in enumerate(read_text(path).splitlines(), start=1):
            try:
                content = require_mapping(json.loads(line), f"{path}, line {number}", "key", "code")
            except (json.JSONDecodeError, RecursionError) as error:
                raise ValueError(f"{path}, line {number} is no JSON: {error}") from error
            yield str(content["key"]), content["code"]


def _read_file(path: Path) -> np.ndarray:
    if path.suffix.lower() == ".npy":
        found: np.ndarray = read_array(path)
        return found
    return _as_array([line.split() for line in read_text(path).splitlines() if line.strip()], path)


def _as_array(rows: Any, path: Path) -> np.ndarray:  # noqa: ANN401 - whatever the file holds
    """Return lists of integers, or of their texts, as an array ``(T,)`` or ``(T, P)``."""
    try:
        found = np.array(rows)
        return found if found.dtype.kind in "iu" else np.array(rows, np.int64)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"{path}: tokens are no integers, as many in each frame ({error})") from error
