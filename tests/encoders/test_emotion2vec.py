import logging
import random

import numpy as np
import pytest
import torch
from small_models import small_encoder, waves, write_small_model

from emoquant.encoders import Emotion2Vec, UntrainedEmotion2Vec, scale_features
from emoquant.encoders.architecture import alibi_slopes, emotion2vec_class
from emoquant.encoders.frames import hop_and_field


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model")
    write_small_model(path)
    return str(path)


@pytest.fixture
def encoder(model):
    return Emotion2Vec(model).eval()


@torch.no_grad()
def funasr_features(encoder, waveform):
    """The features of funasr's own forward pass over one utterance."""
    normalized = torch.nn.functional.layer_norm(waveform, waveform.shape)
    return encoder.load().extract_features(normalized[None])["x"][0]


@torch.no_grad()
def test_a_padded_batch_equals_funasr_one_by_one(encoder):
    waveforms, lengths = waves(16_000, 400, 8_123, 31_999)
    features, counts = encoder(waveforms, lengths)
    assert counts.tolist() == [49, 1, 25, 99]
    for i, length in enumerate(lengths.tolist()):
        expected = funasr_features(encoder, waveforms[i, :length])
        torch.testing.assert_close(features[i, : counts[i]], expected, rtol=1e-4, atol=2e-5)
        assert not features[i, counts[i] :].any()


@pytest.mark.parametrize(
    "sizes",
    [
        {"heads": 6, "positional_groups": 4},
        {"depth": 2, "prenet_depth": 1, "extra_tokens": 1},
        {"positional_width": 16, "positional_depth": 2, "front_end": "[(24, 640, 160)] + [(12, 3, 2)]"},
    ],
)
@torch.no_grad()
def test_every_size_equals_funasr(sizes):
    encoder = small_encoder(**sizes)
    waveforms, lengths = waves(9_000, 5_000)
    features, counts = encoder(waveforms, lengths)
    expected = funasr_features(encoder, waveforms[1, :5_000])
    torch.testing.assert_close(features[1, : counts[1]], expected, rtol=1e-4, atol=2e-5)


@torch.no_grad()
def test_variants_of_the_public_configuration_equal_funasr(tmp_path):
    encoder = small_encoder()
    conf = encoder.model_conf
    conf["modalities"]["audio"] |= {"learned_alibi_scale_per_layer": True, "conv_pos_pre_ln": True}
    conf["layer_norm_first"] = True
    variant = UntrainedEmotion2Vec(**{"dim": 48, "heads": 4})
    variant._conf = conf
    variant.eval().load()
    waveforms, lengths = waves(9_000, 5_000)
    features, counts = variant(waveforms, lengths)
    expected = funasr_features(variant, waveforms[1, :5_000])
    torch.testing.assert_close(features[1, : counts[1]], expected, rtol=1e-4, atol=2e-5)


@torch.no_grad()
def test_padding_changes_nothing(encoder):
    waveforms, lengths = waves(16_000, 8_000)
    features, counts = encoder(waveforms, lengths)
    longer = torch.cat([waveforms, 100 * torch.ones(2, 9_999)], dim=1)
    padded, padded_counts = encoder(longer, lengths)
    assert torch.equal(counts, padded_counts)
    torch.testing.assert_close(padded[:, : features.shape[1]], features, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_the_head_is_applied_to_the_time_mean(encoder):
    waveforms, lengths = waves(16_000)
    features, _ = encoder(waveforms[:, :16_000], lengths)
    expected = encoder.load().proj(features.mean(1))
    torch.testing.assert_close(encoder.head()(features.mean(1)), expected)
    assert encoder.head().labels == encoder.labels


def test_gradients_reach_every_weight_that_a_frame_depends_on():
    encoder = small_encoder().train()
    waveforms, lengths = waves(8_000, 5_000)
    features, counts = encoder(waveforms, lengths)
    encoder.load().proj(features.sum(1) / counts[:, None]).logsumexp(-1).sum().backward()
    idle = [name for name, weight in encoder.load().named_parameters() if weight.grad is None]
    assert not idle


@torch.no_grad()
def test_bfloat16_stays_near(encoder):
    waveforms, lengths = waves(16_000, 8_000)
    exact, _ = encoder(waveforms, lengths)
    with torch.autocast("cpu", torch.bfloat16):
        rough, _ = encoder(waveforms, lengths)
    assert rough.dtype == torch.float32
    assert (rough - exact).norm() / exact.norm() < 0.05


@torch.no_grad()
def test_long_utterances_are_cut_and_joined(model, encoder):
    waveforms, lengths = waves(80_000, 16_000, 43_000)
    whole, counts = encoder(waveforms, lengths)
    cut, cut_counts = Emotion2Vec(model, window=2.0, overlap=0.9).eval()(waveforms, lengths)
    assert torch.equal(counts, cut_counts)
    assert whole.shape == cut.shape
    torch.testing.assert_close(cut[1, :49], whole[1, :49], rtol=1e-4, atol=1e-5)  # shorter than a window
    similarity = torch.nn.functional.cosine_similarity(cut[0], whole[0], dim=-1)
    assert similarity.min() > 0.9
    assert not cut[1, 49:].any()


def test_too_short_names_the_utterance_and_the_least(encoder):
    waveforms, lengths = waves(16_000, 399)
    with pytest.raises(ValueError, match=r"utterance 1 .* 399 samples: at least 400 \(25 ms"):
        encoder(waveforms, lengths)
    assert encoder.frame_lengths(torch.tensor([0, 399, 400, 719, 720])).tolist() == [0, 0, 1, 1, 2]


@pytest.mark.parametrize(
    ("shape", "lengths", "message"),
    [((2, 900), [900], "lengths"), ((900,), [900], "waveforms"), ((1, 900), [901], "reach|go up")],
)
def test_shapes_that_do_not_fit_are_refused(encoder, shape, lengths, message):
    with pytest.raises(ValueError, match=message):
        encoder(torch.zeros(shape), torch.tensor(lengths))


def test_an_overlap_that_is_no_overlap_is_refused():
    with pytest.raises(ValueError, match="overlap=6"):
        Emotion2Vec("x", window=10, overlap=6)


def test_the_constructor_reads_nothing_and_sizes_need_no_weights(tmp_path, model):
    Emotion2Vec(str(tmp_path / "nowhere"))
    encoder = Emotion2Vec(model)
    assert (encoder.dim, encoder.hop, encoder.receptive_field) == (48, 320, 400)
    assert encoder.network is None


def test_loading_leaves_random_state_logging_and_threads_alone(model):
    states = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    threads, level, handlers = torch.get_num_threads(), logging.getLogger().level, list(logging.getLogger().handlers)
    Emotion2Vec(model).load()
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (np.random.get_state()[1] == states[1]).all()
    assert random.getstate() == states[2]
    assert (torch.get_num_threads(), logging.getLogger().level) == (threads, level)
    assert logging.getLogger().handlers == handlers


def test_fingerprints_know_weights_and_settings(tmp_path, model):
    write_small_model(tmp_path / "other", seed=1)
    one = Emotion2Vec(model)
    prints = [
        one.fingerprint(),
        Emotion2Vec(str(tmp_path / "other")).fingerprint(),
        Emotion2Vec(model, window=20.0).fingerprint(),
        small_encoder(2).fingerprint(),
        small_encoder(3).fingerprint(),
    ]
    assert len(set(prints)) == len(prints)
    assert Emotion2Vec(model).fingerprint() == prints[0]
    one.load()
    assert one.fingerprint() == prints[0], "loading the weights does not change what they are"


@torch.no_grad()
def test_scaled_features_keep_their_classes():
    encoder = small_encoder()
    waveforms, lengths = waves(8_000)
    before, _ = encoder(waveforms, lengths)
    logits = encoder.head()(before.mean(1))
    scale_features(encoder, 2.5)
    after, _ = encoder(waveforms, lengths)
    torch.testing.assert_close(after, 2.5 * before, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(encoder.head()(after.mean(1)), logits, rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match="factor=0"):
        scale_features(encoder, 0)


def test_the_public_front_end_and_slopes():
    assert hop_and_field(UntrainedEmotion2Vec()._front_end) == (320, 400)
    assert alibi_slopes(12) == pytest.approx([2.0**-i for i in range(1, 9)] + [2.0 ** -(i + 0.5) for i in range(4)])


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="dim=50 must be a multiple of heads=4"):
        UntrainedEmotion2Vec(dim=50, heads=4)


def test_the_class_is_funasrs_own():
    assert emotion2vec_class().__module__ == "funasr.models.emotion2vec.model"
