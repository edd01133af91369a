"""The data module of a run as one of :mod:`emoquant.interfaces.protocols`, or one error that says what it lacks."""

import inspect
from typing import Any, TypeVar

from lightning.pytorch import Trainer

from emoquant.interfaces.protocols import AudioData, EmotionData, FrameData, LabelledData, SpokenData, VoiceData
from emoquant.types import AudioBatch, Batch, TTSBatch


class DataModuleError(TypeError):
    """A run has no data module, or one of another kind than its task or callback needs."""


Kind = TypeVar("Kind", bound=LabelledData | FrameData)


def labelled_data_of(trainer: Trainer) -> LabelledData:
    """Return the data module of a run, whatever its batches.

    Raises:
        DataModuleError: There is none, or it has no labelled splits.
    """
    return _checked(trainer, LabelledData, object, "any data module of emoquant.data")  # type: ignore[type-abstract]


def frames_of(trainer: Trainer) -> FrameData:
    """Return the data module of a run that trains a codec.

    Raises:
        DataModuleError: There is none, or it is of another kind.
    """
    return _checked(trainer, FrameData, Batch, "an EmotionDataModule (frame features)")  # type: ignore[type-abstract]


def labelled_frames_of(trainer: Trainer) -> EmotionData | None:
    """Return the data module of a run that trains a codec; None where it has no utterances and emotions.

    Raises:
        DataModuleError: There is none, or it is of another kind.
    """
    data: Any = frames_of(trainer)
    return None if _lacking(data, EmotionData) else data


def data_of(trainer: Trainer) -> EmotionData:
    """Return the data module of a run on frame features.

    Raises:
        DataModuleError: There is none, or it is of another kind.
    """
    return _checked(trainer, EmotionData, Batch, "an EmotionDataModule (frame features)")  # type: ignore[type-abstract]


def audio_data_of(trainer: Trainer) -> AudioData:
    """Return the data module of a run on waveforms.

    Raises:
        DataModuleError: There is none, or it is of another kind.
    """
    return _checked(trainer, AudioData, AudioBatch, "an AudioDataModule (waveforms)")  # type: ignore[type-abstract]


def voice_data_of(trainer: Trainer) -> VoiceData:
    """Return the data module of a run that trains a voice.

    Raises:
        DataModuleError: There is none, or it is of another kind.
    """
    return _checked(trainer, VoiceData, TTSBatch, "a TTSDataModule (speech)")  # type: ignore[type-abstract]


def spoken_data_of(trainer: Trainer) -> SpokenData:
    """Return the data module of a run that listens to a voice.

    Raises:
        DataModuleError: There is none, or it is of another kind.
    """
    return _checked(trainer, SpokenData, TTSBatch, "a TTSDataModule (speech)")  # type: ignore[type-abstract]


def has_data_module(trainer: Trainer) -> bool:
    """Return whether a run has a data module; in Python it may have loaders alone, whose batches are taken as given."""
    return getattr(trainer, "datamodule", None) is not None


def _checked(trainer: Trainer, kind: type[Kind], batch_type: type, wanted: str) -> Kind:
    """Return the data module if it has every member of a protocol and yields the batches."""
    data: Any = getattr(trainer, "datamodule", None)
    if data is None:
        raise DataModuleError(f"this run has no data module: give it {wanted} as --data")
    name, given = type(data).__name__, getattr(data, "batch_type", batch_type)
    if not issubclass(given, batch_type):
        raise DataModuleError(
            f"{name} yields {given.__name__} where {batch_type.__name__} is needed: use {wanted} as --data"
        )
    if lacking := _lacking(data, kind):
        raise DataModuleError(f"{name} has no {', '.join(lacking)}: use {wanted} as --data, or add what is missing")
    found: Kind = data
    return found


def _lacking(data: object, kind: type) -> list[str]:
    """Return the members of a protocol that a data module does not have."""
    absent = object()
    return [member for member in _members(kind) if inspect.getattr_static(data, member, absent) is absent]


def _members(kind: type) -> list[str]:
    """Return the names of the attributes and methods of a protocol, its bases included."""
    bases = [base for base in kind.__mro__ if base.__module__ == LabelledData.__module__]
    names = {name for base in bases for name in (*inspect.get_annotations(base), *vars(base))}
    return sorted(name for name in names if not name.startswith("_"))
