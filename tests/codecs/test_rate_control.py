"""Rate control: targets are met, curves are read rightly, and every method says when it missed."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from emoquant.codecs import ECVQ
from emoquant.codecs.bitstream import stored_lmbda
from emoquant.codecs.rate_control import encode_by_curve, measure
from emoquant.codecs.rate_curves import Curves, Target, choose, lmbda_grid, similarity, sweep
from emoquant.entropy import FactorizedModel
from emoquant.quantization import GroupedResidualVQ

sys.path.insert(0, str(Path(__file__).parent.parent.parent / "benchmarks"))
from rate_ways import encode_by_bisection, encode_by_sweep, encode_corpus

DIM = 16


@pytest.fixture(scope="module")
def codec():
    """A histogram whose codes are all equally likely but for SKIP: rate falls smoothly with lambda."""
    torch.manual_seed(0)
    quantizer = GroupedResidualVQ(groups=8, layers=2, codewords=16, rotation="none", dim=DIM)
    quantizer.fine.set(torch.randn_like(quantizer.fine.vectors))
    quantizer.ready.fill_(True)
    model = FactorizedModel(1)
    made = ECVQ(quantizer, model)
    model.bias.data[..., 16] = 5.0
    return made


@pytest.fixture(scope="module")
def utterances():
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(n, DIM, generator=generator) + 0.5 for n in (60, 80, 100, 120)]


@pytest.fixture(scope="module")
def curves(codec, utterances):
    return sweep(codec, utterances)


def rates(result):
    return np.array([float(each.bits.mean()) for each in result.encodings])


def test_a_sweep_measures_what_encoding_gives(codec, utterances, curves):
    assert curves.lmbdas[0] == 0
    assert len(curves.lmbdas) == 32
    place = 15
    for row, encoding in enumerate(codec.encode_batch(utterances, float(curves.lmbdas[place]))):
        assert np.isclose(curves.bits_per_frame[row, place], float(encoding.bits.double().mean()))
        assert np.isclose(curves.similarity[row, place], similarity(utterances[row], encoding.features), atol=1e-6)


def test_a_sweep_looks_closer_where_the_rate_falls(codec, utterances, curves):
    assert (np.diff(curves.lmbdas) > 0).all()
    assert {stored_lmbda(each) for each in lmbda_grid(codec, 16)} <= set(curves.lmbdas.tolist())

    def widest(found):
        return -np.diff(np.sqrt(found.pooled().bits_per_frame[0])).min()

    assert widest(curves) < 0.8 * widest(sweep(codec, utterances, lmbda_grid(codec, 32)))


def test_a_sweep_of_long_utterances_holds_few_lambdas_at_once(codec, utterances, curves, monkeypatch):
    held = []

    def watched(features, lengths, points):
        held.append(features.shape[0] * features.shape[1] * len(points))
        return ECVQ.forward(codec, features, lengths, points)

    monkeypatch.setattr("emoquant.codecs.rate_curves.SWEEP_FRAMES", 250)
    monkeypatch.setattr(codec, "forward", watched)
    found = sweep(codec, utterances, curves.lmbdas.tolist())
    assert max(held) <= 250
    np.testing.assert_allclose(found.bits_per_frame, curves.bits_per_frame)
    np.testing.assert_allclose(found.similarity, curves.similarity, atol=1e-6)


def test_the_pooled_curve_weights_by_frames():
    pooled = Curves(np.array([0.0, 1.0]), np.array([[4.0, 2.0], [10.0, 6.0]]), np.ones((2, 2)), np.array([300, 100]))
    np.testing.assert_allclose(pooled.pooled().bits_per_frame, [[5.5, 3.0]])


@pytest.mark.parametrize("method", ["sweep", "curve", "bisection"])
@pytest.mark.parametrize("target", [Target(10.0), Target(25.0), Target(0.9, "similarity", 0.04)])
def test_methods_reach_the_target(codec, utterances, curves, method, target):
    if method == "sweep":
        result = encode_by_sweep(codec, utterances, target, curves=curves)
    elif method == "curve":
        result = encode_by_curve(codec, utterances[1:], target, sweep(codec, utterances[:1], lmbda_grid(codec, 48)))
    else:
        result = encode_by_bisection(codec, utterances, target)
    chosen = utterances[1:] if method == "curve" else utterances
    assert all(result.reached)
    for features, encoding in zip(chosen, result.encodings, strict=True):
        assert abs(measure(target, features, encoding) - target.value) <= target.tolerance
    assert max(result.encodes) <= {"sweep": 36, "curve": 4, "bisection": 12}[method]


def test_one_refining_encode_after_the_sweep_is_near(codec, utterances, curves):
    result = encode_by_sweep(codec, utterances, Target(20.0), refinements=1, curves=curves)
    assert result.encodes == [33] * 4
    assert np.abs(rates(result) - 20).max() < 2


def test_the_corpus_meets_its_target_at_one_lambda(codec, utterances, curves):
    result = encode_corpus(codec, utterances, Target(15.0), curves)
    assert len({each.lmbda for each in result.encodings}) == 1
    bits = sum(float(each.bits.sum()) for each in result.encodings)
    assert abs(bits / sum(map(len, utterances)) - 15.0) <= 1
    assert result.reached == [True] * 4
    assert result.encodes == [1] * 4


def test_targets_out_of_reach_are_reported(codec, utterances, curves):
    for result in (
        encode_by_sweep(codec, utterances, Target(1000.0), curves=curves),
        encode_by_bisection(codec, utterances, Target(1000.0)),
        encode_by_curve(codec, utterances, Target(1000.0), curves),
        encode_corpus(codec, utterances, Target(1000.0), curves),
    ):
        assert result.reached == [False] * 4
    assert encode_by_sweep(codec, utterances, Target(1000.0), curves=curves).encodings[0].lmbda == 0


def test_the_wanted_lambda_lies_between_the_neighbours():
    lmbdas, bits = np.array([0.0, 1.0, 4.0, 16.0]), np.array([[40.0, 30.0, 10.0, 0.0]])
    curves = Curves(lmbdas, bits, np.ones_like(bits), np.array([10]))
    assert choose(curves, Target(50.0)) == [0.0]
    assert choose(curves, Target(1200**0.5)) == [pytest.approx(0.5)]
    assert choose(curves, Target(300**0.5)) == [pytest.approx(2.0)]
    assert choose(curves, Target(0.0)) == [16.0]
    rising = curves._replace(bits_per_frame=np.array([[40.0, 30.0, 31.0, 0.0]]))
    assert choose(rising, Target(30.0)) == [1.0]


def test_a_rate_of_next_to_nothing_has_a_lambda():
    lmbdas, bits = np.array([0.0, 1.0, 4.0, 16.0]), np.array([[40.0, 9e-4, 2e-4, 1e-5]])
    curves = Curves(lmbdas, bits, np.ones_like(bits), np.array([10]))
    assert choose(curves, Target(5e-4)) == [4.0]
    assert choose(curves, Target(1e-4)) == [16.0]
    assert 0 < choose(curves, Target(2.0))[0] < 1


def test_bad_arguments_have_clear_errors(codec, utterances, curves):
    with pytest.raises(ValueError, match=r"bits_per_frame must lie in \[0, inf\], got -1"):
        encode_by_bisection(codec, utterances, Target(-1.0))
    with pytest.raises(ValueError, match=r"similarity must lie in \[-1, 1\]"):
        choose(curves, Target(1.5, "similarity"))
    with pytest.raises(ValueError, match="tolerance must be above 0"):
        choose(curves, Target(1.0, tolerance=0.0))
    with pytest.raises(ValueError, match="must rise"):
        sweep(codec, utterances, [1.0, 0.5])
    with pytest.raises(ValueError, match="at least one utterance"):
        sweep(codec, [])
    with pytest.raises(ValueError, match="refinements must be at least 1"):
        encode_by_sweep(codec, utterances, Target(5.0), refinements=0)
