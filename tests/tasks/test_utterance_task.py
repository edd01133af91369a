"""Codes of whole utterances are fitted to the training split, stored, and loaded by their run."""

import pytest
import torch
from test_codec_training import fit
from tiny_world import TinyData

from emoquant.codecs import UtteranceVQ, load_codec
from emoquant.tasks import UtteranceTask

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers.*"),
    pytest.mark.filterwarnings("ignore:.*num_training_batches.*smaller than the logging interval.*"),
]


def test_a_fit_ends_with_a_codec_that_is_loaded(tmp_path):
    task = UtteranceTask(stages=2, codewords=4)
    trainer = fit(task, tmp_path, 1, data=TinyData(count=24), limit_train_batches=1)
    codec = load_codec(tmp_path / "last.ckpt")
    assert isinstance(codec, UtteranceVQ)
    assert codec.points == (2.0, 4.0)
    assert torch.equal(codec.books, task.codec.books)
    frames = [
        f[:n] for b in TinyData(count=24).reference_dataloader() for f, n in zip(b.features, b.lengths, strict=True)
    ]
    torch.testing.assert_close(codec.mean, torch.cat(frames).mean(0), atol=1e-4, rtol=0)
    assert 0 < float(trainer.callback_metrics["val/distortion"]) < 0.3
