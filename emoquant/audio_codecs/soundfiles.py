"""Opus and MP3, as libsndfile writes and reads them."""

import io
from abc import abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import numpy as np
import soundfile
import torch

from emoquant.audio.containers import BITRATES, id3_size, mp3_frame
from emoquant.audio_codecs.base import AudioCodec, Clip, CodedClip, checked_points, digest

#: Samples that LAME and a decoder of MP3 delay by: 576 + 529.
_MP3_DELAY = 1105


class FileCodec(AudioCodec):
    """Writes audio files to memory and reads them back, the utterances of a batch in parallel threads."""

    writes_files = True

    def code(self, clips: Sequence[Clip], point: float) -> list[CodedClip]:
        """Code and decode utterances; see :meth:`AudioCodec.code`."""
        with ThreadPoolExecutor(min(8, len(clips))) as pool:  # libsndfile lets other threads run
            return list(pool.map(lambda clip: self._one(clip, point), clips))

    def _one(self, clip: Clip, point: float) -> CodedClip:
        data = self.write(clip.waveform.clamp(-1, 1).cpu().numpy(), point)
        samples, _ = soundfile.read(io.BytesIO(data), dtype="float32")
        return CodedClip(torch.from_numpy(samples)[self.lag(data) :], 8.0 * self.payload(data), 8.0 * len(data))

    @abstractmethod
    def write(self, samples: np.ndarray, point: float) -> bytes:
        """Return the bytes of a file of mono samples ``(N,)`` in [-1, 1] at a bit rate."""

    @abstractmethod
    def payload(self, data: bytes) -> int:
        """Return the bytes of a file that are coded sound, not container."""

    def lag(self, data: bytes) -> int:
        """Return the samples at the beginning that a reader of the file does not take away by itself."""
        return 0


class Opus(FileCodec):
    """Codes with Opus (RFC 6716) in Ogg files, 16 kHz mono.

    Args:
        bits_per_second: Target rates, 6,000 to 256,000. Opus codes at a variable rate: what it really spends is
            measured as the bytes of its packets. Headers are not counted: in an Ogg file of two seconds they would
            be nearly 1 kbit/s.
        name: Name in the tables.

    Raises:
        ValueError: A rate is out of range.
    """

    _LOW, _HIGH = 6000.0, 256_000.0

    def __init__(
        self, bits_per_second: Sequence[float] = (8000, 12_000, 16_000, 24_000, 32_000, 64_000), name: str = "opus"
    ) -> None:
        self.name = name
        self.points = checked_points(bits_per_second, self._LOW, self._HIGH, "Opus")

    def write(self, samples: np.ndarray, point: float) -> bytes:
        """Return an Ogg Opus file; see :meth:`FileCodec.write`."""
        level = (self._HIGH - point) / (self._HIGH - self._LOW)
        return _written(samples, self.sample_rate, "OGG", "OPUS", level)

    def payload(self, data: bytes) -> int:
        """Return the bytes of the packets behind the two headers."""
        return sum(ogg_packets(data)[2:])

    def fingerprint(self) -> str:
        """Return a digest of the library's version."""
        return digest("opus", soundfile.__libsndfile_version__)


class MP3(FileCodec):
    """Codes with MP3 (MPEG-2 Layer III) at a constant bit rate, 16 kHz mono.

    Args:
        bits_per_second: Rates, 8,000 to 160,000; the nearest one that the format has is taken.
        name: Name in the tables.

    Raises:
        ValueError: A rate is out of range.
    """

    def __init__(self, bits_per_second: Sequence[float] = (16_000, 32_000, 64_000), name: str = "mp3") -> None:
        self.name = name
        self.points = checked_points(bits_per_second, 8000, 160_000, "MP3 at 16 kHz")

    def write(self, samples: np.ndarray, point: float) -> bytes:
        """Return an MP3 file; see :meth:`FileCodec.write`."""
        rate = min(BITRATES[2][1:], key=lambda each: abs(1000 * each - point))
        return _written(
            samples, self.sample_rate, "MP3", "MPEG_LAYER_III", min(0.999, (160 - rate) / (160 - 8)), "CONSTANT"
        )

    def payload(self, data: bytes) -> int:
        """Return the bytes of the frames, without that of the encoder's notes."""
        return sum(mp3_frames(data))

    def lag(self, data: bytes) -> int:
        """Return the codec's delay where the file has no notes that say it: they do not fit into low rates."""
        return 0 if mp3_frames(data)[0] == 0 else _MP3_DELAY

    def fingerprint(self) -> str:
        """Return a digest of the library's version."""
        return digest("mp3", soundfile.__libsndfile_version__)


def _written(
    samples: np.ndarray, rate: int, container: str, kind: str, level: float, mode: Literal["CONSTANT"] | None = None
) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, kind, format=container, compression_level=level, bitrate_mode=mode)
    return file.getvalue()


def ogg_packets(data: bytes) -> list[int]:
    """Return the bytes of each packet of an Ogg stream (RFC 3533).

    Args:
        data: The file.

    Raises:
        ValueError: It is none.
    """
    packets, open_packet, place = [], 0, 0
    while place < len(data):
        if data[place : place + 4] != b"OggS":
            raise ValueError("no Ogg stream: a page does not begin where the last one ends")
        segments = data[place + 27 : place + 27 + data[place + 26]]
        for length in segments:
            open_packet += length
            if length < 255:
                packets.append(open_packet)
                open_packet = 0
        place += 27 + len(segments) + sum(segments)
    return packets


def mp3_frames(data: bytes) -> list[int]:
    """Return the bytes of each frame of an MP3 file, without a first frame that only holds the encoder's notes.

    Args:
        data: The file; a tag (ID3) in front or behind is left out.

    Raises:
        ValueError: It has no frames.
    """
    place = id3_size(data[:10])
    frames: list[int] = []
    while length := mp3_frame(data[place : place + 4]):
        notes = not frames and any(mark in data[place : place + 64] for mark in (b"Xing", b"Info"))
        frames.append(0 if notes else length)
        place += length
    if not frames:
        raise ValueError("no MP3 frames in the file")
    return frames
