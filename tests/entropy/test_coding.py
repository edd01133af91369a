"""Range coding: exact round trips over random models, and lengths close to the float estimate."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from emoquant.entropy import FactorizedModel, LightModel
from emoquant.entropy.base import Layout, frames_before
from emoquant.entropy.coding import BitstreamError, decode, encode
from emoquant.entropy.folding import integer_twin


def random_model(seed, layout, width, memory, parallel, knots, spread):
    torch.manual_seed(seed)
    model = LightModel(width, memory, parallel, knots, layout) if width else FactorizedModel(knots, layout)
    for name, parameter in model.named_parameters():
        torch.nn.init.normal_(parameter, std=spread * (4 if "bias" in name else 1))
    return model.requires_grad_(False)


def likely_codes(twin, lengths, lmbdas, seed):
    """Codes drawn from the model itself, so that their estimated bits are typical."""
    generator = np.random.default_rng(seed)
    context, bias = twin.start(len(lengths)), twin.bias(lmbdas)
    codes = np.zeros((len(lengths), max(lengths), twin.positions), dtype=np.int64)
    for frame in range(max(lengths)):
        for step, positions in enumerate(twin.steps):
            sums = twin.weigh(context, step, bias).transpose(1, 0, 2).cumsum(-1)
            chosen = (generator.random(sums.shape[:2])[..., None] * sums[..., -1:] >= sums).sum(-1)
            codes[:, frame, list(positions)] = chosen
            twin.advance(context, step, chosen)
    return [each[:length] for each, length in zip(codes, lengths, strict=True)]


def estimate(model, codes, lmbda):
    codes = torch.from_numpy(codes)
    before = frames_before(codes.unsqueeze(0), model.memory)[0]
    return float(model.bits(codes, before, torch.full((len(codes),), lmbda)).double().sum())


@settings(max_examples=250, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10_000),
    layout=st.builds(Layout, st.integers(0, 2), st.integers(1, 4), st.integers(1, 3), st.integers(1, 20)),
    width=st.sampled_from([0, 1, 7, 16]),
    memory=st.integers(0, 2),
    parallel=st.booleans(),
    knots=st.integers(1, 4),
    spread=st.floats(0.01, 3),
    lengths=st.lists(st.integers(1, 300), min_size=1, max_size=4),
    lmbda=st.floats(0, 600, width=32),
)
def test_round_trip_is_exact_and_as_short_as_estimated(
    seed, layout, width, memory, parallel, knots, spread, lengths, lmbda
):
    model = random_model(seed, layout, width, memory, parallel, knots, spread)
    twin = integer_twin(model)
    lengths = [1 + length % (1 + 1000 // layout.positions) for length in lengths]
    lmbdas = [lmbda / (1 + i) for i in range(len(lengths))]
    codes = likely_codes(twin, lengths, lmbdas, seed)
    coded = encode(twin, codes, lmbdas)
    for found, expected in zip(decode(twin, coded, lengths, lmbdas), codes, strict=True):
        np.testing.assert_array_equal(found, expected)
    for data, each, own in zip(coded, codes, lmbdas, strict=True):
        assert 8 * len(data) <= 1.003 * estimate(model, each, own) + 32


def test_unlikely_codes_survive_too():
    model = random_model(3, Layout(1, 2, 2, 10), 16, 1, True, 3, 5.0)
    twin = integer_twin(model)
    codes = [np.random.default_rng(i).integers(0, 11, (200 + i, 5)) for i in range(5)]
    coded = encode(twin, codes, [1.0] * 5)
    for found, expected in zip(decode(twin, coded, [len(c) for c in codes], [1.0] * 5), codes, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_bytes_do_not_depend_on_what_is_coded_beside():
    twin = integer_twin(random_model(0, Layout(0, 3, 2, 12), 16, 1, True, 3, 1.0))
    lengths = [7, 300, 1, 131, 20]
    codes = likely_codes(twin, lengths, [2.0] * 5, 0)
    together = encode(twin, codes, [2.0] * 5)
    assert together == [encode(twin, [each], [2.0])[0] for each in codes]
    for chosen in ([0], [3, 1], [2, 4, 0, 1, 3]):
        found = decode(twin, [together[i] for i in chosen], [lengths[i] for i in chosen], [2.0] * len(chosen))
        for i, each in zip(chosen, found, strict=True):
            np.testing.assert_array_equal(each, codes[i])


def test_termination_costs_little():
    twin = integer_twin(random_model(0, Layout(0, 2, 1, 3), 0, 0, True, 1, 0.0))  # 4 symbols, 2 bits each
    lengths = list(range(1, 120))
    codes = [np.random.default_rng(i).integers(0, 4, (length, 2)) for i, length in enumerate(lengths)]
    coded = encode(twin, codes, [1.0] * 119)
    overhead = [8 * len(data) - 4 * len(each) for data, each in zip(coded, codes, strict=True)]
    assert max(overhead) <= 9
    assert np.mean(overhead) < 5


def test_certain_codes_cost_nothing():
    model = FactorizedModel(1, Layout(0, 4, 1, 8))
    model.bias.data[..., 8] = 60.0
    twin = integer_twin(model)
    codes = [np.full((1000, 4), 8)]
    coded = encode(twin, codes, [500.0])
    assert len(coded[0]) <= 4
    np.testing.assert_array_equal(decode(twin, coded, [1000], [500.0])[0], codes[0])


def test_codes_that_do_not_fit_are_refused():
    twin = integer_twin(FactorizedModel(1, Layout(0, 4, 1, 8)))
    with pytest.raises(ValueError, match=r"must be \(T, 4\)"):
        encode(twin, [np.zeros((3, 5), dtype=np.int64)], [1.0])
    with pytest.raises(ValueError, match=r"padded frames \(-1\)"):
        encode(twin, [np.full((3, 4), -1)], [1.0])
    with pytest.raises(ValueError, match=r"must lie in \[0, 8\]"):
        encode(twin, [np.full((3, 4), 9)], [1.0])


def test_random_bytes_decode_to_codes_or_the_one_error():
    twin = integer_twin(random_model(1, Layout(0, 2, 2, 10), 8, 1, True, 2, 1.0))
    generator = np.random.default_rng(0)
    for _ in range(300):
        payload = generator.bytes(int(generator.integers(0, 60)))
        frames = int(generator.integers(1, 12))
        try:
            (codes,) = decode(twin, [payload], [frames], [1.0])
        except BitstreamError:
            continue
        assert codes.shape == (frames, 4)
        assert 0 <= codes.min() <= codes.max() <= 10


def test_nothing_to_code():
    twin = integer_twin(FactorizedModel(1, Layout(0, 4, 1, 8)))
    assert encode(twin, [], []) == []
    assert decode(twin, [], [], []) == []
