"""What utterances are compared with."""

import torch
from test_sweep import references
from tiny_world import joined, planted_batches

from emoquant.metrics import References
from emoquant.metrics.references import utterance_vectors
from emoquant.types import Batch


def test_references_are_means_of_the_split():
    batches = planted_batches(seed=9)
    found, whole = references(batches), joined(batches)
    vectors = utterance_vectors(whole.features, whole.lengths)
    for index in range(4):
        expected = vectors[whole.emotions == index].double().mean(0)
        torch.testing.assert_close(found.centroids[index], expected, atol=1e-6, rtol=1e-6)
    frames = torch.cat([x[:n] for x, n in zip(whole.features, whole.lengths, strict=True)])
    torch.testing.assert_close(found.mean, frames.double().mean(0), atol=1e-6, rtol=1e-6)
    assert found.counts.tolist() == [15, 15, 15, 15]


def test_types_are_as_documented():
    assert isinstance(planted_batches(count=7)[0], Batch)
    assert isinstance(references(), References)
