"""The local page: what it does with a recording, and that it stays on this machine."""

import functools
import json
import os
import signal
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
import soundfile
import torch
import yaml
from spoken_world import DIM, BandEncoder, LoudestHead, corpus, pull_codec, random_voice, speech_data

from emoquant.app.atlas import atlas_of, chart
from emoquant.app.drawing import draw_map
from emoquant.app.workbench import CHARACTERS, LONGEST, REMEMBERED, Workbench
from emoquant.audio.loading import AudioError
from emoquant.commands.app import POINTS, app
from emoquant.commands.parsing import call
from emoquant.data.module import EmotionDataModule
from emoquant.storage.origin import Origin
from emoquant.voice.tts.synthesis import Synthesizer

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


class NoPage:
    """Keeps what would be shown."""

    shown: ClassVar = []

    def __init__(self, bench):
        self.shown.append(bench)

    def launch(self, *_):
        return ""


@pytest.fixture
def shown(monkeypatch):
    monkeypatch.setattr("emoquant.commands.app.Page", NoPage)
    monkeypatch.setattr(NoPage, "shown", [])
    return NoPage.shown


@pytest.fixture
def words(tmp_path):
    """The data of a small corpus and an encoder without a head, as words of the command line."""
    rendered = {"voices": ["en-us"], "sentences": 3, "cache_dir": str(tmp_path)}
    corpora = {"class_path": "emoquant.data.RenderedCorpus", "init_args": rendered}
    init = {"corpora": corpora, "cache_dir": str(tmp_path)}
    path = tmp_path / "data.yaml"
    path.write_text(yaml.safe_dump({"class_path": "emoquant.data.EmotionDataModule", "init_args": init}))
    return {"data": str(path), "encoder": "spoken_world.BandEncoder", "folder": tmp_path / "runs"}


def test_the_shipped_configuration_fits_the_command():
    given = {}

    @functools.wraps(app)
    def asked(**options):
        given.update(options)

    call(asked, "app", ["--config", "configs/app/rendered.yaml", "--port", "7861"])
    assert (given["host"], given["port"], given["voice"]) == ("127.0.0.1", 7861, "checkpoints/tts-toy")
    assert (given["encoder"], given["folder"]) == (None, Path("runs"))
    assert given["codecs"] is None, "the folder's codec, or the shipped one"


def test_an_encoder_without_a_head_has_a_page_too(words, shown):
    rest = {**words, "codecs": [pull_codec()]}
    with pytest.warns(UserWarning, match="goes without recognition: .*no head.*emoquant fit probe --folder"):
        app(**rest)
    own = LoudestHead()
    app(**rest, classifier=own)
    assert [bench.head for bench in shown] == [None, own]
    own.origin = Origin("another", "0" * 16)
    with pytest.raises(ValueError, match="the classifier"):
        app(**rest, classifier=own)


def test_without_codecs_the_folders_own_is_shown_else_the_shipped_one(tmp_path, monkeypatch, shown):
    opened = []
    monkeypatch.setattr("emoquant.commands.app.open_data", lambda begun: SimpleNamespace(encoder=None, emotions=[]))
    monkeypatch.setattr("emoquant.commands.app.atlas_of", lambda module: None)
    monkeypatch.setattr("emoquant.commands.app.open_codecs", lambda *args: opened.append(args))
    monkeypatch.setattr("emoquant.commands.app.head_or_none", lambda *_: None)
    monkeypatch.setattr("emoquant.commands.app.Workbench", lambda *args: args)
    app(folder=tmp_path, points=[1.0])
    (tmp_path / "codec" / "version_0" / "checkpoints").mkdir(parents=True)
    (tmp_path / "codec" / "version_0" / "checkpoints" / "last.ckpt").touch()
    app(folder=tmp_path)
    assert [specs for specs, _, _ in opened] == [[{"run": "checkpoints/codec"}], [{"run": "codec"}]]
    assert [place.points for _, _, place in opened] == [[1.0], POINTS]


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
    with pytest.raises(ValueError, match="intensity begins at neutral, and the corpus has angry, happy, sad only"):
        made.speak(text, hearing.before, speaker, intensity=0.5)
    centre = torch.linspace(-1, 1, DIM)
    made.atlas = made.atlas._replace(emotions=("neutral", "happy", "sad"), centroids=centre.expand(3, DIM))
    weak = made.speak(text, hearing.before, speaker, intensity=0.0)
    torch.testing.assert_close(weak.emotion.vector, centre)
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


def test_what_was_uploaded_is_removed_when_the_process_is_told_to_end(tmp_path, monkeypatch, capsys):
    pytest.importorskip("gradio", reason="the extra `app` is not installed")
    from emoquant.app.page import Page

    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    uploaded, before = [], signal.getsignal(signal.SIGTERM)

    def upload_and_end():
        while "Open http" not in (said := capsys.readouterr().out):
            time.sleep(0.05)
        form = '--x\r\nContent-Disposition: form-data; name="files"; filename="a.wav"\r\n\r\nRIFF\r\n--x--\r\n'
        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        request = urllib.request.Request(f"{said.split()[1]}gradio_api/upload", form.encode(), headers)
        uploaded.extend(json.loads(urllib.request.urlopen(request, timeout=20).read()))
        assert Path(uploaded[0]).is_file()
        os.kill(os.getpid(), signal.SIGTERM)

    other = threading.Thread(target=upload_and_end)
    other.start()
    Page(bench()).launch()
    other.join()
    assert len(uploaded) == 1
    assert not Path(uploaded[0]).exists()
    assert signal.getsignal(signal.SIGTERM) is before
