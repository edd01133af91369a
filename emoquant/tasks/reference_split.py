"""What an evaluation takes from the training split (centroids, spaces, ratings) and the test split (triplets)."""

from collections.abc import Callable, Sequence
from typing import cast

import numpy as np
import torch
from lightning.fabric.utilities import move_data_to_device
from torch import Tensor

from emoquant.interfaces.protocols import EmotionData
from emoquant.metrics import (
    Blocks,
    CodebookChoice,
    Crossed,
    CrossedVectors,
    Measure,
    References,
    ReferenceVectors,
    Space,
    SpaceName,
    SweepMetrics,
    make_space,
    triplet_rows,
)
from emoquant.metrics.dimensions import Concordance, RatingRegression
from emoquant.metrics.sums import synced
from emoquant.metrics.tabulate import Sampling, Subject
from emoquant.storage.results import Row


def read_training_split(
    data: EmotionData, device: torch.device, names: Sequence[SpaceName], classifier: Callable[[Tensor], Tensor]
) -> tuple[References, list[Space], list[Measure]]:
    """Return centroids and mean of the training split, spaces fitted on it, and measures of rated dimensions.

    Each rank reads its share. The dimensions are what the encoder's own head gives, where it has one, else a regression
    on the ratings of the split; without either there is no such measure.

    Args:
        data: The data.
        device: Device of the sums.
        names: Names of the spaces.
        classifier: Gives the logits of utterance vectors.

    Raises:
        ValueError: An emotion has no training utterance, or there is no space of a name.
    """
    references = ReferenceVectors(data.emotions, data.dim, scatter=any(name != "logits" for name in names)).to(device)
    own = None if data.encoder is None else data.encoder.dimension_head()
    ratings = RatingRegression(data.dim).to(device)
    for batch in data.reference_dataloader():
        batch = move_data_to_device(batch, device)
        references.update(batch)
        if own is None:
            ratings.update(batch)
    found: References = references.compute()
    rating = own if own is not None else ratings.compute()
    measures: list[Measure] = [] if rating is None else [Concordance(rating)]
    return found, [make_space(name, found, classifier) for name in names], measures


def calibrate(sweep: SweepMetrics, batches: int, data: EmotionData, device: torch.device) -> None:
    """Calibrate choices that are to be on batches from all over the training split.

    Args:
        sweep: The sweep.
        batches: Batches that are taken at most, on each process.
        data: The data.
        device: Device of the sums.
    """
    if not any(cast(CodebookChoice, choice).calibrated for choice in sweep.choices):
        return
    loader = data.reference_dataloader()
    stride = max(1, -(-len(loader) // batches))
    for index, batch in enumerate(loader):
        if index % stride == 0:
            sweep.calibrate(move_data_to_device(batch, device))
    sweep.finish_calibration()


def crossed_vectors(data: EmotionData) -> CrossedVectors | None:
    """Return what keeps the vectors of the test split for triplets; None where a text is known of no utterance."""
    split = data.dataset("test")
    texts = [utterance.text for utterance in split.utterances]
    if not any(texts) or len(texts) != len(split.emotions):
        return None
    return CrossedVectors(split.emotions.tolist(), split.speakers.tolist(), texts, data.dim)


def rows_of_triplets(sweep: SweepMetrics, spaces: Sequence[Space]) -> list[Row]:
    """Return the triplet accuracies of the features and of every space; a collective call."""
    if sweep.crossed is None:
        return []
    crossed: Crossed = synced(sweep.crossed)
    sampling = Sampling(sweep.blocks.kind, sweep.replicates, sweep.seed)
    subject = Subject(sweep.corpus, "none", (), tuple(sweep.emotions))
    device = sweep.crossed.device
    rows = triplet_rows(crossed, subject, sweep.blocks, sampling, sweep.clusters)
    for space in spaces:
        projected = crossed._replace(vectors=space.project(crossed.vectors.to(device)).cpu())
        rows += triplet_rows(projected, subject, sweep.blocks, sampling, sweep.clusters, space.name)
    return rows


def speaker_blocks(data: EmotionData) -> tuple[Blocks, Blocks | None]:
    """Return what intervals resample, and the speakers that those clustered by speaker leave out.

    The latter is None where the test split has one speaker, or one whose name is unknown.
    """
    speakers = np.unique(data.dataset("test").speakers).tolist()
    if data.fold is not None:  # every speaker is tested in one fold, and has a block of their own in the sums of all
        speakers = list(range(len(data.speakers)))
    named = all(name and not name.endswith("/") for name in (data.speakers[speaker] for speaker in speakers))
    return Blocks(speakers), Blocks(speakers, least=2) if named and len(speakers) > 1 else None
