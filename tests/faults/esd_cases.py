"""Transcripts of ESD as its published copies have them, and worse."""

from cases import case
from fake.corpora import fake_esd

from emoquant.data.esd import ESD

#: One sentence in each emotion, numbers of the files, and the names that transcripts give the emotions.
NUMBERS = {"Neutral": 1, "Angry": 351, "Happy": 701, "Sad": 1051, "Surprise": 1401}
CHINESE = {"Neutral": "中立", "Angry": "生气", "Happy": "快乐", "Sad": "伤心", "Surprise": "惊喜"}


def texts(folder, text, encoding, separators=("\t", "\t"), labels=None, speaker="0016", end="\r\n"):
    """Write a transcript and return what is read of it."""
    fake_esd(folder, speakers=(speaker,), sentences=(1,))
    labels = {name: name for name in NUMBERS} if labels is None else labels
    lines = [
        f"{speaker}_{number:06d}{separators[0]}{text}" + (f"{separators[1]}{labels[name]}" if labels else "")
        for name, number in NUMBERS.items()
    ]
    (folder / speaker / f"{speaker}.txt").write_bytes((end.join(lines) + end).encode(encoding))
    language = "mandarin" if int(speaker) <= 10 else "english"
    (found,) = {utterance.text for utterance in ESD(str(folder), [language]).utterances()}
    return found


@case(
    "Corpora",
    "an English transcript of ESD in UTF-8, UTF-16 with or without its mark, cp1252 or GB 18030",
    None,
    "read",
)
def _(folder):
    text = "It\u2019s the “boy\u2019s” day"
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "gb18030"):
        assert texts(folder, text, encoding) == text, encoding
    assert texts(folder, "a café \u2013 naïve", "cp1252") == "a café \u2013 naïve"


@case("Corpora", "a Mandarin transcript of ESD in the same encodings", None, "read")
def _(folder):
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "gb18030", "gb2312"):
        assert (
            texts(folder, "打远一看\uff0c它们。", encoding, labels=CHINESE, speaker="0003") == "打远一看\uff0c它们。"
        ), encoding


@case(
    "Corpora", "a transcript of ESD with tabs, spaces or both, with emotions in English, Chinese or none", None, "read"
)
def _(folder):
    text = "I keep the nine eggs I am so happy"
    for separators in (("\t", "\t"), (" ", " "), ("\t", " "), (" ", "\t"), ("  ", "\t "), ("\u3000", " ")):
        for labels in (None, CHINESE, {}):
            assert texts(folder, text, "utf-8", separators, labels) == text, (separators, labels)
    assert texts(folder, "我们。", "gb18030", (" ", ""), CHINESE, "0003", end="\n") == "我们。"


@case("Corpora", "a transcript of ESD that is no transcript", ValueError, "no line like 0011_000001", "0016.txt")
def _(folder):
    fake_esd(folder, speakers=("0016",), sentences=(1,))
    (folder / "0016" / "0016.txt").write_bytes(bytes(range(256)))
    ESD(str(folder)).utterances()


@case(
    "Corpora",
    "two lines of an utterance of ESD that differ",
    ValueError,
    "has another text or emotion before",
    "line 6",
)
def _(folder):
    fake_esd(folder, speakers=("0016",), sentences=(1,))
    with (folder / "0016" / "0016.txt").open("a") as file:
        file.write("0016_000001\tSomething else.\tNeutral\n")
    ESD(str(folder)).utterances()


@case("Corpora", "a wrong transcript of ESD with a file of corrections", None, "the corrected text")
def _(folder):
    fake_esd(folder, speakers=("0016",), sentences=(1, 2))
    (folder / "fix.csv").write_text("id,text\n0016_000001,It must come.\n0003_000001,of another language\n")
    found = {u.id: u.text for u in ESD(str(folder), corrections=str(folder / "fix.csv")).utterances()}
    assert found["0016_000001"] == "It must come."
    assert found["0016_000002"] == "This is sentence number 2."


@case("Corpora", "a correction of an utterance of ESD that there is not", ValueError, "correct the ids", "0016_000009")
def _(folder):
    fake_esd(folder, speakers=("0016",), sentences=(1, 2))
    (folder / "fix.csv").write_text("id,text\n0016_000009,x\n")
    ESD(str(folder), corrections=str(folder / "fix.csv")).utterances()


def moved(folder, old, new):
    fake_esd(folder, speakers=("0011", "0012"), sentences=(1, 21), layout="parts")
    (folder / new).parent.mkdir(parents=True, exist_ok=True)
    (folder / old).rename(folder / new)
    ESD(str(folder)).utterances()


@case(
    "Corpora", "a file of ESD in another speaker's folder", ValueError, "of 0012 by its folder; move it", "0011_000001"
)
def _(folder):
    moved(folder, "0011/Neutral/evaluation/0011_000001.wav", "0012/Neutral/evaluation/0011_000001.wav")


@case(
    "Corpora",
    "a file of ESD in another emotion's folder",
    ValueError,
    "Neutral by its number, Sad by its",
    "0011_000001",
)
def _(folder):
    moved(folder, "0011/Neutral/evaluation/0011_000001.wav", "0011/Sad/evaluation/0011_000001.wav")


@case("Corpora", "a file of ESD in another split's folder", ValueError, "'train' by its folder", "0011_000001")
def _(folder):
    moved(folder, "0011/Neutral/evaluation/0011_000001.wav", "0011/Neutral/train/0011_000001.wav")
