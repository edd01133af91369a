import numpy as np
import pytest
import torch
from spoken_world import BandEncoder, pull_codec, random_voice, speech_data

from emoquant.audio.mel import MelSettings
from emoquant.voice.tts.recipe import Emotion, Intensity, Quantize
from emoquant.voice.tts.references import Reference, hear_style, joined, repeated
from emoquant.voice.tts.synthesis import Delivery, Synthesizer, encoder_name, load_synthesizer, seed_of
from emoquant.voice.tts.vocoders import GriffinLim, SourceFilter
from emoquant.voice.tts.voice import save_voice

pytest.importorskip("pyworld", reason="the extra `speech` is not installed")
TEXT = "The boat came back before the rain."


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    data = speech_data(tmp_path_factory.mktemp("spoken"))
    data.prepare_data()
    data.setup()
    return data, Synthesizer(random_voice(data), BandEncoder())


@pytest.fixture(scope="module")
def wav(world):
    return world[0].dataset("train").utterances[0].path


def test_same_seed_same_samples_and_lambda_changes_nothing_else(world, wav):
    _, synthesizer = world
    codec, reference = pull_codec(), Reference(wav)
    plain = synthesizer.synthesize(TEXT, reference, speaker="en-us")
    again = synthesizer.synthesize(TEXT, reference, [Quantize(codec, 0.0)], speaker="en-us")
    assert torch.equal(plain.waveform, again.waveform)
    far = synthesizer.synthesize(TEXT, reference, [Quantize(codec, 9.0)], speaker="en-us")
    assert far.emotion.bits == pytest.approx(1.0)
    assert not torch.equal(plain.mels[:5], far.mels[:5])
    spec = synthesizer.voice.facts.mel
    assert plain.waveform.shape == (len(plain.mels) * spec.hop,)
    assert int(plain.durations.sum()) == len(plain.mels) == len(plain.f0)


def test_batching_lambdas_changes_nothing(world, wav):
    _, synthesizer = world
    frames = synthesizer.frames(wav)
    recipes = [[Quantize(pull_codec(), lmbda)] for lmbda in (0.0, 9.0)]
    emotions = [recipe[0](Emotion(frames)) for recipe in recipes]
    together = synthesizer.say(TEXT, emotions, None, None, seed_of(TEXT))
    for emotion, speech in zip(emotions, together, strict=True):
        alone = synthesizer.say(TEXT, [emotion], None, None, seed_of(TEXT))[0]
        torch.testing.assert_close(speech.mels, alone.mels, atol=1e-4, rtol=1e-4)
        assert (speech.waveform - alone.waveform).abs().max() < 0.01, "phases add up tiny differences of F0"


def test_local_style_opens_and_closes_a_path(world, wav):
    data, synthesizer = world
    other = data.dataset("train").utterances[3].path
    closed = synthesizer.synthesize(TEXT, Reference(wav))
    same = synthesizer.synthesize(TEXT, Reference(wav), style=Reference(wav))
    elsewhere = synthesizer.synthesize(TEXT, Reference(wav), style=Reference(other))
    assert not torch.equal(closed.mels[:5], same.mels[:5])
    assert not torch.equal(same.mels[:5], elsewhere.mels[:5])


def test_durations_and_melody_can_be_copied(world, wav):
    _, synthesizer = world
    base = synthesizer.synthesize(TEXT, Reference(wav))
    copied = Delivery(durations=base.durations, f0=base.f0, voiced=base.voiced)
    recipe = [Quantize(pull_codec(), 9.0)]
    isolated = synthesizer.synthesize(TEXT, Reference(wav), recipe, delivery=copied)
    assert torch.equal(isolated.durations, base.durations)
    torch.testing.assert_close(isolated.f0, base.f0)
    slow = synthesizer.synthesize(TEXT, Reference(wav), delivery=Delivery(duration_scale=2.0))
    assert len(slow.mels) > 1.5 * len(base.mels)


def test_recipes(world):
    _, synthesizer = world
    frames, neutral = (
        torch.randn(12, synthesizer.voice.facts.emotion_dim),
        torch.zeros(synthesizer.voice.facts.emotion_dim),
    )
    steps = [Quantize(pull_codec(), 9.0), Intensity(0.5, neutral)]
    first = steps[0](Emotion(frames))
    spoken = synthesizer.synthesize(TEXT, frames, steps)
    torch.testing.assert_close(spoken.emotion.vector, first.vector / 2)
    assert spoken.emotion.bits == first.bits
    torch.testing.assert_close(synthesizer.synthesize(TEXT, frames).emotion.frames, frames)


def test_style_segments_follow_what_is_known(wav):
    spec, plain = MelSettings.generspeech(), Reference(wav)
    blind, told = hear_style(plain, spec, "espeak:pl"), hear_style(Reference(wav, TEXT), spec, "espeak:en-us")
    for style in (blind, told):
        for segments in (style.phones, style.words):
            steps = np.diff(segments[0].numpy())
            assert segments[0, 0] == 1
            assert set(steps) <= {0, 1}
    assert int(blind.phones[0, -1]) == -(-int(blind.lengths) // 5)
    assert int(told.words[0, -1]) in range(7, 10), "seven words and the silences around"
    english = hear_style(Reference(wav, TEXT), spec, "words:cmu")
    for one, other in ((english.phones, told.phones), (english.words, told.words)):
        assert int(one[0, -1]) == int(other[0, -1])
        assert (one != other).float().mean() < 0.1, "a border moves by a frame: espeak-ng never speaks quite alike"
    assert torch.equal(hear_style(Reference(wav, TEXT), spec, "dictionary:cmu").phones, blind.phones)
    assert repeated(told, 3).mels.shape[0] == 3
    assert joined([blind, told]).lengths.tolist() == [int(blind.lengths), int(told.lengths)]


def test_what_is_heard_of_an_unknown_text_divides_it(wav):
    pytest.importorskip("pocketsphinx", reason="the extra `align` is not installed")
    spec = MelSettings.generspeech()
    guessed, told = (hear_style(Reference(wav, text), spec, "espeak:en-us") for text in ("", TEXT))
    assert torch.equal(guessed.mels, told.mels)
    assert 0.5 < int(guessed.phones.max()) / int(told.phones.max()) < 1.5
    assert set(np.diff(guessed.words[0].numpy())) <= {0, 1}
    silence = hear_style(Reference(torch.zeros(16_000)), spec, "cmu")
    assert int(silence.phones[0, -1]) == -(-int(silence.lengths) // 5), "nothing to understand: even segments"


def test_files_and_mistakes(world, wav, tmp_path):
    data, synthesizer = world
    save_voice(tmp_path, synthesizer.voice)
    loaded = load_synthesizer(tmp_path, BandEncoder(), GriffinLim(iterations=2))
    assert len(loaded.synthesize("Came back.", Reference(wav)).waveform) > 0
    assert data.encoder_name == encoder_name(BandEncoder())
    with pytest.raises(ValueError, match=r"than the voice: sample_rate 16000 .* fmax 7000\.0 instead of 8000\.0"):
        Synthesizer(synthesizer.voice, vocoder=SourceFilter(MelSettings.generspeech(fmax=7000.0)))
    strange = BandEncoder()
    strange.fingerprint = lambda: "other weights"
    with pytest.raises(ValueError, match="load the one it knows"):
        Synthesizer(synthesizer.voice, strange)
    with pytest.raises(ValueError, match="has no encoder"):
        Synthesizer(synthesizer.voice).synthesize(TEXT, Reference(wav))
    with pytest.raises(ValueError, match="no speaker 'nobody'"):
        synthesizer.synthesize(TEXT, Reference(wav), speaker="nobody")
    with pytest.raises(ValueError, match="never heard in training"):
        synthesizer.synthesize("Azure vision of joy.", Reference(wav))
    with pytest.raises(FileNotFoundError, match="no such audio file"):
        synthesizer.synthesize(TEXT, Reference(tmp_path / "none.wav"))
