"""What else is in the bits: planted speakers, texts and melodies are found where a codec keeps them."""

import csv

import numpy as np
import pytest
import soundfile
import torch
from spoken_world import BandEncoder

from emoquant.__main__ import main
from emoquant.audio_codecs import AudioCodec, CodedClip, Tokenizer
from emoquant.codecs import Codec
from emoquant.commands.bits_inquiry import METRICS, Inquiry
from emoquant.data import EmotionDataModule, ManifestCorpus
from emoquant.storage.results import read_results
from emoquant.types import Coded
from emoquant.voice.metrics.recoded import Listener
from emoquant.voice.text.recognition import Recognizer

#: Speakers are a pitch and a tone, texts a tone.
SPEAKERS, TEXTS = (
    {"anna": (220.0, 1500.0), "ben": (110.0, 6500.0), "carl": (150.0, 7500.0)},
    {"high hat": 5200.0, "low tone": 3000.0},
)
LEVELS = {"angry": 0.4, "sad": 0.05}


class Transparent(AudioCodec):
    """Gives back what it gets, with the text's band and nothing of the speaker in its codes."""

    name, points, codewords = "transparent", (1000.0,), 4

    def code(self, clips, point):
        codes = [torch.full((20, 1), int("low" in clip.path.stem)) for clip in clips]
        seconds = [len(clip.waveform) / self.sample_rate for clip in clips]
        return [CodedClip(c.waveform, 1000 * s, codes=code) for c, s, code in zip(clips, seconds, codes, strict=True)]

    def fingerprint(self):
        return self.name


class Humming(Transparent):
    """Makes the same sound of everything."""

    name, codewords = "humming", 0

    def code(self, clips, point):
        time = torch.arange(16_000) / 16_000
        hum = torch.sin(2 * torch.pi * time * (180 + 30 * torch.sin(40 * time)))
        return [CodedClip(hum[: len(clip.waveform)], 1000.0) for clip in clips]


class ByTone(Tokenizer):
    """Gives 2 codes a frame, 10 frames a second: one is the speaker, the other always the same."""

    name, codewords, frame_rate = "tokens", (4, 8), 10.0

    def tokens(self, clips, sample_rate=16_000):
        speakers = [sorted(SPEAKERS).index(clip.path.stem.split("_")[1]) for clip in clips]
        return [torch.tensor([speaker, 7]).expand(7, -1) for speaker in speakers]

    def fingerprint(self):
        return self.name


class Blind(Codec):
    """Leaves nothing of the features but a code that is the emotion, for 2 bits a frame."""

    name, dim, positions, codewords, points = "blind", 0, 1, 2, (1.0,)

    def forward(self, features, lengths, points=None):
        loud = (features.mean((1, 2), keepdim=True) > -4).short().expand(-1, features.shape[1], 1)
        return Coded(loud[None], torch.zeros_like(features[None]), torch.full((1, *features.shape[:2]), 2.0))


class ByBand(Recognizer):
    """Hears a text by where its energy is."""

    def __call__(self, waveform, language=None):
        power = torch.fft.rfft(waveform).abs().square()
        hertz = torch.arange(len(power)) * 16_000 / len(waveform)
        low, high = (power[(hertz - tone).abs() < 20].sum() for tone in (3000, 5200))
        return "low tone" if low > high else "high hat"

    def fingerprint(self):
        return "by band"


def loudness(waveform):
    """Rate a waveform by its level."""
    return float(waveform.square().mean().sqrt())


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Write utterances whose speaker is a pitch, whose text a band, whose emotion a level; return their table."""
    folder, random = tmp_path_factory.mktemp("corpus"), np.random.default_rng(0)
    lines = []
    for split, takes in (("train", 1), ("test", 2)):
        for speaker, (pitch, tone) in SPEAKERS.items():
            for text, band in TEXTS.items():
                for emotion, level in LEVELS.items():
                    for take in range(takes):
                        time = np.arange(11_200) / 16_000
                        glide = pitch * (1 + 0.1 * np.sin(6 * time + take))
                        phase = 2 * np.pi * np.cumsum(glide) / 16_000
                        sound = np.sign(np.sin(phase)) * 0.3
                        sound += 0.3 * np.sin(2 * np.pi * band * time) + 0.3 * np.sin(2 * np.pi * tone * time)
                        sound = level * (sound + 0.01 * random.standard_normal(len(time)))
                        name = f"{split}_{speaker}_{text.split()[0]}_{emotion}_{take}.wav"
                        soundfile.write(folder / name, sound, 16_000, "FLOAT")
                        lines.append([name, emotion, speaker if split == "test" else f"{speaker} too", split, text])
    with (folder / "utterances.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["path", "emotion", "speaker", "split", "text"], *lines])
    return folder / "utterances.csv"


@pytest.fixture(scope="module")
def rows(table):
    """Return the rows of all codecs by codec and metric."""
    data = EmotionDataModule(ManifestCorpus(str(table), name="planted"), BandEncoder(), list(LEVELS),
                             str(table.parent / "cache"))  # fmt: skip
    data.prepare_data()
    data.setup()
    inquiry = Inquiry(data, Listener(BandEncoder(), ByBand(), quality=loudness), replicates=50, code_utterances=6)
    found = inquiry.unquantized(audio=True) + inquiry.features(Blind())
    found += inquiry.audio(Transparent()) + inquiry.audio(Humming()) + inquiry.tokens(ByTone())
    return {(row.codec, row.metric): row for row in found}


def test_what_is_planted_is_found_and_what_is_lost_is_not(rows):
    for name in ("none", "transparent"):
        assert [rows[name, f"probe/{each}"].value for each in ("emotion", "speaker")] == [1.0, 1.0]
        assert rows[name, "probe/text"].value > 0.6  # the tone of a new speaker confuses it
        assert rows[name, "character_error_rate"].value < rows["humming", "character_error_rate"].value
    assert [rows["none", f"probe_chance/{each}"].value for each in ("emotion", "speaker", "text")] == [0.5, 1 / 3, 0.5]
    for each in ("emotion", "speaker", "text"):
        assert rows["humming", f"probe/{each}"].value == rows["blind", f"probe/{each}"].value
        assert rows["humming", f"probe/{each}"].value == pytest.approx(rows["none", f"probe_chance/{each}"].value)
    assert rows["transparent", "bits_per_second"].value == pytest.approx(1000)
    assert rows["blind", "bits_per_second"].value == pytest.approx(100)
    assert rows["none", "probe/speaker"].n == 24


def test_codes_are_probed_apart_from_what_is_decoded(rows):
    assert rows["transparent", "code_probe/text"].value == 1.0
    assert rows["transparent", "code_probe/speaker"].value < 0.5
    assert rows["blind", "code_probe/emotion"].value == 1.0
    assert rows["blind", "code_probe/text"].value == pytest.approx(0.5)
    assert ("humming", "code_probe/text") not in rows


def test_speakers_and_melodies_are_heard_in_decoded_audio(rows):
    assert rows["transparent", "equal_error_rate"].value == rows["none", "equal_error_rate"].value
    assert rows["humming", "equal_error_rate"].value > rows["none", "equal_error_rate"].value
    assert rows["transparent", "f0_correlation"].value == pytest.approx(1.0)
    assert rows["humming", "f0_correlation"].value < 0.5
    assert ("none", "f0_correlation") not in rows
    assert rows["transparent", "quality"].value == pytest.approx(rows["none", "quality"].value)
    assert rows["humming", "quality"].value > 2 * rows["none", "quality"].value
    assert ("blind", "equal_error_rate") not in rows


def test_tokens_are_probed_without_audio_and_their_redundancy_is_found(rows):
    found = {metric: row.value for (codec, metric), row in rows.items() if codec == "tokens"}
    assert set(found) == {"bits_per_second", "entropy_coded_bits_per_second", *(f"code_probe/{each}" for each in
                          ("emotion", "speaker", "text"))}  # fmt: skip
    assert found["code_probe/speaker"] == 1.0
    assert found["code_probe/emotion"] == found["code_probe/text"] == 0.5
    assert {row.lmbda for (codec, _), row in rows.items() if codec == "tokens"} == {50.0}
    assert found["bits_per_second"] == pytest.approx(5 * 7 / 0.7)
    assert found["entropy_coded_bits_per_second"] < 0.6 * found["bits_per_second"]
    assert rows["transparent", "entropy_coded_bits_per_second"].value < 0.8 * 2 * 20 / 0.7
    assert ("humming", "entropy_coded_bits_per_second") not in rows


def test_every_metric_is_written(rows):
    written = {metric.split("/")[0] + ("/P" if "/" in metric else "") for _, metric in rows}
    assert written == set(METRICS)


def test_the_command_writes_results_and_a_table(table, tmp_path, capsys):
    folder = tmp_path / "bits"
    codecs = "[{run: checkpoints/codec, points: [0, 500]}]"
    main(["bits", "--data", str(table), "--emotions", "angry", "sad", "--codecs", codecs, "--folder", str(folder),
          "--replicates", "20"])  # fmt: skip
    found = read_results(folder / "results.csv")
    assert {row.lmbda for row in found if row.codec == "codec"} == {0.0, 500.0}
    text = (folder / "reports" / "bits_table.md").read_text(encoding="utf-8")
    assert "Probe of emotion (%)" in text.splitlines()[0]
    for line in table.read_text().splitlines()[1:]:
        np.save(tmp_path / f"{line.split('.wav')[0]}.npy", np.arange(18) % 5)
    tokens = ["--tokenizers+", "emoquant.audio_codecs.TokenFolder", "--tokenizers.folder", str(tmp_path),
              "--tokenizers.codewords", "5", "--tokenizers.frame_rate", "25"]  # fmt: skip
    main(["bits", "--data", str(table), "--emotions", "angry", "sad", *tokens, "--codecs", "[]", "--folder",
          str(folder), "--replicates", "20", "--code_utterances", "4"])  # fmt: skip
    text = (folder / "reports" / "bits_table.md").read_text(encoding="utf-8")
    assert text.splitlines()[0].startswith("| codec | point | bits/s | entropy coded | Probe of emotion (%) |")
    with pytest.raises(SystemExit):
        main(["bits", "--data", str(table), "--codecs", "[]"])
    assert "no codec is named" in capsys.readouterr().err
