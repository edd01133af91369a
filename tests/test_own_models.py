"""A codec and an encoder that transformers has: two files of YAML, no Python, from results to the website."""

import pytest
from fake.corpora import fake_manifest
from pretrained_models import save_codec, save_encoder

from emoquant.__main__ import main
from emoquant.cli import run
from emoquant.storage.results import read_results

ENCODER = """
class_path: emoquant.encoders.TransformersEncoder
init_args: {model: MODEL}
"""
CODECS = """
model:
  class_path: emoquant.tasks.CodecEvaluationTask
  init_args:
    codecs: []
    audio_codecs:
      - {class_path: emoquant.audio_codecs.TransformersCodec, init_args: {model: MODEL, codebooks: [1, 3]}}
    code_utterances: 4
    replicates: 20
trainer: {accelerator: cpu, enable_progress_bar: false}
reports:
  - class_path: emoquant.reports.BitrateCurves
"""


@pytest.mark.slow
def test_two_yamls_put_a_codec_before_an_encoder_and_on_the_site(tmp_path, monkeypatch):
    names = {0: "angry", 1: "sad"}
    encoder = save_encoder(
        "wav2vec2", tmp_path / "ser", "AutoModelForAudioClassification", id2label=names,
        label2id={name: index for index, name in names.items()}, num_labels=2, classifier_proj_size=5,
    )  # fmt: skip
    table = fake_manifest(tmp_path / "corpus", speakers=3, texts=2, emotions=("angry", "sad"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_encoder.yaml").write_text(ENCODER.replace("MODEL", str(encoder)))
    (tmp_path / "my_codecs.yaml").write_text(CODECS.replace("MODEL", str(save_codec("dac", tmp_path / "dac"))))
    run(["test", "my_codecs.yaml", "--data", str(table), "--encoder", "my_encoder.yaml", "--emotions", "angry", "sad"])
    rows = read_results(tmp_path / "runs/my_codecs/version_0/results.csv")
    found = {(row.codec, row.lmbda, row.metric): row.value for row in rows if row.emotion == "all"}
    for bits in (200.0, 600.0):  # 50 frames a second, 4 bits a code
        assert abs(found["dac", bits, "bits_per_second"] / bits - 1) < 0.1
        assert 0 <= found["dac", bits, "agreement"] <= 1
        assert 0 < found["dac", bits, "entropy_coded_bits_per_second"] < 1.2 * bits
    main(["leaderboard", "runs/my_codecs"])
    main(["site", "--out", "site"])
    assert "| dac | 600 |" in (tmp_path / "runs/leaderboard.md").read_text(encoding="utf-8")
    assert "dac" in (tmp_path / "site/leaderboard.html").read_text(encoding="utf-8")
