"""The emotion2vec network: funasr's own class, built without the rest of funasr, and the sizes it can have."""

import contextlib
import importlib.util
import io
import math
import sys
import types
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from emoquant.audio._torchaudio import ensure_torchaudio
from emoquant.storage.documents import read_yaml
from emoquant.storage.shipped import CHECKPOINTS

#: funasr's ``Emotion2vec``: a network whose parts the type checker cannot know.
Network = Any

#: The classes of the public emotion2vec models, in their order.
EMOTION2VEC_LABELS = (
    "生气/angry",
    "厌恶/disgusted",
    "恐惧/fearful",
    "开心/happy",
    "中立/neutral",
    "其他/other",
    "难过/sad",
    "吃惊/surprised",
    "<unk>",
)

#: Convolutions of the public models as (channels, kernel, stride): a receptive field of 400 samples, a hop of 320.
PUBLIC_FRONT_END = "[(512, 10, 5)] + [(512, 3, 2)] * 4 + [(512, 2, 2)] * 2"
#: A shipped model, whose settings beside the sizes every other network of the kind has, too.
_SHIPPED = CHECKPOINTS / "emotion2vec-tiny" / "config.yaml"


@contextlib.contextmanager
def _bare_package(name: str) -> Iterator[None]:
    """Let the modules of a package be imported without running the package's own ``__init__``."""
    if name in sys.modules:
        yield
        return
    spec = importlib.util.find_spec(name)
    if spec is None or spec.submodule_search_locations is None:
        raise ImportError(f"{name} is not installed: `pip install {name}`")
    package = types.ModuleType(name)
    package.__path__ = list(spec.submodule_search_locations)
    package.__spec__ = spec
    sys.modules[name] = package
    try:
        yield
    finally:
        if sys.modules.get(name) is package:
            del sys.modules[name]


def emotion2vec_class() -> type[Network]:
    """Return funasr's ``Emotion2vec`` class, imported alone.

    ``import funasr`` takes about eight seconds, raises the level of the root logger and prints notices. The model's own
    module needs none of that; a later ``import funasr`` still works and finds the same class.

    Raises:
        ImportError: funasr is not installed.
    """
    loaded = sys.modules.get("funasr.models.emotion2vec.model")
    if loaded is None:
        ensure_torchaudio()
        with _bare_package("funasr"), contextlib.redirect_stdout(io.StringIO()):
            loaded = importlib.import_module("funasr.models.emotion2vec.model")
    return loaded.Emotion2vec


def emotion2vec_config(
    dim: int = 768,
    depth: int = 8,
    prenet_depth: int = 4,
    heads: int = 12,
    mlp_ratio: float = 4.0,
    front_end: str = PUBLIC_FRONT_END,
    positional_width: int = 95,
    positional_depth: int = 5,
    positional_groups: int = 16,
    extra_tokens: int = 10,
    dropout: float = 0.1,
) -> dict[str, Any]:
    """Return the ``model_conf`` of an emotion2vec network in funasr's format; by default that of the base size.

    The decoder of the pretraining is left out: nothing here uses it.

    Args:
        dim: Feature dimensions, a multiple of ``heads`` and of ``positional_groups``.
        depth: Transformer blocks after the prenet.
        prenet_depth: Transformer blocks of the prenet.
        heads: Attention heads.
        mlp_ratio: Hidden units of a block's MLP over ``dim``.
        front_end: Convolutions over the samples, (channels, kernel, stride) each, as a Python expression; the product
            of the strides is the hop and must be 320 for 50 frames a second.
        positional_width: Receptive field in frames of the positional convolutions together.
        positional_depth: Positional convolutions.
        positional_groups: Channel groups of the positional convolutions.
        extra_tokens: Learned tokens put before the frames; at least 1.
        dropout: Dropout inside the blocks while training.

    Raises:
        ValueError: The sizes do not fit each other.
    """
    if dim % heads or dim % positional_groups:
        raise ValueError(
            f"dim={dim} must be a multiple of heads={heads} and of positional_groups={positional_groups}: change one"
        )
    shipped = read_yaml(_SHIPPED)["model_conf"]
    audio = {
        **shipped["modalities"]["audio"],
        "prenet_depth": prenet_depth,
        "prenet_dropout": dropout,
        "num_extra_tokens": extra_tokens,
        "num_alibi_heads": heads,
        "model_depth": depth,
        "feature_encoder_spec": front_end,
        "conv_pos_width": positional_width,
        "conv_pos_groups": positional_groups,
        "conv_pos_depth": positional_depth,
    }
    return {
        **shipped,
        "embed_dim": dim,
        "depth": depth,
        "num_heads": heads,
        "mlp_ratio": mlp_ratio,
        "encoder_dropout": dropout,
        "post_mlp_drop": dropout,
        "average_top_k_layers": depth,
        "modalities": {"audio": audio},
    }


def build_network(model_conf: Mapping[str, Any], classes: int, *, empty: bool = False) -> Network:
    """Return an emotion2vec network of the given configuration, without the decoder of the pretraining.

    Args:
        model_conf: ``model_conf`` of a funasr ``config.yaml``.
        classes: Outputs of the classification head; 0 for a network without one.
        empty: Leave the weights out (meta device), for a network whose weights are loaded next; the random state of
            torch is then left as it was.

    Raises:
        ValueError: The configuration is not one of emotion2vec.
    """
    audio = model_conf.get("modalities", {}).get("audio")
    if audio is None or "feature_encoder_spec" not in audio:
        raise ValueError("the configuration has no model_conf.modalities.audio: expected one of funasr's Emotion2vec")
    conf = {**model_conf, "modalities": {**model_conf["modalities"], "audio": {**audio, "decoder": None}}}
    network_class = emotion2vec_class()
    with torch.device("meta") if empty else contextlib.nullcontext():
        return network_class(model_conf=conf, vocab_size=classes or -1)


def alibi_slopes(heads: int) -> list[float]:
    """Return the slope of every head's linear attention bias (Press, Smith, Lewis 2022, as emotion2vec orders them).

    Example:
        >>> alibi_slopes(4)
        [0.25, 0.0625, 0.015625, 0.00390625]
    """
    power = 2 ** math.floor(math.log2(heads))
    first = 2.0 ** (-8.0 / power)
    slopes = [first ** (i + 1) for i in range(power)]
    return slopes if power == heads else slopes + alibi_slopes(2 * power)[0::2][: heads - power]
