"""Saving and loading of trained vocoders."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from emoquant.audio.mel import MelSettings
from emoquant.storage.artefacts import description_file, read_artefact, write_artefact
from emoquant.storage.hub import is_hub_name
from emoquant.storage.rebuilding import build, fill, require_weights
from emoquant.storage.tensors import is_zip, read_tensors
from emoquant.voice.tts.bigvgan import BigVGANGenerator
from emoquant.voice.tts.files import find_checkpoint, read_checkpoint
from emoquant.voice.tts.hifigan import HiFiGANGenerator
from emoquant.voice.tts.public_vocoders import fetch_vocoder, find_files, read_public
from emoquant.voice.tts.vocoders.learned import Learned
from emoquant.voice.tts.vocos import VocosGenerator

#: Key of the description in a training checkpoint, its version, and the name of a saved vocoder's files.
SECTION, VERSION, KIND = "emoquant_vocoder", 1, "vocoder"

GENERATORS: dict[str, type[nn.Module]] = {
    kind.__name__: kind for kind in (VocosGenerator, HiFiGANGenerator, BigVGANGenerator)
}


def describe_vocoder(generator: nn.Module, mel: MelSettings) -> dict[str, Any]:
    """Return the description of a generator that is saved with its weights: class, arguments, mel settings."""
    settings: Any = generator.settings
    return {"version": VERSION, "generator": type(generator).__name__, "settings": settings, "mel": mel.to_dict()}


def require_description(section: Any, generator: nn.Module, mel: MelSettings) -> None:  # noqa: ANN401 - from a file
    """Check that a checkpoint's description is that of a generator and its mel settings.

    Raises:
        ValueError: The description is missing or differs.
    """
    if not isinstance(section, dict) or "mel" not in section:
        raise ValueError("the checkpoint is of no training of a vocoder")
    MelSettings.from_dict(section["mel"]).require(mel, "this run", "the checkpoint")
    mine, theirs = describe_vocoder(generator, mel), section["settings"]
    wrong = {name: value for name, value in theirs.items() if mine["settings"].get(name) != value}
    if section["generator"] != mine["generator"] or wrong:
        raise ValueError(
            f"the checkpoint has a {section['generator']} of {wrong or theirs}, this run a {mine['generator']} of "
            f"{mine['settings']}; go on with the same, or begin a new training with init_from"
        )


def save_vocoder(folder: str | Path, generator: nn.Module, mel: MelSettings, half: bool = True) -> None:
    """Write a generator as ``vocoder.json`` and ``vocoder.safetensors``.

    Args:
        folder: Folder to write into; it is created if it does not exist.
        generator: The generator.
        mel: Mel settings that it was trained with.
        half: Whether weights are stored in half precision.
    """
    tensors = {name: value.half() if half else value for name, value in generator.state_dict().items()}
    write_artefact(folder, KIND, describe_vocoder(generator, mel), tensors)


def load_vocoder(path: str | Path) -> Learned:
    """Load a trained vocoder: on CPU, frozen, in single precision.

    Args:
        path: A folder of :func:`save_vocoder`, a checkpoint of the training, or the folder of a training run. Or a
            public vocoder: the folder of a HiFi-GAN, BigVGAN or Vocos with its configuration and generator, the file of
            the generator beside its configuration, or a name on Hugging Face (``"charactr/vocos-mel-24khz"``,
            ``"nvidia/bigvgan_v2_22khz_80band_fmax8k_256x"``), which is downloaded on its first use.

    Raises:
        ConnectionError: The download failed.
        FileNotFoundError: There is no such vocoder.
        ValueError: The file is damaged, of another version or of an unknown kind.
    """
    path = fetch_vocoder(str(path)) if is_hub_name(str(path)) else Path(path)
    own = description_file(path, KIND).is_file()
    if not own and not _is_own(path) and (found := find_files(path)) is not None:
        return Learned(*read_public(*found)).eval()
    section, state = read_artefact(path, KIND) if own else _read_run(path)
    try:
        if section["version"] != VERSION or section["generator"] not in GENERATORS:
            raise ValueError(f"version {section['version']}, generator {section['generator']!r}")
        weights = {name: value.to(torch.float32) for name, value in require_weights(state, path).items()}
        generator = build(lambda: GENERATORS[section["generator"]](**section["settings"]), weights, path)
        fill(generator, weights, path)
        return Learned(generator, MelSettings.from_dict(section["mel"])).eval()
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{path} describes a vocoder wrongly or one of another version: {error}") from error


def _is_own(path: Path) -> bool:
    """Return whether a file is a checkpoint of the project's own training."""
    if not path.is_file() or not is_zip(path):
        return False
    content = read_tensors(path, mmap=True)
    return isinstance(content, dict) and SECTION in content


def _read_run(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    content = read_checkpoint(find_checkpoint(path, "vocoder"), SECTION)
    prefix = "generator."
    state = {name: value for name, value in content["state_dict"].items() if name.startswith(prefix)}
    return content[SECTION], {name.removeprefix(prefix): value for name, value in state.items()}
