"""The encoder that a word of the command line stands for."""

import json
from collections.abc import Mapping
from typing import Any

from emoquant.storage.documents import read_config, read_json, require_mapping
from emoquant.storage.shipped import config_names, find_config, shipped_path

#: Owners of the public emotion2vec models on the hubs; models of all others are taken to be of transformers.
EMOTION2VEC_OWNERS = ("iic", "emotion2vec")
#: What the description of a saved LSTM encoder says of it.
_SETTINGS = ("output", "hidden", "layers", "logarithm", "scale")


def encoder_spec(word: str | Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Return class and arguments of the encoder that a word after ``--encoder`` stands for.

    Args:
        word: A name on a hub, a folder, a YAML (or the name of a shipped one) or a mapping with ``class_path``, or the
            path of a class. Models of transformers may name a layer behind an ``@``.

    Example:
        >>> encoder_spec("iic/emotion2vec_plus_base")["init_args"]
        {'model': 'iic/emotion2vec_plus_base'}
        >>> encoder_spec("microsoft/wavlm-base-plus@6")["init_args"]
        {'model': 'microsoft/wavlm-base-plus', 'layer': 6}
    """
    if not isinstance(word, str):
        return word
    if word.lstrip().startswith("{"):
        found: Mapping[str, Any] = json.loads(word)
        return found
    if word.endswith((".yaml", ".yml")) or word in config_names("encoder"):
        return read_config(find_config(word, ("encoder",)))
    init: dict[str, Any]
    if "/" not in word and word.rpartition(".")[2][:1].isupper():
        return {"class_path": word}
    saved = shipped_path(word) / "encoder.json"
    if saved.is_file():
        settings = require_mapping(read_json(saved), saved, *_SETTINGS)
        init = {"weights": word} | {name: settings[name] for name in _SETTINGS}
        return {"class_path": "emoquant.encoders.LSTMEncoder", "init_args": init}
    if (shipped_path(word) / "encoder.safetensors").is_file():
        raise FileNotFoundError(f"{word} has no encoder.json: expected it beside encoder.safetensors; copy both")
    model, _, layer = word.partition("@")
    if _is_of_transformers(model):
        init = {"model": model} | ({"layer": _layer(layer, word)} if layer else {})
        return {"class_path": "emoquant.encoders.TransformersEncoder", "init_args": init}
    return {"class_path": "emoquant.encoders.Emotion2Vec", "init_args": {"model": word}}


def _is_of_transformers(model: str) -> bool:
    """Whether a name is that of a model in transformers' format: by its folder's files, or by its owner on a hub."""
    folder = shipped_path(model)
    if folder.is_dir():
        return (folder / "config.json").is_file() and not (folder / "config.yaml").is_file()
    owner, _, name = model.partition("/")
    local = not owner.strip(".~") or shipped_path(owner).exists()  # a path that is not there, not a name
    return bool(name) and "/" not in name and not local and owner not in EMOTION2VEC_OWNERS


def _layer(text: str, word: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"--encoder {word}: expected the number of a layer behind the @, not {text!r}") from None
