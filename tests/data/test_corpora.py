import logging
from collections import Counter

import pytest
from fake.corpora import fake_cremad, fake_emodb, fake_esd, fake_iemocap, fake_ravdess, write_tone

from emoquant.data.cremad import CREMAD
from emoquant.data.emodb import EmoDB
from emoquant.data.esd import ESD
from emoquant.data.iemocap import IEMOCAP
from emoquant.data.ravdess import RAVDESS

CORPORA = {
    "esd": (ESD, fake_esd),
    "iemocap": (IEMOCAP, fake_iemocap),
    "ravdess": (RAVDESS, fake_ravdess),
    "cremad": (CREMAD, fake_cremad),
    "emodb": (EmoDB, fake_emodb),
}


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpora")
    return {name: fake(folder / name) for name, (_, fake) in CORPORA.items()}


@pytest.mark.parametrize("name", CORPORA)
def test_every_corpus_has_whole_utterances_in_a_fixed_order(roots, name):
    corpus = CORPORA[name][0](str(roots[name]))
    utterances = corpus.utterances()
    assert corpus.name == name
    assert utterances == corpus.utterances()
    assert len({u.id for u in utterances}) == len(utterances) >= 30
    assert all(u.path.is_file() and u.text and u.speaker and u.language and "/" not in u.id for u in utterances)
    assert {u.split for u in utterances} == {"train", "validation", "test"}


@pytest.mark.parametrize("name", ["ravdess", "cremad", "emodb", "iemocap"])
def test_no_speaker_is_in_two_splits(roots, name):
    splits = Counter((u.speaker, u.split) for u in CORPORA[name][0](str(roots[name])).utterances())
    assert len({speaker for speaker, _ in splits}) == len(splits)


@pytest.mark.parametrize("name", CORPORA)
def test_a_missing_folder_is_named_with_its_source(tmp_path, name):
    with pytest.raises(FileNotFoundError, match=r"nowhere.*expected.*http"):
        CORPORA[name][0](str(tmp_path / "nowhere")).utterances()


@pytest.mark.parametrize("name", CORPORA)
def test_an_empty_folder_says_what_is_missing(tmp_path, name):
    with pytest.raises(FileNotFoundError, match=r"no |none of"):
        CORPORA[name][0](str(tmp_path)).utterances()


def test_esd_official_split_goes_by_the_number_within_350(roots):
    for utterance in ESD(str(roots["esd"]), ["english", "mandarin"]).utterances():
        sentence = (int(utterance.id[5:]) - 1) % 350 + 1
        assert utterance.split == ("validation" if sentence <= 20 else "test" if sentence <= 50 else "train")
        assert str(sentence) in utterance.text
        assert utterance.language == ("zh" if int(utterance.speaker) <= 10 else "en")


def test_esd_languages_emotions_and_texts(roots):
    english = ESD(str(roots["esd"])).utterances()
    mandarin = ESD(str(roots["esd"]), ["mandarin"]).utterances()
    assert {u.speaker for u in english} == {"0011", "0012", "0013"}
    assert {u.speaker for u in mandarin} == {"0001"}
    assert Counter(u.emotion for u in english) == dict.fromkeys(["angry", "happy", "neutral", "sad", "surprise"], 18)
    assert mandarin[0].text == "这是第1句话。"


def test_esd_speaker_split(roots):
    utterances = ESD(str(roots["esd"]), split="speaker").utterances()
    assert {split: len({u.speaker for u in utterances if u.split == split}) for split in ("train", "test")} == {
        "train": 1,
        "test": 1,
    }
    with pytest.raises(ValueError, match=r"split by speaker: 1 speaker .0001. where at least 3"):
        ESD(str(roots["esd"]), ["mandarin"], split="speaker").utterances()


def test_esd_older_layout_gives_the_same(tmp_path, roots):
    parts = ESD(str(fake_esd(tmp_path / "parts", layout="parts"))).utterances()
    flat = ESD(str(roots["esd"])).utterances()
    assert [(u.id, u.emotion, u.split, u.text) for u in parts] == [(u.id, u.emotion, u.split, u.text) for u in flat]


def test_esd_in_a_nested_folder_says_where_to_point(tmp_path):
    fake_esd(tmp_path / "Emotion Speech Dataset", speakers=("0011",), sentences=(1,))
    with pytest.raises(FileNotFoundError, match=r"Emotion Speech Dataset.*set root"):
        ESD(str(tmp_path)).utterances()


def test_esd_missing_pieces(tmp_path, caplog):
    root = fake_esd(tmp_path / "esd", speakers=("0011",), sentences=(1, 21))
    with caplog.at_level(logging.WARNING):
        ESD(str(root)).utterances()
    assert "2 audio files instead of 350" in caplog.text
    assert "0020" in caplog.text
    (root / "0011" / "0011.txt").write_text("0011_000001\tOne.\tNeutral\n", encoding="utf-16")
    caplog.clear()
    texts = {u.id: u.text for u in ESD(str(root)).utterances()}
    assert texts["0011_000001"] == "One."
    assert "9 utterances are not in the transcript" in caplog.text
    write_tone(root / "0011" / "Sad" / "copy of 0011_001051.wav")
    with pytest.raises(ValueError, match="expected a name like 0001_000351"):
        ESD(str(root)).utterances()
    (root / "0011" / "0011.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"0011\.txt: no transcript"):
        ESD(str(root)).utterances()


def test_iemocap_votes_labels_and_sessions(roots):
    utterances = {u.id: u for u in IEMOCAP(str(roots["iemocap"])).utterances()}
    assert utterances["Ses01F_impro01_F000"].dimensions == {"valence": 2.5, "arousal": 1.5, "dominance": 3.5}
    happy = utterances["Ses01F_impro01_F000"]
    assert (happy.emotion, happy.speaker, happy.text) == ("happy", "Ses01F", "Turn 0 of session 1.")
    assert happy.votes == {"happy": 2.0, "neutral": 0.5, "sad": 0.5}
    unknown = next(u for u in utterances.values() if u.emotion == "unknown")
    assert unknown.votes == {"neutral": 1.5, "angry": 1.0, "sad": 0.5}
    assert {u.split for u in utterances.values() if u.id.startswith("Ses05")} == {"test"}
    assert {u.split for u in utterances.values() if u.id.startswith("Ses04")} == {"validation"}
    assert {u.speaker[-1] for u in utterances.values()} == {"F", "M"}


def test_iemocap_options(roots):
    joined = IEMOCAP(str(roots["iemocap"]), test_session=1, excited_as_happy=True, self_reports=True).utterances()
    assert "excited" not in {u.emotion for u in joined} | {e for u in joined for e in u.votes}
    assert all(u.votes["other"] == 1.0 for u in joined)
    assert {u.split for u in joined if u.id.startswith("Ses01")} == {"test"}
    with pytest.raises(ValueError, match="two sessions of 1 to 5"):
        IEMOCAP("x", test_session=4)


def test_iemocap_missing_audio_and_wrong_label(tmp_path):
    root = fake_iemocap(tmp_path / "i", turns=2)
    evaluation = root / "Session2" / "dialog" / "EmoEvaluation" / "Ses02F_impro01.txt"
    evaluation.write_text(evaluation.read_text(encoding="utf-8").replace("\tang\t", "\twrath\t"), encoding="utf-8")
    with pytest.raises(ValueError, match=r"Ses02F_impro01.txt, utterance Ses02F.*'wrath'"):
        IEMOCAP(str(root)).utterances()
    (root / "Session1" / "sentences" / "wav" / "Ses01F_impro01" / "Ses01F_impro01_M001.wav").unlink()
    with pytest.raises(FileNotFoundError, match=r"Ses01F_impro01_M001.wav: no such file, but .* names it"):
        IEMOCAP(str(root)).utterances()


def test_ravdess_names_and_songs(roots):
    speech = RAVDESS(str(roots["ravdess"])).utterances()
    assert len(speech) == 80
    assert len(RAVDESS(str(roots["ravdess"]), song=True).utterances()) == 85
    first = speech[0]
    assert (first.id, first.emotion, first.speaker) == ("03-01-01-01-01-01-01", "neutral", "Actor_01")
    assert Counter(u.emotion for u in speech)["surprise"] == 10


def test_ravdess_with_videos_songs_and_other_files(tmp_path, caplog):
    root = fake_ravdess(tmp_path / "r", actors=3)
    whole = RAVDESS(str(root)).utterances()
    write_tone(root / "Actor_01" / "01-01-01-01-01-01-01.wav")
    (root / "Actor_02" / "02-01-03-01-01-01-02.mp4").write_bytes(b"a video")
    caplog.clear()
    assert RAVDESS(str(root)).utterances() == whole
    assert "2 files are left out, videos or their sound tracks: 01-01-01-01-01-01-01.wav" in caplog.text
    assert "3 files are left out, songs" in caplog.text
    assert "48 utterances where 1440 were published" in caplog.text
    write_tone(root / "Actor_01" / "reading.wav")
    with pytest.raises(ValueError, match="expected a name like"):
        RAVDESS(str(root)).utterances()


def test_cremad_votes_and_the_silent_clip(roots, caplog):
    utterances = {u.id: u for u in CREMAD(str(roots["cremad"])).utterances()}
    assert "1076_MTI_SAD_XX" not in utterances
    assert "1 files are left out, published without usable sound: 1076_MTI_SAD_XX.wav" in caplog.text
    assert "37 clips where 7442 were published" in caplog.text
    angry = utterances["1001_IEO_ANG_HI"]
    assert angry.votes == {"angry": 5.0, "disgust": 1.0, "fear": 1.0, "happy": 1.0, "neutral": 1.0, "sad": 1.0}
    assert angry.text == "It's eleven o'clock."
    with pytest.raises(ValueError, match="expected one of"):
        CREMAD("x", votes="smell")


def test_cremad_without_its_table_of_votes(tmp_path):
    root = fake_cremad(tmp_path / "c", actors=3)
    table = root / "processedResults" / "tabulatedVotes.csv"
    table.write_text('"file","A"\n"x",1\n', encoding="utf-8")
    with pytest.raises(ValueError, match="lacks the columns"):
        CREMAD(str(root)).utterances()
    table.unlink()
    with pytest.raises(FileNotFoundError, match="no table of votes"):
        CREMAD(str(root)).utterances()


def test_emodb_codes(roots):
    utterances = {u.id: u for u in EmoDB(str(roots["emodb"])).utterances()}
    assert (utterances["03a01Wa"].emotion, utterances["03a01La"].emotion) == ("angry", "boredom")
    assert utterances["08b02Ta"].text.startswith("Sie haben es gerade")
    both = EmoDB(str(roots["emodb"]), split="both").utterances()
    trained = {u.text for u in both if u.split == "train"}
    seen = {u.speaker for u in both if u.split == "train"}
    assert not trained & {u.text for u in both if u.split == "test" and u.speaker in seen}
