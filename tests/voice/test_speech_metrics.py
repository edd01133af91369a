import math

import numpy as np
import pytest
import soxr
import torch

from emoquant.metrics.intervals import certain_share_interval
from emoquant.voice.clips import Clip, read_clips, write_clips
from emoquant.voice.metrics import (
    character_errors,
    mel_cepstral_distortion,
    melody_errors,
    overall_quality,
    word_errors,
)
from emoquant.voice.metrics.distance import WARP, mel_cepstra
from emoquant.voice.metrics.summary import clip_rows, trend
from emoquant.voice.text.text import spoken

pytest.importorskip("pyworld", reason="the extra `speech` is not installed")
pytest.importorskip("jiwer", reason="the extra `speech` is not installed")


def speech(text="The boat came back.", voice="en-us", rate=170):
    made = spoken(text, voice, rate)
    return torch.from_numpy(soxr.resample(made.samples.astype(np.float32) / 32768, made.rate, 16_000))


def slow_warp(cepstrum, order, alpha):
    """The obvious twin: the all-pass transform of the spectrum itself, by summation over a warped frequency axis."""
    omega = np.linspace(0, np.pi, 4097)
    spectrum = sum(c * np.cos(k * omega) for k, c in enumerate(cepstrum))
    warped_axis = omega + 2 * np.arctan(alpha * np.sin(omega) / (1 - alpha * np.cos(omega)))
    on_grid = np.interp(np.linspace(0, np.pi, 4097), warped_axis, spectrum)
    grid = np.linspace(0, np.pi, 4097)
    values = [np.trapezoid(on_grid * np.cos(k * grid), grid) * (1 if k == 0 else 2) / np.pi for k in range(order + 1)]
    return np.array(values)


def test_frequency_warp_is_the_all_pass_transform():
    from emoquant.voice.metrics.distance import _frequency_warp

    cepstrum = np.exp(-0.3 * np.arange(30)) * np.cos(np.arange(30))
    expected = slow_warp(cepstrum, 12, WARP)
    np.testing.assert_allclose(_frequency_warp(30, 12) @ cepstrum, expected, atol=2e-4)


def test_distortion_is_nothing_for_equal_speech_blind_to_level_and_grows():
    one = speech()
    assert mel_cepstral_distortion(one, one) == 0
    assert mel_cepstral_distortion(0.5 * one, one) < 0.5, "level must not count"
    slower, other = speech(rate=140), speech("The keys were mine.")
    assert mel_cepstral_distortion(slower, one) < 0.8 * mel_cepstral_distortion(other, one)
    assert mel_cepstral_distortion(slower, one) < mel_cepstral_distortion(slower, one, warp=False)
    assert mel_cepstra(one, order=13).shape[1] == 14


def test_melody_is_compared_in_cents_whatever_the_tempo():
    one = speech()
    same = melody_errors(one, one)
    assert (same.squared_cents, same.disagreements) == (0.0, 0)
    assert same.correlation == pytest.approx(1.0)
    higher = torch.from_numpy(np.interp(np.arange(0, len(one) - 1, 1.1), np.arange(len(one)), one.numpy())).float()
    found = melody_errors(higher, one)
    cents = math.sqrt(found.squared_cents / found.both)
    assert cents == pytest.approx(1200 * math.log2(1.1), rel=0.15)
    noise = torch.randn(16_000, generator=torch.Generator().manual_seed(0)) * 0.05
    assert melody_errors(noise, one).disagreements > 0.3 * melody_errors(noise, one).frames


def test_words_and_letters():
    said, heard = ["The boat came.", "Yes!"], ["the goat came", ""]
    words, letters = (
        [errors(*pair) for pair in zip(heard, said, strict=True)] for errors in (word_errors, character_errors)
    )
    assert [tuple(each) for each in words] == [(1, 3), (1, 1)]
    assert [tuple(each) for each in letters] == [(1, 13), (3, 3)]
    with pytest.raises(ValueError, match="no word"):
        word_errors("x", "...")


def test_a_recogniser_that_loops_is_wrong_once_a_word():
    loop = "you know " * 40
    assert tuple(word_errors(loop, "Tak jest.")) == (2, 2)
    assert tuple(character_errors(loop, "Tak jest.")) == (8, 8)
    assert tuple(word_errors("it is 11", "It is eleven.")) == (1, 3)
    assert tuple(character_errors("it is 11", "It is eleven.")) == (6, 12)


def test_quality_prefers_speech_to_noise():
    pytest.importorskip("onnxruntime", reason="the extra `speech` is not installed")
    pytest.importorskip("speechmos", reason="the extra `speech` is not installed")
    one = speech()
    noisy = one + 0.1 * torch.randn(len(one), generator=torch.Generator().manual_seed(0))
    assert 1 < overall_quality(noisy) < overall_quality(one) < 5


def clip(reference, lmbda, recall, bits, condition="A"):
    return Clip(
        f"{reference}-{lmbda}-{condition}.wav", "synthesis", condition, "grvq", lmbda, reference, "a", "a", "sad",
        "one", 7, 1.0, bits_per_frame=bits, predicted="sad" if recall else "neutral",
    )  # fmt: skip


def test_summary_of_clips(tmp_path):
    clips = [clip(f"r{item}", lmbda, lmbda < 5, 10 - lmbda + item) for item in range(4) for lmbda in (0.0, 1.0, 9.0)]
    write_clips(tmp_path / "manifest.csv", clips)
    again = read_clips(tmp_path / "manifest.csv")
    assert repr(again) == repr(clips)
    rows = {(row.metric, row.lmbda, row.emotion): row for row in clip_rows(again, "corpus", replicates=200)}
    assert rows["recall", 0.0, "sad"].value == 1
    assert rows["recall", 9.0, "all"].value == 0
    assert rows["bits_per_frame", 1.0, "all"].value == 10.5
    assert rows["bits_per_frame", 1.0, "all"].low < 10.5 < rows["bits_per_frame", 1.0, "all"].high
    trends = {row.metric: row for row in clip_rows(again, "corpus") if row.metric.startswith("trend/")}
    assert {row.emotion for row in clip_rows(again, "c") if row.metric == "trend/recall"} == {"sad", "all"}
    assert trends["trend/bits_per_frame"].value == -1
    assert trends["trend/recall"].value < -0.8
    assert "trend/quality" not in trends, "what was not measured has no trend"


def coverage(speakers, references, texts, trials=150):
    """Share of trials in which the interval of the clips' length holds the true mean, 1 s."""
    random, held = np.random.default_rng(1), 0
    for _ in range(trials):
        clips = []
        for s in range(speakers):
            voice = random.normal()
            for r in range(references):
                lengths = 1 + voice + random.normal() + 0.1 * random.normal(size=texts)
                first = clip(f"{s}-{r}", math.nan, True, math.nan)._replace(emotion=f"e{r}", speaker=f"s{s}")
                clips += [first._replace(text=f"t{t}", seconds=length) for t, length in enumerate(lengths)]
        rows = clip_rows(clips, "corpus", replicates=200)
        (row,) = [row for row in rows if (row.metric, row.emotion) == ("seconds", "all")]
        assert row.n == speakers * references * texts
        assert row.interval == ("speakers" if speakers >= 10 else "utterances")
        held += row.low <= 1 <= row.high
    return held / trials


@pytest.mark.parametrize(("speakers", "references", "texts"), [(6, 1, 4), (5, 1, 1), (12, 4, 2)])
def test_intervals_hold_the_truth_as_often_as_they_say(speakers, references, texts):
    assert coverage(speakers, references, texts) > 0.88


def test_a_share_that_is_sure_and_a_cell_that_is_too_small_say_so():
    clips = [clip(f"r{item}", 0.0, True, 5)._replace(text=text) for item in range(5) for text in "ab"]
    sure = {(row.metric, row.emotion): row for row in clip_rows(clips, "corpus")}["recall", "all"]
    assert (sure.low, sure.high) == pytest.approx(certain_share_interval(1.0, 5)), "five references, not ten clips"
    for row in clip_rows([clip(f"r{item}", 0.0, True, 5) for item in range(2)], "corpus"):
        assert math.isnan(row.low)
        assert row.interval == ""
    several = [each._replace(lmbda=lmbda) for each in clips for lmbda in (1.0, 2.0, 3.0) if each.reference < "r2"]
    assert {row.interval for row in clip_rows(several, "corpus")} == {""}, "six clips at a lambda of two references"


def test_trends_resample_all_texts_of_a_reference_together():
    lmbdas, random = [0.0, 1.0, 2.0, 5.0, 9.0], np.random.default_rng(3)
    values = random.normal(size=(4, 5))
    blocks = [f"r{item}" for item in range(4) for _ in range(6)]
    assert trend(lmbdas, values.repeat(6, 0), blocks=blocks) == trend(lmbdas, values)
    clips = [
        clip(f"r{item}", lmbda, True, values[item, point])._replace(text=text)
        for item in range(4)
        for point, lmbda in enumerate(lmbdas)
        for text in "abcdef"
    ]
    (row,) = [r for r in clip_rows(clips, "c") if (r.metric, r.emotion) == ("trend/bits_per_frame", "all")]
    assert row[5:9] == (*trend(lmbdas, values), 24)


def test_an_item_without_pitch_is_left_out_of_its_trend_and_counted_out():
    clips = [
        clip(f"r{item}", lmbda, True, 5)._replace(f0_mean=math.nan if (item, lmbda) == (2, 1.0) else 200 - lmbda)
        for item in range(4)
        for lmbda in (0.0, 1.0, 9.0)
    ]
    (row,) = [r for r in clip_rows(clips, "corpus") if (r.metric, r.emotion) == ("trend/f0_mean", "sad")]
    assert (row.value, row.n) == (-1, 3)


def test_trend_agrees_with_scipy():
    stats = pytest.importorskip("scipy.stats")
    random = np.random.default_rng(0)
    lmbdas, values = [0.0, 1.0, 2.0, 5.0, 9.0], random.normal(size=(6, 5)).round(1)
    expected = stats.spearmanr(lmbdas, values.mean(0)).statistic
    found = trend(lmbdas, values)
    assert found.rho == pytest.approx(expected)
    assert -1 <= found.low <= found.high <= 1
    assert math.isnan(trend(lmbdas, np.ones((3, 5))).rho)
