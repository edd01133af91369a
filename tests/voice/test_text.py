# ruff: noqa: RUF001 (IPA)
import numpy as np
import pytest
import soxr
import torch

from emoquant.voice.alignment.alignment import timed_phones
from emoquant.voice.alignment.sphinx import RecognitionError, SphinxRecognizer, align_english
from emoquant.voice.metrics import word_errors
from emoquant.voice.text.arpabet import arpabet_of
from emoquant.voice.text.text import encode_phones, front_end, spoken


def speech(text, voice="en-us"):
    made = spoken(text, voice)
    return torch.from_numpy(soxr.resample(made.samples.astype(np.float32) / 32768, made.rate, 16_000))


def test_espeak_gives_the_phones_of_its_own_speech():
    phones = front_end("espeak:en-us")("The boat, came back.")
    assert phones.symbols[0] == "<BOS>"
    assert phones.symbols[-1] == "<EOS>"
    assert phones.symbols.count("_") == 1
    assert "ˈoʊ" in phones.symbols
    assert phones.words[0] == 1
    assert set(np.diff(phones.words)) <= {0, 1}
    assert phones.words[-1] == 7, "silence, the, boat, pause, came, back, silence"


def test_other_languages_and_mistakes():
    assert "ˈɔ" in front_end("espeak:pl")("Dzień dobry, już idę.").symbols
    with pytest.raises(ValueError, match="expected espeak:VOICE"):
        front_end("klingon")
    with pytest.raises(ValueError, match="nothing to speak"):
        front_end("espeak:en-us")(" ... ")
    with pytest.raises(ValueError, match=r"phones \['x'\] were never heard"):
        encode_phones(["a", "x"], ["a", "b"])


def test_dictionary(tmp_path):
    path = tmp_path / "polish.dict"
    path.write_text("tak\t0.99\t0.2\tt a k\n\nnie ɲ ɛ\n  \ntak t a\n")
    phones = front_end(f"dictionary:{path}")("Tak, nie!")
    assert phones.symbols == ["<BOS>", "t", "a", "k", "_", "ɲ", "ɛ", "<EOS>"]
    assert phones.words == [1, 2, 2, 2, 3, 4, 4, 5]
    with pytest.raises(ValueError, match="no pronunciation of 'może'"):
        front_end(f"dictionary:{path}")("może")
    for text in ("Tak 101 nie.", "Tak, 1.5 nie.", "R2D2 tak"):
        with pytest.raises(ValueError, match="write numbers as words"):
            front_end(f"dictionary:{path}")(text)
        with pytest.raises(ValueError, match="write numbers as words"):
            word_errors("tak nie", text)
    assert front_end("espeak:en-us")("101").symbols[1:3] == ["w", "ˈʌ"]
    with pytest.raises(FileNotFoundError, match="no such dictionary"):
        front_end("dictionary:/nowhere")


def test_cmu_knows_words_and_asks_espeak_for_others():
    pytest.importorskip("pocketsphinx", reason="the extra `align` is not installed")
    phones = front_end("cmu")("Hello, zorblax.")
    assert phones.symbols[:6] == ["<BOS>", "HH", "AH", "L", "OW", "_"]
    assert phones.symbols[6] == "Z"
    assert arpabet_of(["ˈɔːɹ", "dʒ", "əl"]) == ["AO", "R", "JH", "AH", "L"]
    with pytest.raises(ValueError, match="no counterpart"):
        arpabet_of(["ʘ"])


def test_sphinx_aligns_and_says_when_it_cannot():
    pytest.importorskip("pocketsphinx", reason="the extra `align` is not installed")
    text = "There are eleven apples left in the basket."
    made = spoken(text, "en-us")
    found = align_english(speech(text), text)
    phones, borders = timed_phones(found)
    assert phones.symbols[1:3] == ["DH", "EH"]
    assert borders == sorted(borders)
    starts = {word: start for word, start, _ in made.words}
    errors = [abs(word.start - starts[word.label]) for word in found.words if word.label in starts]
    assert np.median(errors) < 0.03
    with pytest.raises((RecognitionError, ValueError)):
        align_english(torch.zeros(4000), text)
    with pytest.raises(ValueError, match="has 3: write numbers as words"):
        align_english(speech(text), "Take 3 apples.")


def test_recogniser_hears_something_of_clear_speech():
    pytest.importorskip("pocketsphinx", reason="the extra `align` is not installed")
    recognizer = SphinxRecognizer()
    heard = recognizer(speech("I really feel this way now."), "en")
    assert {"really", "feel"} <= set(heard.split())
    assert "(" not in heard
    with pytest.raises(ValueError, match=r"recognises English, not 'pl'.*\.\[asr\]"):
        recognizer(speech("Hello."), "pl")


def test_what_was_heard_before_does_not_matter():
    pytest.importorskip("pocketsphinx", reason="the extra `align` is not installed")
    words, recognizer, scores = speech("Hello there."), SphinxRecognizer(), []
    for sound in (words, words, torch.full((2000,), 0.9), words):
        recognizer(sound)
        scores.append(recognizer._decoder.hyp().score)
    assert scores[0] == scores[1] == scores[3]
