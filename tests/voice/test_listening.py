import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile
import torch
from lightning.pytorch import Trainer
from spoken_world import BandEncoder, LoudestHead, corpus, pull_codec, random_voice, speech_data

from emoquant.storage.results import read_results
from emoquant.voice.callbacks.listening import ListeningWriter
from emoquant.voice.clips import read_clips
from emoquant.voice.tasks.judging import SecondListener
from emoquant.voice.tasks.listening import ListeningTask
from emoquant.voice.text.recognition import Recognizer
from emoquant.voice.tts.vocoders import GriffinLim, SourceFilter
from emoquant.voice.tts.voice import save_voice

pytest.importorskip("pyworld", reason="the extra `speech` is not installed")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder with a corpus, its caches and a voice."""
    folder = tmp_path_factory.mktemp("spoken")
    data = speech_data(folder)
    data.prepare_data()
    data.setup()
    save_voice(folder / "voice", random_voice(data))
    return folder


SHORT = {"emotions": ["neutral", "sad"], "conditions": ["A"], "calibration": False}


def listening(world, out, emotions=None, **settings):
    """Return task, writer and data module."""
    data = speech_data(world, corpora=corpus(world), **({"emotions": emotions} if emotions else {}))
    chosen = {"codecs": [pull_codec()], "classifier": LoudestHead(), **settings}
    return ListeningTask(str(world / "voice"), **chosen), ListeningWriter(str(out)), data


def run(world, out, batches=None, **settings):
    task, writer, data = listening(world, out, **settings)
    trainer = Trainer(
        accelerator="cpu", devices=1, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, callbacks=[writer], default_root_dir=str(out), limit_predict_batches=batches,
    )  # fmt: skip
    made = trainer.predict(task, datamodule=data, return_predictions=True)
    return task, [clip for batch in made or [] for clip in batch]


@pytest.fixture(scope="module")
def rendered(world, tmp_path_factory):
    out = tmp_path_factory.mktemp("clips")
    run(world, out)
    return out, read_clips(out / "manifest.csv")


def test_everything_is_rendered_once(rendered):
    out, clips = rendered
    # 5 emotions x (2 recordings + 2 conditions x (unquantized + 3 points + random vector))
    assert len(clips) == 5 * (2 + 2 * (1 + 3 + 1))
    assert len({clip.file for clip in clips}) == len(clips)
    for clip in clips:
        info = soundfile.info(out / clip.file)
        assert info.samplerate == 22_050
        assert info.frames / 22_050 == pytest.approx(clip.seconds)
        assert clip.predicted in LoudestHead.labels
    assert {path.name for path in (out / "clips").iterdir()} == {clip.file.split("/")[1] for clip in clips}


def test_noise_speaker_and_text_are_the_same_along_a_sweep(rendered):
    _, clips = rendered
    items = {}
    for clip in clips:
        if clip.kind == "synthesis":
            items.setdefault((clip.reference, clip.text), []).append(clip)
    assert len(items) == 5
    for members in items.values():
        assert len({clip.seed for clip in members}) == 1
        same = {clip.sha256 for clip in members if clip.condition == "A" and (clip.codec, clip.lmbda) == ("pull", 0.0)}
        plain = {clip.sha256 for clip in members if clip.condition == "A" and clip.codec == "none"}
        assert same == plain, "lambda 0 of a codec that changes nothing must give the very same samples"
    assert len({clip.seed for clip in clips if clip.kind == "synthesis"}) == 5


def test_condition_a_leaves_only_the_emotion_vector(rendered):
    _, clips = rendered
    # At lambda 9 nine tenths of the way lead to one point: what is left of the vectors differs little.
    spread = {}
    for condition in "AB":
        for lmbda in (0.0, 9.0):
            chosen = [c for c in clips if c.condition == condition and c.lmbda == lmbda and c.codec == "pull"]
            spread[condition, lmbda] = {clip.reference: clip for clip in chosen}
    similar = [clip.vector_similarity for clip in spread["A", 0.0].values()]
    assert similar == pytest.approx([1.0] * 5)
    bits = [next(iter(spread["A", lmbda].values())).bits_per_frame for lmbda in (0.0, 9.0)]
    assert bits == pytest.approx([10.0, 1.0])
    for reference, clip in spread["A", 0.0].items():
        assert clip.sha256 != spread["B", 0.0][reference].sha256, "style must matter in B"


def test_figures_lie_beside_the_manifest(rendered):
    out, _ = rendered
    rows = read_results(out / "results.csv")
    strata = {row.stratum for row in rows}
    assert strata == {
        "synthesis/A",
        "synthesis/B",
        "random_vector/A",
        "random_vector/B",
        "ground_truth",
        "copy_synthesis",
    }
    recall = [row for row in rows if row.metric == "recall" and row.emotion == "all" and row.stratum == "synthesis/A"]
    assert {(row.codec, None if math.isnan(row.lmbda) else row.lmbda) for row in recall} == {
        ("none", None), ("pull", 0.0), ("pull", 1.0), ("pull", 9.0),
    }  # fmt: skip
    assert all(row.n == 5 for row in recall)
    assert any(row.metric == "trend/bits_per_frame" and row.value == -1 for row in rows)


def test_an_interrupted_run_goes_on(world, tmp_path):
    _, first = run(world, tmp_path, **SHORT)
    assert len(first) == 2 * 4
    before = (tmp_path / "manifest.csv").read_text()
    (tmp_path / first[3].clip.file).unlink()
    with next(tmp_path.glob("journal-*.jsonl")).open("a") as journal:
        journal.write('{"file": "half a li')
    _, second = run(world, tmp_path, **SHORT)
    assert [rendered.clip.file for rendered in second] == [first[3].clip.file]
    assert (tmp_path / "manifest.csv").read_text() == before, "the same samples again"
    _, third = run(world, tmp_path, **SHORT, seed=1)
    assert len(third) == 8, "another setting is another rendering"


def test_a_run_does_not_count_what_another_wrote_over(world, tmp_path, monkeypatch):
    run(world, tmp_path, **SHORT)
    told = (tmp_path / "manifest.csv").read_text()
    held = {path.name: path.read_bytes() for path in (tmp_path / "clips").iterdir()}
    with monkeypatch.context() as patch:
        patch.setattr(ListeningWriter, "on_predict_end", lambda *_: None)
        run(world, tmp_path, **SHORT, texts=["The boat came back."])
    assert not (tmp_path / "manifest.csv").exists(), "a run that broke off left other clips than it told of"
    assert not (tmp_path / "results.csv").exists()
    assert held != {path.name: path.read_bytes() for path in (tmp_path / "clips").iterdir()}
    run(world, tmp_path, **SHORT)
    assert (tmp_path / "manifest.csv").read_text() == told
    assert held == {path.name: path.read_bytes() for path in (tmp_path / "clips").iterdir()}


class Deaf(Recognizer):
    """Understands the same in everything."""

    def __call__(self, waveform, language=None):
        assert language == "en", "that of the voice's front end"
        return "The goat came."

    def fingerprint(self):
        return "deaf"


CHANGES = [
    {},
    {"texts": ["The boat came back."]},
    {"texts": ["The boat came home."]},
    {"vocoder": GriffinLim(iterations=3)},
    {"vocoder": GriffinLim(iterations=4)},
    {"vocoder": SourceFilter(breath=3000.0)},
    {"codecs": [pull_codec(points=(0.0, 1.0))]},
    {"codecs": [pull_codec(name="other")]},
    {"classifier": None},
    {"quality": True},
    {"distances": True},
    {"intelligibility": Deaf()},
    {"speaker_encoder": BandEncoder()},
    {"second": SecondListener(BandEncoder(), LoudestHead())},
    {"speaker_encoder": BandEncoder(), "per_cell": 2},
    {"speaker_encoder": BandEncoder(), "speakers": ["en-us"]},
    {"noise": 0.2},
    {"postnet": True},
    {"style": "none"},
    {"emotions": ["neutral", "happy"]},
]


def test_whatever_shapes_a_clip_makes_it_another(world, tmp_path):
    digests = [run(world, tmp_path, batches=0, **{**SHORT, **change})[0].settings for change in CHANGES]
    assert len(set(digests)) == len(CHANGES)
    again = run(world, tmp_path, batches=0, **{**SHORT, "conditions": ["B"], "vocoder": SourceFilter(), "per_cell": 2})[
        0
    ]
    assert again.settings == digests[0]


def test_the_manifest_lists_what_was_asked_for(world, tmp_path):
    run(world, tmp_path, **{**SHORT, "emotions": ["sad"], "conditions": ["A", "B"]})
    assert {clip.condition for clip in read_clips(tmp_path / "manifest.csv")} == {"A", "B"}
    run(world, tmp_path, **{**SHORT, "emotions": ["sad"]})
    clips = read_clips(tmp_path / "manifest.csv")
    assert {clip.condition for clip in clips} == {"A"}
    assert len(clips) == 4
    assert {row.stratum for row in read_results(tmp_path / "results.csv")} == {"synthesis/A"}


@pytest.mark.slow
def test_two_processes_render_what_one_does(world, tmp_path):
    run(world, tmp_path / "one", **SHORT)
    script = Path(__file__).with_name("listening_on_two_ranks.py")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(script), str(world), str(tmp_path / "two")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    manifests = [(tmp_path / folder / "manifest.csv").read_text() for folder in ("one", "two")]
    assert manifests[0] == manifests[1]
    assert len(list((tmp_path / "two").glob("journal-*.jsonl"))) == 2


def test_given_texts_and_mistakes(world, tmp_path):
    settings = {"emotions": ["sad"], "texts": ["The boat came back."], "conditions": ["A"], "calibration": False}
    _, made = run(world, tmp_path, intelligibility=Deaf(), **settings)
    assert {each.clip.text for each in made} == {"The boat came back."}
    assert {each.clip.heard for each in made} == {"The goat came."}
    assert made[0].clip.word_error_rate == 2 / 4
    assert made[0].clip.character_error_rate == 6 / 18
    assert math.isnan(made[0].clip.distortion), "other words than the recording's"
    _, made = run(world, tmp_path / "held", emotions=["sad"], conditions=["A"], distances=True)
    distances = {each.clip.kind: each.clip.distortion for each in made}
    assert distances["ground_truth"] == 0 < distances["copy_synthesis"] < distances["synthesis"]
    with pytest.raises(ValueError, match="no reference of the speakers"):
        run(world, tmp_path, speakers=["nobody"])
    with pytest.raises(ValueError, match="conditions of A and B"):
        ListeningTask(str(world / "voice"), [], conditions=["C"])
    with pytest.raises(FileNotFoundError, match="no voice"):
        ListeningTask(str(tmp_path / "nowhere"), [])
    assert torch.is_tensor(made[0].waveform)


def test_local_style_of_condition_b_can_be_another(world, rendered, tmp_path):
    _, clips = rendered
    plain = {
        clip.reference: clip for clip in clips if (clip.kind, clip.condition, clip.codec) == ("synthesis", "B", "none")
    }
    source = next((world / "rendered").rglob("*.wav"))
    for number, style in enumerate(("neutral", "none", str(source))):
        settings = {"style": style, "conditions": ["B"], "calibration": False}
        _, found = run(world, tmp_path / str(number), **settings)
        assert len(found) == 5 * 4
        for clip in (each.clip for each in found if each.clip.codec == "none"):
            assert clip.style == style
            same = clip.sha256 == plain[clip.reference].sha256
            assert same == (style == "neutral" and clip.emotion == "neutral"), (style, clip.reference)


def test_two_references_are_mixed(world, tmp_path):
    partners = {"happy": "sad", "angry": "neutral"}
    _, found = run(world, tmp_path, partners=partners, conditions=["A"], calibration=False, codecs=[pull_codec()])
    clips = [each.clip for each in found]
    assert {(clip.emotion, clip.partner_emotion) for clip in clips} == set(partners.items())
    assert all(clip.partner and clip.partner != clip.reference for clip in clips)
    assert all(math.isfinite(clip.similarity_partner) for clip in clips)
    assert len(clips) == 2 * 4
    rows = [row for row in read_results(tmp_path / "results.csv") if row.metric == "predicted/partner"]
    rows = [row for row in rows if row.emotion == "all" and row.codec == "none"]
    heard = [clip.predicted == clip.partner_emotion for clip in clips if clip.codec == "none"]
    assert [(row.value, row.n) for row in rows] == [(sum(heard) / 2, 2)]


def test_voices_and_durations_are_compared(world, tmp_path):
    second = SecondListener(BandEncoder(), LoudestHead())
    found = run(world, tmp_path, conditions=["A"], codecs=[], speaker_encoder=BandEncoder(), second=second)[1]
    assert [each.clip.predicted_second for each in found] == [each.clip.predicted for each in found]
    assert {each.clip.predicted_second for each in found} - {""}
    clips = [each.clip for each in found]
    assert all(-1 <= clip.speaker_similarity <= 1 for clip in clips)
    truth = [clip for clip in clips if clip.kind == "ground_truth"]
    assert min(clip.speaker_similarity for clip in truth) > 0.9, "recordings of one voice, bands of their sound"
    assert [clip.duration_ratio for clip in truth] == pytest.approx([1.0] * 5, abs=0.02)
    said = [clip for clip in clips if clip.kind == "synthesis"]
    assert all(clip.duration_error > 0 for clip in said), "a voice of random weights does not time phones right"
