"""The base class of audio codecs: waveforms in, waveforms out, with their bits, and codes where a codec has codes."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from emoquant.audio.loading import resampled


class Clip(NamedTuple):
    """An utterance to be coded.

    Attributes:
        name: Its id in the corpus.
        path: Its audio file.
        waveform: Its samples, ``(N,)`` float32 in [-1, 1].
        start: Where it begins in the file, in seconds.
    """

    name: str
    path: Path
    waveform: Tensor
    start: float = 0.0


class CodedClip(NamedTuple):
    """A decoded utterance with the bits that were spent on it.

    Attributes:
        waveform: Decoded samples, ``(N,)`` float32.
        bits: Bits of the stream, without the container of a file.
        file_bits: Bits of the file, with its container; NaN where there is no file.
        codes: Codes, ``(T, P)`` int64 in ``[0, K)``, in the order of decoding; None where there are none.
    """

    waveform: Tensor
    bits: float
    file_bits: float = float("nan")
    codes: Tensor | None = None


class AudioCodec(ABC):
    """Codes and decodes waveforms at some bit rates.

    A subclass writes :meth:`code` at its own sampling rate. :meth:`recode` resamples to that rate and back, takes the
    delay away and restores the length. The constructor reads no weights; they are read on first use.

    Attributes:
        name: Name in the tables.
        points: Nominal bits a second of each operating point.
        sample_rate: Samples a second that :meth:`code` takes and gives.
        delay: Samples (at that rate) by which the output lags behind the input.
        codewords: Values ``K`` of a code; 0 for a codec without codes.
        writes_files: Whether it writes files, whose containers cost bits, too.
        device: Where a model computes.
    """

    name: str
    points: tuple[float, ...]
    sample_rate: int = 16_000
    delay: int = 0
    codewords: int = 0
    writes_files: bool = False
    device: torch.device = torch.device("cpu")

    @abstractmethod
    def code(self, clips: Sequence[Clip], point: float) -> list[CodedClip]:
        """Code and decode utterances at one operating point. The result for one does not depend on the others.

        Args:
            clips: Utterances at the codec's sampling rate.
            point: One of :attr:`points`.

        Raises:
            ValueError: A clip cannot be coded.
        """

    @abstractmethod
    def fingerprint(self) -> str:
        """Return a hex digest of everything that the decoded audio depends on: settings and weights."""

    def recode(self, clips: Sequence[Clip], point: float, sample_rate: int = 16_000) -> list[CodedClip]:
        """Code and decode utterances, and return them with the sampling rate, length and delay of the input.

        Args:
            clips: Utterances, at least one sample each.
            point: One of :attr:`points`.
            sample_rate: Samples a second of the utterances and of the result.

        Raises:
            ValueError: The point is none of the codec's, an utterance is empty, or what comes out is not finite.
        """
        if point not in self.points:
            raise ValueError(f"codec {self.name!r} has no operating point {point:g}; it has {_listed(self.points)}")
        if empty := [clip.name for clip in clips if not len(clip.waveform)]:
            raise ValueError(f"utterance {empty[0]!r} has no samples, which codec {self.name!r} needs: leave it out")
        inner = [clip._replace(waveform=resampled(clip.waveform, sample_rate, self.sample_rate)) for clip in clips]
        found = []
        for clip, coded in zip(clips, self.code(inner, point), strict=True):
            back = resampled(coded.waveform.float().cpu()[self.delay :], self.sample_rate, sample_rate)
            if not bool(back.isfinite().all()):
                raise ValueError(
                    f"codec {self.name!r} gave samples of {clip.name!r} that are not finite: check its weights"
                )
            found.append(coded._replace(waveform=fitted(back, len(clip.waveform))))
        return found


def fitted(waveform: Tensor, samples: int) -> Tensor:
    """Return samples ``(N,)`` cut, or filled with zeros, to a length.

    Example:
        >>> fitted(torch.ones(3), 5).tolist(), fitted(torch.ones(3), 2).tolist()
        ([1.0, 1.0, 1.0, 0.0, 0.0], [1.0, 1.0])
    """
    return torch.nn.functional.pad(waveform[:samples], (0, max(0, samples - len(waveform))))


def digest(*parts: object) -> str:
    """Return a hex digest of settings."""
    return hashlib.sha256("|".join(str(part) for part in parts).encode()).hexdigest()


def checked_points(points: Sequence[float], low: float, high: float, what: str) -> tuple[float, ...]:
    """Return bit rates as floats in their order, after a check that the codec has them.

    Args:
        points: Bits a second.
        low: Lowest.
        high: Highest.
        what: Name of the codec.

    Raises:
        ValueError: There is none, or one is out of range.
    """
    if not points or not all(low <= point <= high for point in points):
        raise ValueError(f"{what} takes {low:g} to {high:g} bits a second, got {_listed(points)}")
    return tuple(float(point) for point in points)


def _listed(points: Sequence[float]) -> str:
    return ", ".join(f"{point:g}" for point in points) or "none"
