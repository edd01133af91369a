"""The measures of every sweep."""

from collections.abc import Sequence

from emoquant.codecs.base import Codec
from emoquant.metrics.decisions import Decisions, Recognition
from emoquant.metrics.measures import Direction, Fidelity, Measure, Rate
from emoquant.metrics.references import References
from emoquant.metrics.shrinkage import Shrinkage


def standard_measures(
    codec: Codec,
    emotions: Sequence[str],
    references: References | None = None,
    labels: Sequence[str] | None = None,
    closed_set: bool = False,
    seed: int = 0,
    coded_bits: bool = False,
    frame_rate: float | None = None,
    classifier: str = "",
) -> list[Measure]:
    """Return the measures of a codec in every sweep; those whose inputs are missing are left out.

    Args:
        codec: The codec.
        emotions: Names of the emotions, in the order of the batches' indices.
        references: Centroids and mean of the training split; None leaves out :class:`Direction` and :class:`Shrinkage`.
        labels: Classes of the classifier, in the order of its logits; None leaves out recognition.
        closed_set: Whether the classifier may only choose among the emotions.
        seed: Seed of the random directions.
        coded_bits: Whether codecs that can write bytes write them, so that real bits are measured.
        frame_rate: Frames a second; None leaves out bits a second.
        classifier: Name of the classifier in the rows.

    Raises:
        ValueError: The classifier has no class for an emotion.
    """
    found: list[Measure] = [Fidelity()]
    if codec.positions or codec.name != "none":
        found.append(Rate(codec.positions, coded_bits and codec.writes_bits, frame_rate, codec.extra))
    if references is not None:
        skip_vector = getattr(codec, "skip_vector", None) if codec.positions else None
        found.append(Direction(emotions, references, None if skip_vector is None else skip_vector(), seed=seed))
        found.append(Shrinkage(emotions, references))
    if labels is not None:
        for kind in (Recognition, Decisions):
            measure = kind(emotions, labels, closed_set)
            measure.classifier = classifier
            found.append(measure)
    return found
