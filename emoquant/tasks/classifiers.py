"""The classifiers of an evaluation: how words name them, and the checks that they fit the data."""

from collections.abc import Sequence
from pathlib import Path

from emoquant.encoders.base import EmotionHead, FrameEncoder
from emoquant.encoders.heads import ProbeHead, default_head
from emoquant.encoders.heard import heard_speakers, how_heard
from emoquant.interfaces.protocols import EmotionData
from emoquant.metrics.recognition import class_columns
from emoquant.storage.origin import require_origin
from emoquant.storage.results import Row

#: Word for the head of the data's encoder.
HEAD = "head"


def open_classifiers(
    first: EmotionHead | None, others: Sequence[str], data: EmotionData, folder: Path
) -> list[EmotionHead]:
    """Return the classifiers of an evaluation with their names; reports show the first, findings hold under each.

    Args:
        first: A classifier that is ready. Without one, and without words, the head of the data's encoder, or for an
            encoder without one the probe of the folder.
        others: Words for the others (for all, where ``first`` is None): ``head`` for that of the data's encoder, the
            name of a run of a probe in the folder, or its path, or the name of a shared one; ``NAME=...`` names it.
        data: The data.
        folder: Folder of the runs.

    Raises:
        FileNotFoundError: There is no such probe.
        ValueError: Two have the same name, or the data have no encoder whose head could be the classifier.
    """
    found: dict[str, EmotionHead] = {} if first is None else {type(first).__name__: first}
    if first is None and not others:
        head = default_head(_encoder_of(data), data.emotions, folder)
        found = {"probe" if isinstance(head, ProbeHead) else HEAD: head}
    for word in others:
        name, _, place = word.rpartition("=")
        name = name or place
        if name in found or not name.isprintable():
            raise ValueError(f"two classifiers are called {name!r}: give each a name of its own, NAME={place}")
        if place == HEAD:
            found[name] = _encoder_of(data).head()
        else:
            run = folder / place
            found[name] = ProbeHead(str(run if run.is_dir() else place))
    for name, head in found.items():
        head.name = name
    return list(found.values())


def _encoder_of(data: EmotionData) -> FrameEncoder:
    if data.encoder is None:
        raise ValueError("the data have no encoder whose head could be the classifier: name a classifier")
    return data.encoder


def heard_rows(data: EmotionData) -> list[Row]:
    """Return what is known of the encoder's training: ``heard_corpus/HOW`` and ``heard_speakers``; else no row.

    Args:
        data: The data, with their encoder and name.
    """
    if data.origin is None:
        return []
    how = how_heard(data.origin.name, data.name)
    figures = {} if how is None else {f"heard_corpus/{how}": 1.0}
    speakers = sorted({*data.dataset("test").speakers.tolist()})
    heard = heard_speakers(data.origin.name, data.name, [data.speakers[speaker] for speaker in speakers])
    figures |= {} if heard is None else {"heard_speakers": sum(heard) / len(heard)}
    return [Row.known(data.name, "none", metric, value) for metric, value in figures.items()]


def require_classifiers(classifiers: Sequence[EmotionHead], data: EmotionData) -> None:
    """Check that classifiers read the data's features and know its emotions.

    Raises:
        ValueError: One has another dimension, was trained on another encoder, or lacks an emotion.
    """
    for classifier in classifiers:
        name = classifier.name
        if classifier.dim != data.dim:
            raise ValueError(
                f"the classifier {name!r} reads {classifier.dim} dimensions, the features have {data.dim}: "
                "take the head of the data's encoder or a probe trained on its features"
            )
        require_origin(f"the classifier {name!r}", classifier.origin, data.origin)
        class_columns(data.emotions, classifier.labels)
