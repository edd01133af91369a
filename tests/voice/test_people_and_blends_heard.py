"""Who speaks in a clip, and whether both emotions of two references are heard."""

import json
import math

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer
from spoken_world import BandEncoder, LoudestHead, corpus, pull_codec, random_voice, speech_data

from emoquant.codecs import ECVQ, Mixture
from emoquant.entropy import LightModel
from emoquant.quantization import GroupedResidualVQ
from emoquant.storage.results import read_results
from emoquant.voice.callbacks.listening import ListeningWriter
from emoquant.voice.clips import Clip, read_clips
from emoquant.voice.metrics.summary import clip_rows
from emoquant.voice.tasks.blend_listening import BlendListener
from emoquant.voice.tasks.listening import ListeningTask
from emoquant.voice.tasks.speaker_listening import SpeakerListener
from emoquant.voice.tts.voice import save_voice

pytest.importorskip("pyworld", reason="the extra `speech` is not installed")


def clip(reference, speaker, heard, kind="synthesis", codec="none", **more):
    text = json.dumps(heard) if heard else ""
    return Clip("", kind, "A", codec, math.nan, reference, "", "", "sad", speaker, 0, 1.0, speakers_heard=text, **more)


def test_equal_error_rate_agrees_with_thresholds_tried_one_by_one():
    random = np.random.default_rng(0)
    people = ["a", "b", "c"]
    clips = [
        clip(f"r{row}", people[row % 3], {who: random.normal(0.8 * (who == people[row % 3])) for who in people})
        for row in range(60)
    ]
    rows = {row.metric: row for row in clip_rows(clips, "corpus", replicates=200) if row.emotion == "all"}
    own = np.array([json.loads(each.speakers_heard)[each.speaker] for each in clips])
    others = np.array([
        score for each in clips for who, score in json.loads(each.speakers_heard).items() if who != each.speaker
    ])  # fmt: skip
    rates = [((own < at).mean(), (others >= at).mean()) for at in np.concatenate([own, others])]
    refused, accepted = min(rates, key=lambda pair: abs(pair[0] - pair[1]))
    row = rows["equal_error_rate"]
    assert row.value == pytest.approx((refused + accepted) / 2, abs=0.01)
    assert 0.1 < row.value < 0.5
    assert row.low < row.value < row.high
    assert (row.n, row.interval) == (60, "utterances")


def test_clips_compared_with_one_speaker_have_no_equal_error_rate():
    clips = [clip(f"r{row}", "a", {"a": 0.5} if row % 2 else {}) for row in range(6)]
    assert "equal_error_rate" not in {row.metric for row in clip_rows(clips, "corpus", replicates=10)}
    damaged = clip("r", "a", {})._replace(speakers_heard="[1, 2")
    with pytest.raises(ValueError, match="expected JSON of a cosine by speaker"):
        clip_rows([damaged], "corpus", replicates=10)


def small_codec():
    torch.manual_seed(0)
    return ECVQ(GroupedResidualVQ(2, 2, 5, dim=BandEncoder.dim), LightModel(8), (0.0, 1.0))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("people")
    found = speech_data(folder, corpora=corpus(folder, voices=("en-us", "en-us+f3")))
    found.prepare_data()
    found.setup()
    return found


@pytest.mark.parametrize(
    ("probabilities", "weights", "presence", "salience"),
    [
        ({"happy": 0.5, "sad": 0.5}, [0.5, 0.5], 1.0, 1.0),
        ({"happy": 0.5, "sad": 0.5}, [0.7, 0.3], 1.0, 0.0),
        ({"happy": 0.35, "sad": 0.65}, [0.3, 0.7], 1.0, 1.0),
        ({"happy": 0.65, "sad": 0.35}, [0.3, 0.7], 1.0, 0.0),
        ({"happy": 1.0}, [0.5, 0.5], 0.0, 0.0),
        ({"happy": 0.5, "angry": 0.5}, [0.5, 0.5], 0.0, 0.0),
        ({"happy": 1.0}, [1.0, 1e-6], 1.0, None),
    ],
)
def test_a_blend_is_heard_where_both_are_and_in_proportion(data, probabilities, weights, presence, salience):
    codec = Mixture(small_codec(), weights, "interpolate", "mixture")
    partners = {"happy": "sad", "sad": "happy"}
    listener = BlendListener(LoudestHead(), data, [codec], partners)
    listener.thresholds = type(listener.thresholds)(0.2, 0.4)
    likely = torch.tensor([probabilities.get(label.rsplit("/")[-1], 1e-9) for label in LoudestHead.labels])
    said = clip("r", "a", {}, codec="mixture")._replace(emotion="happy", partner_emotion="sad")
    heard = listener(said, likely.log())
    assert heard.presence == presence
    assert heard.salience == salience if salience is not None else math.isnan(heard.salience)
    for other in (said._replace(partner_emotion=""), said._replace(codec="another")):
        assert math.isnan(listener(other, likely.log()).presence)


def test_partners_have_any_spelling(data):
    codec = Mixture(small_codec(), [0.3, 0.7], "interpolate", "mixture")
    plain = BlendListener(LoudestHead(), data, [codec], {"happy": "sad"}).truths["mixture"]
    spelt = BlendListener(LoudestHead(), data, [codec], {"happiness": "sadness"}).truths["mixture"]
    assert plain.second.tolist() == spelt.second.tolist()
    assert max(plain.second.tolist()) >= 0


def test_a_speaker_with_one_recording_is_not_compared_with_itself(data):
    names = [utterance.id for utterance in data.dataset("test").utterances]
    listener = SpeakerListener(BandEncoder(), {"en-us": names[:1], "en-us+f3": names[1:3]}, data)
    heard = listener(clip(names[0], "en-us", {}), data.waveform(names[0]))
    assert set(json.loads(heard.speakers_heard)) == {"en-us+f3"}
    assert math.isnan(heard.speaker_similarity)
    other = listener(clip(names[1], "en-us+f3", {}), data.waveform(names[1]))
    assert set(json.loads(other.speakers_heard)) == {"en-us", "en-us+f3"}


def test_an_equal_error_rate_of_nothing_has_an_exact_interval():
    clips = [clip(f"r{row}", "ab"[row % 2], {"ab"[row % 2]: 0.9, "ba"[row % 2]: 0.1}) for row in range(20)]
    clips += [clip("alone", "a", {"a": 0.1})]  # compared with nobody else
    (row,) = [each for each in clip_rows(clips, "corpus", replicates=50) if each.metric == "equal_error_rate"]
    assert (row.value, row.low, row.n) == (0.0, 0.0, 20)
    assert row.high == pytest.approx(0.168, abs=0.001), "Clopper and Pearson's of 0 in 20"


class OtherClasses(LoudestHead):
    """Knows no anger and no surprise."""

    labels = LoudestHead.labels[1:4]

    def forward(self, vectors):
        return super().forward(vectors)[..., 1:4]


def test_blends_that_cannot_be_scored_leave_the_rest_of_a_run(data, tmp_path):
    save_voice(tmp_path / "voice", random_voice(data))
    task = ListeningTask(
        str(tmp_path / "voice"), [], classifier=OtherClasses(), conditions=["A"], calibration=False,
        partners={"happy": "sad"},
    )  # fmt: skip
    trainer = Trainer(
        accelerator="cpu", devices=1, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, callbacks=[ListeningWriter(str(tmp_path))], default_root_dir=str(tmp_path),
    )  # fmt: skip
    with pytest.warns(UserWarning, match="presence and salience are not measured: the classifier has no class"):
        trainer.predict(task, datamodule=data, return_predictions=False)
    assert all(math.isnan(each.presence) for each in read_clips(tmp_path / "manifest.csv"))


def test_thresholds_are_those_of_recordings(data):
    partners = {"happy": "sad", "sad": "happy"}
    sure = BlendListener(LoudestHead(), data, [pull_codec()], partners).thresholds
    assert 0 <= sure.present <= sure.equal <= 0.51


def test_a_run_of_pairs_compares_all_voices_and_scores_blends(data, tmp_path):
    save_voice(tmp_path / "voice", random_voice(data))
    task = ListeningTask(
        str(tmp_path / "voice"), [Mixture(small_codec(), rule="interpolate", name="mixture")], classifier=LoudestHead(),
        points=[0.0], conditions=["A"], partners={"happy": "sad", "sad": "happy"}, speaker_encoder=BandEncoder(),
    )  # fmt: skip
    trainer = Trainer(
        accelerator="cpu", devices=1, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, callbacks=[ListeningWriter(str(tmp_path))], default_root_dir=str(tmp_path),
    )  # fmt: skip
    trainer.predict(task, datamodule=data, return_predictions=False)
    clips = read_clips(tmp_path / "manifest.csv")
    for each in clips:
        heard = json.loads(each.speakers_heard)
        assert set(heard) == {"en-us", "en-us+f3"}
        assert heard[each.speaker] == pytest.approx(each.speaker_similarity, abs=1e-6)
        assert math.isnan(each.presence) == (each.kind not in ("synthesis", "random_vector"))
    rows = read_results(tmp_path / "results.csv")
    found = {(row.metric, row.stratum, row.codec) for row in rows if row.emotion == "all"}
    for stratum in ("synthesis/A", "random_vector/A"):
        assert {("presence_accuracy", stratum, "none"), ("salience_accuracy", stratum, "none")} <= found
    assert ("presence_accuracy", "synthesis/A", "mixture") in found
    assert ("equal_error_rate", "ground_truth", "none") in found
    truth = next(row for row in rows if (row.metric, row.stratum) == ("equal_error_rate", "ground_truth"))
    own = [json.loads(each.speakers_heard) for each in clips if each.kind == "ground_truth"]
    assert truth.n == len(own) == 4
    assert "both heard" in (tmp_path / "reports" / "speech_table.md").read_text()
