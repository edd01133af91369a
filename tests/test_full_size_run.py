"""The main job with an encoder of the public base model's size (random weights): what a user with the hub will run."""

import resource
import sys
import time
from pathlib import Path

import pytest
import torch

from emoquant.cli import run
from emoquant.encoders import UntrainedEmotion2Vec
from emoquant.storage.results import read_results

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_extraction_training_and_sweep_at_the_base_size(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py"])
    (tmp_path / "checkpoints").symlink_to(ROOT / "checkpoints")
    UntrainedEmotion2Vec().export(tmp_path / "base", dtype=torch.float16)
    data = [
        "--data.init_args.corpora.init_args.sentences=5",
        "--data.init_args.corpora.init_args.voices=[en-us]",
        "--data.init_args.encoder=emoquant.encoders.Emotion2Vec",
        "--data.init_args.encoder.init_args.model=base",
        "--trainer.accelerator=cpu",
    ]
    begin = time.perf_counter()
    finished = run([
        "fit", f"--config={ROOT / 'configs/train/codec.yaml'}", *data, "--trainer.max_epochs=4",
        "--model.codebook_epochs=2",
        "--trainer.callbacks=[]",
        "--trainer.callbacks+=lightning.pytorch.callbacks.ModelCheckpoint",
        "--trainer.callbacks.init_args.filename=last",
    ])  # fmt: skip
    trained = time.perf_counter()
    assert finished.datamodule.dim == 768
    run(["test", f"--config={ROOT / 'configs/eval/lambda_sweep.yaml'}", *data])
    rows = read_results(next(tmp_path.glob("runs/lambda_sweep/*/results.csv")))
    similarity = {r.lmbda: r.value for r in rows if r.codec == "codec" and r.metric == "utterance_similarity"}
    assert similarity[0.0] > 0.8
    assert len({r.lmbda for r in rows if r.codec == "codec"}) == 14
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"extraction and training {trained - begin:.0f} s, sweep {time.perf_counter() - trained:.0f} s, {peak:.1f} GiB"
    )
    assert peak < 8
