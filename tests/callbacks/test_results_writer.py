import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from tiny_world import CENTROIDS, CentroidHead, PullCodec, TinyData
from torch import nn

from emoquant.callbacks import ResultsWriter, SweepProgress
from emoquant.callbacks.results import summary, write_sources
from emoquant.codecs.history import History, Source
from emoquant.reports import EmotionTable, MissingRowsError
from emoquant.storage.origin import Origin
from emoquant.storage.results import read_results
from emoquant.tasks.evaluation import CodecEvaluationTask


def run(tmp_path, *callbacks, codec=None, head=None):
    task = CodecEvaluationTask([codec or PullCodec(CENTROIDS[2])], head or CentroidHead(), replicates=20)
    trainer = Trainer(
        accelerator="cpu",
        logger=TensorBoardLogger(tmp_path, name="sweep", version=0),
        callbacks=list(callbacks),
        enable_checkpointing=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
    trainer.test(task, TinyData(), verbose=False)
    return task, tmp_path / "sweep" / "version_0"


def test_results_and_listed_reports_are_written(tmp_path):
    task, folder = run(tmp_path, ResultsWriter([EmotionTable("recall")]), SweepProgress())
    rows = read_results(folder / "results.csv")
    assert repr(rows) == repr(task.rows)
    assert rows
    assert (folder / "reports" / "recall_table.md").is_file()
    assert not (folder / "reports" / "utterance_similarity_table.md").exists()


def test_the_checkpoints_of_the_codecs_are_told(tmp_path):
    codec = PullCodec(CENTROIDS[2])
    history = History("others", 9, "search", 8, 8, {"happy": 2 / 3, "sad": 1 / 3}, 5)
    codec.source = Source("runs/pull/last.ckpt", "ab12", history, Origin("iic/plus", "00ff"))
    with pytest.warns(UserWarning, match="codec 'pull' was trained on 'others', the data is 'tiny'"):
        _, folder = run(tmp_path, ResultsWriter([]), codec=codec)
    lines = (folder / "codecs.csv").read_text(encoding="utf-8").splitlines()
    assert lines == [
        "codec,checkpoint,sha256,corpus,utterances,phase,epoch,epochs,emotions,seed,encoder",
        "pull,runs/pull/last.ckpt,ab12,others,9,search,8,8,happy=0.667;sad=0.333,5,iic/plus",
    ]


def test_what_an_old_checkpoint_does_not_tell_is_empty(tmp_path):
    old, none = PullCodec(CENTROIDS[2]), PullCodec(CENTROIDS[2])
    old.name, old.source = "old", Source("old.ckpt", "ab", History("tiny", 9, "search", 8, 8))
    none.name, none.source = "none", Source("none.ckpt", "cd", None)
    write_sources(tmp_path / "codecs.csv", nn.ModuleList([old, none]))
    assert (tmp_path / "codecs.csv").read_text(encoding="utf-8").splitlines()[1:] == [
        "old,old.ckpt,ab,tiny,9,search,8,8,,,",
        "none,none.ckpt,cd,,,,,,,,",
    ]


def test_codecs_without_a_file_leave_none(tmp_path):
    _, folder = run(tmp_path, ResultsWriter([]))
    assert not (folder / "codecs.csv").exists()


def test_a_report_that_cannot_be_drawn_costs_neither_results_nor_the_others(tmp_path):
    with pytest.raises(MissingRowsError):
        run(tmp_path, ResultsWriter([EmotionTable("no_such_metric"), EmotionTable("recall")]))
    folder = tmp_path / "sweep" / "version_0"
    assert read_results(folder / "results.csv")
    assert (folder / "reports" / "recall_table.md").is_file()


def test_an_interrupted_run_leaves_no_results_that_look_whole(tmp_path):
    _, folder = run(tmp_path, ResultsWriter([]))
    before = (folder / "results.csv").read_bytes()

    class Broken(PullCodec):
        def forward(self, features, lengths, points=None):
            raise RuntimeError("interrupted")

    with pytest.raises(RuntimeError, match="interrupted"):
        run(tmp_path, ResultsWriter([]), codec=Broken(CENTROIDS[2]))
    assert not (folder / "results.csv").exists()
    assert (folder / "results.previous.csv").read_bytes() == before


def test_another_task_is_refused(tmp_path):
    class Other(LightningModule):
        def test_step(self, batch, batch_idx):
            pass

    trainer = Trainer(accelerator="cpu", logger=False, callbacks=[ResultsWriter()], default_root_dir=tmp_path)
    with pytest.raises(TypeError, match="Other has no `rows`"):
        trainer.test(Other(), TinyData(), verbose=False)


def test_a_classifier_that_does_not_know_the_corpus_is_warned_of(tmp_path):
    class Deaf(CentroidHead):
        def forward(self, vectors):
            return super().forward(vectors)[..., [4, 1, 2, 3, 0]] * torch.tensor([0.0, 1.0, 1.0, 1.0, 1.0])

    said = r"UAR before quantization is 25.0 %.*chance is 25.0 %.*takes 100 % of the utterances for angry.*a probe"
    with pytest.warns(UserWarning, match=said):
        run(tmp_path, ResultsWriter([]), head=Deaf())


def test_summary_shows_every_point_once(tmp_path):
    task, _ = run(tmp_path)
    lines = summary(task.rows).splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [["none", "-"], ["pull", "0"], ["pull", "1"], ["pull", "9"]]
    assert lines[1].split()[2] == "-"
    assert float(lines[3].split()[2]) == 5.0
    found = {(row.codec, row.lmbda, row.metric): row.value for row in task.rows if row.emotion == "all"}
    for metric, place in (("uar", 3), ("f1", 4), ("agreement", 5), ("kl", 6)):
        assert float(lines[3].split()[place]) == pytest.approx(found["pull", 1.0, metric], abs=6e-4), metric
