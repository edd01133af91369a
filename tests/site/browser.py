"""What the tests of the pages in a browser share: the browser, if there is one, and what a reader sees in a page."""

import shutil

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
NO_CHROMIUM = "no Chromium on this machine: apt-get install chromium"
WIDTHS = {"desktop": {"width": 1280, "height": 800}, "phone": {"width": 390, "height": 844}}


def shown(page, fact):
    return page.locator(f'[data-fact="{fact}"] dd').inner_text().replace("\u2212", "-").replace("\u00a0", " ")


def number(text):
    return float(text.split()[0])


def current(page):
    return page.evaluate("document.body.dataset.file")


def player(page, what):
    return page.evaluate(f"window.emoquant.player.{what}")


def play(page):
    page.locator("#play").click()
    page.wait_for_function("window.emoquant.player.playing && window.emoquant.player.place > 0")
