import gc
import json
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from emoquant.audio import espeak
from emoquant.audio.espeak import PAUSE
from emoquant.audio.loading import read_audio
from emoquant.data import rendered
from emoquant.data.rendered import PROSODY, RenderedCorpus, folder_digest
from emoquant.data.sentences import SENTENCES


def small(folder: Path, **settings) -> RenderedCorpus:
    corpus = RenderedCorpus(**{"voices": ["en-us", "en-us+f3"], "sentences": 3, "cache_dir": str(folder), **settings})
    corpus.prepare()
    return corpus


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return small(tmp_path_factory.mktemp("rendered"))


def pitch(samples: np.ndarray) -> float:
    """Median over frames of the lag of the highest autocorrelation, in Hz: a plain stand-in for a pitch tracker."""
    found = []
    for begin in range(0, len(samples) - 800, 400):
        frame = samples[begin : begin + 800] - samples[begin : begin + 800].mean()
        if np.abs(frame).max() < 0.05:
            continue
        correlation = np.correlate(frame, frame, "full")[799:]
        lag = 40 + int(correlation[40:270].argmax())
        if correlation[lag] > 0.5 * correlation[0]:
            found.append(16_000 / lag)
    return float(np.median(found))


def test_sentences_are_distinct_and_enough():
    assert len(set(SENTENCES)) == len(SENTENCES) == 300


def test_every_voice_says_every_sentence_in_every_emotion(corpus):
    utterances = corpus.utterances()
    assert len(utterances) == 2 * 3 * 5
    assert {(u.speaker, u.emotion, u.text) for u in utterances} == {
        (voice, emotion, text) for voice in ("en-us", "en-us+f3") for emotion in PROSODY for text in SENTENCES[:3]
    }
    assert {u.language for u in utterances} == {"en-US"}


def test_splits_are_by_sentence_and_complete(corpus):
    splits = {}
    for utterance in corpus.utterances():
        assert splits.setdefault(utterance.text, utterance.split) == utterance.split
    assert set(splits.values()) == {"train", "validation", "test"}


def test_the_same_settings_give_the_same_bytes(corpus, tmp_path):
    again = small(tmp_path)
    assert again.folder.name == corpus.folder.name
    assert folder_digest(again.folder) == folder_digest(corpus.folder)
    description = json.loads((again.folder / "corpus.json").read_text())
    assert description["sha256"] == folder_digest(corpus.folder)


def test_other_settings_give_another_corpus(corpus, tmp_path):
    other = RenderedCorpus(["en-us", "en-us+f3"], 3, seed=1, cache_dir=str(tmp_path))
    assert other.folder.name != corpus.folder.name
    takes = small(tmp_path, voices=["en-us"], takes=2)
    first, second = (read_audio(takes.folder / "wav" / f"en-us_sad_00_{take}.wav") for take in range(2))
    assert len(takes.utterances()) == 3 * 5 * 2
    assert len(first) != len(second) or not bool((first == second).all())


def test_prosody_follows_the_emotion(corpus):
    waves = {}
    for utterance in corpus.utterances():
        if utterance.speaker == "en-us":
            waves.setdefault(utterance.emotion, []).append(read_audio(utterance.path).numpy())
    pitches = {emotion: np.mean([pitch(wave) for wave in found]) for emotion, found in waves.items()}
    seconds = {emotion: sum(map(len, found)) / 16_000 for emotion, found in waves.items()}
    levels = {emotion: np.mean([np.sqrt((wave**2).mean()) for wave in found]) for emotion, found in waves.items()}
    assert pitches["sad"] < pitches["neutral"] < pitches["happy"] < pitches["surprise"]
    assert pitches["neutral"] < pitches["angry"]
    assert seconds["angry"] < seconds["neutral"] < seconds["sad"]
    assert levels["sad"] < levels["neutral"] < levels["angry"]
    assert max(np.abs(wave).max() for found in waves.values() for wave in found) < 1


def test_phonemes_fill_the_utterance_and_words_lie_inside(corpus):
    timings = corpus.timings()
    assert list(timings) == [u.id for u in corpus.utterances()]
    for utterance in corpus.utterances():
        phonemes, words = timings[utterance.id]
        seconds = len(read_audio(utterance.path)) / 16_000
        assert phonemes[0][1] == 0
        assert phonemes[-1][2] == pytest.approx(seconds, abs=1e-3)
        assert all(before[2] == after[1] for before, after in pairwise(phonemes))
        assert all(start < end for _, start, end in phonemes + words)
        assert " ".join(word for word, _, _ in words) == utterance.text.rstrip(".")
        assert words[-1][2] <= seconds


def test_no_word_of_any_sentence_is_lost():
    engine = espeak.Espeak()
    for sentence in SENTENCES:
        words = engine.speak(sentence, "en-us", 180, 50, 50, 80).words
        assert " ".join(word for word, _, _ in words) == sentence.rstrip(".")


def test_timings_are_exact_pauses_are_quiet_and_vowels_loud(corpus):
    quiet, loud = [], []
    for utterance in corpus.utterances():
        samples = read_audio(utterance.path).numpy()
        for label, start, end in corpus.timings()[utterance.id].phonemes:
            part = samples[round(start * 16_000) + 80 : round(end * 16_000) - 80]
            if len(part) > 160:
                (quiet if label == PAUSE else loud if "\u02c8" in label else []).append(
                    float(np.sqrt((part**2).mean()))
                )
    assert np.median(loud) > 0.05
    assert not quiet or np.median(quiet) < 0.1 * np.median(loud)


def test_an_interrupted_rendering_is_not_taken_for_whole(tmp_path, monkeypatch):
    corpus = RenderedCorpus(["en-us"], 3, cache_dir=str(tmp_path))
    with pytest.raises(FileNotFoundError, match="not rendered yet"):
        corpus.utterances()

    def stop(self, folder):
        raise KeyboardInterrupt

    monkeypatch.setattr(RenderedCorpus, "_describe", stop)
    with pytest.raises(KeyboardInterrupt):
        corpus.prepare()
    assert not list((tmp_path / "rendered").iterdir())
    monkeypatch.undo()
    (corpus.folder / "wav").mkdir(parents=True)  # what a copy that broke off leaves
    corpus.prepare()
    assert len(corpus.utterances()) == 15


def test_a_second_call_renders_nothing(corpus, monkeypatch):
    monkeypatch.setattr(rendered.subprocess, "Popen", lambda *_, **__: pytest.fail("rendered again"))
    corpus.prepare()


def test_unknown_voice_and_missing_library_are_named(tmp_path, monkeypatch):
    with pytest.raises(RuntimeError, match="no voice or language 'klingon-tlh'"):
        small(tmp_path, voices=["klingon-tlh"])
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(espeak.EspeakError, match="pip install espeakng-loader"):
        espeak.Espeak()


def test_an_engine_speaks_on_when_another_is_gone():
    settings = {"voice": "en-us", "rate": 170, "pitch": 50, "range": 50, "volume": 60}
    first = espeak.Espeak()
    before = first.speak("One sentence.", **settings)
    other = espeak.Espeak()
    other.speak("Another sentence.", **settings)
    del other
    gc.collect()
    after = first.speak("One sentence.", **settings)
    assert [word for word, *_ in after.words] == [word for word, *_ in before.words] == ["One", "sentence"]
    assert len(after.samples) == pytest.approx(len(before.samples), rel=0.05)


def test_without_espeak_the_remedy_is_named(tmp_path, monkeypatch):
    def absent(name):
        raise rendered.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(rendered.metadata, "version", absent)
    with pytest.raises(RuntimeError, match="pip install espeakng-loader"):
        RenderedCorpus(["en-us"], 3, cache_dir=str(tmp_path)).prepare()


@pytest.mark.parametrize("settings", [{"sentences": 2}, {"sentences": 301}, {"takes": 0}, {"voices": ["a", "a"]}])
def test_wrong_settings(settings):
    with pytest.raises(ValueError, match="expected"):
        RenderedCorpus(**settings)
