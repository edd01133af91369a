"""Corpora as others keep them: EmoBox's metadata, MELD, MSP-Podcast, folders of the library `datasets`."""

import pytest
import soundfile
from fake.corpora import (
    EMOTIONS,
    fake_datasets_folder,
    fake_emobox,
    fake_meld,
    fake_msp_podcast,
    fake_parquet,
    write_tone,
)

from emoquant.data import MELD, DatasetsFolder, EmoBox, ManifestCorpus

SPLITS = ["train", "validation", "test"]


def by_split(utterances):
    return {split: [u for u in utterances if u.split == split] for split in SPLITS}


class TestEmoBox:
    def corpus(self, root, **more):
        return EmoBox("iemocap", metadata=str(root / "data"), root=str(root), **more)

    def test_a_fold_holds_its_speakers_apart_and_validation_is_drawn(self, tmp_path):
        root = fake_emobox(tmp_path)
        with pytest.warns(UserWarning, match="Sleepiness count as other; name them: emotions"):
            folds = [by_split(self.corpus(root, fold=fold).utterances()) for fold in (1, 2)]
        for fold, parts in zip((1, 2), folds, strict=True):
            sessions = {split: {u.path.parent.name for u in found} for split, found in parts.items()}
            assert sessions["test"] == {f"Session{fold}"}
            assert sessions["train"].isdisjoint(sessions["test"])
            assert 0 < len(parts["validation"]) < len(parts["train"])
        first = folds[0]["test"][0]
        assert (first.id, first.emotion, first.speaker) == ("iemocap-Ses01_x_ang", "angry", "")
        assert {u.emotion for u in folds[0]["train"]} == {"angry", "happy", "neutral", "sad", "other"}
        named = self.corpus(root, fold=1, emotions={"bla": "calm"}).utterances()
        assert "calm" in {u.emotion for u in named}

    def test_a_validation_part_of_its_own_is_taken(self, tmp_path):
        parts = by_split(self.corpus(fake_emobox(tmp_path, valid=True), emotions={"bla": "calm"}).utterances())
        assert all("_valid_" in u.id for u in parts["validation"])
        assert len(parts["validation"]) == len(parts["train"])

    def test_mistakes(self, tmp_path):
        root = fake_emobox(tmp_path)
        with pytest.raises(FileNotFoundError, match="expected the metadata of EmoBox: get the folder data"):
            self.corpus(root, fold=7).utterances()
        table = root / "data/iemocap/fold_1/iemocap_test_fold_1.jsonl"
        whole = table.read_text()
        for text, message in (
            (whole.replace("}", "", 1), r"fold_1.jsonl, line 1: not JSON"),
            ("[1]\n" + whole, r"line 1: '\[1\]' is no object of JSON"),
            (whole.replace("downloads/", "../downloads/"), "leads out of root"),
            (whole.replace("Ses01_x_ang.wav", "lost.wav"), "line 1: no file .*lost.wav"),
            (whole.replace('"emo": "ang"', '"emo": "???"'), "unknown emotion '???'"),
        ):
            table.write_text(text)
            with pytest.raises((ValueError, FileNotFoundError), match=message.replace("???", r"\?\?\?")):
                self.corpus(root, emotions={"bla": "calm"}).utterances()


class TestMELD:
    def test_its_parts_texts_and_clips_are_found(self, tmp_path):
        parts = by_split(MELD(str(fake_meld(tmp_path))).utterances())
        assert {split: len(found) for split, found in parts.items()} == dict.fromkeys(SPLITS, 5)
        first = parts["train"][0]
        assert (first.id, first.emotion, first.speaker) == ("train_splits~dia0_utt2", "angry", "Monica")
        assert first.text == "Oh, no!"
        assert first.path == tmp_path / "train_splits/dia0_utt2.wav"

    def test_folders_of_the_archives_are_looked_into(self, tmp_path):
        fake_meld(tmp_path)
        (tmp_path / "train").mkdir()
        for name in ("train_splits", "train_sent_emo.csv"):
            (tmp_path / name).rename(tmp_path / "train" / name)
        assert len(MELD(str(tmp_path)).utterances()) == 15

    def test_mistakes(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"no train_sent_emo.csv in it .* get MELD.Raw.tar.gz"):
            MELD(str(tmp_path)).utterances()
        fake_meld(tmp_path)
        for clip in (tmp_path / "train_splits").iterdir():
            clip.rename(clip.with_suffix(".mp4"))
        with pytest.raises(FileNotFoundError, match=r"ffmpeg -i dia0_utt0.mp4 -ac 1 -ar 16000"):
            MELD(str(tmp_path)).utterances()
        write_tone(tmp_path / "train_splits/dia0_utt2.flac")
        with pytest.raises(FileNotFoundError, match=r"train_sent_emo.csv, line 3: no file .*dia1_utt2.wav \(4 of 15"):
            MELD(str(tmp_path)).utterances()
        table = tmp_path / "dev_sent_emo.csv"
        table.write_text(table.read_text().replace("Dialogue_ID", "Dialog"))
        with pytest.raises(ValueError, match=r"dev_sent_emo.csv: no column \['Dialogue_ID'\]"):
            MELD(str(tmp_path)).utterances()


class TestSplitNames:
    COLUMNS = {"path": "FileName", "emotion": "EmoClass", "speaker": "SpkrID", "split": "Split_Set"}  # noqa: RUF012
    NAMES = {"A": "angry", "H": "happy", "N": "neutral", "S": "sad", "X": "unknown", "C": "other"}  # noqa: RUF012

    def corpus(self, root, **more):
        manifest = root / "Labels/labels_consensus.csv"
        columns, names = self.COLUMNS, self.NAMES
        return ManifestCorpus(str(manifest), str(root / "Audios"), columns=columns, emotions=names, **more)

    def test_parts_are_named_like_emotions(self, tmp_path):
        root = fake_msp_podcast(tmp_path)
        chosen = {"where": {"Split_Set": ["Train", "Development", "Test1"]}, "splits": {"Test1": "test"}}
        parts = by_split(self.corpus(root, **chosen).utterances())
        assert {split: len(found) for split, found in parts.items()} == dict.fromkeys(SPLITS, 6)
        assert parts["test"][0].emotion == "angry"
        with pytest.raises(ValueError, match=r"line 14: split 'Test1', .*say what it means, splits: {Test1: test}"):
            self.corpus(root).utterances()
        with pytest.raises(ValueError, match=r"splits: {Test1: held out}: expected one of \['train'"):
            self.corpus(root, splits={"Test1": "held out"})


class TestDatasetsFolder:
    COLUMNS = {"text": "transcription", "speaker": "speaker_id"}  # noqa: RUF012

    def test_audio_in_files(self, tmp_path):
        root = fake_datasets_folder(tmp_path / "mine")
        corpus = DatasetsFolder(str(root), columns=self.COLUMNS)
        parts = by_split(corpus.utterances())
        assert corpus.name == "mine"
        assert {split: len(found) for split, found in parts.items()} == dict.fromkeys(SPLITS, 5)
        first = parts["test"][0]
        assert (first.id, first.emotion, first.speaker, first.text) == ("test~audio~angry", "angry", "2", "A sentence.")
        lines = (root / "test/metadata.csv").read_text().splitlines()
        records = [dict(zip(lines[0].split(","), line.split(","), strict=True)) for line in lines[1:]]
        (root / "test/metadata.csv").unlink()
        (root / "test/metadata.jsonl").write_text("\n".join(str(each).replace("'", '"') for each in records))
        assert list(DatasetsFolder(str(root), columns=self.COLUMNS).utterances()) == list(corpus.utterances())

    @pytest.mark.parametrize("numbered", [False, True], ids=["names", "numbers of classes"])
    def test_audio_in_parquet_files(self, tmp_path, numbered):
        pytest.importorskip("pyarrow", reason="the extra `datasets` is not installed")
        root = fake_parquet(tmp_path / "there", numbered=numbered)
        corpus = DatasetsFolder(str(root), columns={**self.COLUMNS, "id": "file_id"}, cache_dir=str(tmp_path / "cache"))
        with pytest.raises(FileNotFoundError, match=r"its audio is not in .* yet"):
            corpus.utterances()
        corpus.prepare()
        parts = by_split(corpus.utterances())
        assert {split: [u.emotion for u in found] for split, found in parts.items()} == {
            split: list(EMOTIONS) for split in SPLITS
        }
        first = parts["test"][0]
        assert (first.id, first.speaker) == ("test0", "s02")
        assert soundfile.info(first.path).samplerate == 16_000
        assert first.path.is_relative_to(tmp_path / "cache" / "datasets" / "there")
        written = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.wav")}
        corpus.prepare()
        assert written == {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.wav")}
        assert not (tmp_path.parent / "evil.wav").exists()

    def test_parts_that_are_no_splits(self, tmp_path):
        pytest.importorskip("pyarrow", reason="the extra `datasets` is not installed")
        root = fake_parquet(tmp_path / "cameo", splits=("crema_d", "nemo"))
        given = {"columns": {**self.COLUMNS, "id": "file_id"}, "cache_dir": str(tmp_path / "cache")}
        for more in ({"split": "speaker"}, {"splits": {"crema_d": "train", "nemo": "test"}}):
            corpus = DatasetsFolder(str(root), **given, **more)
            corpus.prepare()
            parts = by_split(corpus.utterances())
            speakers = [{u.speaker for u in found} for found in parts.values()]
            assert not speakers[0] & speakers[2]
            assert len(parts["test"]) == (2 if "split" in more else 5)

    def test_mistakes(self, tmp_path):
        pytest.importorskip("pyarrow", reason="the extra `datasets` is not installed")
        with pytest.raises(FileNotFoundError, match="no such folder; expected a dataset"):
            DatasetsFolder(str(tmp_path / "lost")).utterances()
        (tmp_path / "empty").mkdir()
        with pytest.raises(FileNotFoundError, match=r"neither metadata.csv nor metadata.jsonl nor Parquet files in it"):
            DatasetsFolder(str(tmp_path / "empty")).utterances()
        root = fake_parquet(tmp_path / "there", splits=("train",))
        for audio, message in (("sound", r"no column 'sound' of audio; it has \['file_id'"), ("emotion", "no audio")):
            with pytest.raises(ValueError, match=message):
                DatasetsFolder(str(root), audio=audio, cache_dir=str(tmp_path / "cache")).prepare()
        assert not list((tmp_path / "cache" / "datasets").rglob("*.wav"))
        (root / "data/train-00000-of-00001.parquet").write_bytes(b"PAR1" + bytes(99))
        with pytest.raises(ValueError, match="cannot be read as Parquet"):
            DatasetsFolder(str(root), cache_dir=str(tmp_path / "cache")).prepare()
