import logging
import math

import pytest
import torch
from lightning.pytorch import Trainer
from tiny_world import CENTROIDS, DIM, EMOTIONS, CentroidHead, PullCodec, TinyData

from emoquant.metrics import CodebookChoice, SweepMetrics
from emoquant.tasks.evaluation import CodecEvaluationTask

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)


def run(task, data, tmp_path, **options):
    trainer = Trainer(
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
        use_distributed_sampler=False,
        **options,
    )
    trainer.test(task, data, verbose=False)
    return task.rows


def table(rows):
    return {(row.codec, row.lmbda, row.emotion, row.metric, row.stratum): row for row in rows if row.codec != "none"}


@pytest.mark.filterwarnings("ignore:The 'test_dataloader' does not have many workers")
class TestRuns:
    def test_the_unquantized_features_and_every_point_are_measured(self, tmp_path):
        task = CodecEvaluationTask([PullCodec(CENTROIDS[2])], CentroidHead(), replicates=100)
        rows = run(task, TinyData(), tmp_path)
        assert {row.codec for row in rows} == {"none", "pull"}
        assert all(math.isnan(row.lmbda) == (row.codec == "none") for row in rows)
        assert {row.lmbda for row in rows if row.codec == "pull"} == {0.0, 1.0, 9.0}
        assert {row.n for row in rows if row.emotion == "all"} == {60}
        assert {row.n for row in rows if row.emotion != "all" and row.metric != "precision"} == {15}
        assert {row.interval for row in rows if row.metric == "recall"} == {"speakers"}
        found = table(rows)
        assert found["pull", 9.0, "neutral", "recall", "all"].value == 1.0
        assert found["pull", 9.0, "happy", "predicted/neutral", "all"].value > 0.9
        assert found["pull", 1.0, "all", "bits_per_frame", "all"].value == pytest.approx(5.0)
        assert not [row for row in rows if row.codec == "none" and row.metric in ("bits_per_frame", "skip_rate")]

    def test_rows_equal_those_of_the_sweep_alone(self, tmp_path):
        data, codec = TinyData(), PullCodec(CENTROIDS[2])
        rows = table(run(CodecEvaluationTask([codec], CentroidHead(), replicates=50), data, tmp_path))
        sweep = SweepMetrics([codec], EMOTIONS, classifier=CentroidHead(), replicates=50)
        for batch in data.batches["test"]:
            sweep.update(batch)
        for row in sweep.compute():
            found = rows[row.codec, row.lmbda, row.emotion, row.metric, "all"].value
            assert found == pytest.approx(row.value, abs=1e-9, nan_ok=True)

    def test_bf16_mixed_leaves_the_measures_float32(self, tmp_path):
        plain = run(CodecEvaluationTask([PullCodec(CENTROIDS[2])], CentroidHead(), replicates=20), TinyData(), tmp_path)
        task = CodecEvaluationTask([PullCodec(CENTROIDS[2])], CentroidHead(), replicates=20)
        mixed = run(task, TinyData(), tmp_path, precision="bf16-mixed")
        assert repr(mixed) == repr(plain)

    def test_strata_split_the_whole(self, tmp_path):
        task = CodecEvaluationTask(
            [PullCodec(CENTROIDS[2])], CentroidHead(), by_speaker=True, agreement=[0.8, 1.0], replicates=20
        )
        rows = [row for row in run(task, TinyData(), tmp_path) if row.emotion == "all" and row.lmbda == 1.0]
        speakers = [row for row in rows if row.stratum.startswith("speaker=")]
        assert sum(row.n for row in speakers if row.metric == "drift_to_neutral") == 60
        assert {row.metric for row in speakers} < {row.metric for row in rows}
        by = {row.stratum: row for row in rows if row.metric == "accuracy"}
        assert by["all"].n == 60
        parts = [by["agreement<=0.8"], by["0.8<agreement<=1"]]
        assert sum(part.n for part in parts) == 60
        pooled = sum(part.n * part.value for part in parts) / 60
        assert pooled == pytest.approx(by["all"].value)

    def test_closed_set_forbids_other_classes(self, tmp_path):
        away = PullCodec(torch.full((DIM,), -9.0), points=(1e6,))
        for closed, share in ((False, 1.0), (True, 0.0)):
            rows = run(
                CodecEvaluationTask([away], CentroidHead(), closed_set=closed, replicates=20), TinyData(), tmp_path
            )
            found = [row for row in rows if row.metric == "predicted/disgust" and row.codec == "pull"]
            assert {row.value for row in found} == {share}

    def test_choosing_by_codebook_stands_beside_the_codecs(self, tmp_path):
        biased = {
            emotion: PullCodec(centroid, (1.0,), emotion) for emotion, centroid in zip(EMOTIONS, CENTROIDS, strict=True)
        }
        codecs = [*biased.values(), PullCodec(CENTROIDS.mean(0), (1.0,), "all")]
        names = {emotion: emotion for emotion in EMOTIONS}
        choices = [CodebookChoice(names, name="plain"), CodebookChoice(names, "all", name="relative")]
        task = CodecEvaluationTask(codecs, CentroidHead(), choices=choices, replicates=20)
        found = {row.codec: row.value for row in run(task, TinyData(), tmp_path) if row.metric == "uar"}
        assert set(found) == {"none", "all", "plain", "relative", *EMOTIONS}
        assert found["plain"] == found["relative"] == 1.0

    def test_wrong_parts_are_named(self, tmp_path):
        other = PullCodec(CENTROIDS[2])
        other.dim = 5
        with pytest.raises(ValueError, match=r"codec 'pull' codes features of 5 dimensions, the data's have 8"):
            run(CodecEvaluationTask([other], CentroidHead()), TinyData(), tmp_path)
        with pytest.raises(ValueError, match=r"classifier 'CentroidHead' reads 6 dimensions, the features have 8"):
            run(CodecEvaluationTask([PullCodec(CENTROIDS[2])], CentroidHead(6)), TinyData(), tmp_path)
        deaf = CentroidHead()
        deaf.labels = ["angry", "happy", "neutral"]
        with pytest.raises(ValueError, match="no class for sad"):
            run(CodecEvaluationTask([PullCodec(CENTROIDS[2])], deaf), TinyData(), tmp_path)

    def test_splits_without_an_emotion_are_named(self, tmp_path):
        with pytest.raises(ValueError, match="test split of tiny has no utterance of sad"):
            run(CodecEvaluationTask([PullCodec(CENTROIDS[2])], CentroidHead()), TinyData(emotions=3), tmp_path)
        data = TinyData()
        data.batches["train"] = TinyData(emotions=3).batches["train"]
        with pytest.raises(ValueError, match=r"no centroid for sad: the training split"):
            run(CodecEvaluationTask([PullCodec(CENTROIDS[2])], CentroidHead()), data, tmp_path)

    def test_same_names_are_refused(self, tmp_path):
        twice = [PullCodec(CENTROIDS[2]), PullCodec(CENTROIDS[0])]
        with pytest.raises(ValueError, match="two codecs are named pull: give each its own name with `as:`"):
            run(CodecEvaluationTask(twice, CentroidHead()), TinyData(), tmp_path)
