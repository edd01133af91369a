"""What a checkpoint holds of a transform codec, and the codec from it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from emoquant.codecs.base import STUDY_LAMBDAS
from emoquant.codecs.transform.bands import BandTransform
from emoquant.codecs.transform.codec import TransformCodec
from emoquant.codecs.transform.rows import Form
from emoquant.entropy.coefficients.network import ContextNetwork

#: Key of the description within that of a codec.
KEY = "transform"


def transform_section(transform: BandTransform) -> dict[str, Any]:
    """Return what a checkpoint must say beside the weights: primitives only."""
    return {"class": TransformCodec.__name__, "init": {"dim": transform.dim}}


def transform_state(codec: TransformCodec) -> dict[str, Any]:
    """Return the weights as a checkpoint holds them."""
    state = {f"transform.{name}": value for name, value in codec.transform.state_dict().items()}
    return state | {f"contexts.{name}": value for name, value in codec.contexts.state_dict().items()}


def restore_transform(
    section: Mapping[str, Any],
    state: Mapping[str, Any],
    path: Path,
    points: Sequence[float] = STUDY_LAMBDAS,
    name: str = "transform",
    states: int = 8,
    form: Form = "whole",
) -> TransformCodec:
    """Return the codec that a checkpoint describes.

    Args:
        section: The codec's description; what :func:`transform_section` returns is under :data:`KEY`.
        state: Weights, those of the codec and perhaps others.
        path: The file, for messages.
        points: Lambdas that an evaluation runs.
        name: Name in the tables.
        states: As in :class:`TransformCodec`.
        form: Likewise.

    Raises:
        ValueError: The description or the weights are damaged, or the transform was never fitted.
    """
    entry = section.get(KEY)
    if not isinstance(entry, dict) or entry.get("class") != TransformCodec.__name__:
        raise ValueError(
            f"{path} describes no transform codec that is known here: expected one that TransformTask trained"
        )
    try:
        parts = BandTransform(**entry["init"]), ContextNetwork()
        for prefix, module in zip(("transform.", "contexts."), parts, strict=True):
            own = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
            module.load_state_dict(own)
    except (KeyError, TypeError, RuntimeError) as error:
        raise ValueError(f"the weights of the transform codec in {path} do not fit: {error}; train it again") from error
    transform, contexts = parts
    if not bool(transform.ready):
        raise ValueError(f"{path} was saved before its transform was fitted: train it for at least one epoch")
    return TransformCodec(transform, contexts, points, name, states, form)
