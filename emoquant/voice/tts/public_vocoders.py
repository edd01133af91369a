"""Reading of vocoders in the file formats of HiFi-GAN, BigVGAN and Vocos."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from emoquant.audio.mel import MelSettings
from emoquant.storage.documents import read_yaml
from emoquant.storage.files import refuse_pointer
from emoquant.storage.hub import download_model
from emoquant.storage.rebuilding import Budget, require_weights
from emoquant.storage.tensors import read_tensors
from emoquant.voice.tts.bigvgan import BigVGANGenerator
from emoquant.voice.tts.hifigan import HiFiGANGenerator
from emoquant.voice.tts.vocos import VocosGenerator

#: Files that are fetched of a model on Hugging Face: configurations and generators, no discriminators.
_PATTERNS = ("config.json", "config.yaml", "*generator*", "g_*", "pytorch_model.bin", "model.safetensors",
             "vocoder.json", "vocoder.safetensors")  # fmt: skip
_WEIGHTS = re.compile(r"(.*\.(pt|pth|bin|ckpt|safetensors))|(.*generator[^.]*)|(g_\d+)")

#: Names of modules in HiFi-GAN's and BigVGAN's files and here.
_ROOTS = {"conv_pre": "start", "conv_post": "output", "activation_post.act": "last"}
_NORMED = {"weight_g": "parametrizations.weight.original0", "weight_v": "parametrizations.weight.original1"}
_VOCOS = {
    "backbone.embed": "start", "backbone.norm": "first_norm", "backbone.final_layer_norm": "last_norm",
    "head.out": "output", "dwconv": "mix", "norm": "norm", "pwconv1": "widen", "pwconv2": "narrow", "gamma": "scale",
}  # fmt: skip


class PublicVocoder(NamedTuple):
    """Hold a generator with its weights, and the settings of the mels that it takes."""

    generator: nn.Module
    mel: MelSettings


def fetch_vocoder(name: str) -> Path:
    """Return the local folder of a model on Hugging Face; the first call downloads it, without discriminators.

    Raises:
        ConnectionError: The download failed; the message says how to copy the model here.
    """
    return download_model(name, "hf", _PATTERNS)


def find_files(path: Path) -> tuple[Path, Path] | None:
    """Return the files of a public vocoder's configuration and weights; None if there is no configuration.

    Args:
        path: A folder with one configuration (``config.json``, ``config.yaml`` or another name with ``config``) and one
            generator, or the file of the generator beside its configuration.

    Raises:
        ValueError: There are several configurations or generators, or a configuration without a generator.
    """
    folder = path if path.is_dir() else path.parent
    configs = _preferred(folder, ("config.json", "config.yaml"), re.compile(r".*config.*\.(json|ya?ml)"))
    if not configs or not folder.is_dir():
        return None
    found = [path] if path.is_file() else _preferred(folder, ("bigvgan_generator.pt", "pytorch_model.bin"), _WEIGHTS)
    if len(configs) > 1 or len(found) != 1:
        names = ", ".join(sorted(each.name for each in {*configs, *found})) or "none"
        raise ValueError(
            f"{folder}: expected one configuration and one generator of a vocoder, found {names}; name the generator's "
            "file, or leave one of each there"
        )
    return configs[0], found[0]


def read_public(config: Path, weights: Path) -> PublicVocoder:
    """Read a vocoder from the files of a public project.

    Args:
        config: Configuration of HiFi-GAN or BigVGAN (JSON) or of Vocos (YAML).
        weights: File of its generator's weights.

    Raises:
        ValueError: The files are of another kind, damaged, or do not fit each other.
    """
    stored = _read_state(weights)
    try:
        settings = read_yaml(config)  # JSON is YAML, too
        if not isinstance(settings, dict):
            raise TypeError(f"a {type(settings).__name__} in place of names and values")
        with Budget(stored):
            found = _vocos(settings) if "backbone" in settings else _upsampler(settings)
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError, ArithmeticError) as error:
        told = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise ValueError(f"{config} describes no HiFi-GAN, BigVGAN or Vocos that can be used: {told}") from error
    names = _vocos_names(stored) if "backbone" in settings else _names(stored, settings)
    try:
        found.generator.load_state_dict(_as_parametrized(dict(names), found.generator.state_dict()))
    except (RuntimeError, LookupError, ValueError, TypeError, ArithmeticError) as error:
        raise ValueError(f"the weights in {weights} do not fit {config}: {error}") from error
    return found


def _preferred(folder: Path, names: tuple[str, ...], pattern: re.Pattern[str]) -> list[Path]:
    """Return the files of given names that are there, else those whose name has a pattern."""
    known = [folder / name for name in names if (folder / name).is_file()]
    others = sorted(each for each in folder.glob("*") if each.is_file() and pattern.fullmatch(each.name))
    return known or [each for each in others if not each.name.startswith("do_") and "discriminator" not in each.name]


def _read_state(path: Path) -> Mapping[str, Tensor]:
    refuse_pointer(path)
    try:
        content = load_file(path) if path.suffix == ".safetensors" else read_tensors(path, old=True)
    except SafetensorError as error:
        raise ValueError(f"{path} holds damaged weights ({error}); copy or download it again") from error
    if isinstance(content, dict):
        content = content.get("generator", content.get("state_dict", content))
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise ValueError(f"{path} holds no weights of a generator by name; name the file of the generator")
    return {name: value.float() for name, value in require_weights(content, path).items()}


def _upsampler(settings: dict[str, Any]) -> PublicVocoder:
    """Return HiFi-GAN or BigVGAN of a configuration, untrained, and its mel settings."""
    sizes: dict[str, Any] = {
        "mels": settings["num_mels"],
        "channels": settings["upsample_initial_channel"],
        "rates": settings["upsample_rates"],
        "kernels": settings["resblock_kernel_sizes"],
        "dilations": settings["resblock_dilation_sizes"],
        "upsampling_kernels": settings["upsample_kernel_sizes"],
        "residual": int(settings["resblock"]),
    }
    rate, fmax = settings["sampling_rate"], settings.get("fmax")
    mel = MelSettings(
        rate, settings["n_fft"], settings["hop_size"], settings["win_size"], settings["num_mels"],
        float(settings["fmin"]), float(fmax) if fmax is not None else rate / 2,
    )  # fmt: skip
    if "activation" not in settings:
        return _fitting(HiFiGANGenerator(**sizes), mel)
    if settings["activation"] not in ("snake", "snakebeta"):
        raise ValueError(f"activation {settings['activation']!r}, expected snake or snakebeta")
    return _fitting(
        BigVGANGenerator(
            **sizes,
            beta=settings["activation"] == "snakebeta",
            logarithmic=settings["snake_logscale"],
            tanh=settings.get("use_tanh_at_final", True),
            bias=settings.get("use_bias_at_final", True),
        ),
        mel,
    )


def _vocos(settings: dict[str, Any]) -> PublicVocoder:
    """Return Vocos of a configuration, untrained, and its mel settings."""
    kinds = {"feature_extractor": "MelSpectrogramFeatures", "backbone": "VocosBackbone", "head": "ISTFTHead"}
    for part, kind in kinds.items():
        if settings[part]["class_path"].rsplit(".", 1)[-1] != kind:
            raise ValueError(f"{part} is a {settings[part]['class_path']}, expected a {kind}")
    heard, backbone, head = (settings[part].get("init_args", {}) for part in kinds)
    rate, bands = heard.get("sample_rate", 24_000), heard.get("n_mels", 100)
    centred = heard.get("padding", "center") == "center"
    n_fft, hop = heard.get("n_fft", 1024), heard.get("hop_length", 256)
    mel = MelSettings(
        rate, n_fft, hop, n_fft, bands, 0.0, rate / 2, 1e-7, center=centred, scale="htk", norm="none"
    )  # fmt: skip
    if backbone["input_channels"] != bands or (head["n_fft"], head["hop_length"]) != (n_fft, hop):
        raise ValueError("its parts do not fit each other: bands, n_fft and hop_length must be the same in all")
    generator = VocosGenerator(
        bands, n_fft, hop, backbone["dim"], backbone["num_layers"], backbone["intermediate_dim"],
        center=head.get("padding", "same") == "center",
    )  # fmt: skip
    return _fitting(generator, mel)


def _fitting(generator: nn.Module, mel: MelSettings) -> PublicVocoder:
    if generator.hop != mel.hop:
        raise ValueError(f"its rates make {generator.hop} samples a frame, its hop is {mel.hop}")
    return PublicVocoder(generator, mel)


def _names(state: Mapping[str, Tensor], settings: dict[str, Any]) -> Iterator[tuple[str, Tensor]]:
    """Yield the weights of HiFi-GAN or BigVGAN by their names here; filters, which are computed, are left out."""
    count = len(settings["resblock_kernel_sizes"])
    plain = str(settings["resblock"]) == "1"
    for name, value in state.items():
        if name.endswith((".filter", ".lowpass.filter")):
            continue
        path, _, kind = name.rpartition(".")
        parts = path.removesuffix(".parametrizations.weight").split(".")
        kind = {"original0": "weight_g", "original1": "weight_v"}.get(kind, kind)
        if parts[0] == "ups":
            here = f"upsamplings.{parts[1]}"
        elif parts[0] == "resblocks":
            block = f"residuals.{int(parts[1]) // count}.{int(parts[1]) % count}"
            here = f"{block}.{_inner(parts[2], int(parts[3]), plain)}"
        else:
            here = _ROOTS.get(".".join(parts), path)
        yield f"{here}.{_NORMED.get(kind, kind)}", value


def _inner(part: str, index: int, plain: bool) -> str:
    """Return the name of a part of a residual block; activations of type 1 alternate."""
    if part == "activations" and plain:
        return f"{('before', 'between')[index % 2]}.{index // 2}"
    return f"{ {'convs': 'dilated', 'convs1': 'dilated', 'convs2': 'plain', 'activations': 'before'}[part] }.{index}"


def _vocos_names(state: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Yield the weights of Vocos by their names here; those of the mel spectrogram are left out."""
    for name, value in state.items():
        if name.startswith("feature_extractor.") or name == "head.istft.window":
            continue
        path, _, kind = name.rpartition(".")
        if path.startswith("backbone.convnext."):
            _, _, index, part, *rest = name.split(".")
            yield ".".join(["blocks", index, _VOCOS[part], *rest]), value
        else:
            yield f"{_VOCOS.get(path, path)}.{kind}", value


def _as_parametrized(state: dict[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights with a norm and a direction where a file has their product (weight normalisation removed)."""
    result = dict(state)
    for name, value in state.items():
        length, direction = (f"{name.removesuffix('weight')}{_NORMED[kind]}" for kind in ("weight_g", "weight_v"))
        if name.endswith(".weight") and name not in wanted and length in wanted:
            del result[name]
            result[length] = torch.linalg.vector_norm(value, dim=tuple(range(1, value.ndim)), keepdim=True)
            result[direction] = torch.where(result[length] > 0, value, 1.0)
    return result
