import csv
import hashlib
import json
import math
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import soundfile
from listening_world import RATE, SEED, evaluation, render, tone

from emoquant.__main__ import main
from emoquant.commands.site import site as site_command
from emoquant.site import Sources, build_site
from emoquant.site.build import ASSETS
from emoquant.site.loudness import loudness
from emoquant.site.material import NUMBERS
from emoquant.site.pictures import picture, spectrogram
from emoquant.site.sounds import Soundbank
from emoquant.storage.results import read_results
from emoquant.voice.clips import read_clips

PAGES = ("index", "lambda", "codebooks", "mixing", "report", "provenance")


def page_data(folder, page):
    text = (folder / "data" / f"{page}.js").read_text(encoding="utf-8")
    return json.loads(text.removeprefix("window.emoquantPage = ").rstrip().removesuffix(";"))


def clips_of(data):
    return [dict(zip(data["columns"], clip, strict=True)) for clip in data["clips"]]


class Links(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found += [value for name, value in attrs if name in ("href", "src") and value]


def test_links_are_relative_and_lead_somewhere(site):
    for page in PAGES:
        for link in Links((site / f"{page}.html").read_text(encoding="utf-8")).found:
            target = link.partition("#")[0]
            assert link == "data:," or (not re.match(r"[a-z]+:|/", link) and (not target or (site / target).is_file()))
    script, style = ((site / "assets" / f"site.{kind}").read_text() for kind in ("js", "css"))
    for text in (script, style):
        assert not re.search(r"fetch\(|XMLHttpRequest|import |url\(|https?://(?!www\.w3\.org/2000/svg)", text)


def test_names_from_files_are_escaped(site):
    for page in PAGES:
        text = (site / f"{page}.html").read_text(encoding="utf-8")
        assert "A &lt;study&gt; &amp; its sounds" in text
        assert "<study>" not in text
    assert "<script>alert" not in (site / "provenance.html").read_text(encoding="utf-8")
    assert "&lt;script&gt;alert" in (site / "provenance.html").read_text(encoding="utf-8")


def test_every_unique_sound_is_there_once(site, sources):
    runs = [*sources.sweep, *sources.codebooks, *sources.mixing]
    unique = set()
    for run in runs:
        for clip in read_clips(run / "manifest.csv"):
            unique.add(soundfile.read(run / clip.file, dtype="int16")[0].tobytes())
    files = sorted((site / "sounds").iterdir())
    assert len(files) == len(unique) == len(list((site / "spectra").iterdir()))
    assert len(files) < sum(len(page_data(site, page)["clips"]) for page in ("lambda", "codebooks", "mixing"))
    for file in files:
        info = soundfile.info(file)
        assert (info.format, info.subtype) == ("OGG", "OPUS")


def test_sounds_are_equally_loud_and_not_clipped(site, sources):
    original = {clip.file: clip for clip in read_clips(sources.sweep[0] / "manifest.csv")}
    data = page_data(site, "lambda")
    levels = {}
    for clip in clips_of(data):
        samples, rate = soundfile.read(site / "sounds" / f"{clip['sound']}.ogg", dtype="float32")
        assert len(samples) / rate == pytest.approx(original[clip["file"]].seconds, abs=0.01)
        assert np.abs(samples).max() < 1
        levels[clip["kind"]] = loudness(samples, rate)
    assert max(levels.values()) - min(levels.values()) < 1
    own = {clip["kind"]: data["sounds"][clip["sound"]]["level"] for clip in clips_of(data)}
    assert own["ground_truth"] - own["copy_synthesis"] == pytest.approx(20 * math.log10(0.5 / 0.2), abs=1)


def test_pages_know_the_manifest(site, sources):
    by_file = {clip.file: clip for clip in read_clips(sources.sweep[0] / "manifest.csv")}
    data = page_data(site, "lambda")
    assert len(data["clips"]) == len(by_file)
    for clip in clips_of(data):
        known = by_file[clip["file"]]
        assert clip["seed"] == str(known.seed)
        assert clip["similarity_own"] == pytest.approx(known.similarity_own, rel=1e-6)
        assert clip["word_error_rate"] is None
        assert data["items"][clip["item"]]["reference"] == known.reference
    assert str(SEED) in {clip["seed"] for clip in clips_of(data)}
    truth = next(clip for clip in clips_of(data) if clip["kind"] == "ground_truth")
    voiced = [hertz for hertz in data["sounds"][truth["sound"]]["f0"] if hertz]
    assert np.median(voiced) == pytest.approx(truth["f0_mean"], rel=0.03)


def test_speakers_that_differ_by_case_are_counted_apart(tmp_path, monkeypatch):
    monkeypatch.setattr("listening_world.SPEAKERS", ("a", "A"))
    run = render(tmp_path / "lambda", {"codec": [0.0]}, ["A"], ["sad"])
    page = build_site(tmp_path / "site", Sources(sweep=[run]), "two speakers")
    assert "1 emotions, 2 speakers, 1 codec at" in page.read_text()


def test_every_number_of_a_clip_can_be_shown():
    script = (ASSETS / "site.js").read_text(encoding="utf-8")
    measures = script.partition("const MEASURES = [")[2].partition("];\n  const")[0]
    assert {*NUMBERS, "seconds"} <= {*re.findall(r'^ *\["([\w/]+)", ', measures, re.MULTILINE)}


def test_attraction_on_another_corpus_is_left_out(sources, tmp_path):
    study = [*sources.study, evaluation(tmp_path / "elsewhere", "elsewhere")]
    run = render(tmp_path / "codebooks", {"angry": [0.0]}, ["A"], ["angry"])
    page = build_site(tmp_path / "site", Sources(codebooks=[run], study=study), "two corpora")
    found = page_data(page.parent, "codebooks")["attractions"]
    assert len(found) == 3 * 3, "points, emotions"
    assert {row[-1] for row in found} == {"tones"}


def test_a_run_without_codecs_is_refused(tmp_path):
    run = render(tmp_path / "quality", {}, ["A"], ["sad"])
    with pytest.raises(ValueError, match="quality has no clips through a codec"):
        build_site(tmp_path / "site", Sources(sweep=[run]), "no codecs")


def test_a_site_in_the_working_folder(tmp_path, monkeypatch):
    run = render(tmp_path / "lambda", {"codec": [0.0]}, ["A"], ["sad"])
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    build_site(Path(), Sources(sweep=[run]), "here")
    assert (tmp_path / "here" / "index.html").is_file()


def test_attraction_is_that_of_the_evaluation(site, sources):
    rows = {(r.codec, r.lmbda, r.emotion): r for r in sources.study[0].rows if r.metric == f"attraction/{r.codec}"}
    found = page_data(site, "codebooks")["attractions"]
    assert len(found) == len(rows)
    for codec, lmbda, emotion, value, _, _, n, corpus in found:
        assert (value, n, corpus) == (rows[codec, lmbda, emotion].value, 7, "tones")


def test_mixtures_in_several_proportions_are_one_family(site):
    codecs = page_data(site, "mixing")["codecs"]
    assert [(c["family"], c["share"]) for c in codecs if c["run"] == 0] == [
        ("vote", 0.25), ("vote", 0.5), ("vote", 0.75), ("average", None),
    ]  # fmt: skip
    assert [c["emotion"] for c in page_data(site, "codebooks")["codecs"]] == ["angry", "happy", "sad", None]
    assert [c["name"] for c in codecs if c["run"] == 1] == ["neutral_happy", "happy"]


def test_where_everything_comes_from(site, sources):
    facts = json.loads((site / "provenance.json").read_text())
    (weights,) = facts["weights"]
    assert weights["sha256"] == hashlib.sha256(b"weights").hexdigest()
    assert {run["name"] for run in facts["runs"]} == {
        "lambda",
        "codebooks",
        "mixing",
        "neutral_first",
        "biased codebooks",
    }
    assert facts["versions"]["torch"] != "not installed"
    for name in ("manifest", "results"):
        copied = (site / "data" / f"lambda-{name}.csv").read_bytes()
        assert copied == (sources.sweep[0] / f"{name}.csv").read_bytes()


def test_a_site_is_replaced_and_nothing_else_is(tmp_path_factory, tmp_path):
    one = Sources(sweep=[render(tmp_path_factory.mktemp("one") / "run", {"codec": (0.0, 1.0)}, ["A"], ["sad"])])
    page = build_site(tmp_path / "site", one, "first")
    build_site(tmp_path / "site", one, "second")
    assert "second" in page.read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["site"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("...")
    with pytest.raises(ValueError, match="is no site"):
        build_site(tmp_path / "mine", one, "third")
    assert (tmp_path / "mine" / "thesis.tex").exists()
    with pytest.raises(ValueError, match="needs a listening run or a study"):
        build_site(tmp_path / "empty", Sources(), "nothing")


def test_a_missing_clip_is_named_and_nothing_is_left(tmp_path):
    run = render(tmp_path / "run", {"codec": (0.0, 1.0)}, ["A"], ["sad"])
    (run / "clips" / "one-sad-A-codec-1.wav").unlink()
    with pytest.raises(FileNotFoundError, match=r"one-sad-A-codec-1\.wav.*again"):
        build_site(tmp_path / "site", Sources(sweep=[run]), "broken")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]
    (run / "manifest.csv").write_text(",".join(next(csv.reader((run / "manifest.csv").open()))) + "\n")
    with pytest.raises(ValueError, match="lists no clips"):
        build_site(tmp_path / "site", Sources(sweep=[run]), "empty")


def test_the_command_takes_what_is_there(sources, tmp_path, monkeypatch, capsys):
    render(tmp_path / "runs" / "listen" / "lambda", {"codec": (0.0, 1.0)}, ["A"], ["sad"])
    version = tmp_path / "runs" / "biased_codebooks" / "version_2"
    shutil.copytree(sources.study[0].folder.parent, version)
    monkeypatch.chdir(tmp_path)
    page = main(["site", "--title", "Mine", "--sound", "flac"])
    assert str(page) in capsys.readouterr().out
    assert {path.name for path in page.parent.glob("*.html")} == {
        f"{n}.html" for n in ("index", "lambda", "report", "provenance")
    }
    assert "across codebooks; mixing" in page.read_text()
    assert all(path.suffix == ".flac" for path in (page.parent / "sounds").iterdir())
    assert read_results(version / "results.csv")
    with pytest.raises(FileNotFoundError, match=r"no results\.csv in"):
        site_command(study=[tmp_path])


def test_loudness_of_known_tones():
    for rate in (16_000, 48_000):
        full = np.sin(2 * np.pi * 997 * np.arange(2 * rate) / rate).astype(np.float32)
        assert loudness(full, rate) == pytest.approx(-3.01, abs=0.1)
        assert loudness(full / 10, rate) == pytest.approx(-23.01, abs=0.1)
        paused = np.concatenate([full, np.zeros(4 * rate, np.float32)])
        assert loudness(paused, rate) == pytest.approx(-3.01, abs=0.6), "silence must not count"
    assert loudness(np.zeros(100, np.float32), 16_000) == -math.inf
    with pytest.raises(ValueError, match="mono"):
        loudness(np.zeros((5, 2), np.float32), 16_000)


def test_a_picture_shows_the_sound(tmp_path):
    from PIL import Image

    levels = spectrogram(tone(1000, 0.5, 0.5).astype(np.float32), RATE)
    assert levels.shape == (64, 51)
    assert levels.max() == 0
    (tmp_path / "p.png").write_bytes(picture(levels))
    with Image.open(tmp_path / "p.png") as image:
        strength = np.asarray(image.convert("RGBA"))[..., 3]
    assert strength.shape == levels.shape
    assert strength.max() == 255
    assert strength[:, 25].argmax() == levels[:, 25].argmax()


def test_silence_and_rates_that_opus_does_not_take(tmp_path):
    soundfile.write(tmp_path / "silent.wav", np.zeros(8000), RATE)
    soundfile.write(tmp_path / "other.wav", tone(200, 0.6, 0.3), 22_050)
    bank = Soundbank()
    names = [bank.add(tmp_path / f"{name}.wav") for name in ("silent", "other")]
    found = bank.write(tmp_path)
    assert math.isnan(found[names[0]].level)
    assert not any(found[names[0]].f0)
    assert soundfile.info(tmp_path / "sounds" / f"{names[1]}.ogg").duration == pytest.approx(9600 / 22_050, abs=0.01)
    with pytest.raises(ValueError, match="choose one of"):
        Soundbank("wax")
