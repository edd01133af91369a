"""Codecs and classifiers remember the encoder of their training; whatever brings them to other features says so."""

import re
import warnings

import pytest
import soundfile
import torch
from fake.encoder import FakeEncoder
from lightning.pytorch import Trainer
from spoken_world import random_voice, speech_data
from tiny_world import CENTROIDS, CentroidHead, PullCodec, TinyData

from emoquant.__main__ import main
from emoquant.codecs import ECVQ, Cascade, Greedy, Mixture, load_codec, save_codec
from emoquant.codecs.search import layout_of
from emoquant.encoders import Emotion2Vec, EncoderHead, ProbeHead
from emoquant.entropy import LightModel
from emoquant.quantization import GroupedResidualVQ
from emoquant.storage.origin import UNKNOWN, Origin, read_origin, require_origin
from emoquant.tasks import CodecTask, EntropyTask, ProbeTask
from emoquant.tasks.evaluation import CodecEvaluationTask
from emoquant.voice.tts.recipe import Quantize
from emoquant.voice.tts.synthesis import Synthesizer

OURS, OTHERS = Origin("ours", "a1" * 32), Origin("theirs", "b2" * 32)
TINY = "checkpoints/emotion2vec-tiny"
MISMATCH = "trained on features of the encoder 'theirs' .b2b2b2b2., these are of .*any_encoder"


def codec(dim=8, origin=OURS):
    torch.manual_seed(0)
    quantizer = GroupedResidualVQ(2, 2, 6, dim=dim)
    quantizer.fine.set(torch.randn_like(quantizer.fine.vectors))
    quantizer.ready.fill_(True)
    model = LightModel(8)
    model.build(layout_of(quantizer))
    made = ECVQ(quantizer, model, points=[1.0])
    made.origin = origin
    return made


def trainer(folder, **settings):
    return Trainer(
        accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, use_distributed_sampler=False, default_root_dir=str(folder), **settings,
    )  # fmt: skip


class Data(TinyData):
    """The planted features, said to come from an encoder."""

    origin = OURS


def test_origins_agree_by_fingerprint_or_by_weights():
    windowed = Origin("ours at other windows", "c3" * 32, "w1")
    assert OURS.agrees(Origin("the same elsewhere", OURS.fingerprint[:16]))
    assert not OURS.agrees(OTHERS)
    assert windowed.agrees(Origin("x", "d4" * 32, "w1"))
    assert not windowed.agrees(Origin("x", "d4" * 32, "w2"))
    assert read_origin(OURS.stored()) == OURS
    assert read_origin({"name": 3}) is UNKNOWN
    require_origin("codec", None, OTHERS)
    require_origin("codec", OURS, None)


def test_a_checkpoint_remembers_and_can_be_told_to_forget(tmp_path):
    save_codec(codec(origin=OTHERS), tmp_path / "a.ckpt")
    assert load_codec(tmp_path / "a.ckpt").origin == OTHERS
    assert load_codec(tmp_path / "a.ckpt", any_encoder=True).origin is None
    save_codec(codec(origin=None), tmp_path / "old.ckpt")
    assert load_codec(tmp_path / "old.ckpt").origin == UNKNOWN


def test_one_warning_where_a_checkpoint_says_nothing():
    with pytest.warns(UserWarning, match="does not say which encoder") as seen:
        require_origin("codec 'old'", UNKNOWN, OURS)
    assert len(seen) == 1


def test_codecs_of_codecs_remember_too():
    ours, theirs = codec(), codec(origin=OTHERS)
    assert Greedy(ours).origin == Mixture(ours).origin == Cascade(ours, ours).origin == OURS
    with pytest.raises(ValueError, match="trained on features of the encoder 'theirs'"):
        Cascade(ours, theirs)


@pytest.mark.filterwarnings("ignore:.*does not have many workers.*")
class TestTasks:
    def test_an_evaluation_checks_codecs_and_classifier(self, tmp_path):
        codec, head = PullCodec(CENTROIDS[2]), CentroidHead()
        for broken in (codec, head):
            broken.origin = OTHERS
            with pytest.raises(ValueError, match=MISMATCH):
                trainer(tmp_path).test(CodecEvaluationTask([codec], head), Data(), verbose=False)
            broken.origin = OURS
        trainer(tmp_path, limit_test_batches=1).test(
            CodecEvaluationTask([codec], head, replicates=2), Data(), verbose=False
        )

    def test_training_writes_it_and_goes_on_only_with_the_same(self, tmp_path):
        def task():
            return CodecTask(GroupedResidualVQ(2, 1, 4), LightModel(8), 1, 1, sample_frames=50)

        run = trainer(tmp_path, max_epochs=1, limit_val_batches=0)
        run.fit(task(), Data())
        run.save_checkpoint(tmp_path / "codec.ckpt")
        assert load_codec(tmp_path / "codec.ckpt").origin == OURS
        other = Data()
        other.origin = OTHERS
        with pytest.raises(ValueError, match="run goes on from was trained on features of the encoder 'ours'"):
            trainer(tmp_path, max_epochs=2).fit(task(), other, ckpt_path=tmp_path / "codec.ckpt", weights_only=True)
        with pytest.raises(ValueError, match=r"codec.ckpt was trained on features of the encoder 'ours'"):
            trainer(tmp_path, max_epochs=1).fit(EntropyTask(tmp_path / "codec.ckpt", LightModel(8)), other)
        allowed = EntropyTask(tmp_path / "codec.ckpt", LightModel(8), any_encoder=True)
        trainer(tmp_path, max_epochs=1, limit_val_batches=0, limit_train_batches=1).fit(allowed, other)

    def test_a_probe_remembers(self, tmp_path):
        run = trainer(tmp_path, max_epochs=1, limit_val_batches=0, limit_train_batches=1)
        run.fit(ProbeTask(measured=("happy", "sad")), Data())
        run.save_checkpoint(tmp_path / "probe.ckpt")
        assert ProbeHead(str(tmp_path / "probe.ckpt")).origin == OURS
        assert ProbeHead(str(tmp_path / "probe.ckpt"), any_encoder=True).origin is None


def test_the_head_of_a_model_knows_the_model_whatever_its_windows():
    head = EncoderHead(TINY)
    assert head.origin.agrees(Emotion2Vec(TINY).identify())
    assert head.origin.agrees(Emotion2Vec(TINY, window=20.0).identify())
    assert not head.origin.agrees(FakeEncoder().identify())
    assert EncoderHead(TINY, any_encoder=True).origin is None


def test_compressing_audio_needs_the_encoder_of_the_codec(tmp_path, capsys):
    dim = Emotion2Vec(TINY).dim
    save_codec(codec(dim, OTHERS), tmp_path / "codec.ckpt")
    soundfile.write(tmp_path / "a.wav", 0.1 * torch.randn(8000).numpy(), 16_000)
    command = ["compress", str(tmp_path / "a.wav"), str(tmp_path / "out"), str(tmp_path / "codec.ckpt")]
    command += ["--encoder", TINY, "--progress=false"]
    with pytest.raises(SystemExit):
        main(command)
    assert re.search(MISMATCH, " ".join(capsys.readouterr().err.split()))
    assert main([*command, "--any_encoder=true"]).is_file()


def test_a_voice_refuses_recipes_with_codecs_of_another_encoder(tmp_path):
    data = speech_data(tmp_path)
    data.prepare_data()
    data.setup()
    pytest.importorskip("pyworld", reason="the extra `speech` is not installed")
    synthesizer = Synthesizer(random_voice(data))
    broken, fitting = PullCodec(CENTROIDS[2]), PullCodec(CENTROIDS[2])
    broken.origin, fitting.origin = OTHERS, data.origin
    assert synthesizer.origin.agrees(data.origin)
    frames = torch.randn(20, data.dim)
    with pytest.raises(ValueError, match=MISMATCH):
        synthesizer.synthesize("The boat came back.", frames, [Quantize(broken, 1.0)])
    recipe = [Quantize(fitting, 1.0)]
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        assert len(synthesizer.synthesize("The boat came back.", frames, recipe).waveform)
