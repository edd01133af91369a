import csv
import os
from pathlib import Path

import pytest
from fake.corpora import fake_manifest, write_tone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emoquant.data.manifest import ManifestCorpus
from emoquant.data.records import FIELDS, RecordReader
from emoquant.data.table import Builder


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return fake_manifest(tmp_path_factory.mktemp("manifest"))


def write(folder: Path, text: str, name: str = "m.csv") -> str:
    for file in ("a.wav", "b.wav", "sub/c.wav"):
        write_tone(folder / file)
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


def test_paths_with_spaces_and_other_scripts(manifest):
    utterances = ManifestCorpus(str(manifest)).utterances()
    assert len(utterances) == 100
    assert all(utterance.path.is_file() for utterance in utterances)
    assert len({utterance.id for utterance in utterances}) == 100
    assert not any("/" in utterance.id for utterance in utterances)


def test_votes_are_read_by_canonical_name(manifest):
    utterances = ManifestCorpus(str(manifest)).utterances()
    assert utterances[3].emotion == "sad"
    assert utterances[3].votes == {"sad": 1.0, "angry": 3.0}
    assert utterances[0].votes == {"angry": 3.0}


@pytest.mark.parametrize("policy", ["speaker", "text", "both", None])
def test_policies(manifest, policy):
    utterances = ManifestCorpus(str(manifest), split=policy).utterances()
    train = [u for u in utterances if u.split == "train"]
    test = [u for u in utterances if u.split == "test"]
    speakers, texts = {u.speaker for u in train}, {u.text for u in train}
    if policy in ("speaker", None):
        assert not speakers & {u.speaker for u in test}
    if policy == "text":
        assert not texts & {u.text for u in test}
    if policy == "both":
        assert {u.speaker for u in test} - speakers
        assert not texts & {u.text for u in test if u.speaker in speakers}


def test_splits_of_the_file_columns_mapping_and_filters(tmp_path):
    path = write(
        tmp_path,
        "file,label,who,part,corpus,from,to\n"
        "a.wav,Wut,x,dev,one,0.1,0.2\n"
        "b.wav,happiness,y,Train,one,,\n"
        "sub/c.wav,joy,z,test,two,,\n",
    )
    columns = {"path": "file", "emotion": "label", "speaker": "who", "split": "part", "start": "from", "end": "to"}
    corpus = ManifestCorpus(path, columns=columns, where={"corpus": ["one"]}, emotions={"Wut": "angry"}, name="mine")
    first, second = corpus.utterances()
    assert corpus.name == "mine"
    assert (first.id, first.emotion, first.split, first.start, first.end) == ("a@0.1", "angry", "validation", 0.1, 0.2)
    assert (second.emotion, second.split, second.speaker, second.end) == ("happy", "train", "y", None)


def test_ratings_of_dimensions(tmp_path):
    path = write(tmp_path, "path,emotion,split,EmoAct,Valence\na.wav,sad,test,2.5,\nb.wav,joy,train,,\n")
    first, second = ManifestCorpus(path, columns={"arousal": "EmoAct"}).utterances()
    assert (first.dimensions, second.dimensions) == ({"arousal": 2.5}, {})
    path = write(tmp_path, "path,emotion,split,valence\na.wav,sad,test,high\n")
    with pytest.raises(ValueError, match="line 2: valence is 'high', expected a number"):
        ManifestCorpus(path).utterances()


def test_a_mark_at_the_beginning_and_empty_cells(tmp_path):
    path = write(tmp_path, "\ufeffpath,emotion,split,text\na.wav,sad,test,\n")
    assert ManifestCorpus(path).utterances()[0].text == ""


HEADER = "path,emotion,speaker,split,id,start,end,votes_sad\n"
BAD = {
    "unknown emotion": ("a.wav,melancholy,x,train,,,,\n", "line 2: unknown emotion 'melancholy'"),
    "no emotion": ("a.wav,,x,train,,,,\n", "line 2: unknown emotion ''"),
    "unknown split": ("a.wav,sad,x,evaluation,,,,\n", "line 2: split 'evaluation', expected one of"),
    "split missing in one line": ("a.wav,sad,x,train,,,,\nb.wav,sad,x,,,,,\n", "line 3.*no split"),
    "same id": ("a.wav,sad,x,train,u,,,\nb.wav,sad,x,train,u,,,\n", "line 3: id 'u' is that of line 2"),
    "same path": (
        "a.wav,sad,x,train,,,,\na.wav,sad,x,train,,,,\n",
        "line 3: .*a.wav is listed in line 2 too, as sad, as",
    ),
    "id with a separator": ("a.wav,sad,x,train,../u,,,\n", "line 2: id '../u' has a path separator"),
    "id that is a folder": ("a.wav,sad,x,train,..,,,\n", "line 2: id"),
    "same path, other emotion": (
        "a.wav,sad,x,train,u,,,\nb.wav,sad,x,train,v,,,\n./b.wav,sad,x,train,w,,,\nsub/../a.wav,joy,x,train,t,,,\n",
        r"line 5: .*a.wav is listed in line 2 too, as sad, and here as happy.*where: .*\(2 lines repeat a file\)",
    ),
    "id with a backslash": ("a.wav,sad,x,train,x\\y,,,\n", "line 2: id"),
    "missing file": ("a.wav,sad,x,train,,,,\nnone.wav,sad,x,train,,,,\n", "line 3: no file .*1 of 2 files"),
    "missing folder": ("no/a.wav,sad,x,train,,,,\n", "line 2: no file"),
    "no path": (",sad,x,train,,,,\n", "line 2: path ''"),
    "outside": ("../a.wav,sad,x,train,,,,\n", "line 2: path '../a.wav' leads out of"),
    "outside by a detour": ("sub/../../a.wav,sad,x,train,,,,\n", "leads out of"),
    "absolute": ("/etc/passwd,sad,x,train,,,,\n", "leads out of"),
    "start is no number": ("a.wav,sad,x,train,,soon,,\n", "line 2: start is 'soon'"),
    "start is NaN": ("a.wav,sad,x,train,,nan,,\n", "line 2: start is 'nan'"),
    "end before start": ("a.wav,sad,x,train,,0.2,0.1,\n", "line 2: end 0.1 s is not after start 0.2 s"),
    "negative start": ("a.wav,sad,x,train,,-1,,\n", "line 2: start is '-1'"),
    "votes are no number": ("a.wav,sad,x,train,,,,many\n", "line 2: votes_sad is 'many'"),
    "negative votes": ("a.wav,sad,x,train,,,,-2\n", "line 2: votes_sad"),
    "too few cells": ("a.wav,sad\n", "line 2: not as many cells"),
    "too many cells": ("a.wav,sad,x,train,,,,,,,\n", "line 2: not as many cells"),
    "open quotation mark": ('a.wav,sad,"x,train,,,,\n', "not CSV"),
    "nothing": ("", "no utterance"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_said_with_file_and_line(tmp_path, case):
    text, message = BAD[case]
    path = write(tmp_path, HEADER + text)
    with pytest.raises((ValueError, FileNotFoundError), match=message) as error:
        ManifestCorpus(path).utterances()
    assert "m.csv" in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"columns": {"path": "datei"}}, r"no column \['datei'\]"),
        ({"where": {"corpus": "x"}}, r"no column \['corpus'\]"),
        ({"split": "text"}, r"no column \['text'\]"),
        ({"where": {"emotion": "joy"}}, "no utterance where"),
    ],
)
def test_columns_that_are_not_there(tmp_path, arguments, message):
    path = write(tmp_path, HEADER + "a.wav,sad,x,train,,,,\n")
    with pytest.raises(ValueError, match=message):
        ManifestCorpus(path, **arguments).utterances()


def test_wrong_arguments():
    with pytest.raises(ValueError, match="expected 'column', 'speaker', 'text', 'both' or 'random'"):
        ManifestCorpus("m.csv", split="room")
    with pytest.raises(ValueError, match=r"columns maps \['file'\]"):
        ManifestCorpus("m.csv", columns={"file": "path"})
    with pytest.raises(FileNotFoundError, match=r"m.csv: no such manifest"):
        ManifestCorpus("m.csv").utterances()


def test_paths_outside_are_read_on_request(tmp_path):
    write_tone(tmp_path / "out.wav")
    lines = f"../out.wav,sad,x,train,,,,\n{tmp_path}/out.wav,sad,x,train,two,0.1,,\n"
    first, second = ManifestCorpus(write(tmp_path / "in", HEADER + lines), allow_outside=True).utterances()
    assert os.path.samefile(first.path, second.path)


def test_a_link_does_not_lead_outside(tmp_path):
    write_tone(tmp_path / "secret" / "s.wav")
    path = write(tmp_path / "in", HEADER + "link/s.wav,sad,x,train,,,,\n")
    (tmp_path / "in" / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(ValueError, match=r"leads out of .* by a link"):
        ManifestCorpus(path).utterances()
    assert len(ManifestCorpus(path, allow_outside=True).utterances()) == 1


def test_not_utf_8(tmp_path):
    path = write(tmp_path, "")
    Path(path).write_bytes("path,emotion\nä.wav,sad\n".encode("latin-1"))
    with pytest.raises(ValueError, match="not UTF-8"):
        ManifestCorpus(path).utterances()


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz")
    write(folder, HEADER)
    return folder / "m.csv"


cells = st.one_of(
    st.sampled_from(
        ["a.wav", "b.wav", "sub/c.wav", "sad", "joy", "train", "test", "x", "", "0.1", "2", "nan", "..", "/"]
    ),
    st.text(max_size=8),
)


@given(rows=st.lists(st.lists(cells, min_size=7, max_size=9), max_size=4), cut=st.integers(0, 40))
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_table_raises_anything_but_a_named_error(fuzzed, rows, cut):
    with fuzzed.open("w", newline="", encoding="utf-8", errors="surrogatepass") as file:
        file.write(HEADER)
        csv.writer(file).writerows(rows)
    if cut:
        fuzzed.write_bytes(fuzzed.read_bytes()[:-cut])
    message = ""
    try:
        utterances = ManifestCorpus(str(fuzzed)).utterances()
    except (ValueError, FileNotFoundError) as error:
        utterances, message = [], str(error)
    assert utterances or str(fuzzed) in message
    assert all(u.path.resolve().is_relative_to(fuzzed.parent.resolve()) for u in utterances)


@given(st.binary(max_size=200))
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_bytes_raise_anything_but_a_named_error(fuzzed, data):
    fuzzed.write_bytes(data)
    with pytest.raises(ValueError, match=r"m\.csv"):
        ManifestCorpus(str(fuzzed)).utterances()


words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=9)
ids = words.map(str.strip).filter(lambda name: name not in ("", ".", "..") and not set(name) & set("/\\"))
records = st.fixed_dictionaries(
    {
        "path": st.sampled_from(["a.wav", "b.wav", "sub/c.wav", "./sub/../b.wav"]),
        "emotion": st.sampled_from(["sad", "happy", "angry", "neutral"]),
        "speaker": words,
        "text": words,
        "split": st.sampled_from(["train", "validation", "test"]),
        "language": words,
        "start": st.floats(0, 1e4),
        "end": st.none() | st.floats(1e4 + 1, 1e5),
        "votes_fear": st.integers(0, 9),
    }
)


@given(st.lists(records, min_size=1, max_size=9), st.lists(ids, min_size=9, max_size=9, unique=True))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_what_is_written_is_read(fuzzed, rows, names):
    with fuzzed.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*rows[0], "id"])
        writer.writeheader()
        writer.writerows([row | {"id": name} for row, name in zip(rows, names, strict=False)])
    parts = {(os.path.normpath(row["path"]), row["start"], row["end"]) for row in rows}
    if len(parts) < len(rows):
        with pytest.raises(ValueError, match=r"m\.csv, line \d+: .* is listed in line \d+ too, as"):
            ManifestCorpus(str(fuzzed)).utterances()
        return
    found = ManifestCorpus(str(fuzzed)).utterances()
    assert len(found) == len(rows)
    for row, name, utterance in zip(rows, names, found, strict=False):
        assert utterance.id == name
        assert utterance.path == fuzzed.parent / os.path.normpath(row["path"])
        for field in ("speaker", "text", "language"):
            assert getattr(utterance, field) == row[field].strip(), field
        for field in ("emotion", "split", "start", "end"):
            assert getattr(utterance, field) == row[field], field
        assert utterance.votes == ({"fear": row["votes_fear"]} if row["votes_fear"] else {})


@given(words.filter(lambda name: "/" not in name), st.sampled_from(["", "sub/", "./sub/../", ".hidden/"]))
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_ids_come_from_paths(fuzzed, name, folder):
    """Without a column id the id is the path without its suffix, as ``os.path`` has it."""
    path = f"{folder}{name.strip()}"
    reader = RecordReader(["path", "emotion"], dict.fromkeys(FIELDS, "") | {"path": "path", "emotion": "emotion"}, ".",
                          {}, None, False)  # fmt: skip
    builder = Builder()
    try:
        reader.read([path, "sad"], builder)
    except ValueError:
        return
    expected = os.path.splitext(os.path.normpath(path.replace("\\", "/")))[0].replace("/", "~").lstrip(".~")
    assert builder.table()[0].id == expected
