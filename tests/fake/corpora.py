"""Writes small fake corpora with the real folder names and file formats: tones whose pitch follows the emotion."""

import csv
import json
from itertools import product
from pathlib import Path

import numpy as np
import soundfile

PITCH = {
    **{"angry": 220, "happy": 260, "neutral": 150, "sad": 110, "surprise": 300},
    **{"fear": 280, "disgust": 130, "calm": 120, "boredom": 100, "excited": 270, "frustrated": 200, "unknown": 170},
}


def write_tone(path: Path, emotion: str = "neutral", seconds: float = 0.3, rate: int = 16_000, number: int = 0) -> None:
    """Write a 16-bit tone with overtones and a little noise; the number makes each one different."""
    path.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(number)
    time = np.arange(round(seconds * (1 + 0.2 * random.random()) * rate)) / rate
    pitch = PITCH[emotion] * (1 + 0.05 * random.standard_normal())
    wave = sum(np.sin(2 * np.pi * pitch * k * time) / k for k in range(1, 5)) + 0.01 * random.standard_normal(len(time))
    soundfile.write(path, (0.2 * wave).astype(np.float32), rate, subtype="PCM_16")


def fake_esd(
    root: Path, speakers=("0001", "0011", "0012", "0013"), sentences=(1, 2, 21, 22, 51, 52), layout="flat"
) -> Path:
    """ESD: ``0011/Angry/0011_000351.wav`` and ``0011/0011.txt``; Mandarin transcripts in GB 18030."""
    blocks = {"Neutral": 0, "Angry": 350, "Happy": 700, "Sad": 1050, "Surprise": 1400}
    chinese = {"Neutral": "中立", "Angry": "生气", "Happy": "快乐", "Sad": "伤心", "Surprise": "惊喜"}
    for speaker in speakers:
        mandarin = int(speaker) <= 10
        lines = []
        for emotion, first in blocks.items():
            for sentence in sentences:
                name = f"{speaker}_{first + sentence:06d}"
                part = "evaluation" if sentence <= 20 else "test" if sentence <= 50 else "train"
                folder = root / speaker / emotion / (part if layout == "parts" else "")
                write_tone(folder / f"{name}.wav", emotion.lower(), number=int(speaker) * 2000 + first + sentence)
                text = f"这是第{sentence}句话。" if mandarin else f"This is sentence number {sentence}."
                lines.append(f"{name}\t{text}\t{chinese[emotion] if mandarin else emotion}")
        encoded = ("\n".join(lines) + "\n").encode("gb18030" if mandarin else "utf-8")
        (root / speaker / f"{speaker}.txt").write_bytes(encoded)
    return root


def fake_iemocap(root: Path, turns: int = 6) -> Path:
    """IEMOCAP: evaluations with the annotators' votes, transcriptions and a wav file per turn."""
    labels = ["neu", "hap", "ang", "sad", "exc", "xxx", "fru", "sur"]
    names = ["Neutral", "Happiness", "Anger", "Sadness", "Excited", "Neutral; Anger", "Frustration", "Surprise"]
    emotions = ["neutral", "happy", "angry", "sad", "excited", "unknown", "frustrated", "surprise"]
    for session in range(1, 6):
        dialogue = f"Ses0{session}F_impro01"
        evaluation = ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]", ""]
        texts = []
        folder = root / f"Session{session}"
        for turn in range(turns):
            kind = (turn + session) % len(labels)
            name = f"{dialogue}_{'FM'[turn % 2]}{turn:03d}"
            start, end = 2.0 * turn, 2.0 * turn + 1.5
            evaluation += [f"[{start:.4f} - {end:.4f}]\t{name}\t{labels[kind]}\t[2.5000, {1 + kind / 2:.4f}, 3.5000]"]
            evaluation += [
                f"C-E2:\t{names[kind]};\t()",
                f"C-E3:\t{names[kind]};\t(loud)",
                "C-E4:\tNeutral; Sadness;\t()",
            ]
            evaluation += ["C-F1:\tOther;\t(curious)", "A-E3:\tval 3; act 2; dom  2;\t()", ""]
            texts.append(f"{name} [{start:08.4f}-{end:08.4f}]: Turn {turn} of session {session}.")
            texts.append("M: [LAUGHTER]")
            wav = folder / "sentences" / "wav" / dialogue / f"{name}.wav"
            write_tone(wav, emotions[kind], number=session * 100 + turn)
        _write(folder / "dialog" / "EmoEvaluation" / f"{dialogue}.txt", "\n".join(evaluation))
        _write(folder / "dialog" / "EmoEvaluation" / f"._{dialogue}.txt", "\0\0")
        _write(folder / "dialog" / "transcriptions" / f"{dialogue}.txt", "\n".join(texts) + "\n")
    return root


def fake_ravdess(root: Path, actors: int = 5) -> Path:
    """RAVDESS: ``Actor_01/03-01-06-01-02-01-01.wav`` at 48 kHz, with a sung file."""
    emotions = ["neutral", "calm", "happy", "sad", "angry", "fear", "disgust", "surprise"]
    for actor in range(1, actors + 1):
        folder = root / f"Actor_{actor:02d}"
        for number, emotion in enumerate(emotions, start=1):
            for sentence in (1, 2):
                name = f"03-01-{number:02d}-01-{sentence:02d}-01-{actor:02d}"
                write_tone(folder / f"{name}.wav", emotion, rate=48_000, number=actor * 100 + number * 10 + sentence)
        write_tone(folder / f"03-02-03-01-01-01-{actor:02d}.wav", "happy", rate=48_000, number=actor)
    return root


def fake_cremad(root: Path, actors: int = 6) -> Path:
    """CREMA-D: ``AudioWAV/1001_IEO_ANG_HI.wav`` and the published table of votes."""
    emotions = {"ANG": "angry", "DIS": "disgust", "FEA": "fear", "HAP": "happy", "NEU": "neutral", "SAD": "sad"}
    rows = []
    for actor in range(1001, 1001 + actors):
        for number, (code, emotion) in enumerate(emotions.items()):
            name = f"{actor}_IEO_{code}_{'XX' if code == 'NEU' else 'HI'}"
            write_tone(root / "AudioWAV" / f"{name}.wav", emotion, number=actor * 10 + number)
            votes = [1] * 6
            votes[number] = 5
            rows += [
                [f"{modality}{len(rows) + 1:05d}", *votes, name, 10, 0.5, "ADFHNS"[number]] for modality in (1, 2, 3)
            ]
    (root / "AudioWAV" / "1076_MTI_SAD_XX.wav").write_bytes(b"")
    path = root / "processedResults" / "tabulatedVotes.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
        writer.writerow(["", *"ADFHNS", "fileName", "numResponses", "agreement", "emoVote"])
        writer.writerows(rows)
    return root


def fake_emodb(root: Path, speakers=("03", "08", "09", "10", "11")) -> Path:
    """EmoDB: ``wav/03a01Fa.wav``."""
    letters = {"W": "angry", "L": "boredom", "E": "disgust", "A": "fear", "F": "happy", "T": "sad", "N": "neutral"}
    for speaker in speakers:
        for text in ("a01", "a02", "b01", "b02"):
            for number, (letter, emotion) in enumerate(letters.items()):
                path = root / "wav" / f"{speaker}{text}{letter}a.wav"
                write_tone(path, emotion, number=int(speaker) * 100 + int(text[1:]) * 10 + number)
    return root


def fake_manifest(
    root: Path, speakers: int = 5, texts: int = 4, emotions=("angry", "happy", "neutral", "sad", "surprise")
) -> Path:
    """A manifest with spaces and letters of other scripts in its paths; returns the CSV file."""
    rows = []
    for speaker in range(speakers):
        for text in range(texts):
            for emotion in emotions:
                path = f"ton für {emotion}/s{speaker} 文{text}.wav"
                number = speaker * 1000 + text * 10 + len(emotion)
                write_tone(root / path, emotion, seconds=0.3 + 0.1 * (number % 5), number=number)
                rows.append([path, emotion, f"s{speaker}", f"Satz {text}", 1 if emotion == "sad" else "", 3])
    path = root / "manifest.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "emotion", "speaker", "text", "votes_sad", "votes_anger"])
        writer.writerows(rows)
    return path


EMOTIONS = ("angry", "happy", "neutral", "sad", "surprise")


def fake_msp_podcast(root: Path) -> Path:
    """Write MSP-Podcast's folders: labels of the consensus, audio, five parts."""
    letters = {"A": "angry", "H": "happy", "N": "neutral", "S": "sad", "X": "neutral", "C": "angry"}
    lines = ["FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set"]
    for number, part in enumerate(("Train", "Development", "Test1", "Test2", "Test3")):
        for place, (letter, emotion) in enumerate(letters.items()):
            name = f"MSP-PODCAST_{number:04d}_{place:04d}.wav"
            write_tone(root / "Audios" / name, emotion, number=10 * number + place)
            lines.append(f"{name},{letter},{1 + place},{7 - place},4.5,{number},Female,{part}")
    _write(root / "Labels" / "labels_consensus.csv", "\n".join(lines) + "\n")
    return root


def fake_meld(root: Path) -> Path:
    """Write MELD's tables and its clips as audio."""
    parts = {"train": "train_splits", "dev": "dev_splits_complete", "test": "output_repeated_splits_test"}
    names = {"anger": "angry", "joy": "happy", "neutral": "neutral", "sadness": "sad", "surprise": "surprise"}
    for part, folder in parts.items():
        lines = ["Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime"]
        for place, (name, emotion) in enumerate(names.items()):
            write_tone(root / folder / f"dia{place}_utt2.wav", emotion, number=place)
            said = f'{place},"Oh, no!",Monica,{name},neutral,{place},2,8,21,"00:16:16,059","00:16:21,731"'
            lines.append(said)
        _write(root / f"{part}_sent_emo.csv", "\n".join(lines) + "\n")
    return root


def fake_emobox(root: Path, dataset: str = "iemocap", valid: bool = False) -> Path:
    """Write EmoBox's metadata of a corpus in two folds, with the audio where it says."""
    labels = {"ang": "Angry", "hap": "Happy", "neu": "Neutral", "sad": "Sad", "exc": "Happy", "bla": "Sleepiness"}
    _write(root / "data" / dataset / "label_map.json", json.dumps(labels))
    for fold in (1, 2):
        for part in ("train", "valid", "test") if valid else ("train", "test"):
            lines = []
            for session, label in product(range(5), labels):
                if (session == fold) != (part == "test"):
                    continue
                name = f"Ses{session:02d}_{part if valid else 'x'}_{label}"
                wav = f"downloads/{dataset}/Session{session}/{name}.wav"
                write_tone(root / wav, {"ang": "angry", "sad": "sad"}.get(label, "neutral"), number=session)
                record = {"key": f"{dataset}-{name}", "dataset": dataset, "wav": wav, "type": "raw", "emo": label,
                          "sample_rate": 16000, "length": 0.3, "task": "category", "channel": 1}  # fmt: skip
                lines.append(json.dumps(record))
            _write(root / "data" / dataset / f"fold_{fold}" / f"{dataset}_{part}_fold_{fold}.jsonl", "\n".join(lines))
    return root


def fake_datasets_folder(root: Path) -> Path:
    """Write a dataset of audio in files: a folder and a table for each split."""
    for number, split in enumerate(("train", "validation", "test")):
        rows = ["file_name,emotion,transcription,speaker_id"]
        for emotion in EMOTIONS:
            write_tone(root / split / "audio" / f"{emotion}.wav", emotion, number=number)
            rows.append(f"audio/{emotion}.wav,{emotion},A sentence.,{number}")
        _write(root / split / "metadata.csv", "\n".join(rows) + "\n")
    return root


def fake_parquet(root: Path, splits: tuple[str, ...] = ("train", "validation", "test"), numbered: bool = False) -> Path:
    """Write a dataset of Parquet files with the audio in them, as the library `datasets` does; needs pyarrow."""
    import pyarrow
    from pyarrow import parquet

    features = {"emotion": {"names": list(EMOTIONS), "_type": "ClassLabel"}, "audio": {"_type": "Audio"}}
    known = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    for number, split in enumerate(splits):
        audio = []
        for emotion in EMOTIONS:
            write_tone(root / "made.wav", emotion, number=number)
            audio.append({"bytes": (root / "made.wav").read_bytes(), "path": "../../evil.wav"})
        names = list(range(len(EMOTIONS))) if numbered else [f"{emotion}" for emotion in EMOTIONS]
        table = pyarrow.table({"file_id": [f"{split}{place}" for place in range(len(EMOTIONS))], "audio": audio,
                               "emotion": names, "transcription": ["A sentence."] * len(EMOTIONS),
                               "speaker_id": [f"s{place}{number}" for place in range(len(EMOTIONS))]})  # fmt: skip
        (root / "data").mkdir(parents=True, exist_ok=True)
        stored = table.replace_schema_metadata(known) if numbered else table
        parquet.write_table(stored, root / "data" / f"{split}-00000-of-00001.parquet")
    (root / "made.wav").unlink()
    return root


def fake_world(folder: Path) -> Path:
    """Write every fake corpus where the data configurations look for it, below a working folder."""
    fake_esd(folder / "data" / "ESD")
    fake_iemocap(folder / "data" / "IEMOCAP_full_release")
    fake_ravdess(folder / "data" / "RAVDESS")
    fake_cremad(folder / "data" / "CREMA-D")
    fake_emodb(folder / "data" / "EmoDB")
    fake_manifest(folder / "data")
    fake_msp_podcast(folder / "data" / "MSP-Podcast")
    fake_meld(folder / "data" / "MELD.Raw")
    fake_emobox(folder / "data" / "EmoBox")
    return folder


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
