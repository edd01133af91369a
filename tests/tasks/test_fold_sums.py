import math

import pytest
import torch
from test_evaluation import run
from tiny_world import CENTROIDS, CentroidHead, PullCodec, TinyData

from emoquant.storage.results import read_results
from emoquant.tasks.evaluation import CodecEvaluationTask


class FoldData(TinyData):
    """The planted batches, of which a fold tests every third speaker."""

    def __init__(self, number):
        super().__init__()
        self.fold = number, 3
        kept = [(batch, batch.speakers % 3 == number) for batch in self.batches["test"]]
        self.batches["test"] = [type(b)(*(v if v is None else v[k] for v in b)) for b, k in kept if bool(k.any())]

    def dataset(self, split):
        found = super().dataset(split)
        found.ids = lambda: ["all"] if split == "train" else []  # folds have the same utterances
        return found


def evaluate(data, tmp_path, points=(0.0, 1.0, 9.0), **options):
    task = CodecEvaluationTask(
        [PullCodec(CENTROIDS[2], points)], CentroidHead(), by_speaker=True, replicates=50, **options
    )
    return run(task, data, tmp_path)


@pytest.mark.filterwarnings("ignore:The 'test_dataloader' does not have many workers")
def test_folds_together_are_the_evaluation_of_all(tmp_path):
    for number in (2, 0, 1):
        assert not (tmp_path / "results.csv").exists()
        evaluate(FoldData(number), tmp_path, pool=str(tmp_path))
    pooled = {(*row[:5], row.stratum): row for row in map(comparable, read_results(tmp_path / "results.csv"))}
    whole = [comparable(row) for row in evaluate(TinyData(), tmp_path)]
    assert set(pooled) == {(*row[:5], row.stratum) for row in whole}
    for row in whole:
        other = pooled[(*row[:5], row.stratum)]
        assert (row.n, row.interval, row.speakers) == (other.n, other.interval, other.speakers)
        if row.interval == "speakers" and row.stratum == "all":
            assert row[5:8] == pytest.approx(other[5:8], abs=1e-6, nan_ok=True), row
        assert row.value == pytest.approx(other.value, abs=1e-6, nan_ok=True)
        assert row.speaker_low == pytest.approx(other.speaker_low, abs=1e-6, nan_ok=True)


def comparable(row):
    return row._replace(lmbda=None if math.isnan(row.lmbda) else row.lmbda)


@pytest.mark.filterwarnings("ignore:The 'test_dataloader' does not have many workers")
def test_points_that_were_found_in_each_fold_are_named_by_their_mean(tmp_path):
    for number in range(3):
        evaluate(FoldData(number), tmp_path, points=(0.0, 2.0 * 2**number), pool=str(tmp_path))
    assert {row.lmbda for row in read_results(tmp_path / "results.csv") if row.codec == "pull"} == {0.0, 4.0}


@pytest.mark.filterwarnings("ignore:The 'test_dataloader' does not have many workers")
def test_sums_of_folds_need_a_fold(tmp_path):
    torch.manual_seed(0)
    with pytest.raises(ValueError, match=r"the data are in no fold: name it, --data\.fold 0/5"):
        evaluate(TinyData(), tmp_path, pool=str(tmp_path))
