import numpy as np
import pytest
import soxr
import torch

from emoquant.audio.mel import MelSettings
from emoquant.audio.pitch import interpolated, melody
from emoquant.voice.text.text import spoken
from emoquant.voice.tts.vocoders import GriffinLim, SourceFilter

pytest.importorskip("pyworld", reason="the extra `speech` is not installed")
SPEC = MelSettings()


def spoken_as(settings):
    made = spoken("The boat came back before the rain.", "en-us")
    samples = soxr.resample(made.samples.astype(np.float32) / 32768, made.rate, settings.sample_rate)
    waveform = torch.from_numpy(samples)
    track = melody(waveform, settings)
    return settings(waveform[None])[0], track.f0, track.voiced


@pytest.fixture(scope="module")
def utterance():
    return spoken_as(SPEC)


def run(vocoder, mels, f0, voiced):
    return vocoder(mels[None], torch.tensor([len(mels)]), f0[None], voiced[None])[0]


@pytest.mark.parametrize("settings", [SPEC, MelSettings.generspeech()], ids=["between", "centred"])
def test_copy_synthesis_keeps_the_mel(settings):
    mels, f0, voiced = spoken_as(settings)
    for vocoder, limit in ((SourceFilter(settings), 0.2), (GriffinLim(settings, iterations=30), 0.15)):
        waveform = run(vocoder, mels, f0, voiced)
        assert waveform.shape == (len(mels) * settings.hop,)
        assert waveform.abs().max() <= 1
        again = settings(waveform[None])[0, : len(mels)]
        error = settings.decades(again - mels).abs()[2:-2].mean()
        assert error < limit, type(vocoder).__name__


@pytest.mark.parametrize("factor", [0.8, 1.0, 1.4])
def test_the_source_filter_sings_what_it_is_told(utterance, factor):
    mels, f0, voiced = utterance
    waveform = run(SourceFilter(), mels, factor * f0, voiced)
    heard = melody(waveform, SPEC)
    both = heard.voiced[: len(f0)] & voiced
    assert both.float().mean() > 0.5 * voiced.float().mean()
    ratio = heard.f0[: len(f0)][both] / (factor * f0[both])
    assert abs(float(ratio.median()) - 1) < 0.02


@pytest.mark.parametrize("vocoder", [SourceFilter(), GriffinLim(iterations=4)], ids=["source-filter", "griffin-lim"])
def test_an_utterance_does_not_depend_on_its_batch(vocoder, utterance):
    mels, f0, voiced = (part[:40] for part in utterance)
    alone = run(vocoder, mels[:25], f0[:25], voiced[:25])
    junk = torch.full((15, 80), 5.0)
    batch = torch.stack([mels, torch.cat([mels[:25], junk])])
    both = vocoder(batch, torch.tensor([40, 25]), torch.stack([f0, f0]), torch.stack([voiced, voiced]))
    torch.testing.assert_close(both[1, : 25 * SPEC.hop], alone)
    assert not both[1, 25 * SPEC.hop :].any()
    assert torch.equal(vocoder(batch[1:], torch.tensor([25]), f0[None], voiced[None])[0], both[1])


def test_edge_cases_stay_finite():
    for frames in (1, 2, 5):
        mels = torch.full((frames, 80), -10.0)
        track = interpolated(torch.zeros(frames))
        for vocoder in (SourceFilter(), GriffinLim(iterations=2)):
            assert torch.isfinite(run(vocoder, mels, *track)).all()
            assert torch.isfinite(run(vocoder, mels + 12, track.f0 + 5000, ~track.voiced)).all()


def test_mistakes_are_named():
    with pytest.raises(ValueError, match=r"expected mels \(B, T, 80\)"):
        SourceFilter()(torch.zeros(1, 5, 40), torch.tensor([5]), torch.zeros(1, 5), torch.zeros(1, 5, dtype=bool))
    with pytest.raises(ValueError, match="steps >= 1"):
        SourceFilter(steps=0)
    with pytest.raises(ValueError, match="iterations >= 1"):
        GriffinLim(iterations=0)
