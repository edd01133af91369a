import numpy as np
import pytest
import soxr
import torch

from emoquant.voice.alignment.alignment import Alignment, Span, frame_durations, segments_of_frames, timed_phones
from emoquant.voice.alignment.textgrid import read_textgrid
from emoquant.voice.alignment.warping import align_by_voice, warping_path

MFA = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 1.0
tiers? <exists>
size = 2
item []:
    item [1]:
        class = "IntervalTier"
        name = "{speaker}words"
        xmin = 0
        xmax = 1.0
        intervals: size = 4
        intervals [1]:
            xmin = 0
            xmax = 0.2
            text = "{silence}"
        intervals [2]:
            xmin = 0.2
            xmax = 0.5
            text = "hi"
        intervals [3]:
            xmin = 0.5
            xmax = 0.6
            text = "{silence}"
        intervals [4]:
            xmin = 0.6
            xmax = 1.0
            text = "you"
    item [2]:
        class = "IntervalTier"
        name = "{speaker}phones"
        xmin = 0
        xmax = 1.0
        intervals: size = 6
        intervals [1]:
            xmin = 0
            xmax = 0.2
            text = "{silence}"
        intervals [2]:
            xmin = 0.2
            xmax = 0.3
            text = "HH"
        intervals [3]:
            xmin = 0.3
            xmax = 0.5
            text = "AY1"
        intervals [4]:
            xmin = 0.5
            xmax = 0.6
            text = "{silence}"
        intervals [5]:
            xmin = 0.6
            xmax = 0.8
            text = "Y"
        intervals [6]:
            xmin = 0.8
            xmax = 1.0
            text = "UW1"
"""


@pytest.mark.parametrize("silence", ["", "sil", "sp"])
@pytest.mark.parametrize("speaker", ["", "0011 - "])
def test_textgrids_of_every_mfa_version_read_alike(tmp_path, silence, speaker):
    path = tmp_path / "a.TextGrid"
    path.write_text(MFA.format(silence=silence, speaker=speaker))
    phones, borders = timed_phones(read_textgrid(path))
    assert phones.symbols == ["<BOS>", "HH", "AY1", "_", "Y", "UW1", "<EOS>"]
    assert phones.words == [1, 2, 2, 3, 4, 4, 5]
    assert borders == pytest.approx([0, 0.2, 0.3, 0.5, 0.6, 0.8, 1.0, 1.0])


def test_bad_textgrids_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="run the aligner"):
        read_textgrid(tmp_path / "none.TextGrid")
    (tmp_path / "b.TextGrid").write_text("nonsense")
    with pytest.raises(ValueError, match=r"b\.TextGrid: not a TextGrid"):
        read_textgrid(tmp_path / "b.TextGrid")
    (tmp_path / "c.TextGrid").write_text(MFA.format(silence="", speaker="").replace('"phones"', '"segments"'))
    with pytest.raises(ValueError, match="one tier 'phones'"):
        read_textgrid(tmp_path / "c.TextGrid")


def test_rounding_borders_never_adds_up():
    random = np.random.default_rng(0)
    borders = np.concatenate([[0.0], np.cumsum(random.uniform(0.02, 0.1, 200))])
    frames = int(borders[-1] * 62.5) + 1
    durations = frame_durations(borders.tolist(), 62.5, frames)
    assert sum(durations) == frames
    starts = np.concatenate([[0], np.cumsum(durations)])
    assert np.abs(starts / 62.5 - borders).max() <= 1 / 62.5
    with pytest.raises(ValueError, match="made from this file"):
        frame_durations([0.0, 5.0], 62.5, 100)


def test_segments_are_renumbered_without_gaps():
    assert segments_of_frames([1, 1, 2, 3], [2, 1, 0, 2]).tolist() == [1, 1, 1, 2, 2]
    with pytest.raises(ValueError, match="only silence"):
        timed_phones(Alignment([Span("sil", 0, 1)], []))
    with pytest.raises(ValueError, match="without gap"):
        timed_phones(Alignment([Span("a", 0, 1), Span("b", 1.5, 2)], []))


def reference_path_cost(cost):
    """The slow obvious twin: recursion over all paths."""
    rows, columns = cost.shape
    best = np.full((rows, columns), np.inf)
    for i in range(rows):
        for j in range(columns):
            before = [best[i - 1, j] if i else np.inf, best[i, j - 1] if j else np.inf]
            before.append(best[i - 1, j - 1] if i and j else np.inf)
            best[i, j] = cost[i, j] + (0.0 if i == j == 0 else min(before))
    return best[-1, -1]


def test_warping_path_is_the_cheapest_and_monotone():
    random = np.random.default_rng(1)
    for shape in [(1, 1), (1, 5), (7, 4), (9, 12)]:
        cost = random.random(shape)
        path = warping_path(cost)
        assert cost[path.first, path.second].sum() == pytest.approx(reference_path_cost(cost))
        steps = np.diff(np.stack([path.first, path.second]), axis=1)
        assert ((steps >= 0) & (steps <= 1)).all()
        assert (path.first[-1], path.second[-1]) == (shape[0] - 1, shape[1] - 1)


def test_a_voice_finds_phones_in_speech_of_another_rate():
    from emoquant.voice.text.text import spoken

    text = "The boat came back before the rain."
    slow = spoken(text, "en-us", rate=120)
    waveform = soxr.resample(slow.samples.astype(np.float32) / 32768, slow.rate, 16_000)
    found = align_by_voice(torch.from_numpy(waveform), text, rate=190)
    assert [phone.label for phone in found.phones] == [label for label, _, _ in slow.phonemes]
    errors = [abs(phone.start - start) for phone, (_, start, _) in zip(found.phones, slow.phonemes, strict=True)]
    assert np.median(errors) < 0.01
    assert max(errors) < 0.05
