"""The blind tests of the pages, taken in a browser: answers are kept apart from what is heard, and exported."""

import csv
import io
import json

import pytest
from browser import CHROMIUM, NO_CHROMIUM, player

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM)


def test_abx_exports_what_was_answered(visit, site):
    page = visit("lambda")
    page.keyboard.press("End")
    page.keyboard.press("b")
    page.locator("#trials").select_option("5")
    page.locator("#begin").click()
    answers = []
    for trial in range(5):
        assert page.locator("#progress").inner_text() == f"Trial {trial + 1} of 5"
        for key in ("a", "x", "b", "x"):
            page.keyboard.press(key)
        page.wait_for_function("window.emoquant.player.playing")
        assert player(page, "sound") == page.evaluate("window.emoquant.test.voices.X.sound")
        answers.append(trial % 2)
        assert page.locator("#time").inner_text().startswith("0.0 of"), "the deck behind must not tell what plays"
        page.keyboard.press("12"[trial % 2])
    with page.expect_download() as saved:
        page.locator("#save").click()
    assert saved.value.suggested_filename.startswith("abx-lambda-")
    with open(saved.value.path(), newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(io.StringIO(file.read())))
    assert [row["trial"] for row in rows] == list("12345")
    for row, answer in zip(rows, answers, strict=True):
        assert row["answer"] == ("first", "second")[answer]
        assert row["correct"] == str(int(row["answer"] == row["x_is"]))
        assert (row["first_file"], row["second_file"]) == (
            "clips/one-angry-A-none.wav",
            "clips/one-angry-A-codec-100.wav",
        )
        assert row["text"] == 'It is, "here".'
        assert [row[f"heard_{name}"] for name in ("first", "second", "x")] == ["1", "1", "2"]
    right = sum(row["correct"] == "1" for row in rows)
    assert page.locator("#score").inner_text().startswith(f"{right} of 5 right.")


def test_pairs_are_swapped_blindly_and_undone_in_the_file(visit):
    page = visit("lambda", "#0.0.2.A.point")
    page.locator("#test").click()
    page.locator("#kind").select_option("pair")
    page.locator("#scope").select_option("shown")
    page.locator("#begin").click()
    picked = []
    for _ in range(10):
        assert page.locator("#hear-X").is_hidden()
        picked.append(page.evaluate("window.emoquant.test.voices.A.file"))
        page.locator("#answer-A").click()
    log = json.loads(page.evaluate("JSON.stringify(window.emoquant.test.log)"))
    assert [row["first_file"] if row["answer"] == "first" else row["second_file"] for row in log] == picked
    assert all(row["correct"] == "" and row["first_file"].endswith("-none.wav") for row in log)
