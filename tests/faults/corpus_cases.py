"""Manifests and corpora."""

import shutil

from bad_world import LINES, manifest
from cases import case
from fake.corpora import fake_emobox, fake_esd, fake_meld, fake_parquet, write_tone
from fake.encoder import FakeEncoder

from emoquant.data import MELD, DatasetsFolder, EmoBox
from emoquant.data.esd import ESD
from emoquant.data.manifest import ManifestCorpus
from emoquant.data.module import EmotionDataModule
from emoquant.voice.data import TTSDataModule, VoiceAligner
from emoquant.voice.text.text import front_end


@case("Corpora", "a manifest that is not there", FileNotFoundError, "no such manifest; expected a CSV file", "m.csv")
def _(folder):
    ManifestCorpus(str(folder / "m.csv")).utterances()


@case("Corpora", "an empty manifest", ValueError, "no column ['emotion', 'path']", "m.csv")
def _(folder):
    manifest(folder, "").utterances()


@case("Corpora", "a manifest with nothing but a header", ValueError, "no utterance", "m.csv")
def _(folder):
    manifest(folder, "path,emotion,speaker,split\n").utterances()


@case("Corpora", "a manifest without the column emotion", ValueError, "no column ['emotion']; the file has", "m.csv")
def _(folder):
    manifest(folder, "path,mood\na.wav,sad\n").utterances()


@case("Corpora", "two utterances of one id", ValueError, "give every utterance its own in a column id", "line 3")
def _(folder):
    manifest(folder, "path,emotion,split,id\na.wav,sad,test,1\nb.wav,sad,test,1\n").utterances()


@case("Corpora", "a file that is listed twice", ValueError, "delete one of the lines, or choose lines", "line 3")
def _(folder):
    manifest(folder, LINES + "./a.wav,sad,x,test\n").utterances()


@case("Corpora", "a file that is listed with two emotions", ValueError, "as sad, and here as happy", "line 3")
def _(folder):
    manifest(folder, LINES + "a.wav,joy,x,train\n").utterances()


@case("Corpora", "two speakers where none may be in two splits", ValueError, "at least 3 are needed", "split: random")
def _(folder):
    manifest(folder, "path,emotion,speaker\na.wav,sad,x\nb.wav,joy,y\n").utterances()


@case("Corpora", "a manifest with semicolons, capitals and backslashes", None, "read")
def _(folder):
    assert manifest(folder, "Path;Emotion;Split\nsub\\c.wav;sad;test\n").utterances()[0].path.is_file()


@case("Corpora", "an emotion that nobody knows (mislabelled)", ValueError, "unknown emotion 'sda'", "line 2")
def _(folder):
    manifest(folder, "path,emotion,split\na.wav,sda,train\n").utterances()


@case("Corpora", "a split that there is not", ValueError, "expected one of ['train', 'validation', 'test']", "line 2")
def _(folder):
    manifest(folder, "path,emotion,split\na.wav,sad,evaluation\n").utterances()


@case(
    "Corpora", "a path with .. in a manifest", ValueError, "if that is meant set allow_outside: true", "../../etc/x.wav"
)
def _(folder):
    manifest(folder, "path,emotion,split\n../../etc/x.wav,sad,train\n").utterances()


@case(
    "Corpora", "an absolute path in a manifest", ValueError, "if that is meant set allow_outside: true", "/etc/passwd"
)
def _(folder):
    manifest(folder, "path,emotion,split\n/etc/passwd,sad,train\n").utterances()


@case("Corpora", "a link out of the root", ValueError, "if that is meant set allow_outside: true", "away")
def _(folder):
    corpus = manifest(folder, "path,emotion,split\naway/x.wav,sad,train\n")
    write_tone(folder / "elsewhere" / "x.wav")
    (folder / "corpus" / "away").symlink_to(folder / "elsewhere")
    corpus.utterances()


@case("Corpora", "the same with allow_outside", None, "read: the user allowed it")
def _(folder):
    write_tone(folder / "elsewhere" / "x.wav")
    corpus = manifest(folder, "path,emotion,split\n../elsewhere/x.wav,sad,train\n", allow_outside=True)
    assert len(corpus.utterances()) == 1


@case("Corpora", "an id with a path in it", ValueError, "has a path separator", "../evil")
def _(folder):
    manifest(folder, "path,emotion,split,id\na.wav,sad,train,../evil\n").utterances()


@case("Corpora", "a file that is listed and not there", FileNotFoundError, "check root, which is", "line 3")
def _(folder):
    manifest(folder, LINES + "gone.wav,sad,x,train\n").utterances()


@case("Corpora", "a quotation mark that does not end", ValueError, "not CSV", "line 3")
def _(folder):
    manifest(folder, LINES + 'b.wav,"sad,x,train\n').utterances()


@case("Corpora", "a manifest in Latin-1", ValueError, "not UTF-8", "save it as UTF-8")
def _(folder):
    corpus = manifest(folder, LINES)
    corpus.manifest.write_bytes("path,emotion,speaker,split\na.wav,sad,Jürgen,train\n".encode("latin-1"))
    corpus.utterances()


@case("Corpora", "a line with a cell too few", ValueError, "not as many cells as the header: 3 instead of 4", "line 3")
def _(folder):
    manifest(folder, LINES + "b.wav,sad,x\n").utterances()


@case("Corpora", "an end before its start", ValueError, "end 0.1 s is not after start 0.2 s", "line 2")
def _(folder):
    manifest(folder, "path,emotion,split,start,end\na.wav,sad,train,0.2,0.1\n").utterances()


@case("Corpora", "a start that is no number", ValueError, "start is 'nan', expected a number", "line 2")
def _(folder):
    manifest(folder, "path,emotion,split,start,end\na.wav,sad,train,nan,\n").utterances()


@case("Corpora", "a corpus folder that is not there", FileNotFoundError, "ESD is given for research on request", "ESD")
def _(folder):
    ESD(str(folder / "ESD")).utterances()


@case("Corpora", "a corpus without one of the emotions asked for", ValueError, "no utterance with one of", "m")
def _(folder):
    data = EmotionDataModule(manifest(folder, LINES), FakeEncoder(), ["happy"], str(folder / "cache"))
    data.setup()


@case("Corpora", "an emotion in the configuration that nobody knows", ValueError, "unknown emotion", "hapy")
def _(folder):
    EmotionDataModule(manifest(folder, LINES), FakeEncoder(), ["hapy"], str(folder / "cache"))


@case("Corpora", "ESD in both published layouts at once", ValueError, "keep the audio of one of them", "0011_000351")
def _(folder):
    for layout in ("flat", "parts"):
        fake_esd(folder, speakers=("0011",), sentences=(1, 21, 51), layout=layout)
    ESD(str(folder)).utterances()


@case("Corpora", "corpora of a voice that share an id", ValueError, "ids of their own (the column id", "'a'")
def _(folder):
    corpora = [manifest(folder / name, LINES, name=name) for name in ("one", "two")]
    TTSDataModule(corpora, aligner=VoiceAligner(), encoder=FakeEncoder(), cache_dir=str(folder), min_frames=1).setup()


@case("Corpora", "a pronouncing dictionary with a word without phones", ValueError, "has no phones", "line 3: 'nie'")
def _(folder):
    (folder / "polish.dict").write_text("tak t a k\n\nnie\n")
    front_end(f"dictionary:{folder / 'polish.dict'}")


@case(
    "Corpora", "a fold that EmoBox does not have", FileNotFoundError, "name a corpus and a fold that it has", "fold_7"
)
def _(folder):
    EmoBox("iemocap", fold=7, metadata=str(fake_emobox(folder) / "data"), root=str(folder)).utterances()


@case("Corpora", "clips of MELD that are still video", FileNotFoundError, "make audio of the clips: ffmpeg", "test")
def _(folder):
    shutil.rmtree(fake_meld(folder) / "output_repeated_splits_test")
    MELD(str(folder)).utterances()


@case(
    "Corpora", "a part of a corpus that is no split", ValueError, "say what it means, splits: {Test1: test}", "line 3"
)
def _(folder):
    manifest(folder, "path,emotion,split\na.wav,sad,train\nb.wav,sad,Test1\n").utterances()


@case("Corpora", "a dataset whose audio has another column", ValueError, "name it, audio: COLUMN", "train-00000")
def _(folder):
    root = fake_parquet(folder / "there", splits=("train",))
    DatasetsFolder(str(root), audio="sound", cache_dir=str(folder)).prepare()
