"""From a folder of audio files to a manifest that is read."""

import shutil
from contextlib import nullcontext

import pytest
from fake.corpora import fake_emodb, fake_esd, fake_ravdess, write_tone

from emoquant.data.manifest import ManifestCorpus
from emoquant.data.manifest_writer import write_manifest
from emoquant.data.name_pattern import NamePattern


@pytest.mark.parametrize(
    ("pattern", "path", "fields"),
    [
        ("{speaker}/{emotion}_*.wav", "anna/angry_01.wav", {"speaker": "anna", "emotion": "angry"}),
        ("{speaker}/{emotion}_*.wav", "anna/angry_01.WAV", {"speaker": "anna", "emotion": "angry"}),
        ("{speaker}/{emotion}_*.wav", "anna/angry.wav", None),
        ("{speaker}/{emotion}_*.wav", "x/anna/angry_01.wav", None),
        ("**/{speaker}/{emotion}_*.wav", "x/y/anna/angry_1.wav", {"speaker": "anna", "emotion": "angry"}),
        ("**/{emotion}_*.wav", "angry_1.wav", {"emotion": "angry"}),
        ("{emotion}*.wav", "sad01.wav", {"emotion": "sad"}),
        ("{emotion}{take}.wav", "sad01.wav", {"emotion": "sad", "take": "01"}),
        ("{speaker}/{speaker}_{emotion}.wav", "eva/eva_sad.wav", {"speaker": "eva", "emotion": "sad"}),
        ("{speaker}/{speaker}_{emotion}.wav", "eva/ann_sad.wav", None),
        ("{speaker:2}{text:3}{emotion:1}?.wav", "03a01Fa.wav", {"speaker": "03", "text": "a01", "emotion": "F"}),
        ("03-01-{emotion}-*-{speaker}.wav", "03-01-06-01-02-01-12.wav", {"emotion": "06", "speaker": "02-01-12"}),
        ("03-*-{emotion}-*-*-*-{speaker}.wav", "03-01-06-01-02-01-12.wav", {"emotion": "06", "speaker": "12"}),
        ("(a)+.{emotion}.wav", "(a)+.sad.wav", {"emotion": "sad"}),
        ("{emotion}/*.wav", "sad/a/b.wav", None),
    ],
)
def test_patterns(pattern, path, fields):
    assert NamePattern(pattern).read(path) == fields


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("*.wav", "has no {emotion}; one such is"),
        ("{emotion}/{Speaker}.wav", "field {Speaker}, expected a name in small letters"),
        ("{emotion}/{path}.wav", "other than path"),
        ("{emotion:x}.wav", "with its width"),
        ("{emotion}/{.wav", "a brace at 10 has no partner"),
    ],
)
def test_wrong_patterns(pattern, message):
    with pytest.raises(ValueError, match=message):
        NamePattern(pattern)


@pytest.fixture(scope="module")
def spoken(tmp_path_factory):
    """``speaker/emotion_N.wav`` with other spellings, and with whatever else lies in such folders."""
    folder = tmp_path_factory.mktemp("spoken")
    for number, speaker in enumerate(("anna", "ben", "eva")):
        for place, emotion in enumerate(("Anger", "happiness", "neutral", "SAD", "Wut")):
            rate = 44_100 if speaker == "eva" else 16_000
            write_tone(folder / speaker / f"{emotion}_{place}.wav", seconds=0.5, rate=rate, number=number * 10 + place)
    shutil.copy(folder / "anna" / "Anger_0.wav", folder / "ben" / "anger_7.wav")
    shutil.copy(folder / "anna" / "SAD_3.wav", folder / "anna" / "joy_8.wav")
    (folder / "anna" / "sad_9.wav").write_bytes(b"no audio at all")
    (folder / "anna" / "sad_10.wav").write_bytes(b"")
    write_tone(folder / "anna" / "sad_11.wav", seconds=0.02, number=77)
    (folder / "ben" / "sad_1.m4a").write_bytes(b"x")
    (folder / "ben" / "notes.txt").write_text("x")
    (folder / "ben" / "._sad_1.wav").write_bytes(b"x")
    write_tone(folder / "ben" / "noise.wav", number=78)
    (folder / "linked").symlink_to(folder / "ben")
    return folder


def test_speaker_and_emotion_of_the_names(spoken, tmp_path):
    output = tmp_path / "own.csv"
    summary = write_manifest(spoken, "{speaker}/{emotion}_*.wav", output, {"Wut": "angry"})
    found = ManifestCorpus(str(output), root=str(spoken)).utterances()
    assert [(u.id, u.emotion, u.speaker) for u in found] == [
        *(("anna~Anger_0", "angry", "anna"), ("anna~Wut_4", "angry", "anna")),
        *(("anna~happiness_1", "happy", "anna"), ("anna~neutral_2", "neutral", "anna")),
        *(("ben~Anger_0", "angry", "ben"), ("ben~SAD_3", "sad", "ben"), ("ben~Wut_4", "angry", "ben")),
        *(("ben~happiness_1", "happy", "ben"), ("ben~neutral_2", "neutral", "ben")),
        *(("eva~Anger_0", "angry", "eva"), ("eva~SAD_3", "sad", "eva"), ("eva~Wut_4", "angry", "eva")),
        *(("eva~happiness_1", "happy", "eva"), ("eva~neutral_2", "neutral", "eva")),
    ]
    assert summary.utterances == 14
    assert summary.speakers == {"anna": 4, "ben": 5, "eva": 5}
    assert summary.emotions == {"angry": 6, "happy": 3, "neutral": 3, "sad": 2}
    assert summary.rates == {16_000: 9, 44_100: 5}
    assert summary.seconds == pytest.approx(14 * 0.55, abs=14 * 0.051)
    assert summary.left_out == {
        "links to folders (copy what they lead to)": ["linked"],
        "that cannot be read (empty)": ["anna/sad_10.wav"],
        "shorter than 25 ms": ["anna/sad_11.wav"],
        "that cannot be read (unreadable as audio)": ["anna/sad_9.wav"],
        "in a format that is not read (convert them to wav or flac)": ["ben/sad_1.m4a"],
        "not of the pattern": ["ben/noise.wav"],
        "copies of a listed file": ["ben/anger_7.wav"],
        "that are one recording under several emotions": ["anna/SAD_3.wav", "anna/joy_8.wav"],
    }
    said = str(summary)
    assert f"{output}: 14 utterances, 0 min 08 s" in said
    assert "speakers: 3 (anna 4, ben 5, eva 5)" in said
    assert "sampling rates: 16000 Hz 9, 44100 Hz 5" in said
    assert "left out, copies of a listed file: 1 (ben/anger_7.wav)" in said
    assert f"read it with root: {spoken}" in said


def test_unknown_names_are_listed_with_advice(spoken, tmp_path):
    summary = write_manifest(spoken, "{speaker}/{emotion}_*.wav", tmp_path / "own.csv")
    assert summary.unknown == {"Wut": 3}
    assert summary.utterances == 11
    assert "unknown emotions: 'Wut' 3; known are angry, happy" in str(summary)
    assert "emotions: {Wut: angry}" in str(summary)


@pytest.mark.parametrize(
    ("path", "speaker", "split"),
    [
        ("angry/1.wav", "", ""),
        ("anna/Anger/1.wav", "anna", ""),
        ("angry/anna/1.wav", "anna", ""),
        ("Train/angry/1.wav", "", "train"),
        ("anna/rage/dev/1.wav", "anna", "validation"),
        ("corpus/anna/生气/session1/1.wav", "anna", ""),
    ],
)
def test_without_a_pattern_the_folders_say_it(tmp_path, path, speaker, split):
    write_tone(tmp_path / path)
    summary = write_manifest(tmp_path)
    corpus = ManifestCorpus(str(summary.output), split="column" if split else "random")
    with nullcontext() if split else pytest.warns(UserWarning, match="at random"):
        (found,) = corpus.utterances()
    assert (found.emotion, found.speaker) == ("angry", speaker)
    assert not split or found.split == split
    assert "paths are relative" not in str(summary)


def test_the_layouts_of_known_corpora(tmp_path):
    summary = write_manifest(fake_esd(tmp_path / "esd", speakers=("0011", "0012", "0013"), sentences=(1, 21)))
    assert summary.emotions == dict.fromkeys(("angry", "happy", "neutral", "sad", "surprise"), 6)
    assert list(summary.speakers) == ["0011", "0012", "0013"]
    codes = {1: "neutral", 2: "calm", 3: "happy", 4: "sad", 5: "angry", 6: "fear", 7: "disgust", 8: "surprise"}
    pattern = "Actor_*/03-01-{emotion}-{intensity}-{text}-{take}-{speaker}.wav"
    summary = write_manifest(fake_ravdess(tmp_path / "ravdess", 3), pattern, emotions=codes)
    assert summary.emotions == dict.fromkeys(sorted(codes.values()), 6)
    assert summary.left_out == {"not of the pattern": [f"Actor_0{n}/03-02-03-01-01-01-0{n}.wav" for n in (1, 2, 3)]}
    header = summary.output.read_text().splitlines()[0]
    assert header == "path,emotion,speaker,text,intensity,take"
    assert len(ManifestCorpus(str(summary.output), where={"intensity": 1}, split="text", columns={"text": "path"})
               .utterances()) == 48  # fmt: skip
    letters = {"W": "angry", "L": "boredom", "E": "disgust", "A": "fear", "F": "happy", "T": "sad", "N": "neutral"}
    emodb = fake_emodb(tmp_path / "emodb", ("03", "08"))
    summary = write_manifest(emodb, "wav/{speaker:2}{text:3}{emotion:1}?.wav", emotions=letters)
    assert summary.emotions == dict.fromkeys(sorted(letters.values()), 4)
    assert len(summary.left_out["copies of a listed file"]) == 28  # the corpus is a fake: b01 sounds like a01


def test_files_of_one_name_and_splits_that_there_are_not(tmp_path):
    for number, name in enumerate(("sad_1.wav", "sad_1.flac", "sad_2.wav")):
        write_tone(tmp_path / "dev" / name, number=number)
        write_tone(tmp_path / "other half" / name, number=number + 5)
    summary = write_manifest(tmp_path, "{split}/{emotion}_*.*")
    assert [u.split for u in ManifestCorpus(str(summary.output)).utterances()] == ["validation"] * 2
    assert summary.left_out["of the same name as a listed file of another format"] == [
        "dev/sad_1.wav", "other half/sad_1.wav",
    ]  # fmt: skip
    assert any("of a split that is none of train" in reason for reason in summary.left_out)


def test_written_whole_or_not_at_all(spoken, tmp_path):
    output = tmp_path / "m.csv"
    with pytest.raises(ValueError, match=r"(?s)no audio file lies in a folder of an emotion.*unknown emotions: 'anna'"):
        write_manifest(spoken, output=output)
    with pytest.raises(
        ValueError, match=r"(?s)fits the pattern.*correct the pattern\n.*left out, not of the pattern: 2"
    ):
        write_manifest(spoken, "{emotion}/x.wav", output)
    with pytest.raises(ValueError, match="it holds no audio file"):
        write_manifest(tmp_path, output=output)
    with pytest.raises(FileNotFoundError, match="no such folder"):
        write_manifest(tmp_path / "no")
    with pytest.raises(ValueError, match="unknown emotion 'angri'"):
        write_manifest(spoken, "{speaker}/{emotion}_*.wav", output, {"Wut": "angri"})
    assert not list(tmp_path.iterdir())
    output.write_text("mine")
    with pytest.raises(FileExistsError, match="is there already"):
        write_manifest(spoken, "{speaker}/{emotion}_*.wav", output)
    assert output.read_text() == "mine"
    write_manifest(spoken, "{speaker}/{emotion}_*.wav", output, overwrite=True)
    assert output.read_text().startswith("path,emotion,speaker\n")
    assert [path.name for path in tmp_path.iterdir()] == ["m.csv"]
