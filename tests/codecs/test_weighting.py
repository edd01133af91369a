"""Weighted errors: the way there and back, what is fitted in the weights' space, and what bits then buy."""

import numpy as np
import pytest
import torch
from transform_world import DIM, utterances

from emoquant.codecs import TransformCodec, load_codec, save_codec
from emoquant.codecs.transform.bands import no_moments
from emoquant.codecs.transform.learning import draw_jobs, no_counts, run_jobs, take_counts
from emoquant.codecs.transform.weighting import Weighting
from emoquant.encoders.heads import LinearHead
from emoquant.tasks.head_weight import HeadWeight, fisher_information, mixed_metrics

HEAD = LinearHead(torch.eye(DIM)[[9, 11]] * torch.tensor([[2.0], [-2.0]]), torch.zeros(2), ["happy", "sad"])


def fitted(weight):
    """Return a codec of the world's utterances, whose tables were counted once."""
    features = utterances([40, 90, 25, 130, 60, 17] * 4, 1)
    codec = TransformCodec(DIM, weighted=weight is not None)
    codec.transform.mean.copy_(torch.cat(features).mean(0))
    if weight is not None:
        codec.transform.weighting.set(weight.metrics(torch.stack([each.mean(0) for each in features])))
    moments, counts = no_moments(DIM), no_counts()
    for each in features:
        codec.transform.add(each, moments)
    codec.transform.fit(moments)
    run_jobs(draw_jobs(codec, features, np.random.default_rng(0)), counts)
    take_counts(codec.contexts, counts)
    return codec


@pytest.fixture(scope="module")
def aimed():
    return fitted(HeadWeight(HEAD, 300.0))


def change(codec, features, lmbda):
    """Return bits and mean squared change of the head's logits, for utterances at a lambda."""
    encodings = codec.encode_batch(features, lmbda)
    moved = [HEAD(each.mean(0)) - HEAD(e.features.mean(0)) for each, e in zip(features, encodings, strict=True)]
    return sum(float(e.bits.sum()) for e in encodings), float(torch.stack(moved).square().mean())


@pytest.mark.parametrize("form", ["whole", "stream"])
def test_the_squared_error_of_coefficients_is_the_weighted_error(aimed, form):
    codec, (before, after) = aimed.transform, utterances([32, 32], 5)
    back = codec.inverse(codec(before, form), form)
    assert torch.allclose(back, before, atol=1e-3)
    spent = (codec(before, form) - codec(after, form)).square().sum()
    error, forth = (before - after).double(), codec.weighting.forth[0].double()
    means = error.view(-1, 32 if form == "whole" else 8, DIM).mean(1, keepdim=True)
    left = error.view(len(means), -1, DIM) - means
    expected = left.square().sum() + (32 / len(means)) * (means @ forth).square().sum()
    assert float(spent) == pytest.approx(float(expected), rel=1e-3)
    plain = fitted(None).transform
    assert float(codec.errors(before, after.unsqueeze(0), form)) == pytest.approx(float(expected), rel=1e-3)
    squared = float((before - after).square().sum())
    assert float(plain.errors(before, after.unsqueeze(0), form)) == pytest.approx(squared, rel=1e-3)


def test_bits_go_where_the_head_looks(aimed):
    plain, features = fitted(None), utterances([50] * 24, 9)
    bits, moved = change(aimed, features, 16.0 * aimed.variance)
    rates, errors = zip(*(change(plain, features, plain.variance * 2.0**k) for k in (8, 7, 6, 5, 4, 3)), strict=True)
    assert 48 < bits < 99
    assert moved < 0.5 * np.interp(bits, rates, errors)


def test_a_weighted_codec_is_stored_with_its_weights(aimed, tmp_path):
    save_codec(aimed, tmp_path / "c.ckpt")
    loaded, features = load_codec(tmp_path / "c.ckpt"), utterances([40])[0]
    data = aimed.compress(features, 3.0)
    assert loaded.compress(features, 3.0) == data
    assert torch.equal(loaded.decompress(data), aimed.encode(features, 3.0).features)
    content = torch.load(tmp_path / "c.ckpt", weights_only=True)
    content["state_dict"]["codec.transform.weighting.back"].fill_(1.0)
    torch.save(content, tmp_path / "c.ckpt")
    with pytest.raises(ValueError, match="have no inverse"):
        load_codec(tmp_path / "c.ckpt")


def test_the_information_is_the_curvature_of_the_divergence():
    vectors = torch.randn(6, DIM, generator=torch.Generator().manual_seed(0))
    step = 1e-2 * torch.randn(DIM, generator=torch.Generator().manual_seed(1)).double()
    before, after = (HEAD(each.float()).double().log_softmax(-1) for each in (vectors, vectors + step))
    divergence = (before.exp() * (before - after)).sum(-1).mean()
    information = fisher_information([HEAD], vectors)
    assert float(step @ information @ step / 2) == pytest.approx(float(divergence), rel=0.05)
    covariance = torch.eye(DIM).double()
    metrics = mixed_metrics(information, covariance, 3.0)
    assert float(metrics[0].trace()) == pytest.approx(4.0 * DIM)
    assert torch.equal(metrics[1], covariance)


def test_wrong_weights_are_named():
    with pytest.raises(ValueError, match="a share above 0, got 0 heads"):
        HeadWeight([])
    with pytest.raises(ValueError, match="reads 12 dimensions, the features have 5"):
        HeadWeight(HEAD).metrics(torch.zeros(3, 5))
    with pytest.raises(ValueError, match="do not tell the training vectors apart"):
        HeadWeight(HEAD).metrics(torch.zeros(3, DIM))
    with pytest.raises(ValueError, match="least weight of a direction"):
        Weighting(2).set(torch.diag_embed(torch.tensor([[1.0, 0.0], [1.0, 1.0]])))
