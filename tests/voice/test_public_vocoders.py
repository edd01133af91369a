"""Vocoders of public projects: small ones of random weights in their file formats, held against plain renderings."""

import json
import sys
import types

import pytest
import torch
import yaml
from public_weights import BIGVGAN, HIFIGAN, kaiser_filter, random_state
from torch.nn import functional

from emoquant.audio.mel import MelSettings
from emoquant.voice.tts.vocoder_checkpoint import load_vocoder, save_vocoder
from emoquant.voice.tts.vocoders import SourceFilter


class Rendering:
    """The forward pass of both generators, line by line after their projects, on a dictionary of weights."""

    def __init__(self, state, config):
        self.state, self.config = state, config

    def weight(self, name):
        if f"{name}.weight" in self.state:
            return self.state[f"{name}.weight"]
        direction = self.state[f"{name}.weight_v"]
        return self.state[f"{name}.weight_g"] * direction / direction.flatten(1).norm(dim=1).view(-1, 1, 1)

    def conv(self, name, x, dilation=1):
        weight = self.weight(name)
        pad = dilation * (weight.shape[2] - 1) // 2
        return functional.conv1d(x, weight, self.state.get(f"{name}.bias"), padding=pad, dilation=dilation)

    def act(self, name, x, slope):
        if "activation" not in self.config:
            return functional.leaky_relu(x, slope)
        alpha = self.state[f"{name}.act.alpha"]
        beta = self.state.get(f"{name}.act.beta", alpha)
        if self.config["snake_logscale"]:
            alpha, beta = alpha.exp(), beta.exp()
        rows = []
        for row in x.transpose(0, 1):  # channel by channel, as resampling is
            row = functional.pad(row[:, None], (5, 5), mode="replicate")
            row = 2 * functional.conv_transpose1d(row, kaiser_filter(), stride=2)[..., 15:-15]
            a, b = alpha[len(rows)], beta[len(rows)]
            row = row + (1.0 / (b + 1e-9)) * torch.sin(row * a) ** 2
            rows.append(
                functional.conv1d(functional.pad(row, (5, 6), mode="replicate"), kaiser_filter(), stride=2)[:, 0]
            )
        return torch.stack(rows, 1)

    def block(self, name, x, dilations):
        for k, dilation in enumerate(dilations):
            if self.config["resblock"] == "1":
                inner = self.conv(f"{name}.convs1.{k}", self.act(f"{name}.activations.{2 * k}", x, 0.1), dilation)
                inner = self.conv(f"{name}.convs2.{k}", self.act(f"{name}.activations.{2 * k + 1}", inner, 0.1))
            else:
                inner = self.conv(f"{name}.convs.{k}", self.act(f"{name}.activations.{k}", x, 0.1), dilation)
            x = inner + x
        return x

    def __call__(self, mels):
        config, kernels = self.config, len(self.config["resblock_kernel_sizes"])
        x = self.conv("conv_pre", mels)
        for i, (rate, width) in enumerate(zip(config["upsample_rates"], config["upsample_kernel_sizes"], strict=True)):
            name = f"ups.{i}.0" if "activation" in config else f"ups.{i}"
            if "activation" not in config:
                x = functional.leaky_relu(x, 0.1)
            x = functional.conv_transpose1d(
                x, self.weight(name), self.state[f"{name}.bias"], rate, padding=(width - rate) // 2
            )
            blocks = [self.block(f"resblocks.{i * kernels + j}", x, config["resblock_dilation_sizes"][j])
                      for j in range(kernels)]  # fmt: skip
            x = sum(blocks) / kernels
        x = self.conv("conv_post", self.act("activation_post", x, 0.01))
        return x.clamp(-1, 1) if config.get("use_tanh_at_final") is False else torch.tanh(x)


def write(folder, config, state, name):
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    torch.save({"generator": state}, folder / name)
    return folder


MELS = torch.randn(2, 9, 80, generator=torch.Generator().manual_seed(1)) - 4


@pytest.mark.parametrize("normed", [True, False])
@pytest.mark.parametrize("kind", HIFIGAN)
def test_hifigan(kind, normed, tmp_path):
    config = HIFIGAN[kind]
    state = random_state(config, normed)
    vocoder = load_vocoder(write(tmp_path, config, state, "g_02500000"))
    assert vocoder.mel == MelSettings()
    made, expected = vocoder.generator(MELS), Rendering(state, config)(MELS.transpose(1, 2))[:, 0]
    assert expected.std() > 0.05
    torch.testing.assert_close(made, expected, atol=1e-5, rtol=1e-4)
    assert torch.equal(load_vocoder(tmp_path / "g_02500000").generator(MELS), made), "the file itself may be named"
    torch.save({"generator": state}, tmp_path / "g_02500000", _use_new_zipfile_serialization=False)
    for path in (tmp_path, tmp_path / "g_02500000"):
        assert torch.equal(load_vocoder(path).generator(MELS), made), "as torch 1.4 wrote them"


@pytest.mark.parametrize("kind", BIGVGAN)
def test_bigvgan(kind, tmp_path):
    config = BIGVGAN[kind]
    state = random_state(config)
    vocoder = load_vocoder(write(tmp_path, config, state, "bigvgan_generator.pt"))
    assert vocoder.mel.fmax == (11_025.0 if kind == "v2" else 8000.0)
    expected = Rendering(state, config)(MELS.transpose(1, 2))[:, 0]
    assert expected.std() > 0.01
    torch.testing.assert_close(vocoder.generator(MELS), expected, atol=1e-4, rtol=1e-3)


class PlainVocos:
    """The forward pass of Vocos, line by line after its project."""

    def __init__(self, state, layers, padding):
        self.state, self.layers, self.padding = state, layers, padding

    def norm(self, name, x):
        weight, bias = self.state[f"{name}.weight"], self.state[f"{name}.bias"]
        return functional.layer_norm(x, weight.shape, weight, bias, 1e-6)

    def linear(self, name, x):
        return functional.linear(x, self.state[f"{name}.weight"], self.state[f"{name}.bias"])

    def conv(self, name, x, groups=1):
        return functional.conv1d(x, self.state[f"{name}.weight"], self.state[f"{name}.bias"], padding=3, groups=groups)

    def __call__(self, mels):
        x = self.norm("backbone.norm", self.conv("backbone.embed", mels).transpose(1, 2))
        for layer in range(self.layers):
            name = f"backbone.convnext.{layer}"
            y = self.conv(f"{name}.dwconv", x.transpose(1, 2), x.shape[2]).transpose(1, 2)
            y = functional.gelu(self.linear(f"{name}.pwconv1", self.norm(f"{name}.norm", y)))
            x = x + self.state[f"{name}.gamma"] * self.linear(f"{name}.pwconv2", y)
        x = self.linear("head.out", self.norm("backbone.final_layer_norm", x)).transpose(1, 2)
        magnitudes, phases = x.chunk(2, 1)
        spectra = magnitudes.exp().clip(max=1e2) * (phases.cos() + 1j * phases.sin())
        window = torch.hann_window(1024)
        if self.padding == "center":
            return torch.istft(spectra, 1024, 256, 1024, window)
        size = 1024 + 256 * (spectra.shape[2] - 1)
        out, weight = torch.zeros(len(spectra), size), torch.zeros(size)
        for frame, part in enumerate(torch.fft.irfft(spectra, dim=1).unbind(2)):
            out[:, 256 * frame : 256 * frame + 1024] += part * window
            weight[256 * frame : 256 * frame + 1024] += window.square()
        return (out / weight)[:, 384:-384]


def write_vocos(folder, padding, dim=16, layers=2):
    parts = {
        "feature_extractor": ("feature_extractors.MelSpectrogramFeatures", {"sample_rate": 24000, "n_mels": 100}),
        "backbone": ("models.VocosBackbone", {"input_channels": 100, "dim": dim, "intermediate_dim": 40}),
        "head": ("heads.ISTFTHead", {"dim": dim, "n_fft": 1024, "hop_length": 256, "padding": padding}),
    }
    config = {part: {"class_path": f"vocos.{kind}", "init_args": options} for part, (kind, options) in parts.items()}
    config["feature_extractor"]["init_args"] |= {"n_fft": 1024, "hop_length": 256, "padding": padding}
    config["backbone"]["init_args"]["num_layers"] = layers
    sizes = {"backbone.embed": (dim, 100, 7), "backbone.norm": (dim,), "backbone.final_layer_norm": (dim,),
             "head.out": (1026, dim)}  # fmt: skip
    for layer in range(layers):
        name = f"backbone.convnext.{layer}"
        sizes |= {f"{name}.dwconv": (dim, 1, 7), f"{name}.norm": (dim,), f"{name}.pwconv1": (40, dim)}
        sizes |= {f"{name}.pwconv2": (dim, 40)}
    generator, state = torch.Generator().manual_seed(0), {}
    for name, size in sizes.items():
        state[f"{name}.weight"] = torch.randn(size, generator=generator) * 0.3 + (len(size) == 1)
        state[f"{name}.bias"] = torch.randn(size[0], generator=generator) * 0.3
    for layer in range(layers):
        state[f"backbone.convnext.{layer}.gamma"] = torch.rand(dim, generator=generator)
    state["feature_extractor.mel_spec.mel_scale.fb"] = torch.zeros(513, 100)
    state["head.istft.window"] = torch.hann_window(1024)
    folder.mkdir(exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    torch.save(state, folder / "pytorch_model.bin")
    return PlainVocos(state, layers, padding)


@pytest.mark.parametrize("padding", ["center", "same"])
def test_vocos(padding, tmp_path):
    plain = write_vocos(tmp_path, padding)
    vocoder = load_vocoder(tmp_path)
    mels = torch.randn(2, 9, 100, generator=torch.Generator().manual_seed(1))
    expected = plain(mels.transpose(1, 2))
    made = vocoder.generator(mels)
    assert made.shape == (2, 9 * 256)
    assert expected.shape[1] == (8 if padding == "center" else 9) * 256
    torch.testing.assert_close(made[:, : expected.shape[1]], expected, atol=1e-5, rtol=1e-4)
    assert vocoder.mel == MelSettings(
        24_000, mels=100, fmax=12_000.0, eps=1e-7, center=padding == "center", scale="htk", norm="none"
    )


def test_a_public_vocoder_is_used_and_kept_like_any_other(tmp_path):
    write(tmp_path / "public", HIFIGAN["V3"], random_state(HIFIGAN["V3"], normed=False), "generator_v3")
    vocoder = load_vocoder(tmp_path / "public")
    lengths, f0 = torch.tensor([9, 4]), torch.full((2, 9), 100.0)
    waveforms = vocoder(MELS, lengths, f0, f0 > 0)
    assert waveforms.shape == (2, 9 * 256)
    assert not waveforms[1, 4 * 256 :].any()
    save_vocoder(tmp_path / "own", vocoder.generator, vocoder.mel, half=False)
    assert torch.equal(load_vocoder(tmp_path / "own")(MELS, lengths, f0, f0 > 0), waveforms)


def test_a_mel_that_does_not_fit_is_refused_with_both_sides_named(tmp_path):
    write_vocos(tmp_path, "center")
    with pytest.raises(ValueError, match=r"the vocoder has other mel settings than the voice: sample_rate 24000 in"):
        SourceFilter().mel.require(load_vocoder(tmp_path).mel, "the vocoder", "the voice")


def test_names_are_fetched_without_discriminators(tmp_path, monkeypatch):
    write(tmp_path, HIFIGAN["V3"], random_state(HIFIGAN["V3"]), "generator_v3")
    asked = []

    def download(name, **options):
        asked.append((name, options))
        return str(tmp_path)

    monkeypatch.setitem(sys.modules, "huggingface_hub", types.SimpleNamespace(snapshot_download=download))
    assert load_vocoder("owner/name").mel == MelSettings()
    assert asked[0][0] == "owner/name"
    assert "bigvgan_discriminator_optimizer.pt" not in asked[0][1]["allow_patterns"]


def test_mistakes_are_named(tmp_path):
    config, state = HIFIGAN["V3"], random_state(HIFIGAN["V3"])
    wrong = [
        ({**config, "hop_size": 300}, "its rates make 256 samples a frame, its hop is 300"),
        ({key: value for key, value in config.items() if key != "num_mels"}, "lacks 'num_mels'"),
        ({**config, "activation": "relu"}, "activation 'relu', expected snake or snakebeta"),
        ({**config, "upsample_initial_channel": 16}, "do not fit"),
        ({**config, "resblock_kernel_sizes": [4, 5]}, "odd kernels"),
        ([1], "a list in place of names and values"),
    ]
    for number, (content, message) in enumerate(wrong):
        with pytest.raises(ValueError, match=message):
            load_vocoder(write(tmp_path / str(number), content, state, "g_1"))
    (tmp_path / "0" / "g_2").touch()
    with pytest.raises(ValueError, match=r"found config\.json, g_1, g_2"):
        load_vocoder(tmp_path / "0")
    write(tmp_path / "none", config, state, "do_1").joinpath("do_1").rename(tmp_path / "none" / "do_1.pth")
    with pytest.raises(ValueError, match=r"found config\.json"):
        load_vocoder(tmp_path / "none")
    write(tmp_path / "list", config, [1, 2], "g_1")
    with pytest.raises(ValueError, match="holds no weights of a generator"):
        load_vocoder(tmp_path / "list")
    write_vocos(tmp_path / "vocos", "same")
    text = (tmp_path / "vocos" / "config.yaml").read_text()
    (tmp_path / "vocos" / "config.yaml").write_text(text.replace("MelSpectrogramFeatures", "EncodecFeatures"))
    with pytest.raises(ValueError, match=r"feature_extractor is a vocos\.feature_extractors\.EncodecFeatures"):
        load_vocoder(tmp_path / "vocos")
