"""The integer twin follows the float model, and is the same whatever it is computed with."""

import math

import numpy as np
import pytest
import torch

from emoquant.entropy import AutoregressiveModel, FactorizedModel, LightModel
from emoquant.entropy.base import Layout, frames_before
from emoquant.entropy.fixed_point import SYMBOL_BITS, exponentiate, knot_position, lmbda_knots
from emoquant.entropy.folding import fold_light, integer_twin
from emoquant.entropy.integer import IntegerTwin

LAYOUT = Layout(coarse=1, groups=3, layers=2, codewords=6)
MODELS = {
    "parallel": lambda: LightModel(8, memory=1, parallel=True, knots=5, layout=LAYOUT),
    "sequential": lambda: LightModel(8, memory=1, parallel=False, knots=5, layout=LAYOUT),
    "two frames back": lambda: LightModel(8, memory=2, parallel=True, knots=5, layout=LAYOUT),
    "inside the frame": lambda: LightModel(8, memory=0, parallel=False, knots=1, layout=LAYOUT._replace(coarse=0)),
    "histogram": lambda: FactorizedModel(4, layout=LAYOUT),
}


def make(kind, spread=0.6):
    torch.manual_seed(1)
    model = MODELS[kind]()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=spread)
    return model.requires_grad_(False)


def walk(twin, codes, lmbdas):
    """log2 q of the codes (B, T, P), utterances side by side, step after step."""
    context, bias = twin.start(len(codes)), twin.bias(lmbdas)
    found = np.zeros(codes.shape)
    for frame in range(codes.shape[1]):
        for step, positions in enumerate(twin.steps):
            weights = twin.weigh(context, step, bias).transpose(1, 0, 2)
            chosen = codes[:, frame, list(positions)]
            share = np.take_along_axis(weights, chosen[..., None], -1)[..., 0] / weights.sum(-1)
            found[:, frame, list(positions)] = np.log2(share)
            twin.advance(context, step, chosen)
    return found


@pytest.mark.parametrize("kind", MODELS)
def test_twin_has_the_float_models_probabilities(kind):
    model = make(kind)
    codes = torch.randint(0, 7, (3, 9, model.layout.positions), generator=torch.Generator().manual_seed(0))
    lmbdas = [0.0, 0.37, 11.0]
    rows = torch.tensor(lmbdas).repeat_interleave(9)
    before = frames_before(codes, model.memory).flatten(0, 1)
    expected = -model.bits(codes.flatten(0, 1), before, rows).view(codes.shape).numpy()
    assert np.abs(walk(integer_twin(model), codes.numpy(), lmbdas) - expected).max() < 0.02


def test_probabilities_do_not_depend_on_batch_or_threads():
    twin = integer_twin(make("parallel"))
    codes = np.random.default_rng(0).integers(0, 7, (40, 5, LAYOUT.positions))
    together = walk(twin, codes, [2.0] * 40)
    threads = torch.get_num_threads()
    torch.set_num_threads(4)
    alone = np.concatenate([walk(twin, codes[i : i + 1], [2.0]) for i in range(40)])
    torch.set_num_threads(threads)
    np.testing.assert_array_equal(together, alone)


def test_sums_are_exact_in_any_order():
    """Integers summed in float64 in reversed and permuted order give equal results to the last bit."""
    twin = integer_twin(make("sequential", spread=3.0))
    block = twin._blocks[-1]
    hidden = np.random.default_rng(0).integers(0, 1 << 19, (100, block.width)).astype(np.float64)
    order = np.random.default_rng(1).permutation(block.width)
    matrix = block.output[0, 0]
    exact = [[sum(int(h) * int(w) for h, w in zip(row, word, strict=True)) for word in matrix.T] for row in hidden]
    np.testing.assert_array_equal(hidden @ matrix, exact)
    np.testing.assert_array_equal(hidden[:, order] @ matrix[order], exact)


def test_digest_tells_models_apart_and_is_reproducible():
    assert integer_twin(make("parallel")).digest == integer_twin(make("parallel")).digest
    other = make("parallel")
    other.blocks[0].bias.data[0, 0, 0, 0] += 0.01
    assert integer_twin(make("parallel")).digest != integer_twin(other).digest


def test_digest_is_the_same_on_every_machine():
    """Built from numbers that floats hold exactly: the digest is a constant of the format."""
    model = FactorizedModel(1, layout=Layout(0, 2, 1, 3))
    model.bias.data.copy_(torch.arange(8).view(1, 2, 4) / 8)
    assert integer_twin(model).digest.hex()[:16] == "8f3088fc5857f3b8"


def test_powers_of_two_are_right_and_never_rise():
    logits = -np.arange(0, 4096 * 45, 16, dtype=np.float64)
    weights = exponentiate(np.concatenate([[0.0], logits]))[1:]
    expected = 2.0 ** (SYMBOL_BITS + logits / 4096)
    assert (np.abs(weights - expected) <= 1).all()
    assert (np.diff(weights) <= 0).all()
    assert weights[0] == 2.0**SYMBOL_BITS
    assert weights[-1] == 0


@pytest.mark.parametrize("lmbda", [0.0, 1e-9, 1e-6, 1e-4, 0.3, 1.0, 1.1, 7.77, 500.0, 1e5])
def test_lambda_lies_between_its_knots(lmbda):
    knots = lmbda_knots()
    knot, share = knot_position(lmbda)
    low, high = knots[knot], knots[min(knot + 1, len(knots) - 1)]
    assert low <= min(lmbda, knots[-1]) <= high
    assert 0 <= share <= 256
    assert math.isclose(low + (high - low) * share / 256, min(lmbda, knots[-1]), rel_tol=1e-3, abs_tol=1e-7)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e4, 3e9])
@pytest.mark.parametrize("kind", ["parallel", "histogram"])
def test_twin_follows_the_model_over_lambda_at_any_variance_of_the_features(kind, scale):
    model = make(kind)
    model.basis.scale.fill_(scale)
    codes = torch.randint(0, 7, (8, 6, model.layout.positions), generator=torch.Generator().manual_seed(0))
    lmbdas = [0.0, *(float(np.float32(ratio * scale)) for ratio in np.geomspace(2e-3, 600, 7))]
    before = frames_before(codes, model.memory).flatten(0, 1)
    expected = -model.bits(codes.flatten(0, 1), before, torch.tensor(lmbdas).repeat_interleave(6)).view(codes.shape)
    found = walk(integer_twin(model), codes.numpy(), lmbdas)
    assert np.abs(found - expected.numpy()).max() < 0.15  # a model bends between the lambdas of the table


def test_models_without_a_twin_say_so():
    with pytest.raises(ValueError, match="AutoregressiveModel gives estimated bits only"):
        integer_twin(AutoregressiveModel(layout=LAYOUT))


@pytest.mark.parametrize("value", [1e9, math.nan, math.inf])
def test_weights_out_of_range_are_refused(value):
    model = make("parallel")
    model.blocks[1].output.data[0, 0, 0, 0] = value
    with pytest.raises(ValueError, match=r"integer twin|exact integer sums"):
        integer_twin(model)


def test_weights_too_large_for_exact_sums_are_refused():
    with pytest.raises(ValueError, match="too large"):
        integer_twin(make("parallel", spread=2000.0))


def test_blocks_must_follow_each_other():
    blocks = fold_light(make("parallel"), lmbda_knots())
    with pytest.raises(ValueError, match="without gaps"):
        IntegerTwin(blocks[1:])
