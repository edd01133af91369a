"""The pages in a browser, opened from the disk: nothing fails, nothing is asked of a network, everything works."""

import re

import pytest
from browser import CHROMIUM, NO_CHROMIUM, WIDTHS, current, number, play, player, shown
from listening_world import SEED
from test_site_build import PAGES, page_data

from emoquant.storage.results import read_results
from emoquant.voice.clips import read_clips

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM)
NUMBERS = ("bits_per_frame", "skip_rate", "similarity_reference", "similarity_own", "similarity_neutral", "f0_mean")
LISTENING = ("lambda", "codebooks", "mixing")


@pytest.mark.parametrize("name", PAGES)
def test_pages_load_from_the_disk(visit, name):
    page = visit(name)
    assert page.locator("h1").count() == 1
    assert page.title().endswith("A <study> & its sounds")
    for width in WIDTHS.values():
        page.set_viewport_size(width)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} is wider than {width}"


def test_the_slider_changes_the_sound_and_keeps_the_place(visit):
    page = visit("lambda")
    assert current(page) == "clips/one-angry-A-codec-0.wav"
    page.locator("#loop").check()
    play(page)
    before, after = page.evaluate("""() => {
        const { player } = window.emoquant, slider = document.getElementById("point");
        player.place = 0.4;
        const before = player.place;
        slider.value = 2;
        slider.dispatchEvent(new Event("input"));
        return [before, player.place];
    }""")
    assert after == pytest.approx(before, abs=0.02)
    assert current(page) == "clips/one-angry-A-codec-100.wav"
    assert page.locator("#point").get_attribute("aria-valuetext") == "\u03bb 100"
    page.wait_for_function("window.emoquant.player.playing && window.emoquant.player.audio.currentTime > 0.42")
    assert page.evaluate("[...window.emoquant.player.pool.values()].filter((audio) => !audio.paused).length") == 1
    page.locator("#play").click()
    page.wait_for_function("!window.emoquant.player.playing")
    before = player(page, "place")
    page.locator("#point").fill("0")
    assert player(page, "place") == pytest.approx(before, abs=0.01), "at rest the place is the same share of the length"
    assert not player(page, "playing")


def test_keys(visit):
    page = visit("lambda")
    steps = """
        ArrowRight one-angry-A-codec-10 | End one-angry-A-codec-100 | ArrowRight one-angry-A-codec-100
        r one-angry-truth | r one-angry-A-codec-100 | u one-angry-A-none | v one-angry-copy | n one-angry-A-random
        ArrowLeft one-angry-A-codec-100 | , one-angry-A-codec-10 | c one-angry-B-codec-10
        ArrowDown two-angry-B-codec-10 | ArrowDown one-happy-B-codec-10 | ArrowUp two-angry-B-codec-10
        Home two-angry-B-codec-0 | p two-angry-B-codec-0 | End two-angry-B-codec-100
        x two-angry-B-codec-0 | x two-angry-B-codec-100
    """
    for key, file in map(str.split, re.split(r"[|\n]", steps.strip())):
        page.keyboard.press(key)
        assert current(page) == f"clips/{file}.wav", key
    page.keyboard.press(" ")
    page.wait_for_function("window.emoquant.player.playing")
    page.keyboard.press(" ")
    assert not player(page, "playing")
    page.keyboard.press("m")
    assert not page.locator("#matched").is_checked()
    assert player(page, "audio.volume") < 1
    page.keyboard.press("?")
    page.locator("#keys").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("r")
    assert current(page) == "clips/two-angry-B-codec-100.wav", "single keys were switched off"


def test_cells_can_be_walked_and_pressed_by_the_keyboard(visit):
    page = visit("lambda")
    cell = page.get_by_role("button", name="sad, two, \u03bb 10: heard as sad")
    cell.focus()
    page.keyboard.press("Enter")
    page.wait_for_function("window.emoquant.player.playing")
    assert current(page) == "clips/two-sad-A-codec-10.wav"
    assert cell.get_attribute("aria-current") == "true"
    page.keyboard.press(" ")
    assert not player(page, "playing"), "pressed again, the cell that plays pauses"
    assert page.url.endswith("#5.0.1.A.point")
    again = visit("lambda", "#5.0.1.A.point")
    assert current(again) == "clips/two-sad-A-codec-10.wav"


def test_numbers_are_those_of_the_files(visit, sources):
    clips = {clip.file: clip for clip in read_clips(sources.sweep[0] / "manifest.csv")}
    rows = {
        (r.stratum, r.codec, r.lmbda, r.emotion, r.metric): r for r in read_results(sources.sweep[0] / "results.csv")
    }
    page = visit("lambda")
    for key in ("", "ArrowRight", "ArrowRight", "c", "ArrowDown", "ArrowDown", "ArrowDown"):
        if key:
            page.keyboard.press(key)
        clip = clips[current(page)]
        for name in NUMBERS:
            scale = 100 if name == "skip_rate" else 1
            decimals = len(shown(page, name).split()[0].partition(".")[2])
            assert number(shown(page, name)) == pytest.approx(scale * getattr(clip, name), abs=0.51 * 10**-decimals), (
                name
            )
        assert shown(page, "predicted").split(",")[0] == clip.predicted
        assert shown(page, "seed") == str(SEED)
        assert shown(page, "word_error_rate") == "not measured"
        recall = rows[f"synthesis/{clip.condition}", "codec", clip.lmbda, clip.emotion, "recall"]
        assert shown(page, "recall").startswith(f"{100 * recall.value:.1f} %")
        assert shown(page, "recall").endswith(f"n = {recall.n}")
    page.locator("#figure").select_option("similarity_own")
    table = page.locator("#figures tbody tr").all()
    assert len(table) == 4
    for line in table:
        emotion = line.locator("th").inner_text()
        for cell, point in zip(line.locator("td").all()[1:], (0.0, 10.0, 100.0), strict=True):
            row = rows["synthesis/B", "codec", point, emotion, "similarity_own"]
            first, *_ = cell.inner_text().replace("\u2212", "-").split("\n")
            assert number(first) == pytest.approx(row.value, abs=0.00051)
            assert int(cell.get_attribute("data-n")) == row.n


def test_every_sound_and_picture_decodes(visit, site):
    page = visit("lambda")
    for name in LISTENING:
        data = page_data(site, name)
        seconds = page.evaluate(
            """(names) => Promise.all(names.map((name) => new Promise((found) => {
                const audio = new Audio(name), image = new Image();
                const both = Promise.all([
                    new Promise((ok) => { audio.oncanplaythrough = () => ok(audio.duration); audio.onerror = ok; }),
                    new Promise((ok) => { image.onload = () => ok(image.naturalWidth); image.onerror = ok; }),
                ]);
                image.src = name.replace("sounds", "spectra").replace(/[^.]*$/, "png");
                audio.load();
                both.then(([length, width]) => { audio.removeAttribute("src"); found(width > 0 ? length : 0); });
            })))""",
            [f"sounds/{sound}.{data['ending']}" for sound in data["sounds"]],
        )
        assert seconds == pytest.approx([sound["seconds"] for sound in data["sounds"].values()], abs=0.03)


def test_codebooks_are_a_grid_with_its_diagonal_marked(visit, sources):
    page = visit("codebooks")
    rows = page.locator(".cross tbody tr").all()
    heads = [row.locator("th").inner_text() for row in rows]
    assert heads == ["angry", "happy", "sad", "balanced", "unquantized", "reference"]
    marked = [[cell.locator(".mark").count() for cell in row.locator("td").all()] for row in rows]
    assert marked == [[int(row == column) for column in range(3)] for row in range(6)]
    page.locator("#point").fill("2")
    rates = [row for row in sources.study[0].rows if row.metric == f"attraction/{row.codec}" and row.lmbda == 100]
    known = {(row.codec, row.emotion): row.value for row in rates}
    for row, codec in zip(rows[:3], heads, strict=False):
        texts = [text.replace("\u2212", "-").rstrip("\u00b0") for text in row.locator("td i").all_inner_texts()]
        assert list(map(float, texts)) == pytest.approx([known[codec, emotion] for emotion in heads[:3]], abs=0.051)
    page.locator("h1").click()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    assert current(page) == "clips/one-happy-A-happy-100.wav"
    page.locator("#speaker").select_option("two")
    assert current(page) == "clips/two-happy-A-happy-100.wav"


def test_proportions_are_on_a_slider(visit):
    page = visit("mixing")
    assert current(page) == "clips/one-happy-A-half-0.wav"
    page.locator("#share").fill("2")
    assert current(page) == "clips/one-happy-A-mostly_other-0.wav"
    assert page.locator("#share-value").inner_text() == "25\u00a0% happy, 75\u00a0% sad"
    page.keyboard.press("o")
    assert current(page) == "clips/one-sad-truth.wav"
    page.keyboard.press("o")
    page.keyboard.press("-")
    assert current(page) == "clips/one-happy-A-half-0.wav"
    page.locator("#codec").select_option(label="neutral happy")
    assert page.locator("#share").is_hidden()
    assert current(page) == "clips/one-happy-A-neutral_happy-0.wav"


@pytest.mark.parametrize(
    ("name", "scheme"), [*((name, "light") for name in PAGES), ("lambda", "dark"), ("codebooks", "dark")]
)
def test_nothing_serious_stands_in_the_way(visit, name, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed").Axe()
    page = visit(name)
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    states = [lambda: None]
    if name == "lambda":
        states += [
            lambda: page.set_viewport_size(WIDTHS["phone"]),
            lambda: page.locator("#more").click(),
            lambda: page.locator("#cells").select_option("similarity_own", force=True),
            lambda: page.locator("#test").click(),
            lambda: page.locator("#begin").click(),
        ]
    for state in states:
        state()
        found = axe.run(page, options={"preload": False}).response["violations"]
        serious = [
            (each["id"], each["nodes"][0]["html"]) for each in found if each["impact"] in ("serious", "critical")
        ]
        assert not serious
