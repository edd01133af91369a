"""Codecs from checkpoints of training runs, without running any code that a file brings along."""

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from emoquant.codecs.base import STUDY_LAMBDAS, Codec
from emoquant.codecs.classes import Build, class_entry, find_class, with_options
from emoquant.codecs.ecvq import ECVQ
from emoquant.codecs.history import History, Source, read_history
from emoquant.codecs.search import layout_of
from emoquant.entropy.base import EntropyModel
from emoquant.quantization.grvq import GroupedResidualVQ
from emoquant.storage import rebuilding
from emoquant.storage.artefacts import fetched, read_artefact
from emoquant.storage.origin import UNKNOWN, Origin, read_origin
from emoquant.storage.runs import find_checkpoint
from emoquant.storage.shipped import say_licence
from emoquant.storage.tensors import read_tensors, write_tensors

#: Key of the codec's description in a checkpoint, its version, and the name of a shared codec's files.
SECTION, VERSION, KIND = "emoquant_codec", 1, "codec"


def describe(
    quantizer: GroupedResidualVQ,
    entropy: EntropyModel | None,
    origin: Origin | None = None,
    history: History | None = None,
) -> dict[str, Any]:
    """Describe a quantizer and its entropy model in plain values, from which :func:`load_codec` makes them again.

    The weights are expected under ``quantizer.`` and ``entropy.`` in the checkpoint's ``state_dict``.

    Args:
        quantizer: The quantizer.
        entropy: The entropy model, if there is one.
        origin: Encoder whose features they were trained on; None if it is not known.
        history: Their training; None if it is not known.
    """
    made = None if entropy is None else class_entry(entropy)
    return _header(origin, history) | {"quantizer": class_entry(quantizer), "entropy": made}


def describe_codec(codec: Codec, origin: Origin | None = None, history: History | None = None) -> dict[str, Any]:
    """Describe a codec with :meth:`Codec.settings` in plain values, from which :func:`load_codec` makes it again.

    The weights are expected under ``codec.`` in the checkpoint's ``state_dict``.

    Args:
        codec: The codec.
        origin: Encoder whose features it was trained on; None if it is not known.
        history: Its training; None if it is not known.

    Raises:
        ValueError: The codec has no settings.
    """
    return _header(origin, history) | {"codec": class_entry(codec)}


def _header(origin: Origin | None, history: History | None) -> dict[str, Any]:
    section: dict[str, Any] = {"version": VERSION, "encoder": (origin or UNKNOWN).stored()}
    return section if history is None else section | {"history": history.stored()}


def save_codec(codec: Codec, path: str | Path) -> None:
    """Write a codec that :func:`load_codec` reads, whole or not at all.

    Args:
        codec: An :class:`ECVQ`, or a codec with :meth:`Codec.settings`. Points and name of an ECVQ are not stored, they
            belong to an evaluation.
        path: File to write; its folder must exist.

    Raises:
        ValueError: The codec has no settings.
    """
    section, state = parts_of(codec)
    write_tensors(Path(path), {SECTION: section, "state_dict": state})


def parts_of(codec: Codec) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return the description and the weights of a codec, as they are stored.

    Raises:
        ValueError: The codec has no settings.
    """
    history = codec.source.history if codec.source else None
    if type(codec) is ECVQ:
        section, parts = describe(codec.quantizer, codec.entropy, codec.origin, history), ("quantizer.", "entropy.")
        state = {name: value for name, value in codec.state_dict().items() if name.startswith(parts)}
    else:
        section = describe_codec(codec, codec.origin, history)
        state = {f"codec.{name}": value for name, value in codec.state_dict().items()}
    return section, state


def load_codec(
    checkpoint: str | Path,
    points: Sequence[float] | None = None,
    name: str | None = None,
    beam: int = 1,
    any_encoder: bool = False,
    survivors: int = 1,
    allow_class: str | Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
) -> Codec:
    """Return the trained codec of a checkpoint, on CPU and frozen.

    Args:
        checkpoint: A checkpoint of a codec's training run or of :func:`save_codec`, the folder of a run or of
            :func:`~emoquant.codecs.save_pretrained`, or ``owner/name`` on Hugging Face.
        points: Operating points that an evaluation runs, for an :class:`ECVQ` lambdas in squared feature units per
            bit; by default those of the study, or of another kind of codec its own.
        name: Name in the tables; by default that of the run's folder, or of the file without its ending.
        beam: Paths that the search of an :class:`ECVQ` keeps within a frame; 1 for greedy search.
        any_encoder: Whether the codec may be used on features of another encoder than it was trained on; otherwise
            whatever brings both together raises an error.
        survivors: Paths of coarse codes that its search keeps over time: look-ahead with 16, 1 for frame by frame.
        allow_class: Modules or class paths outside the project that the checkpoint may name, and whose code may
            therefore be run: ``"my_module"`` for all classes in and below it.
        options: Settings of a codec without codebooks that belong to an evaluation and replace those in the file:
            ``{"states": 4, "form": "stream"}`` for a :class:`~emoquant.codecs.TransformCodec`.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is damaged, no checkpoint of a codec, of a newer version, names a class that is not
            allowed, describes modules that its weights do not fit, holds NaN or infinity, holds no entropy model or
            an untrained one, or the codec has no such option.
    """
    path, given = find_checkpoint(fetched(checkpoint, KIND)), Path(checkpoint)
    say_licence(path.parent)
    content = read_checkpoint(path)
    section = content[SECTION]
    known_as = name or (given.name if given.is_dir() else given.stem)
    if section.get("codec") is None and section.get("entropy") is None:
        raise ValueError(
            f"{path} holds codebooks without an entropy model: train one on it (EntropyTask) and load that"
        )
    history = _checked_history(content, path)
    codec: Codec
    if section.get("codec") is not None:
        if (beam, survivors) != (1, 1):
            raise ValueError(f"{path} holds a codec without codebooks: beam and survivors must be 1")
        codec = _restore_codec(content, options or {}, path, allow_class)
        codec.name, codec.points = known_as, codec.points if points is None else tuple(map(float, points))
    elif options:
        raise ValueError(f"{path} holds a codec with codebooks: it has no options {options}, but beam and survivors")
    else:
        quantizer = restore_quantizer(content, path, allow_class)
        layout = layout_of(quantizer)
        entropy = _restore(content, "entropy", EntropyModel, path, allow_class, lambda model: model.build(layout))
        lambdas = STUDY_LAMBDAS if points is None else points
        codec = ECVQ(quantizer, entropy, lambdas, known_as, beam, survivors=survivors)
    codec.origin = None if any_encoder else origin_of(content)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    codec.source = Source(str(path), digest, history, origin_of(content))
    return codec.requires_grad_(False).eval()


def read_checkpoint(path: Path) -> Mapping[str, Any]:
    """Return the content of a checkpoint that holds a codec's description; errors as of :func:`load_codec`."""
    if not path.is_file():
        raise FileNotFoundError(f"no checkpoint at {path}: train a codec first, or check the path")
    if path.suffix == ".safetensors":
        described, weights = read_artefact(path.parent, KIND)
        content: Any = {SECTION: described, "state_dict": weights}
    else:
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


def restore_quantizer(
    content: Mapping[str, Any], path: Path, allow_class: str | Sequence[str] = ()
) -> GroupedResidualVQ:
    """Return the quantizer of a checkpoint's content (:func:`read_checkpoint`).

    Args:
        content: The content.
        path: File that it comes from, for messages.
        allow_class: See :func:`load_codec`.

    Raises:
        ValueError: There is none, it is damaged, of a class that is not allowed, or its codebooks were never
            initialised.
    """
    if content[SECTION].get("quantizer") is None:
        raise ValueError(f"{path} holds a codec without codebooks: expected a checkpoint of CodebookTask or CodecTask")
    quantizer: GroupedResidualVQ = _restore(content, "quantizer", GroupedResidualVQ, path, allow_class)
    if not quantizer.dim or not bool(quantizer.ready):
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


def _restore(
    content: Mapping[str, Any],
    part: str,
    base: type,
    path: Path,
    allow_class: str | Sequence[str],
    build: Build = None,
) -> Any:  # noqa: ANN401 - an object of the class that the file names
    """Return a part of a codec with its weights; sizes are held against the weights before memory is taken."""
    entry = content[SECTION][part]
    kind = find_class(entry, base, path, allow_class)
    every = {name: value for name, value in content["state_dict"].items() if isinstance(name, str)}
    state = {name.removeprefix(f"{part}."): value for name, value in every.items() if name.startswith(f"{part}.")}
    tensors = [value for value in state.values() if isinstance(value, Tensor)]
    # A few bytes on the disk may claim to be a large tensor: strides of 0, or many tensors of one storage.
    if sum(value.numel() * value.element_size() for value in tensors) > 2 * path.stat().st_size:
        raise ValueError(f"the weights in {path} claim to be larger than the file: it is damaged or was tampered with")
    module = built_from(kind, entry, state, path, build)
    rebuilding.fill(module, state, path)
    return module


def _restore_codec(
    content: Mapping[str, Any], options: Mapping[str, Any], path: Path, allow_class: str | Sequence[str]
) -> Codec:
    """Return a codec of any kind with its weights, some of its settings replaced."""
    section = content[SECTION]
    section = {**section, "codec": with_options(section["codec"], options, path)}
    codec: Codec = _restore({**content, SECTION: section}, "codec", Codec, path, allow_class)
    try:
        codec.check_weights()
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return codec


def built_from(kind: type, entry: Mapping[str, Any], state: Mapping[str, Any], path: Path, build: Build) -> nn.Module:
    """Return a new module of a class, its weights not filled in; one larger than given weights is not allocated."""

    def make() -> nn.Module:
        module: nn.Module = kind(**entry["init"])
        if build is not None:
            build(module)
        return module

    return rebuilding.build(make, state, path, kind.__name__)
