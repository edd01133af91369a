"""A sweep that is interrupted goes on, and the jobs of an array add up: the rows are those of one unbroken run."""

import logging

import numpy as np
import pytest
import soundfile
import torch
from fake.encoder import FakeEncoder
from lightning.pytorch import Callback, LightningDataModule, Trainer
from tiny_world import CENTROIDS, EMOTIONS, CentroidHead, PullCodec, TinyData

from emoquant.codecs.history import Source
from emoquant.data.manifest import ManifestCorpus
from emoquant.data.module import EmotionDataModule
from emoquant.metrics import CodebookChoice, SweepMetrics
from emoquant.tasks.evaluation import CodecEvaluationTask
from emoquant.tasks.partial import add_sums, digest_of

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
pytestmark = pytest.mark.filterwarnings("ignore:The 'test_dataloader' does not have many workers")


@pytest.fixture(autouse=True)
def _eager(monkeypatch):
    """Write the sums after every batch."""
    monkeypatch.setattr("emoquant.tasks.partial._PATIENCE", 0)


class Data(TinyData):
    """The planted batches, and how many of them a run reads."""

    read = 0

    @property
    def whole(self):
        return sum(len(batch.lengths) for batch in self.batches["test"])

    def test_dataloader(self):
        loader = super().test_dataloader()
        self.read = len(loader)
        return loader


def test_sums_know_the_audio_and_not_its_names_alone(tmp_path):
    """The same names and lengths with other audio are another evaluation."""
    digests = []
    for number in (0, 0, 1):
        lines = ["path,emotion,speaker,split"]
        for at, name in enumerate("abcdef"):
            wave = 0.1 * np.sin(np.arange(8000) / (5 + at + 7 * number))
            soundfile.write(tmp_path / f"{name}.wav", wave, 16_000)
            lines.append(f"{name}.wav,{'sad' if at % 2 else 'happy'},s{at},{('train', 'validation', 'test')[at // 2]}")
        (tmp_path / "m.csv").write_text("\n".join(lines))
        corpus = ManifestCorpus(str(tmp_path / "m.csv"))
        data = EmotionDataModule(corpus, FakeEncoder(), ["sad", "happy"], str(tmp_path / "cache"))
        data.setup()
        digests.append(digest_of({}, data, {}))
    assert digests[0] == digests[1] != digests[2]


class Stop(Callback):
    def __init__(self, after):
        self.after = after

    def on_test_batch_end(self, trainer, module, outputs, batch, batch_idx, dataloader_idx=0):
        if batch_idx + 1 == self.after:
            raise KeyboardInterrupt


def task(**options):
    codecs = [PullCodec(centroid, (0.0, 9.0), name) for centroid, name in zip(CENTROIDS, EMOTIONS, strict=True)]
    choice = CodebookChoice({name: name for name in EMOTIONS}, reference="sad")
    settings = {"replicates": 20, "choices": [choice], "agreement": [0.8], "save_seconds": 1e-9, **options}
    return CodecEvaluationTask(codecs, CentroidHead(), **settings)


def run(folder, data=None, callbacks=(), limit=None, **options):
    made, data = task(**options), data or Data()
    trainer = Trainer(
        accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False, callbacks=[*callbacks],
        enable_model_summary=False, use_distributed_sampler=False, default_root_dir=folder,
        limit_test_batches=limit,
    )  # fmt: skip
    trainer.test(made, data, verbose=False)
    return [str(row) for row in made.rows], data


def test_an_interrupted_sweep_goes_on_and_gives_the_same_rows(tmp_path):
    whole, data = run(tmp_path / "whole")
    assert len(whole) > 100
    assert not list((tmp_path / "whole" / "sums").iterdir()), "nothing is left behind"
    for after in (3, 2):
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            run(tmp_path / "parts", callbacks=[Stop(after)])
    rows, rest = run(tmp_path / "parts")
    assert rest.read == data.read - 5
    assert rows == whole, "to the last bit"


@pytest.mark.parametrize("limit", [5, 0.5])
def test_a_limited_sweep_begins_anew_since_the_limit_counts_what_is_left(tmp_path, limit):
    whole, _ = run(tmp_path / "whole", limit=limit)
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        run(tmp_path / "parts", callbacks=[Stop(2)], limit=limit)
    assert run(tmp_path / "parts", limit=limit)[0] == whole


def test_another_evaluation_begins_anew(tmp_path):
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        run(tmp_path, callbacks=[Stop(3)])
    for change in ({"seed": 1}, {"closed_set": True}, {"agreement": None}, {"count": 52}, {}):
        data = Data(count=change.pop("count", 60))
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            run(tmp_path, data, callbacks=[Stop(1)], **change)
        assert data._share[2] == (0 if change or data.whole < 60 else 3), change


def test_a_checkpoint_that_was_moved_is_the_same_codec():
    module, data = PullCodec(CENTROIDS[2]), Data()
    before = digest_of({"codecs": module}, data, {})
    module.source = Source("elsewhere.ckpt", "ab12", None)
    assert digest_of({"codecs": module}, data, {}) == before
    module.points = (3.0,)
    assert digest_of({"codecs": module}, data, {}) != before


def test_jobs_of_an_array_add_up_whichever_ends_last(tmp_path):
    whole, _ = run(tmp_path / "whole")
    ended = [run(tmp_path / "jobs", shard=f"{number}/3")[0] for number in (2, 0, 1)]
    assert ended[0] == ended[1] == []
    assert [row.split(", ")[:5] for row in ended[2]] == [row.split(", ")[:5] for row in whole]
    for one, other in zip(whole, ended[2], strict=True):
        values = [float(text.split("value=")[1].split(",")[0]) for text in (one, other)]
        assert values[0] == pytest.approx(values[1], abs=1e-12, nan_ok=True), one
    again, _ = run(tmp_path / "jobs", shard="0/3")
    assert again == ended[2], "a job that is given again adds up again, and measures nothing twice"


def test_sums_of_another_sweep_are_refused():
    sweep = SweepMetrics([PullCodec(CENTROIDS[2])], Data().emotions, classifier=CentroidHead())
    with pytest.raises(ValueError, match="of another evaluation"):
        add_sums(sweep, {"sums.x": torch.zeros(1)})


def test_data_that_cannot_be_divided_says_so(tmp_path):
    class Whole(LightningDataModule):
        def test_dataloader(self):
            return TinyData().test_dataloader()

    with pytest.raises(TypeError, match=r"cannot be divided among jobs|Whole has no .*share_test"):
        run(tmp_path, Whole(), shard="0/2")
    with pytest.raises(ValueError, match="NUMBER/COUNT"):
        task(shard="2/2")
