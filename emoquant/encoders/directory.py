"""Model directories in funasr's own format: reading them, checking their weights, writing them.

A directory holds ``configuration.json``, ``config.yaml`` (``model_conf`` is the network), the weights (``model.pt``, or
what ``configuration.json`` names) and, for a model with a classification head, ``tokens.txt`` with one label a line.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
import yaml
from torch import Tensor

from emoquant.encoders.architecture import Network
from emoquant.encoders.frames import front_end_layers
from emoquant.storage.documents import read_json, read_yaml
from emoquant.storage.files import read_text, write_whole
from emoquant.storage.rebuilding import require_weights
from emoquant.storage.tensors import read_tensors, write_tensors

_CONFIGURATION = {
    "framework": "pytorch",
    "task": "emotion-recognition",
    "pipeline": {"type": "funasr-pipeline"},
    "model": {"type": "funasr"},
    "file_path_metas": {
        "init_param": "model.pt",
        "tokenizer_conf": {"token_list": "tokens.txt"},
        "config": "config.yaml",
    },
}

#: Parts of a checkpoint that only the pretraining uses.
_PRETRAINING_ONLY = ("modality_encoders.AUDIO.decoder.", "_ema", "ema.")


class ModelDirectory(NamedTuple):
    """What the small files of a model directory say.

    Attributes:
        path: The directory.
        model_conf: Configuration of the network.
        labels: Classes of the head, in the order of its outputs; empty for a model without a head.
        weights: File of the weights.
    """

    path: Path
    model_conf: dict[str, Any]
    labels: list[str]
    weights: Path


def read_directory(path: Path) -> ModelDirectory:
    """Return what a model directory holds, without loading the weights.

    Args:
        path: Directory in funasr's format.

    Raises:
        FileNotFoundError: The directory or one of its files is missing.
        ValueError: The configuration is not one of emotion2vec, or names no file of weights in the directory.
    """
    weights = _name_of_weights(path / "configuration.json")
    for name in ("config.yaml", weights):
        if not (path / name).is_file():
            raise FileNotFoundError(
                f"{path} is no emotion2vec model: it has no {name}; expected a directory in funasr's format "
                f"(configuration.json, config.yaml, {weights}, tokens.txt) as the model hubs give it"
            )
    model_conf = _model_conf(path / "config.yaml")
    tokens = path / "tokens.txt"
    labels = read_text(tokens).split("\n") if tokens.is_file() else []
    labels = [label.strip() for label in labels if label.strip()]
    return ModelDirectory(path, model_conf, labels, path / weights)


def _model_conf(path: Path) -> dict[str, Any]:
    """Return the configuration of the network; nothing of it is left for funasr to evaluate as Python."""
    conf = read_yaml(path)
    if not isinstance(conf, dict) or conf.get("model") != "Emotion2vec" or not isinstance(conf.get("model_conf"), dict):
        raise ValueError(f"{path} does not describe an emotion2vec model (model: Emotion2vec)")
    found: dict[str, Any] = conf["model_conf"]
    try:
        if any("${" in str(value) for value in (found, *found.values())):
            raise ValueError("it refers to other values (${...}); write them out")
        if not isinstance(found["embed_dim"], int):
            raise ValueError(f"embed_dim is {found['embed_dim']!r}, expected a number")
        front_end_layers(found["modalities"]["audio"]["feature_encoder_spec"])
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{path}: model_conf is not one of emotion2vec: {error}") from error
    return found


def _name_of_weights(configuration: Path) -> str:
    """Return the file name that a ``configuration.json`` gives to the weights, ``model.pt`` where it gives none."""
    if not configuration.is_file():
        return "model.pt"
    try:
        name = read_json(configuration).get("file_path_metas", {}).get("init_param")
    except (ValueError, AttributeError) as error:
        raise ValueError(f"{configuration} is no description of a model ({error}); fetch the model again") from error
    if name is not None and (not isinstance(name, str) or name != Path(name).name):
        raise ValueError(f"{configuration} names {name!r} as init_param; expected a file in the same folder")
    return name or "model.pt"


def read_weights(directory: ModelDirectory) -> dict[str, Tensor]:
    """Return the weights of a model directory by the names that the network gives them, as they are stored.

    Raises:
        ValueError: The file is damaged or holds no state dict.
    """
    stored = read_tensors(directory.weights, mmap=True)
    for key in ("state_dict", "model", "model_state_dict"):
        if isinstance(stored, Mapping) and isinstance(stored.get(key), Mapping):
            stored = stored[key]
    if not isinstance(stored, Mapping) or not all(isinstance(value, Tensor) for value in stored.values()):
        raise ValueError(f"{directory.weights} holds no weights: expected a state dict, or one under the key 'model'")
    found = require_weights(stored, directory.weights)
    return {name.removeprefix("d2v_model."): value for name, value in found.items()}


def load_weights(network: Network, weights: Mapping[str, Tensor], source: Path) -> None:
    """Put weights into a network that was built empty; every one of its tensors must be there with its shape.

    Weights that the network does not have are those of the pretraining (decoder, teacher) and are left out.

    Args:
        network: Network on the meta device.
        weights: Weights by name, of any float type; they become float32.
        source: Where they come from, for the message.

    Raises:
        ValueError: A weight is missing or has another shape, or one belongs to no part of the network.
    """
    wanted = network.state_dict()
    missing = sorted(wanted.keys() - weights.keys())
    shapes = [name for name in wanted.keys() & weights.keys() if wanted[name].shape != weights[name].shape]
    strange = [name for name in weights.keys() - wanted.keys() if not _is_pretraining(name)]
    problems = [f"{name} is missing" for name in missing]
    problems += [f"{n} is {tuple(weights[n].shape)}, expected {tuple(wanted[n].shape)}" for n in sorted(shapes)]
    problems += [f"{name} belongs to no part of the network" for name in sorted(strange)]
    if problems:
        more = f" and {len(problems) - 4} more" if len(problems) > 4 else ""
        raise ValueError(
            f"the weights of {source} do not fit its config.yaml: {'; '.join(problems[:4])}{more}; "
            "fetch the model again, or give the config.yaml that belongs to them"
        )
    network.load_state_dict({name: weights[name].float().clone() for name in wanted}, assign=True)


def _is_pretraining(name: str) -> bool:
    return name.startswith(_PRETRAINING_ONLY)


def weights_digest(model_conf: Mapping[str, Any], weights: Mapping[str, Tensor]) -> str:
    """Return a hex digest of a configuration and its weights: the same for a file and for the network loaded from it.

    Args:
        model_conf: Configuration of the network.
        weights: Weights by name; those of the pretraining do not count.
    """
    digest = hashlib.sha256(json.dumps(model_conf, sort_keys=True).encode())
    for name in sorted(weights):
        if not _is_pretraining(name):
            digest.update(name.encode())
            digest.update(weights[name].detach().to("cpu", torch.float32).contiguous().numpy().data)
    return digest.hexdigest()


def body_digest(model_conf: Mapping[str, Any], weights: Mapping[str, Tensor]) -> str:
    """Return :func:`weights_digest` of a network without its head: what its features depend on."""
    return weights_digest(model_conf, {name: value for name, value in weights.items() if not name.startswith("proj.")})


def write_directory(
    path: Path,
    network: Network,
    model_conf: Mapping[str, Any],
    labels: Sequence[str],
    dtype: torch.dtype = torch.float16,
) -> None:
    """Write a network as a model directory that funasr loads by itself.

    Args:
        path: Directory to write; files of these names that are there are replaced, each as a whole.
        network: funasr's ``Emotion2vec``.
        model_conf: Configuration that it was built with.
        labels: Classes of its head; empty for a network without one.
        dtype: Type of the stored weights.

    Raises:
        ValueError: The labels do not fit the head.
    """
    classes = 0 if network.proj is None else network.proj.out_features
    if classes != len(labels):
        raise ValueError(f"the head has {classes} outputs but there are {len(labels)} labels: give one label each")
    audio = {**model_conf["modalities"]["audio"], "decoder": None}
    conf: dict[str, Any] = {
        "model": "Emotion2vec",
        "model_conf": {**model_conf, "modalities": {**model_conf["modalities"], "audio": audio}},
    }
    if labels:
        conf |= {"tokenizer": "CharTokenizer", "tokenizer_conf": {"unk_symbol": "<unk>", "split_with_space": True}}
    conf["scope_map"] = ["d2v_model.", "none"]
    weights = {name: value.detach().to("cpu", dtype).contiguous() for name, value in network.state_dict().items()}
    path.mkdir(parents=True, exist_ok=True)
    write_whole(path / "config.yaml", yaml.safe_dump(conf, sort_keys=False).encode())
    write_whole(path / "configuration.json", (json.dumps(_CONFIGURATION, indent=2) + "\n").encode())
    if labels:
        write_whole(path / "tokens.txt", ("\n".join(labels) + "\n").encode())
    write_tensors(path / "model.pt", {"model": weights})
