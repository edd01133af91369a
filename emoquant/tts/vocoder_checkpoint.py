"""Files of trained vocoders."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from emoquant.documents import read_json
from emoquant.files import refuse_pointer
from emoquant.rebuilding import build, fill, require_weights
from emoquant.speech.mel import MelSpec
from emoquant.tts.files import find_checkpoint, read_checkpoint, write_whole
from emoquant.tts.hifigan import HiFiGANGenerator
from emoquant.tts.vocoders.learned import Learned
from emoquant.tts.vocos import VocosGenerator

#: Key of the description in a training checkpoint, its version, and the names of a shipped vocoder's files.
SECTION, VERSION = "emoquant_vocoder", 1
DESCRIPTION, WEIGHTS = "vocoder.json", "vocoder.safetensors"

GENERATORS: dict[str, type[nn.Module]] = {kind.__name__: kind for kind in (VocosGenerator, HiFiGANGenerator)}


def describe_vocoder(generator: nn.Module, mel: MelSpec) -> dict[str, Any]:
    """Return what a file must say beside the weights of a generator, in primitives."""
    settings: Any = generator.settings
    return {"version": VERSION, "generator": type(generator).__name__, "settings": settings, "mel": mel.to_dict()}


def save_vocoder(folder: str | Path, generator: nn.Module, mel: MelSpec, half: bool = True) -> None:
    """Write a generator as ``vocoder.json`` and ``vocoder.safetensors``.

    Args:
        folder: Folder to write into; made if it is not there.
        generator: The generator.
        mel: Mel specification that it was trained with.
        half: Whether weights are stored in half precision.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: (value.half() if half else value).contiguous() for name, value in generator.state_dict().items()}
    write_whole(folder / WEIGHTS, lambda path: path.write_bytes(save(tensors)))
    text = json.dumps(describe_vocoder(generator, mel), indent=1) + "\n"
    write_whole(folder / DESCRIPTION, lambda path: path.write_text(text, encoding="utf-8"))


def load_vocoder(path: str | Path) -> Learned:
    """Return a trained vocoder, on CPU and frozen, in single precision.

    Args:
        path: A folder of :func:`save_vocoder`, a checkpoint of the training, or the folder of a training run.

    Raises:
        FileNotFoundError: There is no such vocoder.
        ValueError: It is damaged or of another version.
    """
    path = Path(path)
    section, state = _read_folder(path) if (path / DESCRIPTION).is_file() else _read_run(path)
    try:
        if section["version"] != VERSION or section["generator"] not in GENERATORS:
            raise ValueError(f"version {section['version']}, generator {section['generator']!r}")
        weights = {name: value.to(torch.float32) for name, value in require_weights(state, path).items()}
        generator = build(lambda: GENERATORS[section["generator"]](**section["settings"]), weights, path)
        fill(generator, weights, path)
        return Learned(generator, MelSpec.from_dict(section["mel"])).eval()
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{path} describes a vocoder wrongly or one of another version: {error}") from error


def _read_folder(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    refuse_pointer(folder / WEIGHTS)
    try:
        return read_json(folder / DESCRIPTION), load_file(folder / WEIGHTS)
    except SafetensorError as error:
        raise ValueError(f"{folder} holds a damaged vocoder ({error}); copy or save it again") from error


def _read_run(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    content = read_checkpoint(find_checkpoint(path, "vocoder"), SECTION)
    prefix = "generator."
    state = {name: value for name, value in content["state_dict"].items() if name.startswith(prefix)}
    return content[SECTION], {name.removeprefix(prefix): value for name, value in state.items()}
