"""The observation of a coded batch, which all measures are computed from."""

import torch
from torch import Tensor

from emoquant.codecs.base import Codec
from emoquant.metrics.by_classifier import Classifier
from emoquant.metrics.measures import Observation
from emoquant.metrics.similarity import frame_fidelity, frame_mask, utterance_vectors
from emoquant.types import Batch, Coded


def observed(
    batch: Batch, codec: Codec, coded: Coded, extra: Tensor, classifier: Classifier | None, coded_bits: bool
) -> Observation:
    """Return the observation of a coded batch: utterance vectors, errors, bits and logits.

    Args:
        batch: The batch.
        codec: The codec.
        coded: The codec's codes, reconstruction and bits of the batch.
        extra: Bits counted in other ways, ``(O, B, T, M)``.
        classifier: The classifier; None without one.
        coded_bits: Whether codecs that can write bytes write them, so that real bits are counted.

    Raises:
        ValueError: The features or the codec's reconstruction are not finite.
    """
    before = utterance_vectors(batch.features, batch.lengths)
    after = utterance_vectors(coded.features, batch.lengths)
    if not bool(before.isfinite().all()):
        rows = batch.utterances[~before.isfinite().all(-1)].tolist()
        raise ValueError(f"features of the utterances in rows {rows} of the split are not finite; extract them anew")
    if not bool(after.isfinite().all()):
        raise ValueError(f"codec {codec.name!r} gave features that are not finite; its checkpoint is damaged or unfit")
    fidelity = frame_fidelity(batch.features, coded.features, batch.lengths)
    mask = frame_mask(batch.lengths, batch.features.shape[1])
    skips = (coded.codes == codec.codewords).sum(-1) if codec.positions else torch.zeros_like(coded.bits)
    logits, logits_before = (_logits(classifier, vectors) for vectors in (after, before))
    return Observation(
        before,
        after,
        batch.emotions,
        batch.votes,
        batch.lengths,
        fidelity.squared_error,
        fidelity.cosines,
        (coded.bits.double() * mask).sum(-1),
        (skips * mask).sum(-1),
        logits,
        logits_before,
        codec.coded_bits(coded, batch.lengths) if coded_bits and codec.writes_bits else None,
        (extra.double() * mask[..., None]).sum(-2),
        batch.dimensions,
    )


def _logits(classifier: Classifier | None, vectors: Tensor) -> Tensor:
    if classifier is None:
        return vectors.new_zeros(*vectors.shape[:-1], 0)
    return classifier(vectors).float()
