"""The local page: what it does with a recording, and that it stays on this machine."""

import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from jsonargparse import ArgumentParser
from spoken_world import DIM, BandEncoder, LoudestHead, corpus, pull_codec, random_voice, speech_data

from emoquant.app.atlas import atlas_of, chart
from emoquant.app.drawing import draw_map
from emoquant.app.workbench import CHARACTERS, LONGEST, REMEMBERED, Workbench
from emoquant.audio import AudioError
from emoquant.commands.app import app
from emoquant.data.module import EmotionDataModule
from emoquant.origin import Origin
from emoquant.tts.synthesis import Synthesizer

EMOTIONS = ("angry", "happy", "sad")


def clouds():
    """Vectors of three emotions, apart in the first two dimensions."""
    torch.manual_seed(0)
    labels = torch.arange(3).repeat_interleave(20)
    centres = torch.zeros(3, DIM)
    centres[0, 0], centres[1, 0], centres[2, 1] = 10, -10, 7
    return chart(EMOTIONS, centres[labels] + 0.1 * torch.randn(60, DIM), labels), centres


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    path = tmp_path_factory.mktemp("recorded") / "speech.wav"
    time = np.arange(16_000) / 16_000
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * 220 * time) * (1 + np.sin(9 * time)), 16_000)
    return path


def bench(**more):
    return Workbench(BandEncoder(), [pull_codec(), pull_codec(name="other")], clouds()[0], LoudestHead(), **more)


def test_the_map_keeps_what_differs():
    atlas, centres = clouds()
    between = torch.cdist(centres, centres)
    shown = atlas.place(atlas.centroids)
    assert torch.cdist(shown, shown) == pytest.approx(between, abs=0.2)
    assert atlas.axes @ atlas.axes.T == pytest.approx(torch.eye(2), abs=1e-5)
    assert float(atlas.explained.sum()) > 0.99
    similar = atlas.similarities(torch.tensor([3.0] + [0.0] * (DIM - 1)))
    assert max(similar, key=similar.get) == "angry"
    with pytest.raises(ValueError, match="none of sad"):
        chart(EMOTIONS, torch.randn(4, DIM), torch.tensor([0, 0, 1, 1]))


def test_a_map_of_a_corpus(tmp_path):
    data = EmotionDataModule(corpus(tmp_path), BandEncoder(), cache_dir=str(tmp_path))
    atlas = atlas_of(data)
    assert atlas.emotions == tuple(data.emotions)
    assert len(atlas.points) == len(data.dataset("train"))
    vectors = [
        batch.features[row, :length].mean(0)
        for batch in data.reference_dataloader()
        for row, length in enumerate(batch.lengths.tolist())
    ]
    assert atlas.mean == pytest.approx(torch.stack(vectors).mean(0), abs=1e-4)


def test_a_recording_is_coded_at_every_lambda(recording):
    made = bench()
    hearing = made.hear(recording, "pull")
    assert hearing.points == (0.0, 1.0, 9.0)
    assert hearing.after[0].vector == pytest.approx(hearing.before.vector)
    lengths = [float(emotion.vector.norm()) for emotion in hearing.after]
    assert lengths == sorted(lengths, reverse=True)
    assert made.hear(recording, "pull") is hearing, "nothing is computed twice"
    assert made.heard_as(hearing.before) in LoudestHead.labels
    figure = draw_map(made.atlas, hearing, 2)
    star = made.atlas.place(hearing.before.vector)
    assert any(
        np.allclose(part.get_offsets(), star) for part in figure.axes[0].collections if len(part.get_offsets()) == 1
    )
    assert "at \u03bb 9" in figure.axes[0].get_legend().get_texts()[1].get_text()


def test_a_recording_is_cut_to_its_speech(recording, tmp_path):
    samples, rate = soundfile.read(recording)
    soundfile.write(tmp_path / "padded.wav", np.pad(samples, 8_000), rate)
    lengths = [
        len(bench(trim=trim).hear(path, "other").before.frames)
        for trim in (30.0, None)
        for path in (recording, tmp_path / "padded.wav")
    ]
    assert lengths[0] == pytest.approx(lengths[1], abs=1)
    assert lengths[3] > 1.8 * lengths[2] > 1.8 * lengths[0] - 2


def test_recordings_are_limited(tmp_path):
    made = bench()
    soundfile.write(tmp_path / "long.wav", np.ones(int((LONGEST + 1) * 8000)) * 0.1, 8000)
    with pytest.raises(AudioError, match="at most 30 s"):
        made.hear(tmp_path / "long.wav", "pull")
    (tmp_path / "text.wav").write_text("this is no sound")
    with pytest.raises(AudioError, match="unreadable"):
        made.hear(tmp_path / "text.wav", "pull")
    for number in range(REMEMBERED + 3):
        soundfile.write(tmp_path / f"{number}.wav", np.full(1600, 0.01 * (number + 1)), 16_000)
        made.hear(tmp_path / f"{number}.wav", "pull")
    assert len(made._heard) == REMEMBERED
    with pytest.raises(ValueError, match="different names"):
        Workbench(BandEncoder(), [pull_codec(), pull_codec()], made.atlas)


def test_the_shipped_configuration_fits_the_command():
    parser = ArgumentParser()
    parser.add_function_arguments(app)
    parser.add_argument("--config", action="config")
    options = parser.parse_args(["--config", "configs/app/rendered.yaml", "--voice", "null"])
    assert options.host == "127.0.0.1"
    assert [codec.init_args.name for codec in options.codecs] == ["balanced"]


def test_an_encoder_without_a_head_has_a_page_too(tmp_path, monkeypatch):
    class NoPage:
        def __init__(self, bench):
            benches.append(bench)

        def launch(self, *_):
            return ""

    benches = []
    monkeypatch.setattr("emoquant.commands.app.Page", NoPage)
    rest = {"corpora": corpus(tmp_path), "encoder": BandEncoder(), "codecs": [pull_codec()], "cache_dir": str(tmp_path)}
    with pytest.warns(UserWarning, match="without recognition: no head"):
        app(**rest)
    own = LoudestHead()
    app(**rest, classifier=own)
    assert [bench.head for bench in benches] == [None, own]
    own.origin = Origin("another", "0" * 16)
    with pytest.raises(ValueError, match="the classifier"):
        app(**rest, classifier=own)


def test_something_is_said(recording, tmp_path):
    data = speech_data(tmp_path)
    data.prepare_data()
    data.setup()
    made = bench(synthesizer=Synthesizer(random_voice(data), data.encoder))
    hearing = made.hear(recording, "pull")
    speaker = made.synthesizer.voice.facts.speakers[0]
    text = data.dataset("train").utterances[0].text
    plain = made.speak(text, hearing.before, speaker)
    again = made.speak(text, hearing.after[0], speaker)
    assert torch.equal(plain.waveform, again.waveform), "lambda 0 of a codec that changes nothing"
    for text in ("  ", "a" * (CHARACTERS + 1)):
        with pytest.raises(ValueError, match="characters"):
            made.speak(text, hearing.before, speaker)
    with pytest.raises(ValueError, match="no voice"):
        bench().speak("A boat.", hearing.before, None)


def test_the_page_stays_on_this_machine(recording):
    gradio = pytest.importorskip("gradio", reason="the extra `app` is not installed")
    from emoquant.app.page import Page

    page = Page(bench())
    said, figure, table = page.show(str(recording), "pull", 2)
    assert "\u03bb = 9" in said
    assert figure.axes
    assert [row[0] for row in table][:2] == ["heard as", "similarity to angry"]
    assert page.show(None, "pull", 99)[2] == []
    with pytest.raises(gradio.Error, match=r"unreadable|no such"):
        page.show(str(Path(recording).parent / "missing.wav"), "pull", 0)
    address = page.launch(wait=False)
    try:
        assert address.startswith("http://127.0.0.1:")
        text = urllib.request.urlopen(address, timeout=20).read().decode()
        assert "fonts.googleapis.com" not in text
        assert "Quantize an emotion" in text
    finally:
        page.blocks.close()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(address, timeout=5)
