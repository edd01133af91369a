"""The wheel, used in a folder without a checkout: it brings configurations, encoder and codec along."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SMALL = ["--data.corpora.sentences=5", "--data.corpora.voices=[en-us]", "--trainer.accelerator=cpu",
         "--trainer.enable_progress_bar=false"]  # fmt: skip
FIT = ["--model.codebook_epochs=1", "--model.gate_epochs=1", "--trainer.max_epochs=3", "--model.quantizer.codewords=8",
       "--model.quantizer.layers=1", "--model.sample_frames=300", "--model.splits=1"]  # fmt: skip
#: What is run in one process, since importing takes longer than all of it.
SCRIPT = f"""
import pathlib, urllib.request, emoquant
from emoquant.commands.app import app
from emoquant.__main__ import main
site = pathlib.Path("site").resolve()
assert pathlib.Path(emoquant.__file__).is_relative_to(site), emoquant.__file__
main(["fit", "codec", *{SMALL + FIT!r}])
main(["test", "lambda_sweep", "--model.replicates=10", *{SMALL!r}])
main(["study", "--dry_run"])
pathlib.Path("small.yaml").write_text(
    "{{class_path: emoquant.data.EmotionDataModule, init_args: {{corpora: {{class_path: emoquant.data.RenderedCorpus, "
    "init_args: {{sentences: 5, voices: [en-us]}}}}}}}}"
)
with urllib.request.urlopen(app(data="small.yaml", wait=False)) as page:
    assert b"Quantize an emotion" in page.read()
codec = emoquant.load_codec("checkpoints/codec")
import torch
features = 10 * torch.randn(20, codec.dim)
assert codec.decompress(codec.compress(features, lmbda=1.0)).shape == features.shape
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of the working tree."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def test_it_holds_what_the_commands_need_once(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    for name in ("configs/trainer.yaml", "configs/eval/lambda_sweep.yaml", "checkpoints/emotion2vec-tiny/model.pt"):
        assert f"emoquant/_shipped/{name}" in names
    assert "emoquant/_shipped/checkpoints/codec/codec.ckpt" in names
    assert not [name for name in names if name.startswith(("configs/", "checkpoints/", "tests/"))]


def test_its_metadata_names_the_licence_of_the_weights(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = [name for name in archive.namelist() if name.endswith("METADATA")]
        text = archive.read(metadata).decode()
    assert "License-Expression: MIT AND CC-BY-NC-SA-4.0" in text


def test_the_main_job_runs_in_an_empty_folder(wheel, tmp_path):
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    environment = {**os.environ, "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "runs/lambda_sweep/version_0/results.csv").is_file()
    assert "emotion2vec-tiny: weights for non-commercial research only" in done.stderr
    assert "about" in done.stdout
