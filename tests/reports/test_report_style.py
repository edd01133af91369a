import itertools

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from emoquant.labels import STUDY_EMOTIONS
from emoquant.reports.style import _EMOTIONS, _OTHERS, line_style, linear_until, paper_style, zero_log_axis

# Machado, Oliveira, Fernandes 2009, full severity, on linear RGB.
VISION = {
    "normal": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def linear(colour):
    part = np.array(mpl.colors.to_rgb(colour))
    return np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)


def lab(light):
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    f = np.cbrt(np.clip(np.array(to_xyz) @ light / [0.9505, 1.0, 1.089], 1e-9, None))
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("vision", VISION)
def test_the_studys_emotions_can_be_told_apart_by_colour(vision):
    seen = [lab(np.clip(np.array(VISION[vision]) @ linear(line_style(e).colour), 0, 1)) for e in STUDY_EMOTIONS]
    distances = [np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)]
    assert min(distances) > 20


@pytest.mark.parametrize("styles", [list(_EMOTIONS.values()), list(_OTHERS)])
def test_every_style_has_contrast_and_differs_without_colour(styles):
    for style in styles:
        luminance = np.array([0.2126, 0.7152, 0.0722]) @ linear(style.colour)
        assert 1.05 / (luminance + 0.05) >= 3.0, style
    assert len({style.marker for style in styles}) == len(styles)


def test_styles_follow_emotions_whatever_their_spelling():
    assert line_style("Surprised") == line_style("surprise") == line_style("吃惊")
    assert line_style("my codec", 0) != line_style("my codec", 1)


@pytest.mark.parametrize(
    ("values", "knee"), [([0, 1e-4, 0.1, 500], 0.1), ([0, 20, 500], 10), ([0], 1), ([0, 0.002, 0.9], 0.001)]
)
def test_axis_turns_linear_three_decades_below_the_top(values, knee):
    assert linear_until(values) == pytest.approx(knee)


def test_axis_shows_zero_and_decades():
    axes = Figure().subplots()
    knee = zero_log_axis(axes, [0, 1e-4, 0.5, 500])
    texts = [axes.xaxis.get_major_formatter()(tick) for tick in axes.get_xticks()]
    assert texts == ["0", "0.1", "1", "10", "100"]
    assert [axes.xaxis.get_minor_formatter()(tick) for tick in axes.get_xticks(minor=True)] == [""] * 8
    places = axes.transData.transform([(x, 0) for x in (0, knee, 10 * knee, 100 * knee)])[:, 0]
    assert np.all(np.diff(places) > 0)
    assert places[2] - places[1] == pytest.approx(places[3] - places[2])


def test_narrow_axes_leave_labels_out_and_keep_the_ticks():
    axes = Figure().subplots()
    zero_log_axis(axes, [0, 1e-4, 0.5, 500], width=1.0)
    texts = [axes.xaxis.get_major_formatter()(tick) for tick in axes.get_xticks()]
    assert texts == ["0", "", "1", "", "100"]


def test_short_axes_name_the_parts_of_decades():
    axes = Figure().subplots()
    zero_log_axis(axes, [0, 1, 9])
    assert [axes.xaxis.get_minor_formatter()(tick) for tick in axes.get_xticks(minor=True)] == ["2", "5"]


def test_the_users_own_matplotlib_settings_are_left_alone():
    with mpl.rc_context({"font.size": 33.0}):
        with paper_style():
            assert mpl.rcParams["font.size"] < 10
        assert mpl.rcParams["font.size"] == 33.0
