"""Codecs from checkpoints of training runs, without running any code that a file brings along."""

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch

from emoquant.codecs.base import STUDY_LAMBDAS
from emoquant.codecs.ecvq import ECVQ
from emoquant.codecs.history import History, Source, read_history
from emoquant.codecs.search import layout_of
from emoquant.codecs.transform.codec import TransformCodec
from emoquant.codecs.transform.rows import Form
from emoquant.codecs.transform.stored import KEY, restore_transform, transform_section, transform_state
from emoquant.entropy.autoregressive import AutoregressiveModel
from emoquant.entropy.base import EntropyModel
from emoquant.entropy.factorized import FactorizedModel
from emoquant.entropy.light import LightModel
from emoquant.files import read_tensors, whole_file
from emoquant.origin import UNKNOWN, Origin, read_origin
from emoquant.quantization.grvq import GroupedResidualVQ

#: Key of the codec's description in a checkpoint, and its version.
SECTION, VERSION = "emoquant_codec", 1

QUANTIZERS = {kind.__name__: kind for kind in (GroupedResidualVQ,)}
ENTROPY_MODELS: dict[str, type[EntropyModel]] = {
    kind.__name__: kind for kind in (AutoregressiveModel, FactorizedModel, LightModel)
}


def describe(
    quantizer: GroupedResidualVQ,
    entropy: EntropyModel | None,
    origin: Origin | None = None,
    history: History | None = None,
) -> dict[str, Any]:
    """Return what a checkpoint must say beside the weights so that the modules can be made again: primitives only.

    Args:
        quantizer: The quantizer.
        entropy: The entropy model, if there is one.
        origin: Encoder whose features they were trained on; None if it is not known.
        history: Their training; None if it is not known.
    """
    section: dict[str, Any] = {"version": VERSION, "encoder": (origin or UNKNOWN).stored()}
    if history is not None:
        section["history"] = history.stored()
    section["quantizer"] = {"class": type(quantizer).__name__, "init": quantizer.settings()}
    section["entropy"] = None if entropy is None else {"class": type(entropy).__name__, "init": entropy.settings()}
    return section


def describe_transform(
    codec: TransformCodec, origin: Origin | None = None, history: History | None = None
) -> dict[str, Any]:
    """Return what :func:`describe` returns, of a transform codec."""
    section: dict[str, Any] = {"version": VERSION, "encoder": (origin or UNKNOWN).stored()}
    if history is not None:
        section["history"] = history.stored()
    return section | {KEY: transform_section(codec.transform)}


def save_codec(codec: ECVQ | TransformCodec, path: str | Path) -> None:
    """Write a codec as a checkpoint that :func:`load_codec` reads, whole or not at all.

    Args:
        codec: The codec; its points and name are not stored, they belong to an evaluation.
        path: File to write; its folder must exist.
    """
    path, history = Path(path), codec.source.history if codec.source else None
    if isinstance(codec, TransformCodec):
        section, state = describe_transform(codec, codec.origin, history), transform_state(codec)
    else:
        state = {f"quantizer.{name}": value for name, value in codec.quantizer.state_dict().items()}
        state |= {f"entropy.{name}": value for name, value in codec.entropy.state_dict().items()}
        section = describe(codec.quantizer, codec.entropy, codec.origin, history)
    with whole_file(path) as partial, partial.open("wb") as file:
        torch.save({SECTION: section, "state_dict": state}, file)


def load_codec(
    checkpoint: str | Path,
    points: Sequence[float] = STUDY_LAMBDAS,
    name: str | None = None,
    beam: int = 1,
    any_encoder: bool = False,
    survivors: int = 1,
) -> ECVQ:
    """Return the trained codec of a checkpoint, on CPU and frozen; a transform codec as by :func:`load_transform`.

    Args:
        checkpoint: A checkpoint of a codec's training run or of :func:`save_codec`, or the folder of a run
            (:func:`find_checkpoint`).
        points: Lambdas that an evaluation runs, in squared feature units per bit.
        name: Name in the tables; by default that of the run's folder, or of the file without its ending.
        beam: Paths that the search keeps within a frame; 1 for greedy search. A transform codec has its own search.
        any_encoder: Whether the codec may be used on features of another encoder than it was trained on; otherwise
            whatever brings both together raises an error.
        survivors: Paths of coarse codes that the search keeps over time: look-ahead with 16, 1 for frame by frame.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is damaged, no checkpoint of a codec, of a newer version, or holds no entropy model or an
            untrained one.
    """
    path = find_checkpoint(checkpoint)
    content = read_checkpoint(path)
    if KEY in content[SECTION]:  # annotated as an ECVQ, so that a YAML may name this function where one is wanted
        return cast(ECVQ, load_transform(checkpoint, points, name, any_encoder=any_encoder))
    quantizer = restore_quantizer(content, path)
    if content[SECTION]["entropy"] is None:
        raise ValueError(
            f"{path} holds codebooks without an entropy model: train one on it (EntropyTask) and load that"
        )
    entropy = _make(ENTROPY_MODELS, content[SECTION]["entropy"], path)
    history = _checked_history(content, path)
    entropy.build(layout_of(quantizer))
    _fill(entropy, content["state_dict"], "entropy.", path)
    codec = ECVQ(quantizer, entropy, points, _known_as(checkpoint, name), beam, survivors=survivors)
    _trace(codec, content, path, history, any_encoder)
    return codec.requires_grad_(False).eval()


def load_transform(
    checkpoint: str | Path,
    points: Sequence[float] = STUDY_LAMBDAS,
    name: str | None = None,
    states: int = 8,
    form: Form = "whole",
    any_encoder: bool = False,
) -> TransformCodec:
    """Return the transform codec of a checkpoint, on CPU and frozen.

    Args:
        checkpoint: As in :func:`load_codec`, and so ``points``, ``name`` and ``any_encoder``.
        points: Lambdas that an evaluation runs.
        name: Name in the tables.
        states: States of dependent quantization: 8, 4, or 1 for a scalar quantizer.
        form: ``"whole"`` or ``"stream"``; see :class:`TransformCodec`.
        any_encoder: Whether features of another encoder are let through.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is damaged or holds no transform codec that was trained for an epoch.
    """
    path = find_checkpoint(checkpoint)
    content = read_checkpoint(path)
    history = _checked_history(content, path)
    known_as = _known_as(checkpoint, name)
    codec = restore_transform(content[SECTION], content["state_dict"], path, points, known_as, states, form)
    _trace(codec, content, path, history, any_encoder)
    return codec.requires_grad_(False).eval()


def _known_as(checkpoint: str | Path, name: str | None) -> str:
    given = Path(checkpoint)
    return name or (given.name if given.is_dir() else given.stem)


def _trace(
    codec: ECVQ | TransformCodec, content: Mapping[str, Any], path: Path, history: History | None, any_encoder: bool
) -> None:
    """Set where a codec comes from."""
    codec.origin = None if any_encoder else origin_of(content)
    with path.open("rb") as file:
        codec.source = Source(str(path), hashlib.file_digest(file, "sha256").hexdigest(), history)


def find_checkpoint(path: str | Path) -> Path:
    """Return the checkpoint that a path stands for: a file itself, of a run's folder the newest version's last one.

    Args:
        path: A file, or a folder with ``version_0/checkpoints/last.ckpt``, ``version_1/...`` as a logger lays it out.

    Raises:
        FileNotFoundError: There is no such file or folder, or no version in the folder has a checkpoint yet.
    """
    path = Path(path)
    if not path.is_dir():
        return path
    found = [file for file in path.glob("version_*/checkpoints/last.ckpt") if file.parts[-3][8:].isdecimal()]
    if not found:
        raise FileNotFoundError(
            f"no version_*/checkpoints/last.ckpt in {path}: expected the folder of a training run, or name a file"
        )
    return max(found, key=lambda file: int(file.parts[-3][8:]))


def read_checkpoint(path: Path) -> Mapping[str, Any]:
    """Return the content of a checkpoint that holds a codec's description; errors as of :func:`load_codec`."""
    if not path.is_file():
        raise FileNotFoundError(f"no checkpoint at {path}: train a codec first, or check the path")
    content = read_tensors(path)
    section = content.get(SECTION) if isinstance(content, dict) else None
    if not isinstance(section, dict) or not isinstance(content.get("state_dict"), dict):
        raise ValueError(
            f"{path} is no checkpoint of a codec (it lacks {SECTION!r}): expected one of a codec's training"
        )
    if section.get("version") != VERSION:
        raise ValueError(
            f"{path} has codec format {section.get('version')}, expected {VERSION}: update emoquant or retrain"
        )
    return content


def restore_quantizer(content: Mapping[str, Any], path: Path) -> GroupedResidualVQ:
    """Return the quantizer of a checkpoint's content (:func:`read_checkpoint`).

    Raises:
        ValueError: It is damaged or its codebooks were never initialised.
    """
    quantizer = _make(QUANTIZERS, content[SECTION]["quantizer"], path)
    _fill(quantizer, content["state_dict"], "quantizer.", path)
    if not bool(quantizer.ready):
        raise ValueError(f"{path} was saved before its codebooks were initialised: train it for at least one epoch")
    return quantizer.requires_grad_(False)


def origin_of(content: Mapping[str, Any]) -> Origin:
    """Return the encoder that a checkpoint's content (:func:`read_checkpoint`) was trained on features of."""
    return read_origin(content[SECTION].get("encoder"))


def _checked_history(content: Mapping[str, Any], path: Path) -> History | None:
    """Return the training that a checkpoint tells of; refuse an untrained entropy model, warn of a half-trained one."""
    history = read_history(content[SECTION].get("history"))
    if history is None:
        return None
    place = f"{path} is of epoch {history.epoch} of {history.epochs} of a training on {history.corpus!r}"
    if history.phase == "codebooks":
        more = " with more --trainer.max_epochs" if history.finished else ""
        raise ValueError(f"{place}: its entropy model is not trained yet; let it go on{more}: --ckpt_path {path}")
    if history.finished:
        return history
    warnings.warn(
        f"{place} that runs, was interrupted or stopped early; to go on with it: --ckpt_path {path}", stacklevel=3
    )
    return history


def _make(registry: Mapping[str, Any], entry: Any, path: Path) -> Any:  # noqa: ANN401 - whatever a file holds
    name = entry.get("class") if isinstance(entry, dict) else None
    if not isinstance(name, str) or name not in registry:
        raise ValueError(f"{path} names the class {name!r}; known are {', '.join(registry)}: update emoquant")
    try:
        return registry[name](**entry["init"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} describes {name} wrongly: {error}") from error


def _fill(module: torch.nn.Module, state: Mapping[str, Any], prefix: str, path: Path) -> None:
    own = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
    try:
        module.load_state_dict(own)
    except RuntimeError as error:
        raise ValueError(f"the weights in {path} do not fit their description: {error}") from error
