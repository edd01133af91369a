"""Planted effects are found, planted absences are not: over many corpora, with the error rates that are promised.

Every corpus has other speakers, each with a level of their own. A codec that moves emotions to neutral has an effect of
known sign; one that moves every utterance in a direction of its own by the same distance has none. Of both the rule on
the way to neutral is asked, in the space of the features and in that of LDA.
"""

import pytest
import torch
from scipy.stats import binom
from tiny_world import CENTROIDS, DIM, EMOTIONS, CentroidHead, PullCodec, planted_batches

from emoquant.metrics import Blocks, ReferenceVectors, SpaceDirections, SweepMetrics, make_space
from emoquant.reports.findings_sweep import towards_neutral
from emoquant.reports.rows import Results

#: Share of findings that may be wrong, and share of planted effects of this size that are to be found.
WRONG, FOUND = 0.05, 0.9


class Lost(PullCodec):
    """Moves every utterance in a direction that has nothing to do with emotions."""

    def forward(self, features, lengths, points=None):
        coded = super().forward(features, lengths, points)
        random = torch.Generator().manual_seed(int(features.abs().sum() * 1000) % 2**31)
        moved = 2.0 * torch.randn(len(features), 1, DIM, generator=random)
        left = 1 / (1 + torch.tensor(self.points if points is None else points))[:, None, None, None]
        real = torch.arange(features.shape[1]) < lengths[:, None]
        return coded._replace(features=(features + (1 - left) * moved) * real[..., None])


def spoken(seed):
    """Return batches whose speakers have levels of their own."""
    levels = 0.3 * torch.randn(12, 1, DIM, generator=torch.Generator().manual_seed(seed))
    batches = []
    for batch in planted_batches(count=96, size=24, seed=seed):
        real = torch.arange(batch.features.shape[1]) < batch.lengths[:, None]
        batches.append(batch._replace(features=(batch.features + levels[batch.speakers]) * real[..., None]))
    return batches


def verdicts(codec, seed):
    """Return the verdicts on one corpus, of the features and of LDA."""
    references = ReferenceVectors(EMOTIONS, DIM, scatter=True)
    for batch in spoken(1000 + seed):
        references.update(batch)
    known = references.compute()
    lda = SpaceDirections(EMOTIONS, known, make_space("lda", known, CentroidHead()))
    sweep = SweepMetrics(
        [codec], EMOTIONS, known, CentroidHead(), Blocks(range(12)), measures=[lda], replicates=200, seed=seed
    )
    for batch in spoken(seed):
        sweep.update(batch)
    results = Results(sweep.compute())
    return [towards_neutral(results, space).verdict for space in ("", "lda")]


def check(repetitions):
    lost, pulled = Lost(CENTROIDS[2], (0.0, 1.0)), PullCodec(CENTROIDS[2], (0.0, 1.0))
    absent, planted = ([verdicts(codec, seed) for seed in range(repetitions)] for codec in (lost, pulled))
    for place in range(2):
        wrong, found = (sum(each[place] in ("holds", "in part") for each in of) for of in (absent, planted))
        assert wrong <= binom.ppf(0.975, repetitions, WRONG), f"{wrong} of {repetitions} absent effects were found"
        assert found >= binom.ppf(0.025, repetitions, FOUND), f"{found} of {repetitions} effects were found"


def test_a_few_corpora():
    check(5)


@pytest.mark.slow
def test_two_hundred_corpora():
    check(200)
