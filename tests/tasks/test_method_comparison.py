import logging
import math

import pytest
from test_evaluation import run
from tiny_world import CENTROIDS, CentroidHead, PullCodec, TinyData

from emoquant.tasks import MethodComparisonTask

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
pytestmark = pytest.mark.filterwarnings("ignore:The 'test_dataloader' does not have many workers")


def test_points_are_chosen_on_validation_data_and_held_against_references(tmp_path):
    codecs = [PullCodec(CENTROIDS[1], (1e6, 0.0), "pull"), PullCodec(CENTROIDS[3], (1e6, 1e6), "lost")]
    task = MethodComparisonTask(codecs, ["none", "pull"], classifier=CentroidHead(), closed_set=True, replicates=20)
    rows = {(r.codec, r.lmbda, r.metric): r for r in run(task, TinyData(), tmp_path) if not math.isnan(r.lmbda)}
    assert rows["pull", 1e6, "validation_f1"].value == pytest.approx(0.1)
    assert rows["pull", 0.0, "validation_f1"].value == rows["pull", 0.0, "chosen_f1"].value == 1.0
    assert ("pull", 1e6, "chosen_f1") not in rows
    assert rows["pull", 1e6, "f1_gain/none"].value == pytest.approx(-0.9)
    assert rows["lost", 1e6, "chosen_f1_gain/pull"].value == pytest.approx(-0.9)
    assert rows["pull", 0.0, "chosen_f1_gain/none"].speakers == 12


def test_references_that_are_no_way_are_refused(tmp_path):
    task = MethodComparisonTask([PullCodec(CENTROIDS[1])], ["other"], classifier=CentroidHead())
    with pytest.raises(ValueError, match="references names other: expected some of none, pull"):
        run(task, TinyData(), tmp_path)
