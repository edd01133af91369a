"""Vocoders of public projects: small ones of random weights in their file formats, held against plain renderings."""

import json
import math
import sys
import types

import pytest
import torch
import yaml
from torch.nn import functional

from emoquant.speech.mel import MelSettings
from emoquant.tts.vocoder_checkpoint import load_vocoder, save_vocoder
from emoquant.tts.vocoders import SourceFilter
from emoquant.tts.vocos import VocosGenerator

PLAIN = {
    "upsample_rates": [8, 8, 4], "upsample_kernel_sizes": [16, 16, 8], "upsample_initial_channel": 32,
    "resblock_kernel_sizes": [3, 5], "resblock_dilation_sizes": [[1, 2], [2, 6]], "num_mels": 80, "n_fft": 1024,
    "hop_size": 256, "win_size": 1024, "sampling_rate": 22050, "fmin": 0, "fmax": 8000,
}  # fmt: skip
HIFIGAN = {"V1": {**PLAIN, "resblock": "1"}, "V3": {**PLAIN, "resblock": "2"}}
BIGVGAN = {
    "v2": {**PLAIN, "resblock": "1", "activation": "snakebeta", "snake_logscale": True, "use_tanh_at_final": False,
           "use_bias_at_final": False, "fmax": None},
    "v1": {**PLAIN, "resblock": "2", "activation": "snake", "snake_logscale": False},
}  # fmt: skip


def random_state(config, normed=True):
    """Return weights of HiFi-GAN or BigVGAN by the names of their projects."""
    generator, state = torch.Generator().manual_seed(0), {}
    activation = config.get("activation")

    def conv(name, *shape, bias=True):
        weight = torch.randn(shape, generator=generator) * 0.2
        if normed:
            state[f"{name}.weight_v"] = weight
            state[f"{name}.weight_g"] = weight.flatten(1).norm(dim=1).view(-1, 1, 1) * 1.1
        else:
            state[f"{name}.weight"] = weight
        if bias:
            count = shape[1] if name.startswith("ups") else shape[0]
            state[f"{name}.bias"] = torch.randn(count, generator=generator) * 0.1

    def snake(name, channels):
        state[f"{name}.act.alpha"] = torch.rand(channels, generator=generator) + 0.5
        if activation == "snakebeta":
            state[f"{name}.act.beta"] = torch.rand(channels, generator=generator) + 0.5
        for part in ("upsample", "downsample.lowpass"):
            state[f"{name}.{part}.filter"] = kaiser_filter()

    size = config["upsample_initial_channel"]
    conv("conv_pre", size, config["num_mels"], 7)
    for i, (rate, width) in enumerate(zip(config["upsample_rates"], config["upsample_kernel_sizes"], strict=True)):
        assert rate
        conv(f"ups.{i}.0" if activation else f"ups.{i}", size, size // 2, width)
        size //= 2
        for j, kernel in enumerate(config["resblock_kernel_sizes"]):
            block = f"resblocks.{i * len(config['resblock_kernel_sizes']) + j}"
            lists = ("convs1", "convs2") if config["resblock"] == "1" else ("convs",)
            dilations = config["resblock_dilation_sizes"][j]
            for name in lists:
                for k in range(len(dilations)):
                    conv(f"{block}.{name}.{k}", size, size, kernel)
            if activation:
                for k in range(len(lists) * len(dilations)):
                    snake(f"{block}.activations.{k}", size)
    if activation:
        snake("activation_post", size)
    conv("conv_post", 1, size, 7, bias=config.get("use_bias_at_final", True))
    return state


def kaiser_filter():
    """The filter of BigVGAN's resampling: cut-off 1/4, half-width 0.3, 12 taps."""
    attenuation = 2.285 * 5 * math.pi * 1.2 + 7.95
    beta = 0.5842 * (attenuation - 21) ** 0.4 + 0.07886 * (attenuation - 21)
    time = torch.arange(-6, 6) + 0.5
    taps = 0.5 * torch.kaiser_window(12, beta=beta, periodic=False) * torch.sinc(0.5 * time)
    return (taps / taps.sum()).view(1, 1, 12)


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
            rows.append(functional.conv1d(functional.pad(row, (5, 6), mode="replicate"), kaiser_filter(), stride=2)[:, 0])
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


@pytest.mark.parametrize("kind", BIGVGAN)
def test_bigvgan(kind, tmp_path):
    config = BIGVGAN[kind]
    state = random_state(config)
    vocoder = load_vocoder(write(tmp_path, config, state, "bigvgan_generator.pt"))
    assert vocoder.mel.fmax == (11_025.0 if kind == "v2" else 8000.0)
    expected = Rendering(state, config)(MELS.transpose(1, 2))[:, 0]
    assert expected.std() > 0.01
    torch.testing.assert_close(vocoder.generator(MELS), expected, atol=1e-5, rtol=1e-4)
