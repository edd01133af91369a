"""Decoded files of any other codec, read from a folder."""

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from emoquant.audio.containers import AUDIO_SUFFIXES
from emoquant.audio.loading import read_audio
from emoquant.audio_codecs.base import AudioCodec, Clip, CodedClip, digest

#: Seconds by which a decoded file may be shorter or longer than its utterance: the frames of codecs.
_TOLERANCE = 0.1


class DecodedFolder(AudioCodec):
    """Reads utterances that another program coded and decoded: one audio file each, in a folder.

    A file is ``FOLDER/<id>.wav`` or ``FOLDER/<stem of the audio file>.wav``, in any audio format and sampling rate. It
    holds the utterance, or the whole recording that the corpus cuts the utterance out of.

    Args:
        folder: The folder.
        bits_per_second: Bits a second that the codec spent.
        name: Name in the tables; the folder's by default.
        delay_seconds: By how much the files lag behind the originals.

    Raises:
        ValueError: A number is out of range.
    """

    def __init__(
        self, folder: str, bits_per_second: float, name: str | None = None, delay_seconds: float = 0.0
    ) -> None:
        if bits_per_second <= 0 or not 0 <= delay_seconds < 1:
            raise ValueError(
                "bits_per_second must be positive and delay_seconds from 0 to 1, got "
                f"{bits_per_second}, {delay_seconds}"
            )
        self.folder, self.name = Path(folder), name or Path(folder).name
        self.points = (float(bits_per_second),)
        self.delay = round(delay_seconds * self.sample_rate)

    @cached_property
    def _files(self) -> dict[str, Path]:
        """Files by stem.

        Raises:
            FileNotFoundError: There is no folder, or no audio in it.
            ValueError: Two files have one stem.
        """
        if not self.folder.is_dir():
            raise FileNotFoundError(f"no folder {self.folder}: expected decoded audio, a file for each utterance")
        found: dict[str, Path] = {}
        for path in sorted(self.folder.rglob("*")):
            if path.suffix.lower() in AUDIO_SUFFIXES:
                if path.stem in found:
                    raise ValueError(
                        f"{found[path.stem]} and {path} are named alike: keep one decoded file an utterance"
                    )
                found[path.stem] = path
        if not found:
            raise FileNotFoundError(f"{self.folder} holds no audio: expected a decoded file for each utterance")
        return found

    def code(self, clips: Sequence[Clip], point: float) -> list[CodedClip]:
        """Read the decoded files of utterances; see :meth:`AudioCodec.code`.

        Raises:
            FileNotFoundError: Files are missing; the message names them.
            ValueError: A file is longer or shorter than its utterance.
        """
        missing = [clip.name for clip in clips if self._find(clip) is None]
        if missing:
            raise FileNotFoundError(
                f"{self.folder} lacks the decoded files of {len(missing)} utterances, the first is {missing[0]!r}: "
                f"expected {missing[0]}.wav, or a file named like the utterance's own"
            )
        found = []
        for clip in clips:
            waveform = self._read(clip)
            found.append(CodedClip(waveform, point * len(clip.waveform) / self.sample_rate))
        return found

    def _find(self, clip: Clip) -> Path | None:
        return self._files.get(clip.name) or self._files.get(clip.path.stem)

    def _read(self, clip: Clip) -> Tensor:
        path = self._find(clip)
        assert path is not None
        waveform = read_audio(path, sample_rate=self.sample_rate)
        begin = round(clip.start * self.sample_rate)
        if begin and len(waveform) >= begin + len(clip.waveform):  # the whole file that the utterance is cut out of
            waveform = waveform[begin : begin + len(clip.waveform) + self.delay]
        late = (len(waveform) - self.delay - len(clip.waveform)) / self.sample_rate
        if abs(late) > _TOLERANCE:
            raise ValueError(
                f"{path} has {len(waveform) / self.sample_rate:.2f} s, its utterance {clip.name!r} "
                f"{len(clip.waveform) / self.sample_rate:.2f} s: decode it whole, or say how late it is (delay_seconds)"
            )
        return waveform.to(torch.float32)

    def fingerprint(self) -> str:
        """Return a digest of the files' names, sizes and times of change."""
        states = [(stem, os.stat(path).st_size, os.stat(path).st_mtime_ns) for stem, path in self._files.items()]
        return digest(self.points, self.delay, states)
