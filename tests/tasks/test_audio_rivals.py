"""Audio codecs beside codecs of features in one evaluation: the same rows, from the audio of the test split."""

import csv
import logging
import math

import pytest
import soundfile
import torch
from fake.encoder import FakeEncoder
from lightning.pytorch import Trainer

from emoquant.audio_codecs import AudioCodec, CodedClip, Opus
from emoquant.codecs import Codec
from emoquant.data import EmotionDataModule, ManifestCorpus
from emoquant.encoders.base import EmotionHead
from emoquant.tasks.evaluation import CodecEvaluationTask
from emoquant.types import Coded

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
pytestmark = pytest.mark.filterwarnings("ignore:The 'test_dataloader' does not have many workers")
EMOTIONS = ["angry", "sad"]


class Transparent(AudioCodec):
    """Gives back what it gets, at 24 bits a frame of 20 ms, with codes that repeat every other frame."""

    name, points, codewords = "transparent", (1200.0,), 64

    def code(self, clips, point):
        found = []
        for clip in clips:
            frames = len(clip.waveform) // 320
            codes = (torch.arange(frames)[:, None] % 2).expand(frames, 4) * 3
            found.append(CodedClip(clip.waveform, 24.0 * frames, codes=codes))
        return found

    def fingerprint(self):
        return "transparent"


class Silent(Transparent):
    """Gives back silence, for a second of bits an utterance."""

    name, codewords = "silent", 0

    def code(self, clips, point):
        return [each._replace(waveform=torch.zeros_like(each.waveform)) for each in super().code(clips, point)]


class Halved(Codec):
    """Halves features, for 2 bits a frame."""

    name, dim, positions, codewords, points = "halved", 0, 0, 0, (1.0,)

    def forward(self, features, lengths, points=None):
        return Coded(torch.zeros(1, *features.shape[:2], 0).short(), features[None] / 2, features[None, ..., 0] * 0 + 2)


class Loudness(EmotionHead):
    """Takes what moves much for anger."""

    labels, dim = EMOTIONS, 8

    def forward(self, vectors):
        return torch.stack([vectors.abs().sum(-1), torch.full(vectors.shape[:-1], 0.5)], -1)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Return a corpus of two speakers a split: loud anger, quiet sadness, each cut out of a longer file."""
    folder = tmp_path_factory.mktemp("corpus")
    random = torch.Generator().manual_seed(0)
    lines = []
    for index in range(24):
        emotion, split = EMOTIONS[index % 2], "test" if index >= 12 else "train"
        samples = (0.3 if emotion == "angry" else 0.01) * (1 + torch.randn(12_000 + 640 * index, generator=random))
        soundfile.write(folder / f"{index:02d}.wav", samples.clamp(-1, 1).numpy(), 16_000, "FLOAT")
        lines.append([f"{index:02d}.wav", emotion, f"s{index // 4}", split, 0.1, 0.1 + len(samples) / 20_000])
    with (folder / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["path", "emotion", "speaker", "split", "start", "end"], *lines])
    corpus = ManifestCorpus(str(folder / "manifest.csv"), name="planted")
    return EmotionDataModule(corpus, FakeEncoder(), EMOTIONS, str(folder / "cache"))


def run(data, tmp_path, **options):
    task = CodecEvaluationTask([Halved()], Loudness(), replicates=20, **options)
    trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
                      enable_model_summary=False, default_root_dir=tmp_path, use_distributed_sampler=False)  # fmt: skip
    trainer.test(task, data, verbose=False)
    return {(row.codec, row.metric, row.emotion): row for row in task.rows}


def test_audio_codecs_stand_in_the_same_table(data, tmp_path):
    rows = run(data, tmp_path, audio_codecs=[Transparent(), Silent(), Opus([16_000])], code_utterances=8)

    def value(codec, metric, emotion="all"):
        return rows[codec, metric, emotion].value

    assert value("transparent", "agreement") == value("transparent", "utterance_similarity") == pytest.approx(1.0)
    assert value("transparent", "distortion") == pytest.approx(0.0, abs=1e-9)
    assert value("silent", "agreement") == pytest.approx(0.5)
    assert value("silent", "recall", "angry") == 0.0
    assert value("none", "uar") == 1.0
    assert value("opus", "distortion") > 0
    for codec in ("transparent", "silent"):
        assert value(codec, "bits_per_second") == pytest.approx(1200, rel=0.03)
        assert (codec, "file_bits_per_second", "all") not in rows
    assert value("transparent", "entropy_coded_bits_per_second") < 300  # the codes say the same again and again
    assert value("opus", "bits_per_second") == pytest.approx(16_000, rel=0.3)
    assert value("opus", "file_bits_per_second") > value("opus", "bits_per_second")
    assert value("halved", "bits_per_frame") == 2.0
    assert value("halved", "bits_per_second") == 100.0
    assert rows["opus", "agreement", "all"].lmbda == 16_000
    assert rows["opus", "agreement", "all"].n == 12
    seconds = sum(u.end - u.start for u in data.dataset("test").utterances)
    assert value("none", "decision_bits_per_second") == pytest.approx(12 * math.log2(2) / seconds, rel=0.05)


def test_without_training_utterances_nothing_is_entropy_coded(data, tmp_path):
    rows = run(data, tmp_path, audio_codecs=[Transparent()])
    assert not [key for key in rows if "entropy_coded" in key[1]]


def test_a_codec_of_audio_codes_no_features(data):
    from emoquant.audio_codecs import Recoded

    data.setup("test")
    codec = Recoded(Transparent(), data.encoder, data.dataset("test").utterances)
    with pytest.raises(ValueError, match="'transparent' codes audio, not features"):
        codec(torch.zeros(1, 2, 8), torch.tensor([2]))


def test_names_must_differ(data, tmp_path):
    with pytest.raises(ValueError, match="different names"):
        run(data, tmp_path, audio_codecs=[Transparent(), Transparent()])
