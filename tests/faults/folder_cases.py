"""Corpora that are read from their own folders: copies, files in wrong places, labels that contradict each other."""

import shutil

from bad_world import manifest
from cases import case
from fake.corpora import fake_cremad, fake_emodb, fake_iemocap, fake_ravdess
from fake.encoder import FakeEncoder

from emoquant.data.base import Corpus, Utterance
from emoquant.data.cremad import CREMAD
from emoquant.data.emodb import EmoDB
from emoquant.data.iemocap import IEMOCAP
from emoquant.data.module import EmotionDataModule
from emoquant.data.ravdess import RAVDESS

TWICE = "are one utterance by their id"


def copied(old, new):
    new.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(old, new)


@case(
    "Corpora",
    "a recording of RAVDESS in another actor's folder",
    ValueError,
    "of Actor_01 by its folder",
    "03-01-03-01",
)
def _(folder):
    root = fake_ravdess(folder, actors=3)
    copied(root / "Actor_02" / "03-01-03-01-01-01-02.wav", root / "Actor_01" / "03-01-03-01-01-01-02.wav")
    RAVDESS(str(root)).utterances()


@case("Corpora", "a recording of RAVDESS in two formats", ValueError, TWICE, "03-01-03-01-01-01-02.flac")
def _(folder):
    root = fake_ravdess(folder, actors=3)
    copied(root / "Actor_02" / "03-01-03-01-01-01-02.wav", root / "Actor_02" / "03-01-03-01-01-01-02.flac")
    RAVDESS(str(root)).utterances()


@case("Corpora", "a recording of EmoDB in two formats", ValueError, TWICE, "03a01Fa.flac")
def _(folder):
    root = fake_emodb(folder, speakers=("03", "08", "09"))
    copied(root / "wav" / "03a01Fa.wav", root / "wav" / "03a01Fa.flac")
    EmoDB(str(root)).utterances()


@case("Corpora", "a speaker that EmoDB does not have", ValueError, "remove other files", "04a01")
def _(folder):
    EmoDB(str(fake_emodb(folder, speakers=("03", "04", "08")))).utterances()


@case("Corpora", "a recording of CREMA-D in two formats", ValueError, TWICE, "1001_IEO_ANG_HI.flac")
def _(folder):
    root = fake_cremad(folder, actors=3)
    copied(root / "AudioWAV" / "1001_IEO_ANG_HI.wav", root / "AudioWAV" / "1001_IEO_ANG_HI.flac")
    CREMAD(str(root)).utterances()


@case("Corpora", "votes of CREMA-D that are no numbers", ValueError, "votes that are no numbers", "line 2")
def _(folder):
    root = fake_cremad(folder, actors=3)
    table = root / "processedResults" / "tabulatedVotes.csv"
    table.write_text(table.read_text().replace(",5,", ",many,", 1))
    CREMAD(str(root)).utterances()


@case("Corpora", "a table of votes that Git LFS did not fetch", ValueError, "git lfs pull", "tabulatedVotes.csv")
def _(folder):
    root = fake_cremad(folder, actors=3)
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    (root / "processedResults" / "tabulatedVotes.csv").write_text(pointer)
    CREMAD(str(root)).utterances()


@case(
    "Corpora", "a dialogue of IEMOCAP in another session's folder", ValueError, "of another dialogue; move it", "Ses01F"
)
def _(folder):
    root = fake_iemocap(folder, turns=2)
    for part in ("dialog/EmoEvaluation/{}.txt", "dialog/transcriptions/{}.txt"):
        shutil.copy(
            root / "Session1" / part.format("Ses01F_impro01"), root / "Session2" / part.format("Ses01F_impro01")
        )
    wav = "sentences/wav/Ses01F_impro01"
    shutil.copytree(root / "Session1" / wav, root / "Session2" / wav)
    IEMOCAP(str(root)).utterances()


@case("Corpora", "a turn of IEMOCAP that is judged twice", ValueError, "twice; remove one", "Ses01F_impro01_F000")
def _(folder):
    root = fake_iemocap(folder, turns=2)
    path = root / "Session1" / "dialog" / "EmoEvaluation" / "Ses01F_impro01.txt"
    path.write_text(path.read_text() * 2)
    IEMOCAP(str(root)).utterances()


class Contradicting(Corpus):
    """A corpus of the user's own that has a recording under two labels."""

    name = "own"

    def __init__(self, folder):
        self.files = [
            utterance.path for utterance in manifest(folder, "path,emotion,split\na.wav,sad,train\n").utterances()
        ]

    def utterances(self):
        return [Utterance("a", self.files[0], emotion, "x", "train") for emotion in ("angry", "sad")]


@case("Corpora", "one recording under two labels", ValueError, "labelled angry here and sad there", "a.wav")
def _(folder):
    EmotionDataModule(Contradicting(folder), FakeEncoder(), ["angry", "sad"], str(folder / "cache")).setup()
