"""Classification heads of fine-tuned models of transformers: linear maps of the time mean."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from emoquant.encoders.heads import LinearHead
from emoquant.labels import DIMENSIONS
from emoquant.storage.tensors import read_tensors

#: Weights of a head for dimensions (Wagner et al. 2023, Dawn of the transformer era in speech emotion recognition).
_RATED = ("classifier.dense.weight", "classifier.dense.bias", "classifier.out_proj.weight", "classifier.out_proj.bias")
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


class DimensionHead(nn.Module):
    """A dense layer, its hyperbolic tangent, and an output for each dimension, as audEERING's models end.

    Args:
        dense: Weight ``(H, D)`` and bias ``(H,)``.
        output: Weight ``(3, H)`` and bias ``(3,)``, arousal, valence and dominance in this order.
    """

    def __init__(self, dense: tuple[Tensor, Tensor], output: tuple[Tensor, Tensor]) -> None:
        super().__init__()
        self.dense, self.output = _linear(*dense), _linear(*output)
        self.requires_grad_(False)

    def forward(self, vectors: Tensor) -> Tensor:
        """Return ratings ``(..., 3)`` of utterance vectors ``(..., D)``."""
        found: Tensor = self.output(self.dense(vectors.float()).tanh())
        return found


def _linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.load_state_dict({"weight": weight, "bias": bias})
    return layer


def dimension_head(folder: Path, settings: Any) -> nn.Module | None:  # noqa: ANN401 - a configuration of transformers
    """Return the head of a model that was fine-tuned for arousal, valence and dominance; None where it was not.

    Args:
        folder: Folder of the model.
        settings: Its configuration; its ``id2label`` says which output is which dimension.

    Raises:
        ValueError: The weights do not fit each other.
    """
    named = {str(name).lower(): int(place) for place, name in (getattr(settings, "id2label", None) or {}).items()}
    if not set(DIMENSIONS) <= named.keys():
        return None
    weights = _read(folder, _RATED)
    if not set(_RATED) <= weights.keys():
        return None
    inner, shift, outer, bias = (weights[name].float() for name in _RATED)
    order = torch.tensor([named[name] for name in DIMENSIONS])
    fits = inner.ndim == outer.ndim == 2 and outer.shape[1] == inner.shape[0] == len(shift) and len(bias) == len(outer)
    if not fits or int(order.max()) >= len(outer):
        raise ValueError(f"{folder}: the weights of its head for {', '.join(DIMENSIONS)} do not fit each other")
    return DimensionHead((inner, shift), (outer[order], bias[order]))


def _read(folder: Path, names: tuple[str, ...] = _NEEDED) -> dict[str, Tensor]:
    """Return the tensors of a head, from whichever file has them."""
    from safetensors import safe_open

    found: dict[str, Tensor] = {}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            found |= {name: file.get_tensor(name) for name in names if name in file.keys()}  # noqa: SIM118 - no mapping
    if not found:
        for path in sorted(folder.glob("pytorch_model*.bin")):
            found |= {name: value for name, value in read_tensors(path).items() if name in names}
    return found
