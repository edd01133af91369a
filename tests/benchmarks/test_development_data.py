"""The script that makes the development data, on fake downloads, read by the configurations that use it."""

import csv
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

from emoquant.data import ManifestCorpus

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT / "benchmarks"))
import development_data  # noqa: E402 - after the path to it


def record(path, rate, loudness=0.2):
    """Half a second of noise after 0.3 s of near silence, then 0.2 s of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).uniform(-1, 1, rate)
    noise[: int(0.3 * rate)] *= 1e-4
    noise[int(0.8 * rate) :] *= 1e-4
    soundfile.write(path, noise * loudness, rate)


@pytest.fixture
def downloads(tmp_path):
    for speaker in ("03", "08", "09", "10", "11"):  # 10 is not among those of the figures
        record(tmp_path / "emodb" / "wav" / f"{speaker}a01Fa.wav", 22_050, loudness=1.0)
    (tmp_path / "ratings.txt").write_bytes(
        "Nr.\tSatz\terkannt\tnatürlich\n1  \t03a01Fa.wav\t92,50  \t75,00 \n".encode("latin-1")
    )
    for actor in ("01", "02", "03", "05"):
        record(tmp_path / "ravdess" / f"Actor_{actor}" / f"03-01-06-01-02-01-{actor}.wav", 48_000)
    lines = ["file_id\temotion\traw_text\tnormalized_text\tspeaker_id\tgender\tage"]
    for speaker in ("EB0", "IC0", "KD0", "MK0"):
        for number, emotion in enumerate(("anger", "happiness", "neutral", "sadness", "surprised"), 1):
            name = f"{speaker}_{emotion}_{number}.wav"
            record(tmp_path / "nemo" / "samples" / name, 24_000)
            lines.append(f"{name}\t{emotion}\t„Ród {number}” to.\tród {number} to\t        {speaker}\tmale\t23")
    (tmp_path / "nemo" / "data.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for group, speaker in (("plain", "ema"), ("emotional", "nea"), ("emotional", "neb"), ("emotional", "nez")):
        for number in ("00001", "00006", "00105", "00201", "00400"):
            folder = tmp_path / "kemo/Dataset/SpeechCorpus/Emotional" / f"{group}-to-emotional" / speaker / "wav"
            record(folder / f"{speaker}{number}.wav", 22_050)
    return tmp_path


def test_public_downloads_become_what_the_configurations_read(downloads, monkeypatch, capsys):
    (downloads / "project").mkdir()
    monkeypatch.chdir(downloads / "project")
    named = [f"--{name}=../{name}" for name in ("emodb", "ravdess", "nemo", "kemo")]
    development_data.main([*named, "--emodb-ratings", "../ratings.txt"])
    assert "nemo: 15 recordings of 3 speakers" in capsys.readouterr().out
    folder = downloads / "shared" / "data"
    with (folder / "metadata.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    assert len(rows) == 4 + 3 + 15 + 9
    happy = rows["emodb_03a01Fa"]
    assert (happy["speaker"], happy["emotion"], happy["rating_recognised"]) == ("emo03", "happy", "92.5")
    samples, rate = soundfile.read(folder / happy["path"])
    assert rate == 16_000
    assert np.abs(samples).max() == pytest.approx(0.999, abs=1e-4)
    assert rows["ravdess_03-01-06-01-02-01-02"]["emotion"] == "fear"
    assert rows["nemo_KD0_surprised_5"]["text"] == "„Ród 5” to."
    assert rows["nemo_KD0_surprised_5"]["emotion"] == "surprise"
    found = {row["id"]: row["emotion"] for row in rows.values() if row["speaker"] == "kemo_nea"}
    assert found == {"kemo_nea00001": "neutral", "kemo_nea00105": "happy", "kemo_nea00201": "angry"}
    for row in rows.values():
        # Resampling rings a little around the edges, above the threshold of 35 dB.
        assert [float(row["speech_start"]), float(row["speech_end"])] == pytest.approx([0.3, 0.8], abs=0.021)
    config = yaml.safe_load((ROOT / "configs" / "data" / "development.yaml").read_text(encoding="utf-8"))
    counts = [len(ManifestCorpus(**each["init_args"]).utterances()) for each in config["init_args"]["corpora"]]
    assert counts == [4, 3, 15, 9]


def test_a_folder_without_the_corpus_is_named(tmp_path, capsys):
    with pytest.raises(SystemExit):
        development_data.main(["--kemo", str(tmp_path), "--out", str(tmp_path / "out")])
    assert "no recording of kemo" in capsys.readouterr().err
