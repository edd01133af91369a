import pytest
import torch
from tiny_world import CENTROIDS, DIM, EMOTIONS, PullCodec, planted_batches

from emoquant.metrics import CodebookChoice, SweepMetrics

BIASED = {emotion: f"on_{emotion}" for emotion in EMOTIONS}


class Coarse(PullCodec):
    """Takes away a share of the way to a point, whatever lambda is."""

    def __init__(self, target, share, name):
        super().__init__(target, points=(0.0, 2.0), name=name)
        self.share = share

    def forward(self, features, lengths, points=None):
        real = (torch.arange(features.shape[1]) < lengths[:, None])[..., None]
        coded = super().forward(features, lengths, points)
        moved = ((1 - self.share) * features + self.share * self.target) * real
        return coded._replace(features=moved.expand(2, *moved.shape))


def codecs(targets, shares=(0.5, 0.5, 0.5, 0.5)):
    biased = [Coarse(*parts) for parts in zip(targets, shares, BIASED.values(), strict=True)]
    return [*biased, Coarse(CENTROIDS.mean(0), 0.5, "balanced")]


def uar(codecs, *choices, calibrate=True):
    sweep = SweepMetrics(codecs, EMOTIONS, choices=choices, replicates=50)
    for batch in planted_batches(seed=9) if calibrate else ():
        sweep.calibrate(batch)
    if calibrate:
        sweep.finish_calibration()
    for batch in planted_batches(count=200):
        sweep.update(batch)
    rows = [row for row in sweep.compute() if row.metric == "uar"]
    assert {row.lmbda for row in rows} == {0.0, 2.0}
    return {row.codec: row for row in rows if row.lmbda == 2.0}


def test_planted_codebooks_are_chosen_by_every_criterion():
    choices = [CodebookChoice(BIASED, by=by, name=by) for by in ("distortion", "lagrangian", "utterance_similarity")]
    found = uar(codecs(CENTROIDS), *choices)
    assert set(found) == {"distortion", "lagrangian", "utterance_similarity"}
    assert min(row.low for row in found.values()) > 0.9
    assert {row.n for row in found.values()} == {200}


def test_codebooks_without_an_emotion_choose_at_chance():
    random = torch.Generator().manual_seed(1)
    nowhere = torch.cat([torch.ones(4, 4), torch.randn(4, DIM - 4, generator=random)], 1)
    row = uar(codecs(nowhere), CodebookChoice(BIASED))["choice"]
    assert row.low < 0.25 < row.high or row.value < 0.35


def test_a_codebook_that_is_better_on_everything_is_only_outweighed_with_a_reference():
    unequal = codecs(CENTROIDS, shares=(0.05, 0.5, 0.5, 0.5))
    found = uar(unequal, CodebookChoice(BIASED), CodebookChoice(BIASED, "balanced", name="relative"))
    assert found["choice"].value == pytest.approx(0.25, abs=0.02)
    assert found["relative"].low > 0.9


def test_what_the_reference_is_does_not_decide():
    unequal = codecs(CENTROIDS, shares=(0.05, 0.5, 0.3, 0.5))
    choice = [CodebookChoice(BIASED, "balanced", by=by, name=by) for by in ("distortion", "utterance_similarity")]
    found = uar(unequal, *choice)
    other = uar([*unequal[:-1], Coarse(CENTROIDS[0], 0.9, "balanced")], *choice)
    assert {name: row.value for name, row in found.items()} == {name: row.value for name, row in other.items()}


def test_calibration_counts_every_emotion_the_same():
    few = [b._replace(emotions=torch.where(b.utterances < 40, 0, b.emotions)) for b in planted_batches(seed=9)]
    choice = CodebookChoice(BIASED, "balanced")
    sweep = SweepMetrics(codecs(CENTROIDS), EMOTIONS, choices=[choice])
    for batch in few:
        sweep.calibrate(batch)
    sweep.finish_calibration()
    expected = (choice.sums / choice.counts[:, None, None]).mean(0)
    torch.testing.assert_close(choice.offsets, expected)
    assert choice.counts.tolist() == [45, 5, 5, 5]


def test_wrong_choices_are_refused():
    with pytest.raises(ValueError, match="at least two codebooks"):
        CodebookChoice({"angry": "a"})
    with pytest.raises(ValueError, match="of different emotions"):
        CodebookChoice({"angry": "a", "anger": "b"})
    with pytest.raises(ValueError, match="the sweep has no codec other"):
        uar(codecs(CENTROIDS), CodebookChoice(BIASED, "other"))
    with pytest.raises(ValueError, match="must have the same points"):
        uar([*codecs(CENTROIDS)[:4], PullCodec(CENTROIDS[0], name="balanced")], CodebookChoice(BIASED, "balanced"))
    with pytest.raises(RuntimeError, match="calibrate it on the training split first"):
        uar(codecs(CENTROIDS), CodebookChoice(BIASED, "balanced"), calibrate=False)
    with pytest.raises(ValueError, match="no class for sad"):
        uar(codecs(CENTROIDS), CodebookChoice({e: BIASED[e] for e in EMOTIONS[:3]}))
