import pytest
from listening_world import EMOTIONS, POINTS, evaluation, render

from emoquant.site import Sources, build_site


@pytest.fixture(scope="session")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("listen")
    sweep = render(folder / "lambda", {"codec": POINTS})
    codebooks = render(folder / "codebooks", {**dict.fromkeys(EMOTIONS, POINTS), "balanced": POINTS})
    shares = {f"vote@{share}": POINTS[:2] for share in (0.25, 0.5, 0.75)}
    partners = {"happy": "sad", "sad": "happy"}
    mixing = render(folder / "mixing", {**shares, "average": POINTS}, ["A"], ["happy", "sad"], partners=partners)
    first = render(folder / "neutral_first", {"neutral_happy": POINTS, "happy": POINTS}, ["A"], ["happy", "sad"])
    return Sources([sweep], [codebooks], [mixing, first], [evaluation(folder / "evaluation")])


@pytest.fixture(scope="session")
def site(sources, tmp_path_factory):
    return build_site(tmp_path_factory.mktemp("site") / "study", sources, "A <study> & its sounds").parent
