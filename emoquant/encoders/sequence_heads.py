"""Classification heads of fine-tuned models of transformers: linear maps of the time mean."""

from pathlib import Path
from typing import Any

from torch import Tensor

from emoquant.encoders.heads import LinearHead
from emoquant.storage.files import read_tensors

_NEEDED = ("projector.weight", "projector.bias", "classifier.weight", "classifier.bias")


def sequence_head(folder: Path, settings: Any, output: bool) -> LinearHead:  # noqa: ANN401 - a configuration of transformers
    """Return the head of a ``...ForSequenceClassification`` model as one linear classifier of utterance vectors.

    Such a model projects every frame, takes the mean over time and classifies it; both maps are linear, so that the
    product of their matrices classifies the mean of the frames.

    Args:
        folder: Folder of the model.
        settings: Its configuration; the names of the classes are its ``id2label``.
        output: Whether the encoder gives the model's output layer, which the head was trained on.

    Raises:
        ValueError: The model has no such head, or the head reads another layer.
    """
    kinds = [str(kind) for kind in getattr(settings, "architectures", None) or ()]
    weights = _read(folder) if any(kind.endswith("ForSequenceClassification") for kind in kinds) else {}
    if not output or getattr(settings, "use_weighted_layer_sum", False) or not set(_NEEDED) <= weights.keys():
        raise ValueError(
            f"{folder} has no classification head for this layer: train a probe on its features: emoquant fit probe"
        )
    inner, shift, outer, bias = (weights[name].float() for name in _NEEDED)
    labels = [str(settings.id2label[index]) for index in range(len(outer))]
    return LinearHead(outer @ inner, outer @ shift + bias, labels)


def _read(folder: Path) -> dict[str, Tensor]:
    """Return the tensors of a head, from whichever file has them."""
    from safetensors import safe_open

    found: dict[str, Tensor] = {}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            found |= {name: file.get_tensor(name) for name in _NEEDED if name in file.keys()}  # noqa: SIM118 - no mapping
    if not found:
        for path in sorted(folder.glob("pytorch_model*.bin")):
            found |= {name: value for name, value in read_tensors(path).items() if name in _NEEDED}
    return found
