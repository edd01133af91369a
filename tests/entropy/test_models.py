"""Entropy models: normalised, causal, the incremental state equal to the teacher-forced pass, lambda as a condition."""

import math

import pytest
import torch

from emoquant.entropy import AutoregressiveModel, FactorizedModel, Layout, LightModel
from emoquant.entropy.base import LambdaBasis, frames_before
from emoquant.entropy.factorized import gate

LAYOUT = Layout(coarse=1, groups=3, layers=2, codewords=4)
MODELS = {
    "light": LightModel(8, 1, True, 5),
    "light, two frames back": LightModel(8, 2, True, 5),
    "light in sequence": LightModel(8, 1, False, 5),
    "light intra, blind": LightModel(8, 0, False, 1),
    "factorized": FactorizedModel(4),
    "transformer": AutoregressiveModel(2, 16, 2, 0, 1),
    "transformer with memory": AutoregressiveModel(2, 16, 2, 1, 4),
}


def make(name):
    torch.manual_seed(1)
    model = MODELS[name]
    model.build(LAYOUT)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return model.requires_grad_(False)


def draw(model, rows=6):
    generator = torch.Generator().manual_seed(2)
    codes = torch.randint(LAYOUT.vocabulary, (rows, LAYOUT.positions), generator=generator)
    previous = torch.randint(-1, LAYOUT.vocabulary, (rows, model.memory, 1), generator=generator)
    previous = previous.expand(-1, -1, LAYOUT.positions)
    return codes, previous, torch.linspace(0, 3, rows)


@pytest.mark.parametrize("name", MODELS)
def test_probabilities_sum_to_one_in_float32_under_autocast(name):
    model = make(name)
    with torch.autocast("cpu", torch.bfloat16):
        bits = model.bits(*draw(model))
    assert bits.dtype == torch.float32
    logs = model(*draw(model))
    assert logs.shape == (6, LAYOUT.positions, LAYOUT.vocabulary)
    torch.testing.assert_close(logs.exp2().sum(-1), torch.ones(6, LAYOUT.positions))
    codes = draw(model)[0]
    torch.testing.assert_close(bits, -logs.gather(-1, codes.unsqueeze(-1)).squeeze(-1))


@pytest.mark.parametrize("name", MODELS)
def test_a_code_depends_only_on_codes_before_it(name):
    model = make(name)
    codes, previous, lmbda = draw(model)
    before = model(codes, previous, lmbda)
    for position in range(LAYOUT.positions):
        other = codes.clone()
        other[:, position] = (other[:, position] + 1) % LAYOUT.vocabulary
        assert torch.equal(model(other, previous, lmbda)[:, : position + 1], before[:, : position + 1])


@pytest.mark.parametrize("name", MODELS)
def test_the_state_says_what_the_teacher_forced_pass_says(name):
    model = make(name)
    codes = torch.randint(LAYOUT.vocabulary, (2, 3, LAYOUT.positions), generator=torch.Generator().manual_seed(3))
    lmbda = torch.tensor([0.2, 4.0])
    past = frames_before(codes, model.memory)
    expected = torch.stack([model(codes[:, t], past[:, t], lmbda) for t in range(3)], 1)
    state = model.start(lmbda)
    for frame in range(3):
        blocks = [[[0]], [[1, 3, 5], [2, 4, 6]] if model.parallel else [[p] for p in range(1, 7)]]
        for number, steps in enumerate(blocks):
            for step, positions in enumerate(steps):
                logs = torch.log_softmax(model.logits(state, number, step)[:, :, 0], -1) / math.log(2)
                torch.testing.assert_close(logs.transpose(0, 1), expected[:, frame, positions], rtol=1e-4, atol=1e-4)
                chosen = codes[:, frame, positions].T.unsqueeze(-1)
                model.advance(state, number, step, chosen, None)
        model.end_frame(state, codes[:, frame])


@pytest.mark.parametrize("name", MODELS)
def test_selected_rows_go_on_as_they_would_have(name):
    model = make(name)
    codes = torch.randint(LAYOUT.vocabulary, (3, 2, LAYOUT.positions), generator=torch.Generator().manual_seed(3))
    lmbda, rows = torch.tensor([0.2, 4.0, 1.0]), torch.tensor([2, 0, 0])
    state, other = model.start(lmbda), model.start(lmbda[rows])
    for each, chosen in ((state, codes), (other, codes[rows])):
        model.end_frame(each, chosen[:, 0])
    state = model.select(state, rows)
    for _ in range(2):  # also after the first logits of a frame
        torch.testing.assert_close(model.logits(state, 0, 0), model.logits(other, 0, 0))
        first = codes[rows, 1, :1].T.unsqueeze(-1)
        state, other = model.select(state, torch.arange(3)), model.select(other, torch.arange(3))
        for each in (state, other):
            model.advance(each, 0, 0, first, None)
        torch.testing.assert_close(model.logits(state, 1, 0), model.logits(other, 1, 0))
        for each in (state, other):
            model.end_frame(each, codes[rows, 1])


@pytest.mark.parametrize("name", ["light", "factorized", "transformer with memory"])
def test_lambda_matters_and_is_relative_to_the_scale(name):
    model = make(name)
    codes, previous, _ = draw(model)
    low, high = (model.bits(codes, previous, torch.full((6,), value)) for value in (0.01, 10.0))
    assert not torch.allclose(low, high)
    model.basis.scale.fill_(100.0)
    torch.testing.assert_close(model.bits(codes, previous, torch.full((6,), 1000.0)), high, rtol=1e-4, atol=1e-4)
    model.basis.scale.fill_(1.0)


def test_a_blind_model_ignores_lambda():
    model = make("light intra, blind")
    codes, previous, _ = draw(model)
    assert torch.equal(model.bits(codes, previous, torch.zeros(6)), model.bits(codes, previous, torch.full((6,), 9.0)))


def test_basis_interpolates_and_stays_constant_beyond_its_ends():
    basis = LambdaBasis(3, low=0.01, high=100.0)
    weights = basis(torch.tensor([0.0, 0.01, 0.1, 1.0, 100.0, 1e9]))
    expected = torch.tensor([[1.0, 0, 0], [1, 0, 0], [0.5, 0.5, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1]])
    torch.testing.assert_close(weights, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("make", [LightModel, FactorizedModel])
def test_untrained_models_skip_all_groups_at_large_lambda_but_no_coarse_stage(make):
    model = make(layout=Layout(1, 2, 2, 128))
    skip = torch.full((3, 5), 128)
    bits = model.bits(skip, torch.full((3, model.memory, 5), -1), torch.tensor([0.0, 8.0, 500.0]))
    assert (bits[:, 0] > 5).all()
    assert bits[0, 1:].min() > 5
    assert bits[1, 1:].max() < 1
    assert bits[2, 1:].max() < 1e-3


def test_the_light_model_learns_a_dependency_on_the_frame_before():
    torch.manual_seed(0)
    model = LightModel(16, 1, True, 1, Layout(0, 2, 1, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    first = torch.randint(5, (2000, 2))
    codes = torch.stack([first[:, 0], first[:, 0]], 1)  # both groups repeat group 0 of the frame before
    for _ in range(60):
        loss = model.bits(codes, first.unsqueeze(1), torch.ones(2000)).sum(-1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.3


def test_gate_charges_all_codewords_alike():
    model = gate(LAYOUT, skip=0.75)
    bits = -model(torch.zeros(1, 7, dtype=torch.int64), torch.zeros(1, 0, 7, dtype=torch.int64), torch.ones(1))[0, 3]
    torch.testing.assert_close(bits, torch.tensor([4.0, 4.0, 4.0, 4.0, -math.log2(0.75)]))


def test_a_model_keeps_its_layout():
    model = make("light")
    model.build(LAYOUT)
    with pytest.raises(ValueError, match="built for"):
        model.build(Layout(0, 3, 2, 4))
