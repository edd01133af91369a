"""Recognisers by Whisper: what is asked of the package, and with weights what is understood."""

import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soxr
import torch

from emoquant.voice.metrics import character_errors
from emoquant.voice.text.recognition import WhisperRecognizer, language_of
from emoquant.voice.text.text import spoken

whisper = pytest.importorskip("faster_whisper", reason="the extra `asr` is not installed")
FOLDER = Path(os.environ.get("EMOQUANT_WHISPER", Path(__file__).parents[2] / ".cache/whisper-base"))


class StandIn:
    """What the recogniser uses of faster_whisper.WhisperModel."""

    supported_languages = ("en", "pl")
    hf_tokenizer = SimpleNamespace(get_vocab=lambda: {"Ġtak": 1, "11": 2, "%": 3, "<|0.02|>": 4, "Ġ7th": 5})

    def __init__(self, model, device, **settings):
        self.asked = []

    def transcribe(self, audio, **options):
        self.asked.append((audio, options))
        return iter([SimpleNamespace(text=" Tak"), SimpleNamespace(text=" jest.")]), None


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(whisper, "WhisperModel", StandIn)
    for name in ("model.bin", "config.json", "tokenizer.json"):
        (tmp_path / name).write_text(name)
    return tmp_path


def test_text_is_decoded_greedily_in_the_language_without_figures(folder):
    recognizer = WhisperRecognizer(str(folder))
    assert recognizer(torch.ones(8), "pl") == "Tak jest."
    audio, options = recognizer._whisper.asked[0]
    assert audio.dtype == "float32"
    assert (options["language"], options["temperature"], options["beam_size"]) == ("pl", 0.0, 1)
    assert options["suppress_tokens"] == [-1, 2, 3, 5]
    recognizer = WhisperRecognizer(str(folder), language="en")
    recognizer(torch.ones(8), "pl")
    assert recognizer._whisper.asked[0][1]["language"] == "en", "the user's choice comes first"


def test_the_fingerprint_is_of_weights_and_language(folder):
    one = WhisperRecognizer(str(folder)).fingerprint()
    assert one == WhisperRecognizer(str(folder)).fingerprint()
    assert one != WhisperRecognizer(str(folder), language="pl").fingerprint()
    (folder / "model.bin").write_text("other")
    assert one != WhisperRecognizer(str(folder)).fingerprint()


def test_mistakes_are_named(folder, monkeypatch):
    with pytest.raises(ValueError, match=r"language 'xx' is unknown.*en, pl"):
        WhisperRecognizer(str(folder), language="xx")
    with pytest.raises(ValueError, match="language 'xx' is unknown"):
        WhisperRecognizer(str(folder))(torch.ones(8), "xx")
    (folder / "tokenizer.json").unlink()
    with pytest.raises(ValueError, match=r"tokenizer\.json lacking"):
        WhisperRecognizer(str(folder))

    def unreachable(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr(whisper, "WhisperModel", unreachable)
    with pytest.raises(FileNotFoundError, match="huggingface-cli download owner/name"):
        WhisperRecognizer("owner/name")


def test_languages_of_front_ends():
    assert [language_of(name) for name in ("espeak:cmn", "cmu", "espeak:en-us+f3", "test")] == ["zh", "en", "en", None]


@pytest.mark.skipif(
    not FOLDER.is_dir(), reason=f"no Whisper weights in {FOLDER}: benchmarks/whisper_base.py makes them"
)
def test_rendered_speech_is_understood():
    recognizer = WhisperRecognizer(str(FOLDER))
    wrong = length = 0
    for text in ("There are eleven apples left in the basket.", "The boat came back before the rain."):
        made = spoken(text, "en-us")  # no two renderings of espeak-ng are quite the same
        heard = recognizer(torch.from_numpy(soxr.resample(made.samples / np.float32(32768), made.rate, 16_000)), "en")
        assert not any(character.isdigit() for character in heard)
        errors = character_errors(heard, text)
        wrong, length = wrong + errors.errors, length + errors.length
    assert wrong < 0.4 * length
