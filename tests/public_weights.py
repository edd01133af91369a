"""Vocoders of public projects: configurations, and random weights by the names of the projects."""

import math

import torch

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
        weight = torch.randn(shape, generator=generator) * (shape[1] * shape[2]) ** -0.5
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
    beta = 0.1102 * (2.285 * 5 * math.pi * 1.2 + 7.95 - 8.7)
    time = torch.arange(-6, 6) + 0.5
    taps = 0.5 * torch.kaiser_window(12, beta=beta, periodic=False) * torch.sinc(0.5 * time)
    return (taps / taps.sum()).view(1, 1, 12)
