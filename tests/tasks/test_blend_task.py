import logging

import pytest
import torch
from test_evaluation import run
from tiny_world import CENTROIDS, CentroidHead, PullCodec, TinyData

from emoquant.codecs import ECVQ, Mixture
from emoquant.entropy import LightModel
from emoquant.metrics.blends import truth_of
from emoquant.quantization import GroupedResidualVQ
from emoquant.tasks import BlendTask

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
pytestmark = pytest.mark.filterwarnings("ignore:The 'test_dataloader' does not have many workers")


class Blender(PullCodec):
    """Moves everything to a place between happy and sad, and says that it was trained on both."""

    def __init__(self, share, name):
        super().__init__(share * CENTROIDS[1] + (1 - share) * CENTROIDS[3], (1e6,), name)
        self.shares = {"happy": 0.5, "sad": 0.5}

    @property
    def trained_on(self):
        return self.shares


class Soft(CentroidHead):
    """Probabilities that fall slowly with the distance, so that a blend can be heard."""

    def forward(self, vectors):
        return super().forward(vectors) / 4


def test_planted_blends_are_heard_and_others_are_not(tmp_path):
    single = PullCodec(CENTROIDS[1], (1e6,), "alone")
    single.__class__ = type("Alone", (PullCodec,), {"trained_on": property(lambda self: {"happy": 0.5, "sad": 0.5})})
    task = BlendTask([Blender(0.5, "both"), Blender(0.62, "more_happy"), single], classifier=Soft(), replicates=20)
    rows = {(r.codec, r.metric): r for r in run(task, TinyData(), tmp_path) if r.emotion == "all"}
    assert rows["both", "presence_accuracy"].value == 1.0
    assert rows["both", "salience_accuracy"].value == 1.0
    assert rows["more_happy", "salience_accuracy"].value == 0.0
    assert rows["alone", "presence_accuracy"].value == 0.0
    assert rows["none", "presence_accuracy"].value > 0.5
    assert ("none", "salience_accuracy") not in rows
    assert rows["none", "presence_chance"].value == pytest.approx(0.1)
    present, equal = (rows["none", f"blend_threshold/{kind}"].value for kind in ("present", "equal"))
    assert 0 < present <= equal
    assert rows["both", "presence_accuracy"].classifier == "Soft"


def test_codecs_that_blend_nothing_are_refused(tmp_path):
    with pytest.raises(ValueError, match="no codec makes a blend of two emotions"):
        run(BlendTask([PullCodec(CENTROIDS[0])], classifier=Soft()), TinyData(), tmp_path)


def test_the_truth_of_pairs_is_in_the_weights():
    quantizer, entropy = GroupedResidualVQ(2, 2, 5, dim=8), LightModel(8)
    mixed = Mixture(ECVQ(quantizer, entropy))
    mixed.weights = torch.tensor([0.3, 0.7])
    truth = truth_of(mixed, ["happy", "sad"], {"happy": "sad", "sad": "happy"})
    assert (truth.first.tolist(), truth.second.tolist(), truth.share) == ([0, 1], [1, 0], pytest.approx(0.3))
    mixed.weights = torch.tensor([1.0, 1e-6])
    assert truth_of(mixed, ["happy", "sad"], {"happy": "sad", "sad": "happy"}).second.tolist() == [-1, -1]
