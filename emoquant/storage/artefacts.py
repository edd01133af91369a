"""Trained models as folders that can be shared: a description in JSON, weights in safetensors, a model card."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from emoquant.storage.documents import read_json
from emoquant.storage.files import refuse_pointer, write_whole
from emoquant.storage.hub import download_model, is_hub_name

CARD = "README.md"


def description_file(folder: Path, kind: str) -> Path:
    """Return the file of a folder that describes an artefact of a kind: codec, probe, voice or vocoder."""
    return folder / f"{kind}.json"


def weights_file(folder: Path, kind: str) -> Path:
    """Return the file of a folder that holds the weights of an artefact of a kind."""
    return folder / f"{kind}.safetensors"


def write_artefact(
    folder: str | Path, kind: str, description: Mapping[str, Any], weights: Mapping[str, Tensor], card: str = ""
) -> None:
    """Write an artefact into a folder, each file whole or not at all, the description last.

    Args:
        folder: Folder to write into; made if it is not there.
        kind: What it is; the name of its files.
        description: Class and arguments of the module, as primitives.
        weights: Its state dict.
        card: Text of a model card; written where there is none yet.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    whole = {name: value.detach().cpu().contiguous().clone() for name, value in weights.items()}
    write_whole(weights_file(folder, kind), save(whole))
    if card and not (folder / CARD).exists():
        write_whole(folder / CARD, card.encode())
    text = json.dumps(dict(description), indent=1, ensure_ascii=False) + "\n"
    write_whole(description_file(folder, kind), text.encode())


def read_artefact(folder: Path, kind: str) -> tuple[Any, dict[str, Tensor]]:
    """Return description and weights of an artefact.

    Args:
        folder: Its folder.
        kind: What it is.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: A file is damaged, or only points to its content (Git LFS).
    """
    path = weights_file(folder, kind)
    if not path.is_file():
        raise FileNotFoundError(f"{folder} has no {path.name}: expected it beside {kind}.json; copy both")
    refuse_pointer(path)
    try:
        return read_json(description_file(folder, kind)), load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{folder} holds a damaged {kind} ({error}); copy or save it again") from error


def fetched(path: str | Path, kind: str) -> Path:
    """Return a local path, or download an artefact from Hugging Face and return its folder.

    Args:
        path: A path, or a name ``owner/name`` on the hub.
        kind: What is wanted; only its files are fetched.

    Raises:
        ConnectionError: It could not be fetched.
    """
    if Path(path).exists() or not is_hub_name(str(path)):
        return Path(path)
    return download_model(str(path), "hf", [f"{kind}.json", f"{kind}.safetensors", CARD, "LICENSE"])
