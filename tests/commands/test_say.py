"""A text in one person's voice with the emotion of another's recording."""

from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch
from spoken_world import DIM, BandEncoder, pull_codec, random_voice, speech_data

from emoquant.__main__ import main
from emoquant.commands.say import say
from emoquant.voice.tts.recipe import Emotion, Intensity, Quantize
from emoquant.voice.tts.references import Reference
from emoquant.voice.tts.synthesis import load_synthesizer
from emoquant.voice.tts.voice import save_voice

pytest.importorskip("pyworld", reason="the extra `speech` is not installed")
TEXT = "The boat came back before the rain."


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("said")
    data = speech_data(folder)
    data.prepare_data()
    data.setup()
    voice = random_voice(data)
    save_voice(folder / "voice", voice)
    torch.manual_seed(1)
    open_set = random_voice(data, speaker_dim=DIM)
    save_voice(folder / "open", replace(open_set, speaker_centroids=torch.randn(len(data.speakers), DIM)))
    recordings = [utterance.path for utterance in data.dataset("train").utterances]
    return folder, recordings


def heard(path):
    return torch.from_numpy(soundfile.read(path, dtype="float32")[0])


def test_it_is_what_the_synthesizer_says(world, tmp_path, capsys):
    folder, (angry, *_) = world
    found = say(
        TEXT, angry, out=tmp_path / "new" / "said.wav", voice=folder / "voice", encoder=BandEncoder(), trim=None
    )
    synthesizer = load_synthesizer(folder / "voice", BandEncoder())
    speech = synthesizer.synthesize(TEXT, Reference(angry), speaker=synthesizer.voice.facts.speakers[0])
    torch.testing.assert_close(heard(found), speech.waveform, atol=1e-4, rtol=0)
    assert "said.wav: " in capsys.readouterr().out


def test_the_emotion_is_quantized_and_made_weaker_or_stronger(world, tmp_path, monkeypatch):
    folder, (angry, *others) = world
    opened = []
    monkeypatch.setattr("emoquant.commands.say.open_codecs", lambda *given: opened.append(given) or [pull_codec()])
    synthesizer = load_synthesizer(folder / "voice", BandEncoder())
    given = {"voice": folder / "voice", "encoder": BandEncoder(), "trim": None, "neutral": others[-1]}
    neutral = synthesizer.frames(others[-1]).mean(0)
    for amount in (0.0, 0.5, 1.5):
        out = say(TEXT, angry, out=tmp_path / "said.wav", lmbda=9.0, intensity=amount, **given)
        recipe = [Quantize(pull_codec(), 9.0), Intensity(amount, neutral)]
        speech = synthesizer.synthesize(TEXT, Reference(angry), recipe, speaker=synthesizer.voice.facts.speakers[0])
        torch.testing.assert_close(heard(out), speech.waveform, atol=1e-4, rtol=0)
    assert opened[0][0] == [{"run": "codec"}]


def test_intensity_goes_from_neutral_through_the_emotion_and_beyond():
    frames, neutral = torch.tensor([[1.0, 0.0], [3.0, 0.0]]), torch.tensor([0.0, 1.0])
    vectors = [Intensity(amount, neutral)(Emotion(frames)).vector for amount in (0, 0.5, 1, 1.5)]
    expected = [neutral + amount * (frames.mean(0) - neutral) for amount in (0, 0.5, 1, 1.5)]
    torch.testing.assert_close(torch.stack(vectors), torch.stack(expected))
    torch.testing.assert_close(Intensity(1, neutral)(Emotion(frames)).frames, frames)
    for wrong in (-0.1, 1.6, np.nan):
        with pytest.raises(ValueError, match=r"expected 0 \(neutral\) to 1.5"):
            Intensity(wrong, neutral)


def test_somebody_elses_recording_says_who_speaks(world, tmp_path):
    folder, (angry, *others) = world
    given = {"encoder": BandEncoder(), "speaker_encoder": BandEncoder(), "trim": None}
    out = say(TEXT, angry, str(others[-1]), tmp_path / "said.wav", folder / "open", **given)
    synthesizer = load_synthesizer(folder / "open", BandEncoder())
    vector = torch.nn.functional.normalize(synthesizer.frames(others[-1]).mean(0), dim=0)
    speech = synthesizer.synthesize(TEXT, Reference(angry), speaker=vector)
    torch.testing.assert_close(heard(out), speech.waveform, atol=1e-4, rtol=0)


MISTAKES = [
    ({"emotion": None}, "name a recording whose emotion is imitated: --emotion FILE"),
    ({"intensity": 1.4}, "name a neutral recording, --neutral FILE"),
    ({"intensity": 1.6, "neutral": "here"}, r"expected 0 \(neutral\) to 1.5"),
    ({"speaker": "nobody"}, "no speaker 'nobody' in this voice: it knows en-us"),
    ({"speaker": "here"}, r"name the speaker encoder of the voice \(--speaker_encoder\), or take one"),
    ({"speaker": "here", "speaker_encoder": BandEncoder()}, "speaks as those it knows only"),
    ({"encoder": None}, "which is not shipped: name it, --encoder"),
    ({"trim": -1.0}, "trim"),
]


@pytest.mark.parametrize(("change", "message"), MISTAKES, ids=[message[:40] for _, message in MISTAKES])
def test_mistakes_are_named_and_nothing_is_written(world, tmp_path, change, message):
    folder, (angry, *_) = world
    change = {key: str(angry) if value == "here" else value for key, value in change.items()}
    given = {"emotion": angry, "voice": folder / "voice", "encoder": BandEncoder(), **change}
    with pytest.raises(ValueError, match=message):
        say(TEXT, out=tmp_path / "said.wav", **given)
    assert not list(tmp_path.iterdir())


def test_the_shipped_voice_and_its_encoder_are_found(world, tmp_path, capsys):
    out = tmp_path / "said.wav"
    main(["say", "The boat came back.", "--emotion", str(world[1][0]), "--speaker", "en-us+f3", "--out", str(out)])
    assert soundfile.info(out).duration > 0.5
    assert "bits a frame" not in capsys.readouterr().out
