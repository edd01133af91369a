"""Ogg streams get a serial number of the project's own, and stay what they were."""

import io
import struct

import numpy as np
import pytest
import soundfile
from listening_world import RATE, tone

from emoquant.site.ogg import with_serial
from emoquant.site.sounds import Soundbank


def stream(subtype="OPUS"):
    file = io.BytesIO()
    soundfile.write(file, 0.1 * np.sin(np.arange(40_000) / 9), 16_000, format="OGG", subtype=subtype)
    return file.getvalue()


@pytest.mark.parametrize("subtype", ["OPUS", "VORBIS"])
def test_the_number_alone_is_changed(subtype):
    given = stream(subtype)
    drawn = struct.unpack("<I", given[14:18])[0]
    assert with_serial(given, drawn) == given, "libogg's own checksums"
    changed = with_serial(given, 77)
    assert changed != given
    assert with_serial(changed, drawn) == given
    assert np.array_equal(soundfile.read(io.BytesIO(changed))[0], soundfile.read(io.BytesIO(given))[0])


@pytest.mark.parametrize("form", ["opus", "mp3", "flac"])
def test_a_site_writes_a_sound_in_the_same_bytes_every_time(form, tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(200, 0.5, 0.2), RATE)
    written = []
    for name in ("one", "other"):
        bank = Soundbank(form)
        bank.add(tmp_path / "a.wav")
        bank.write(tmp_path / name)
        written.append({path.relative_to(tmp_path / name): path.read_bytes() for path in (tmp_path / name).glob("*/*")})
    assert len(written[0]) == 2
    assert written[0] == written[1]


def test_what_is_no_ogg_is_refused():
    with pytest.raises(ValueError, match="no page of an Ogg stream at byte 0"):
        with_serial(b"RIFF" + b"\0" * 60, 1)
