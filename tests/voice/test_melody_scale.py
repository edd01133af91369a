"""The melody in logarithms, relative to the speaker; models without a post-net."""

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from voice_batches import TINY, voice_batch
from voice_data import VoiceData

from emoquant.voice.data.vectors import named_vectors, speaker_statistics
from emoquant.voice.tasks.synthesis import EmotionTTS
from emoquant.voice.tts.architecture import Architecture
from emoquant.voice.tts.losses import f0_spread_error
from emoquant.voice.tts.model import GenerSpeech


def model(**changes):
    torch.manual_seed(0)
    return GenerSpeech(Architecture(**{**TINY, **changes}), 10, 8, 6, 5, 5.0, 0.2).eval()


def test_an_interval_counts_the_same_for_a_man_and_a_woman():
    speakers, means = named_vectors(["man", "woman"], 5), torch.tensor([100.0, 220.0]).log()
    spoken = model(log_f0=True)
    spoken.set_speaker_f0(speakers, means)
    f0 = torch.tensor([[100.0, 200.0], [220.0, 440.0]])
    predicted = spoken.normalized(f0, speakers)
    torch.testing.assert_close(predicted[0], predicted[1])
    assert predicted[0, 1] - predicted[0, 0] == pytest.approx(np.log(2) / 0.2, rel=1e-5)
    torch.testing.assert_close(spoken.hertz(predicted, speakers), f0)
    nobody = spoken.hertz(torch.zeros(1, 1), None)
    assert nobody.item() == pytest.approx(np.exp(5.0), rel=1e-5), "without a speaker the mean of all"


def test_hertz_are_as_published_by_default():
    plain = GenerSpeech(Architecture(**TINY), 10, 8, 6, 5, 140.0, 20.0)
    speakers, f0 = named_vectors(["a"], 5), torch.tensor([[120.0, 180.0]])
    assert plain.normalized(f0, speakers).tolist() == [[-1.0, 2.0]]
    assert plain.hertz(plain.normalized(f0, speakers), speakers).tolist() == f0.tolist()
    assert "speaker_f0" not in plain.state_dict()


def test_means_of_speakers_and_the_deviation_around_them():
    values, owners = np.array([1.0, 3.0, 10.0, 14.0]), np.array([0, 0, 2, 2])
    means, deviation = speaker_statistics(values, owners, 3)
    assert means.tolist() == [2.0, 7.0, 12.0], "nobody's mean is that of all"
    assert deviation == pytest.approx(np.sqrt((1 + 1 + 4 + 4) / 4))


def test_a_flat_melody_costs_and_a_lively_one_does_not():
    truth = torch.tensor([[0.0, 2.0, 99.0], [1.0, 1.0, 1.0]])
    voiced = torch.tensor([[True, True, False], [True, True, True]])
    flat = torch.zeros_like(truth)
    assert f0_spread_error(flat, truth, voiced).item() == pytest.approx(0.5, abs=1e-3)  # deviations 1 and 0
    assert f0_spread_error(truth + 7.0, truth, voiced).item() == pytest.approx(0.0, abs=1e-3)
    assert torch.isfinite(torch.autograd.functional.jacobian(lambda x: f0_spread_error(x, truth, voiced), flat)).all()


def test_without_a_post_net_the_decoder_speaks():
    bare, batch = model(flow_blocks=0), voice_batch()
    assert bare.postnet is None
    assert bare(batch).nll.item() == 0.0
    ask = (batch.phones, batch.phone_lengths)
    asked = bare.infer(*ask, postnet=True, noise=0.0)
    assert torch.equal(asked.mels, bare.infer(*ask, postnet=False).mels)
    with pytest.raises(ValueError, match="flow_blocks is -1"):
        Architecture(flow_blocks=-1)


def test_training_takes_the_scale_from_the_data(tmp_path):
    task = EmotionTTS(Architecture(**{**TINY, "log_f0": True, "flow_blocks": 0}))
    data = VoiceData(batches=2)
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "accelerator": "cpu"}
    pl.Trainer(max_epochs=1, enable_model_summary=False, default_root_dir=tmp_path, **quiet).fit(task, datamodule=data)
    facts, made = task.voice().facts, task.voice().model
    assert facts.f0_mean == pytest.approx(float(data.speaker_log_f0.mean()))
    assert (facts.f0_deviation, facts.postnet) == (pytest.approx(0.2), False)
    heard = made.hertz(torch.zeros(2, 1), data.speaker_centroids).log().flatten()
    torch.testing.assert_close(heard, data.speaker_log_f0, atol=1e-4, rtol=0)
