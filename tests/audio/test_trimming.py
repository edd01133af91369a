import numpy as np
import pytest
import soundfile
import torch
from fake.corpora import write_tone

from emoquant.audio.trimming import speech_span, trimmed
from emoquant.data.cutting import cut_to_speech
from emoquant.data.index import entry_key
from emoquant.data.manifest import ManifestCorpus
from emoquant.data.ravdess import RAVDESS

RATE = 16_000


def tone(seconds=1.0, level=0.3):
    return (level * np.sqrt(2) * np.sin(2 * np.pi * 200 * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def padded(samples, before=0.5, after=0.75):
    return np.concatenate([np.zeros(round(before * RATE)), samples, np.zeros(round(after * RATE))]).astype(np.float32)


def noise(seconds, level, seed=0):
    samples = np.random.default_rng(seed).standard_normal(round(seconds * RATE))
    return (level * samples).astype(np.float32)


def seconds(span):
    return [edge / RATE for edge in span]


@pytest.mark.parametrize("scale", [1e-3, 1.0, 40.0], ids=["soft", "plain", "loud"])
def test_a_tone_between_silences_is_found_to_a_window(scale):
    assert seconds(speech_span(scale * padded(tone()), RATE)) == pytest.approx([0.5, 1.5], abs=0.02)


@pytest.mark.parametrize(("level", "kept"), [(-25.0, True), (-35.0, False)])
def test_the_threshold_is_so_many_db_below_the_loudest(level, kept):
    faint = padded(np.concatenate([tone(), tone(0.5, 0.3 * 10 ** (level / 20))]))
    assert seconds(speech_span(faint, RATE)) == pytest.approx([0.5, 2.0 if kept else 1.5], abs=0.02)
    assert seconds(speech_span(faint, RATE, below=20.0)) == pytest.approx([0.5, 1.5], abs=0.02)


@pytest.mark.parametrize("snr", [40.0, 30.0, 20.0])
def test_noise_is_not_taken_for_speech(snr):
    noisy = padded(tone())
    noisy = noisy + noise(len(noisy) / RATE, 0.3 * 10 ** (-snr / 20))
    assert seconds(speech_span(noisy, RATE)) == pytest.approx([0.5, 1.5], abs=0.02)


def test_soft_speech_stays_where_there_is_no_noise():
    steps = [tone(0.3, 0.3 * 10 ** (-down / 20)) for down in (28, 20, 0, 10, 20, 28)]
    assert seconds(speech_span(padded(np.concatenate(steps)), RATE)) == pytest.approx([0.5, 2.3], abs=0.02)


def test_an_offset_is_no_sound():
    assert seconds(speech_span(padded(tone()) + 0.2, RATE)) == pytest.approx([0.5, 1.5], abs=0.02)


def test_clipped_speech_is_cut_like_speech():
    assert seconds(speech_span(np.clip(padded(20 * tone()), -1, 1), RATE)) == pytest.approx([0.5, 1.5], abs=0.02)


@pytest.mark.parametrize(
    "samples",
    [np.zeros(RATE, np.float32), noise(1.0, 1e-3), tone(0.05), padded(np.full(32, 0.9))],
    ids=["silence", "noise", "short", "click"],
)
def test_what_has_no_speech_is_kept_whole(samples):
    assert speech_span(samples, RATE) == (0, len(samples))


def test_none_cuts_nothing_and_nonsense_is_named():
    waveform = torch.from_numpy(padded(tone()))
    assert trimmed(waveform, RATE, None) is waveform
    assert len(trimmed(waveform, RATE)) == pytest.approx(RATE, abs=640)
    for wrong in (0.0, -30.0, float("nan")):
        with pytest.raises(ValueError, match="expected how many dB below the loudest"):
            speech_span(waveform.numpy(), RATE, wrong)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trimming")
    soundfile.write(folder / "a.wav", np.concatenate([padded(tone()), padded(tone())]), RATE, subtype="FLOAT")
    soundfile.write(folder / "b.wav", tone(), RATE, subtype="FLOAT")
    (folder / "c.wav").write_bytes(b"no audio")
    (folder / "m.csv").write_text(
        "path,emotion,speaker,start,end,split\na.wav,sad,x,,,train\na.wav,sad,x,0.25,2.0,train\n"
        "a.wav,sad,x,2.0,,train\nb.wav,sad,x,,,train\nc.wav,sad,x,,,train\n"
    )
    return str(folder / "m.csv")


def test_a_manifest_is_cut_within_start_and_end(manifest):
    whole, cut = ManifestCorpus(manifest).utterances(), ManifestCorpus(manifest, trim=30.0).utterances()
    assert [(u.start, u.end) for u in whole] == [(0, None), (0.25, 2), (2, None), (0, None), (0, None)]
    times = [(u.start, u.end) for u in cut]
    assert times[:3] == [pytest.approx(span, abs=0.02) for span in [(0.5, 3.75), (0.5, 1.5), (2.75, 3.75)]]
    assert times[3:] == [(0, None), (0, None)], "nothing to cut, and what cannot be read is left to who needs it"
    assert [u.id for u in cut] == [u.id for u in whole]


def test_features_of_cut_and_whole_recordings_have_different_keys(manifest):
    keys = [
        entry_key(bytes(16), utterance.start, utterance.end)
        for trim in (None, 30.0)
        for utterance in ManifestCorpus(manifest, trim=trim).utterances()[:3]
    ]
    assert len(set(keys)) == 6


def test_ravdess_is_cut_unless_told_otherwise(tmp_path):
    for actor in ("01", "02", "03", "04"):
        path = tmp_path / f"Actor_{actor}" / f"03-01-05-01-01-01-{actor}.wav"
        write_tone(path)
        soundfile.write(path, padded(tone()), RATE)
    assert all(u.start > 0.4 and u.end < 1.6 for u in RAVDESS(str(tmp_path)).utterances())
    assert all((u.start, u.end) == (0.0, None) for u in RAVDESS(str(tmp_path), trim=None).utterances())
    with pytest.raises(ValueError, match="trim is -1"):
        RAVDESS(str(tmp_path), trim=-1)


def test_nothing_to_cut_is_the_same_table(manifest):
    table = ManifestCorpus(manifest).utterances()
    assert cut_to_speech(table, None) is table
