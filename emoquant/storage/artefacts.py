"""Trained models as folders that can be shared: a description in JSON, weights in safetensors, a model card."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from emoquant.storage.documents import read_json
from emoquant.storage.files import refuse_pointer, whole_file
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
        description: What makes the module again, in primitives.
        weights: Its state dict.
        card: Text of a model card; written where there is none yet.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    whole = {name: value.detach().cpu().contiguous().clone() for name, value in weights.items()}
    with whole_file(weights_file(folder, kind)) as partial:
        partial.write_bytes(save(whole))
    if card and not (folder / CARD).exists():
        with whole_file(folder / CARD) as partial:
            partial.write_text(card, encoding="utf-8")
    text = json.dumps(dict(description), indent=1, ensure_ascii=False) + "\n"
    with whole_file(description_file(folder, kind)) as partial:
        partial.write_text(text, encoding="utf-8")


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
    """Return a path as it is, or the folder of an artefact that is fetched from Hugging Face.

    Args:
        path: A path, or a name ``owner/name`` on the hub.
        kind: What is wanted; only its files are fetched.

    Raises:
        ConnectionError: It could not be fetched.
    """
    if Path(path).exists() or not is_hub_name(str(path)):
        return Path(path)
    return download_model(str(path), "hf", [f"{kind}.json", f"{kind}.safetensors", CARD, "LICENSE"])
