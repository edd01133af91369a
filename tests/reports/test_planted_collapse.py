"""Outputs that say nothing of emotions, measured by a real sweep: no rule of a finding takes them for one.

Constant outputs, inputs shrunk to the training mean, and random outputs, where neutral lies next to the mean, so that
shrinking alone looks like a way to neutral. Beside them honest codecs for which the rules do find something.
"""

import pytest
import torch
from tiny_world import CENTROIDS, DIM, EMOTIONS, CentroidHead, PullCodec, joined, planted_batches

from emoquant.codecs import Identity
from emoquant.metrics import Blocks, ByAgreement, References, SweepMetrics
from emoquant.metrics.described import codec_rows
from emoquant.reports.findings import findings
from emoquant.reports.findings_table import found_in
from emoquant.types import Coded

MEAN = 0.8 * CENTROIDS[2] + 0.2 * CENTROIDS.mean(0)
REFERENCES = References(CENTROIDS.double(), MEAN.double(), torch.ones(len(EMOTIONS)))
POINTS = (0.0, 1.0, 9.0)


class Planted(PullCodec):
    """A codec without codes whose outputs are a function of its inputs and of lambda."""

    def __init__(self, make, name):
        super().__init__(MEAN, POINTS, name)
        self.make, self.positions = make, 0

    @property
    def trained_on(self):
        return {self.name: 1.0} if self.name in EMOTIONS else {}

    def forward(self, features, lengths, points=None):
        real = torch.arange(features.shape[1]) < lengths[:, None]
        made = torch.stack([self.make(features, lmbda) * real[..., None] for lmbda in POINTS])
        codes = torch.full((*made.shape[:-1], 0), -1, dtype=torch.int16)
        return Coded(codes, made, 5.0 * real.expand(made.shape[:-1]))


def constant(vector):
    return lambda features, lmbda: vector.expand_as(features)


def shrunk(left):
    return lambda features, lmbda: MEAN + (left if lmbda else 1.0) * (features - MEAN)


def noise(features, lmbda):
    """Return vectors around the mean that have nothing to do with the inputs, an utterance each."""
    random = torch.Generator().manual_seed(int(features.abs().sum() * 1000) % 2**31)
    return (MEAN + 3 * torch.randn(len(features), 1, DIM, generator=random)).expand_as(features)


KINDS = {
    "constant neutral": constant(CENTROIDS[2]),
    "constant sad": constant(CENTROIDS[3]),
    "constant mean": constant(MEAN),
    "shrunk to a twentieth": shrunk(0.05),
    "shrunk to a third": shrunk(1 / 3),
    "shrunk to a half": shrunk(0.5),
    "random": noise,
}


def measured(codecs, head=None):
    blocks, strata = Blocks(range(12)), [ByAgreement([0.8, 1.0])]
    head = head or CentroidHead()
    sweep = SweepMetrics([Identity(), *codecs], EMOTIONS, REFERENCES, head, blocks, strata, "planted", replicates=40)
    sweep.update(joined(planted_batches(count=240, spread=1.0)))
    return sweep.compute() + codec_rows(codecs, "planted")


def verdicts(make):
    """Return the verdicts on a sweep (with a direct codec) and on codebooks whose outputs are made so."""
    swept = measured([Planted(make, "codec"), Planted(make, "greedy")])
    biased = measured([Planted(make, emotion) for emotion in EMOTIONS])
    return {finding.statement: finding for rows in (swept, biased) for finding in findings(rows)}


@pytest.mark.parametrize("kind", KINDS)
def test_no_rule_is_passed(kind):
    found = verdicts(KINDS[kind])
    assert len(found) >= 6
    for finding in found.values():
        assert finding.verdict not in ("holds", "in part"), finding
        assert not finding.doubt
    if kind.startswith("constant"):
        assert {finding.verdict for finding in found.values()} == {"collapse"}
        assert all("1 distinct outputs of 240" in finding.collapse for finding in found.values())


def test_codebooks_that_each_give_one_output_of_their_emotion_keep_nothing():
    """The codebook of every emotion gives that emotion's centroid: recall of the own emotion is 1 for all of them."""
    rows = measured([Planted(constant(CENTROIDS[index]), name) for index, name in enumerate(EMOTIONS)])
    own = [row for row in rows if row.metric == "recall" and row.codec == row.emotion and row.stratum == "all"]
    assert {row.value for row in own} == {1.0}
    assert {finding.verdict for finding in findings(rows)} == {"collapse"}


def to_neutral(features, lmbda):
    """Move to neutral and beyond it, as seen from the mean: what shrinking to the mean could never do."""
    return features + (1 - 1 / (1 + lmbda)) * 0.4 * (CENTROIDS[2] + 3 * (CENTROIDS[2] - MEAN) - features)


def keeping(index):
    """Return a codebook that turns others a little at lambda 0, and later leaves only its own emotion as it was."""

    def make(features, lmbda):
        means = features.sum(1) / features.any(-1).sum(1, keepdim=True)
        mine = (means[:, None] - CENTROIDS).norm(dim=-1).argmin(-1) == index
        others = CENTROIDS[[each for each in range(4) if each != index]][torch.arange(len(features)) % 3, None]
        moved = features + 0.45 * (CENTROIDS[index] - features) if lmbda == 0 else others + 0.3 * features
        return torch.where(mine[:, None, None], features, moved)

    return make


def test_what_is_there_is_found():
    found = {finding.statement: finding for finding in findings(measured([Planted(to_neutral, "codec")]))}
    assert found["The emotions do not just get lost: they move towards neutral."].verdict == "holds"
    codebooks = measured([Planted(keeping(index), name) for index, name in enumerate(EMOTIONS)])
    assert [finding.verdict for finding in findings(codebooks)][:2] == ["holds", "holds"]


def test_a_classifier_that_hears_one_emotion_withholds_everything():
    class Deaf(CentroidHead):
        def forward(self, vectors):
            return super().forward(vectors) + torch.tensor([0.0, 0.0, 0.0, 0.0, 99.0])

    found = found_in([("sweep", measured([Planted(noise, "codec")], Deaf()))])
    assert found
    for one in found:
        assert one.finding.verdict == "withheld"
        assert "takes 100 % of the utterances for sad" in one.cells()[2]
        assert "chance is 25.0 %" in one.cells()[2]
