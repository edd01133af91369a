"""Models of the transformers library from a folder or a hub: found, checked and loaded; no code of theirs is run."""

import hashlib
import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from emoquant.audio._torchaudio import ensure_torchaudio
from emoquant.storage.documents import read_json
from emoquant.storage.files import refuse_pointer
from emoquant.storage.hub import download_model
from emoquant.storage.shipped import shipped_path

CONFIG, FEATURES = "config.json", "preprocessor_config.json"
#: Files of a model on a hub that are fetched: descriptions and weights, no code.
_FETCHED = (CONFIG, FEATURES, "*.safetensors", "*.safetensors.index.json")
_WEIGHTS = ("*.safetensors", "pytorch_model*.bin")
#: Weights that only the training needs: a model that lacks them is whole.
_UNUSED = ("masked_spec_embed",)


def find_pretrained(model: str, families: Collection[str], what: str) -> Path:
    """Return the folder of a model in transformers' format; a public one is downloaded on its first use.

    Args:
        model: Folder, or name on Hugging Face's hub, ``owner/name``.
        families: Values of ``model_type`` that will do.
        what: What the model is wanted for, for messages: ``"encoder"``.

    Raises:
        FileNotFoundError: There is no such folder, or it lacks its configuration or its weights.
        ConnectionError: The download failed.
        ValueError: The model is of another family.
    """
    folder = shipped_path(model)
    if not folder.is_dir():
        if model.count("/") != 1 or model.startswith((".", "/")):
            raise FileNotFoundError(
                f"no folder {model!r}: expected a model in transformers' format ({CONFIG}, {FEATURES}, "
                "model.safetensors) or its name on the hub, owner/name"
            )
        folder = download_model(model, "hf", _FETCHED)
    family = model_family(folder)
    if family not in families:
        raise ValueError(
            f"{folder} is a model of the family {family!r}, which is no {what}: expected one of "
            f"{', '.join(sorted(families))}"
        )
    if not _weights(folder):
        raise FileNotFoundError(
            f"{folder} has no weights (model.safetensors or pytorch_model.bin): copy the model whole"
        )
    return folder


def model_family(folder: Path) -> str:
    """Return the ``model_type`` of a folder in transformers' format.

    Raises:
        FileNotFoundError: It has no configuration.
        ValueError: Its configuration is damaged or names no family.
    """
    path = folder / CONFIG
    if not path.is_file():
        raise FileNotFoundError(
            f"{folder} has no {CONFIG}: expected a folder as save_pretrained of transformers writes"
        )
    content = read_json(path)
    family = content.get("model_type") if isinstance(content, dict) else None
    if not isinstance(family, str):
        raise ValueError(f"{path} names no model_type: expected the configuration of a model of transformers")
    return family


def _weights(folder: Path) -> list[Path]:
    found: list[Path] = []
    for pattern in _WEIGHTS:
        found = found or sorted(folder.glob(pattern))
    return found


def files_digest(folder: Path) -> str:
    """Return a hex digest of everything in a model's folder that shapes what it computes: settings and weights.

    Raises:
        ValueError: A file of weights only points to its content (Git LFS).
    """
    digest = hashlib.sha256()
    for name in (CONFIG, FEATURES):
        if (folder / name).is_file():
            digest.update(json.dumps(_plain(read_json(folder / name)), sort_keys=True).encode())
    for path in _weights(folder):
        refuse_pointer(path)
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _plain(content: Any) -> Any:  # noqa: ANN401 - a configuration
    """Return a configuration without what the folder's place and the library's version leave in it."""
    if not isinstance(content, dict):
        return content
    return {key: value for key, value in content.items() if key not in ("_name_or_path", "transformers_version")}


def read_settings(folder: Path, **changes: Any) -> Any:  # noqa: ANN401 - a configuration of transformers
    """Return the configuration of a model.

    Args:
        folder: Its folder.
        changes: Values that are set instead of the file's.

    Raises:
        ValueError: It is damaged.
    """
    ensure_torchaudio()
    from transformers import AutoConfig

    with _one_error(folder):
        return AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False, **changes)


def load_pretrained(folder: Path, settings: Any) -> nn.Module:  # noqa: ANN401 - a configuration of transformers
    """Return a model with all of its weights, in float32 and in evaluation mode.

    Args:
        folder: Its folder.
        settings: Its configuration (:func:`read_settings`).

    Raises:
        ValueError: The weights are damaged or do not fit the configuration.
    """
    ensure_torchaudio()
    from transformers import AutoModel

    with _one_error(folder):
        model, info = AutoModel.from_pretrained(
            folder, config=settings, local_files_only=True, trust_remote_code=False, dtype=torch.float32,
            output_loading_info=True, ignore_mismatched_sizes=True,
        )  # fmt: skip
    if other := sorted(info["mismatched_keys"]):
        name, found, wanted = other[0]
        raise ValueError(
            f"the weights of {folder} do not fit its {CONFIG}: {name} is {tuple(found)}, expected {tuple(wanted)}; "
            "they are of another model: copy the model again"
        )
    missing = sorted(name for name in info["missing_keys"] if not name.endswith(_UNUSED))
    if missing:
        raise ValueError(
            f"the weights of {folder} do not fit its {CONFIG}: {', '.join(missing[:3])} and {len(missing)} in all are "
            "missing; they are of another model, or cut: copy the model again"
        )
    network: nn.Module = model.requires_grad_(False).eval()
    return network


def load_front_end(folder: Path) -> Any:  # noqa: ANN401 - a feature extractor of transformers
    """Return the feature extractor that belongs to a model.

    Raises:
        FileNotFoundError: The folder does not describe it.
        ValueError: Its description is damaged.
    """
    ensure_torchaudio()
    from transformers import AutoFeatureExtractor

    if not (folder / FEATURES).is_file():
        raise FileNotFoundError(
            f"{folder} has no {FEATURES}, which says how its input is normalised: copy it from where the model is from"
        )
    with _one_error(folder):
        return AutoFeatureExtractor.from_pretrained(folder, local_files_only=True, trust_remote_code=False)


@contextmanager
def _one_error(folder: Path) -> Iterator[None]:
    """Turn what transformers raises over a bad folder into one error, and leave out what it logs on the way."""
    from huggingface_hub.errors import StrictDataclassError
    from safetensors import SafetensorError
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, SafetensorError,
            StrictDataclassError) as error:  # fmt: skip
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{folder} cannot be loaded with transformers ({reason}); copy the model again") from error
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
