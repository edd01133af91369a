import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tiny_world import CENTROIDS, CentroidHead, PullCodec, TinyData

from emoquant.callbacks import (
    AudioSamples,
    CodebookMonitor,
    EmbeddingProjector,
    EncoderExport,
    LambdaSweep,
    ResultsWriter,
)
from emoquant.codecs.base import Codec
from emoquant.storage.results import Row


class TinyTask(LightningModule):
    """A task whose codec is there from the second epoch on."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    @property
    def codec(self) -> Codec | None:
        return PullCodec(CENTROIDS[2]) if self.current_epoch else None

    def training_step(self, batch, batch_idx):
        return self.weight.square().sum()

    def validation_step(self, batch, batch_idx):
        pass

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


def fit(tmp_path, task, *callbacks, epochs=3, data=None):
    trainer = Trainer(
        accelerator="cpu",
        logger=TensorBoardLogger(tmp_path, name="fit", version=0),
        callbacks=list(callbacks),
        max_epochs=epochs,
        log_every_n_steps=1,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
        use_distributed_sampler=False,
    )
    trainer.fit(task, data or TinyData(folder=tmp_path))
    events = EventAccumulator(str(tmp_path / "fit" / "version_0")).Reload()
    return events, {tag: events.Scalars(tag) for tag in events.Tags()["scalars"]}


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    callbacks = (
        LambdaSweep([0.0, 9.0], CentroidHead(), every_n_epochs=1, replicates=20),
        CodebookMonitor(point=1.0),
        EmbeddingProjector([0.0, 9.0], max_utterances=10, every_n_epochs=3),
        AudioSamples(per_emotion=1),
    )
    folder = tmp_path_factory.mktemp("fit")
    return (*fit(folder, TinyTask(), *callbacks), folder / "fit" / "version_0")


def test_sweep_is_logged_for_every_epoch_that_has_a_codec(watched):
    events, scalars, _ = watched
    assert len(scalars["sweep/uar/lmbda=0"]) == 2
    assert scalars["sweep/uar/lmbda=0"][0].value == 1.0
    assert scalars["sweep/uar/lmbda=9"][0].value < 0.5
    assert scalars["sweep/bits_per_frame/lmbda=9"][0].value == pytest.approx(1.0)
    assert any(tag.startswith("sweep/recall") for tag in events.Tags()["images"])
    assert any(tag.startswith("sweep/recall") for tag in events.Tags()["tensors"])


class Headed:
    """An encoder that has nothing but a head."""

    def __init__(self, labels):
        self.labels = labels

    def head(self):
        head = CentroidHead()
        head.labels = self.labels
        return head


def test_the_head_of_the_data_recognises_where_no_classifier_is_named(tmp_path):
    data = TinyData(folder=tmp_path)
    data.encoder = Headed(CentroidHead().labels)
    _, scalars = fit(tmp_path, TinyTask(), LambdaSweep([0.0], every_n_epochs=2, references=False), epochs=2, data=data)
    assert scalars["sweep/uar/lmbda=0"][0].value == 1.0


def test_a_head_without_the_emotions_is_left_out_aloud(tmp_path):
    data = TinyData(folder=tmp_path)
    data.encoder = Headed(["calm", "bored", "happy", "sad"])
    sweep = LambdaSweep([0.0], every_n_epochs=2, references=False)
    with pytest.warns(UserWarning, match="without recognition: .*own head will not do .emotion 'angry' is not among"):
        _, scalars = fit(tmp_path, TinyTask(), sweep, epochs=2, data=data)
    assert "sweep/uar/lmbda=0" not in scalars
    assert "sweep/bits_per_frame/lmbda=0" in scalars


def test_a_classifier_that_does_not_fit_is_refused_before_the_training(tmp_path):
    class Refusing(TinyTask):
        def training_step(self, batch, batch_idx):
            raise AssertionError("it was trained")

    head = CentroidHead()
    head.labels = ["calm", "bored", "happy", "sad"]
    with pytest.raises(ValueError, match="no class for angry, neutral"):
        fit(tmp_path, Refusing(), LambdaSweep([0.0], head))


def test_a_checkpoint_that_is_validated_is_looked_at(tmp_path):
    class Trained(TinyTask):
        codec = PullCodec(CENTROIDS[2])

    trainer = Trainer(
        accelerator="cpu",
        logger=TensorBoardLogger(tmp_path, name="fit", version=0),
        callbacks=[LambdaSweep([0.0], CentroidHead(), every_n_epochs=5), CodebookMonitor(every_n_epochs=5)],
        enable_model_summary=False,
        enable_progress_bar=False,
        use_distributed_sampler=False,
    )
    trainer.validate(Trained(), TinyData(folder=tmp_path), verbose=False)
    assert trainer.callback_metrics["sweep/uar/lmbda=0"] == 1.0
    assert trainer.callback_metrics["codebook/perplexity"] >= 1.0


def test_codebooks_are_watched(watched):
    events, scalars, _ = watched
    assert 1.0 <= scalars["codebook/perplexity"][0].value <= 5.0
    assert scalars["codebook/dead_codes"][0].value >= 0
    assert "codebook/positions" in events.Tags()["images"]
    assert "codebook/usage_of_positions" in events.Tags()["histograms"]


def test_embeddings_before_and_after_are_in_the_projector(watched):
    *_, folder = watched
    (labels,) = folder.rglob("metadata.tsv")
    lines = labels.read_text(encoding="utf-8").splitlines()
    assert lines[0].split("\t") == ["emotion", "speaker", "lmbda", "utterance"]
    assert len(lines) == 1 + 3 * 10
    assert lines[1].split("\t")[2:] == ["none", "validation-0"]
    vectors = torch.tensor([[float(x) for x in line.split("\t")] for line in labels.with_name("tensors.tsv").open()])
    torch.testing.assert_close(vectors[2], 0.1 * vectors[0] + 0.9 * CENTROIDS[2], atol=1e-3, rtol=1e-3)


def test_audio_of_each_emotion_can_be_heard(watched):
    events, *_ = watched
    assert sorted(events.Tags()["audio"]) == [f"validation/{e}/0" for e in ("angry", "happy", "neutral", "sad")]


def test_what_was_recorded_is_said_beside_the_audio(watched):
    events, *_ = watched
    text = events.Tensors("validation/about/text_summary")[0].tensor_proto.string_val[0].decode()
    assert "not quantized" in text
    assert "emoquant predict lambda" in text


def test_codes_that_the_task_counts_are_drawn_while_there_is_no_codec(tmp_path):
    class Fitting(TinyTask):
        codec = None

        def position_use(self):
            return (torch.tensor([2.0, 3.0]), torch.tensor([0.5, 1.0])) if self.current_epoch else None

    events, scalars = fit(tmp_path, Fitting(), CodebookMonitor(), epochs=3)
    assert [event.step for event in events.Images("codebook_training/positions")] == [18, 27]
    assert "codebook_training/usage_of_positions" in events.Tags()["histograms"]
    assert not [tag for tag in scalars if tag.startswith("codebook")]


def test_a_trial_of_a_few_batches_leaves_results_and_encoders_as_they_are(tmp_path):
    trial = Trainer(accelerator="cpu", fast_dev_run=True, default_root_dir=tmp_path)
    task = TinyTask()
    task.rows = [Row("tiny", "pull", 0.0, "all", "uar", 0.5, 0.4, 0.6, 9)]
    (tmp_path / "results.csv").write_text("of an earlier run")
    writer = ResultsWriter()
    writer.on_test_start(trial, task)
    writer.on_test_end(trial, task)
    EncoderExport(str(tmp_path / "encoder")).on_fit_end(trial, task)
    assert [path.name for path in tmp_path.iterdir()] == ["results.csv"]
    assert (tmp_path / "results.csv").read_text() == "of an earlier run"


def test_a_task_without_codec_is_refused(tmp_path):
    class Mute(TinyTask):
        codec = property()

    for callback in (LambdaSweep(), CodebookMonitor(), EmbeddingProjector()):
        with pytest.raises(TypeError, match="Mute has no `codec`"):
            fit(tmp_path, Mute(), callback, epochs=1)


def test_wrong_numbers_are_refused():
    for make in (
        lambda: LambdaSweep(every_n_epochs=0),
        lambda: CodebookMonitor(every_n_epochs=0),
        lambda: EmbeddingProjector(max_utterances=0),
        lambda: AudioSamples(per_emotion=0),
    ):
        with pytest.raises(ValueError, match="at least 1"):
            make()
