"""The sounds of a site: each unique one once, compressed, at one loudness, with its picture."""

import hashlib
import io
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from emoquant.audio.decoding import AudioError, decode_audio
from emoquant.site.loudness import loudness
from emoquant.site.ogg import with_serial
from emoquant.site.pictures import f0_contour, picture, spectrogram

Format = Literal["opus", "mp3", "flac"]

#: Loudness that the sounds are brought to, in LUFS, and the least to which one with high peaks may draw the others.
TARGET, LOWEST = -20.0, -30.0
#: Highest sample after that, in dB of full scale.
CEILING = -1.0
#: Sample rates that Opus takes.
_OPUS_RATES = (8_000, 12_000, 16_000, 24_000, 48_000)
#: How the formats are written by libsndfile. 32 kbit/s of Opus are (256 - 32) / 250 on its scale from 256 to 6.
_WRITERS: dict[str, dict[str, Any]] = {
    "opus": {"format": "OGG", "subtype": "OPUS", "compression_level": 0.896},
    "mp3": {"format": "MP3", "subtype": "MPEG_LAYER_III", "compression_level": 0.5},
    "flac": {"format": "FLAC", "subtype": "PCM_16"},
}
_ENDINGS = {"opus": "ogg", "mp3": "mp3", "flac": "flac"}


class Sound(NamedTuple):
    """One sound of a site.

    Attributes:
        id: Digest of its samples; its files are ``sounds/<id>.ogg`` and ``spectra/<id>.png``.
        seconds: Length.
        level: Loudness of the original above that of the site's sounds, in LU; NaN for silence.
        f0: Fundamental frequency every 20 ms, in Hz, 0 where unvoiced; None where WORLD is not installed.
    """

    id: str
    seconds: float
    level: float
    f0: list[int] | None


class Soundbank:
    """Collects audio files and writes each unique one once.

    Args:
        form: Compression.

    Attributes:
        target: Loudness of the written sounds, in LUFS.
        short: How many stay below it.

    Raises:
        ValueError: libsndfile cannot write the format.
    """

    def __init__(self, form: Format = "opus") -> None:
        if form not in _WRITERS or _WRITERS[form]["subtype"] not in soundfile.available_subtypes(
            _WRITERS[form]["format"]
        ):
            raise ValueError(f"this libsndfile does not write {form!r}: choose one of {', '.join(_WRITERS)}")
        self.form = form
        self._files: dict[Path, str] = {}
        self._unique: dict[str, Path] = {}
        self.target, self.short = TARGET, 0

    @property
    def ending(self) -> str:
        """Ending of the sounds' names, without the dot."""
        return _ENDINGS[self.form]

    def add(self, path: Path) -> str:
        """Return the id of a file's sound.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It cannot be read or holds no samples.
        """
        if path not in self._files:
            samples, rate = read(path)
            digest = hashlib.sha256(f"{rate}:".encode() + (samples * 32767).round().astype("<i2").tobytes())
            self._files[path] = digest.hexdigest()[:16]
            self._unique.setdefault(self._files[path], path)
        return self._files[path]

    def write(self, folder: Path) -> dict[str, Sound]:
        """Write all sounds, their pictures beside them, and return them by id.

        All are brought to one loudness without clipping: :data:`TARGET`, or as much less as the highest peaks demand. A
        sound whose peaks would demand more than :data:`LOWEST` stays below it.

        Args:
            folder: Folder of the site; ``sounds`` and ``spectra`` are made in it.
        """
        for name in ("sounds", "spectra"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        found = {}
        measured = {name: _measured(path) for name, path in self._unique.items()}
        self.target = common_loudness(measured.values())
        self.short = 0
        for name, path in self._unique.items():
            samples, rate = read(path)
            level, peak = measured[name]
            gain = 0.0 if math.isinf(level) else min(self.target - level, CEILING - peak)
            self.short += not math.isinf(level) and gain < self.target - level - 0.01
            sound = self._encoded(name, samples * np.float32(10 ** (gain / 20)), rate)
            (folder / "sounds" / f"{name}.{self.ending}").write_bytes(sound)
            (folder / "spectra" / f"{name}.png").write_bytes(picture(spectrogram(samples, rate)))
            own = math.nan if math.isinf(level) else level - self.target
            found[name] = Sound(name, len(samples) / rate, own, f0_contour(samples, rate))
        return found

    def _encoded(self, name: str, samples: npt.NDArray[np.float32], rate: int) -> bytes:
        """Return a sound as its file holds it: the same bytes whenever it is written."""
        if self.form == "opus" and rate not in _OPUS_RATES:
            samples, rate = soxr.resample(samples, rate, 48_000), 48_000
        file = io.BytesIO()
        soundfile.write(file, samples, rate, **_WRITERS[self.form])
        return with_serial(file.getvalue(), int(name[:8], 16)) if self.form == "opus" else file.getvalue()


def common_loudness(measured: Iterable[tuple[float, float]]) -> float:
    """Return the loudness, in LUFS, to which sounds can be brought without clipping, between LOWEST and TARGET.

    Args:
        measured: Loudness in LUFS and peak in dB of each sound.

    Example:
        >>> common_loudness([(-30.0, -6.0), (-20.0, -0.5)])
        -25.0
    """
    reachable = [level + CEILING - peak for level, peak in measured if not math.isinf(level)]
    return max(LOWEST, min([TARGET, *reachable]))


def read(path: Path) -> tuple[npt.NDArray[np.float32], int]:
    """Return the samples of a file, ``(N,)`` float32 in [-1, 1], channels averaged, and its rate.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It cannot be read or holds no samples.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no sound at {path}: render the clips of its manifest again")
    try:
        samples, rate = decode_audio(path)
    except AudioError as error:
        raise ValueError(f"{error}; render it again") from error
    return samples.clip(-1, 1), rate


def _measured(path: Path) -> tuple[float, float]:
    """Return loudness in LUFS and peak in dB of full scale."""
    samples, rate = read(path)
    peak = float(np.abs(samples).max())
    return loudness(samples, rate), 20 * math.log10(peak) if peak > 0 else -math.inf
