import os

import pytest
from browser import CHROMIUM, WIDTHS
from listening_world import EMOTIONS, POINTS, described, evaluation, render, trained

from emoquant.site import Sources, build_site


@pytest.fixture(scope="session")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("listen")
    sweep = render(folder / "lambda", {"codec": POINTS})
    own = trained({emotion: emotion for emotion in EMOTIONS})
    codebooks = render(folder / "codebooks", {**dict.fromkeys(EMOTIONS, POINTS), "balanced": POINTS}, rows=own)
    shares = {"mostly_own": 0.25, "half": 0.5, "mostly_other": 0.75}
    rows = [described(name, "all", "partner_share/vote", share) for name, share in shares.items()]
    rows.append(described("average", "all", "partner_share/average", 0.5))
    mixes = {**dict.fromkeys(shares, POINTS[:2]), "average": POINTS}
    partners = {"happy": "sad", "sad": "happy"}
    mixing = render(folder / "mixing", mixes, ["A"], ["happy", "sad"], rows, partners=partners)
    first = render(folder / "neutral_first", {"neutral_happy": POINTS, "happy": POINTS}, ["A"], ["happy", "sad"])
    return Sources([sweep], [codebooks], [mixing, first], [evaluation(folder / "evaluation")])


@pytest.fixture(scope="session")
def site(sources, tmp_path_factory):
    return build_site(tmp_path_factory.mktemp("site") / "study", sources, "A <study> & its sounds").parent


@pytest.fixture(scope="module")
def chromium():
    sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=[*sandbox, "--autoplay-policy=no-user-gesture-required", "--mute-audio"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def context(chromium):
    made = chromium.new_context(viewport=WIDTHS["desktop"], accept_downloads=True)
    yield made
    made.close()


@pytest.fixture
def visit(context, site):
    """Opens pages and, in the end, sees to it that nothing failed and nothing was asked of a network."""
    troubles, opened = [], []

    def visit(name, place=""):
        page = context.new_page()
        opened.append(page)
        page.set_default_timeout(30_000)
        page.on(
            "console", lambda message: troubles.append(message.text) if message.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("requestfailed", lambda request: troubles.append(f"failed: {request.url} {request.failure}"))
        page.on("request", lambda request: _inside(request.url, site, troubles))
        page.goto(f"{(site / f'{name}.html').as_uri()}{place}")
        return page

    yield visit
    for page in opened:
        page.close()
    assert not troubles


def _inside(url, site, troubles):
    if not url.startswith((site.as_uri(), "data:", "blob:")):
        troubles.append(f"outside: {url}")
