"""Texts that voices stumble over, and alignments with small errors."""

import json
import unicodedata

import pytest
from bad_world import POINTER
from cases import case

from emoquant.data.base import Utterance
from emoquant.voice.alignment.alignment import Alignment, Span, timed_phones
from emoquant.voice.alignment.textgrid import read_textgrid
from emoquant.voice.callbacks.listening import _clips_of
from emoquant.voice.clips import Clip
from emoquant.voice.data.check import check_labels
from emoquant.voice.text.text import front_end


def phones(name, text):
    return front_end(name)(text).symbols


@case("Texts", "words of another language in a text that espeak-ng speaks", None, "no language flag among the phones")
def _(folder):
    for voice, text in {
        "de": "mein neues Bike und mein Computer",
        "fr": "un match de football, le week-end",
        "pl": "mój nowy smartfon i weekend",
        "cmn": "我的 WiFi 和 email",
        "hi": "मेरा computer और internet",
        "ru": "мой computer",
    }.items():
        assert not [phone for phone in phones(f"espeak:{voice}", text) if set("()") & set(phone)], voice


@case("Texts", "a language flag in an alignment", ValueError, "phones have no brackets", "(en)")
def _(folder):
    timed_phones(Alignment([Span("a", 0, 1), Span("(en)", 1, 2)], [Span("a", 0, 2)]))


@case("Texts", "letters in parts (decomposed Unicode)", None, "the same phones")
def _(folder):
    for name, text in {"espeak:pl": "łódź, zażółć", "espeak:de": "größere Öfen", "espeak:vi": "Tiếng Việt"}.items():
        assert phones(name, unicodedata.normalize("NFD", text)) == phones(name, text)
    (folder / "a.dict").write_text(unicodedata.normalize("NFD", "żółć z u w tɕ\n"), encoding="utf-8")
    assert phones(f"dictionary:{folder / 'a.dict'}", "Żółć!")[1:3] == ["z", "u"]


@case("Texts", "control characters of an old code page", None, "read as the signs that it meant")
def _(folder):
    assert phones("espeak:en-us", "That\x92s it\x85") == phones("espeak:en-us", "That\u2019s it…")


@case("Texts", "a control character that nothing means", ValueError, "the control character U+0000", "Yes")
def _(folder):
    phones("espeak:en-us", "Yes\x00 no")


@case("Texts", "marks in brackets: [LAUGHTER], <breath>, {noise}, ++noise++", None, "left out")
def _(folder):
    for text in ("[LAUGHTER] Yes.", "<breath> Yes {noise}.", "++noise++ Yes."):
        assert phones("espeak:en-us", text) == phones("espeak:en-us", "Yes.")


@case("Texts", "a bracket without its partner", ValueError, "without its partner", "[LAUGHTER Yes")
def _(folder):
    phones("espeak:en-us", "[LAUGHTER Yes")


@case("Texts", "a text of nothing but marks", ValueError, "nothing to speak", "[LAUGHTER]")
def _(folder):
    phones("espeak:en-us", "[LAUGHTER]")


@case("Texts", "voices of espeak-ng named by language (fr-fr, en-gb, zh)", None, "found")
def _(folder):
    for voice in ("fr-fr", "en-gb", "pt-pt", "zh", "EN-GB", "en-gb+f3"):
        assert len(phones(f"espeak:{voice}", "你好" if voice == "zh" else "bon")) > 2, voice
    assert phones("espeak:en-gb", "boat") != phones("espeak:en-us", "boat")


@case("Texts", "a voice that espeak-ng does not have", ValueError, "there are: fr, fr-be", "fr-xx")
def _(folder):
    front_end("espeak:fr-xx")


@case("Texts", "a letter that the voice cannot say", ValueError, "which the voice 'en-us' cannot say", "你")
def _(folder):
    phones("espeak:en-us", "I love 你")


@case("Texts", "a sign that the voice has no word for", ValueError, "which the voice 'pl' cannot say", "EURO SIGN")
def _(folder):
    phones("espeak:pl", "to kosztuje 5 €")


@case("Texts", "a sign that a dictionary does not have", ValueError, "write it as a word", "SNOWMAN")
def _(folder):
    (folder / "a.dict").write_text("tak t a k\n")
    phones(f"dictionary:{folder / 'a.dict'}", "tak ☃")


@case("Texts", "a number where phones come of a dictionary file", ValueError, "write numbers as words", "101")
def _(folder):
    (folder / "a.dict").write_text("tak t a k\n")
    phones(f"dictionary:{folder / 'a.dict'}", "tak 101")


@case("Texts", "numbers and abbreviations with the front end cmu", None, "spoken as they are read")
def _(folder):
    assert phones("cmu", "Dr. Smith, 21 eggs.") == phones("cmu", "doctor Smith, twenty one eggs.")
    assert "_" not in phones("cmu", "Mr. Smith paid $3.50 of 10,000.")


@case("Texts", "a text of a corpus that no voice can say", None, "named by `emoquant check-data`")
def _(folder):
    utterance = Utterance("u1", folder / "a.wav", "sad", "x", "train", "a\x01b")
    (found,) = [finding for finding in check_labels([utterance]) if "no voice can say" in str(finding)]
    assert found.severity == "error"
    assert "U+0001" in str(found)


@case("Texts", "other breaks of lines (U+2028, U+2029, U+0085) in a text of a listening run", None, "the run goes on")
def _(folder):
    clip = Clip("a.wav", "synthesis", "A", "x", 1.0, "r", "t\u2028t\u2029", "t\x85t\x0bt", "sad", "s", 3, 0.5)
    (folder / "j.jsonl").write_text(json.dumps(clip._asdict(), ensure_ascii=False) + '\n{"half', encoding="utf-8")
    assert [(each.reference_text, each.text) for each in _clips_of(folder / "j.jsonl")] == [clip[6:8]]


@case(
    "Texts",
    "a damaged journal of a listening run",
    ValueError,
    "delete it, and its clips",
    "j.jsonl",
)
def _(folder):
    (folder / "j.jsonl").write_text("{]\n")
    _clips_of(folder / "j.jsonl")


def grid(*phones):
    tiers = {"words": [("word", phones[0][1], phones[-1][2])], "phones": phones}
    lines = [
        'File type = "ooTextFile"',
        'Object class = "TextGrid"',
        "xmin = 0",
        "xmax = 1",
        "tiers? <exists>",
        "size = 2",
    ]
    for name, spans in tiers.items():
        lines += [
            'class = "IntervalTier"',
            f'name = "{name}"',
            "xmin = 0",
            "xmax = 1",
            f"intervals: size = {len(spans)}",
        ]
        for number, (label, start, end) in enumerate(spans, 1):
            lines += [f"intervals [{number}]:", f"xmin = {start!r}", f"xmax = {end!r}", f'text = "{label}"']
    return "\n".join(lines) + "\n"


@case("Texts", "a TextGrid with intervals of no length, or borders that differ by less than 1 ms", None, "read")
def _(folder):
    path = folder / "a.TextGrid"
    for phones_of in (
        [("a", 0.1, 0.1 + 0.2), ("b", 0.3, 0.9)],
        [("a", 0.1, 0.3), ("sp", 0.3, 0.3), ("b", 0.3, 0.9)],
        [("a", 0.1, 0.3), ("b", 0.3004, 0.9)],
    ):
        for encoding in ("utf-8", "utf-16"):
            path.write_text(grid(*phones_of), encoding=encoding)
            found, borders = timed_phones(read_textgrid(path))
            assert found.symbols == ["<BOS>", "a", "b", "<EOS>"]
            assert borders == pytest.approx([0.1, 0.1, 0.3, 0.9, 1.0], abs=1e-3)


@case("Texts", "a TextGrid whose intervals overlap", ValueError, "before the one before it ends", "'b'")
def _(folder):
    (folder / "a.TextGrid").write_text(grid(("a", 0.1, 0.5), ("b", 0.3, 0.9)))
    read_textgrid(folder / "a.TextGrid")


@case("Texts", "a TextGrid that Git LFS did not fetch", ValueError, "git lfs pull", "a.TextGrid")
def _(folder):
    (folder / "a.TextGrid").write_text(POINTER)
    read_textgrid(folder / "a.TextGrid")
