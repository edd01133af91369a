import pytest
import torch

from emoquant.audio.mel import MelSettings
from emoquant.voice.tts.discriminators import (
    Judgement,
    Judges,
    PeriodJudge,
    ResolutionJudge,
    fooling_loss,
    judge_loss,
    matching_loss,
)
from emoquant.voice.tts.hifigan import HiFiGANGenerator
from emoquant.voice.tts.vocoder_checkpoint import load_vocoder, save_vocoder
from emoquant.voice.tts.vocos import VocosGenerator

SMALL = {"dim": 16, "layers": 2}


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(("dim", "layers", "millions"), [(512, 8, 13.5), (256, 6, 2.8), (128, 4, 0.6)])
def test_sizes_of_vocos(dim, layers, millions):
    assert count(VocosGenerator(dim=dim, layers=layers)) / 1e6 == pytest.approx(millions, abs=0.06)


def test_size_of_hifigan():
    assert count(HiFiGANGenerator()) / 1e6 == pytest.approx(13.9, abs=0.1)


@pytest.mark.parametrize("make", [lambda: VocosGenerator(**SMALL), lambda: HiFiGANGenerator(channels=16, kernels=(3,))])
def test_a_generator_makes_a_hop_of_samples_of_every_frame(make):
    torch.manual_seed(0)
    waveforms = make()(torch.randn(2, 11, 80) - 4)
    assert waveforms.shape == (2, 11 * 256)
    assert waveforms.dtype == torch.float32
    assert torch.isfinite(waveforms).all()


def test_a_perfect_spectrogram_gives_the_waveform_back():
    torch.manual_seed(0)
    generator, wave = VocosGenerator(**SMALL), 0.1 * torch.randn(1, 20 * 256)
    spectrum = torch.stft(wave, 1024, 256, 1024, torch.hann_window(1024), return_complex=True, pad_mode="constant")
    spectrum = spectrum[..., :20]
    oracle = torch.cat([spectrum.abs().log(), spectrum.angle()], 1).transpose(1, 2)
    generator.output = torch.nn.Identity()
    generator.last_norm = torch.nn.Identity()
    generator.start = torch.nn.Identity()
    generator.first_norm = torch.nn.Identity()
    generator.blocks = torch.nn.ModuleList()
    back = generator(oracle)
    torch.testing.assert_close(back[:, : 18 * 256], wave[:, : 18 * 256], atol=1e-4, rtol=1e-3)


def test_odd_rates_are_refused():
    with pytest.raises(ValueError, match="even"):
        HiFiGANGenerator(rates=(3, 2))


def test_judges_look_at_any_length():
    torch.manual_seed(0)
    for judge in (PeriodJudge(7, 2), ResolutionJudge(512, 2)):
        found = judge(torch.randn(2, 4001))
        assert found.scores.shape[0] == 2
        assert len(found.layers) == 5


def test_losses_of_judges_and_generator():
    sure = [Judgement(torch.full((2, 3), 2.0), [torch.ones(2, 3)])]
    fooled = [Judgement(torch.full((2, 3), -3.0), [torch.zeros(2, 3)])]
    assert judge_loss(sure, fooled) == 0
    assert judge_loss(fooled, sure) == 4 + 3
    assert fooling_loss(sure) == 0
    assert fooling_loss(fooled) == 4
    assert matching_loss(sure, fooled) == 1
    assert matching_loss(sure, sure) == 0
    torch.manual_seed(0)
    assert len(Judges([PeriodJudge(2, 2), PeriodJudge(3, 2)])(torch.randn(1, 999))) == 2


@pytest.mark.parametrize("generator", [VocosGenerator(**SMALL), HiFiGANGenerator(channels=16, kernels=(3,))])
def test_files(generator, tmp_path):
    save_vocoder(tmp_path / "full", generator, MelSettings(), half=False)
    again = load_vocoder(tmp_path / "full")
    mels = torch.randn(1, 5, 80) - 4
    with torch.no_grad():
        torch.testing.assert_close(again.generator(mels), generator(mels))
    assert again.mel == MelSettings()
    lengths, f0 = torch.tensor([5]), torch.full((1, 5), 100.0)
    assert again(mels, lengths, f0, f0 > 0).shape == (1, 5 * 256)
    save_vocoder(tmp_path / "half", generator, MelSettings())
    assert next(load_vocoder(tmp_path / "half").generator.parameters()).dtype == torch.float32
    weights = tmp_path / "half" / "vocoder.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(ValueError, match="damaged"):
        load_vocoder(tmp_path / "half")
    with pytest.raises(FileNotFoundError, match="no vocoder at"):
        load_vocoder(tmp_path / "none")
