"""Search: against an exhaustive twin, over batch compositions, at lambda 0, with beams."""

import itertools

import pytest
import torch

from emoquant.codecs import ECVQ
from emoquant.codecs.search import Search, layout_of
from emoquant.entropy import AutoregressiveModel, EntropyModel, FactorizedModel, LightModel
from emoquant.entropy.base import frames_before
from emoquant.quantization import GroupedResidualVQ


def make_quantizer(dim=8, seed=0, **settings):
    torch.manual_seed(seed)
    sizes = {"groups": 2, "layers": 2, "codewords": 5, "rotation": "klt"} | settings
    quantizer = GroupedResidualVQ(**sizes, dim=dim)
    quantizer.fine.set(torch.randn_like(quantizer.fine.vectors))
    quantizer.rough.set(torch.randn_like(quantizer.rough.vectors))
    if quantizer.rotation != "none":
        quantizer.transform.fit(torch.randn(dim), torch.cov(torch.randn(dim, 4 * dim)))
    if quantizer.prediction:
        quantizer.predictor.uniform_(0, 0.9)
    quantizer.ready.fill_(True)
    return quantizer


def make_model(quantizer, kind=LightModel, **settings):
    model = kind(**settings)
    model.build(layout_of(quantizer))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.7)
    return model.requires_grad_(False)


MODELS = {
    "light": (LightModel, {"width": 16, "memory": 1}),
    "light two frames back": (LightModel, {"width": 16, "memory": 2}),
    "light in sequence": (LightModel, {"width": 16, "memory": 1, "parallel": False}),
    "light intra": (LightModel, {"width": 16, "memory": 0, "parallel": False, "knots": 1}),
    "factorized": (FactorizedModel, {}),
    "transformer": (AutoregressiveModel, {"layers": 2, "width": 16, "heads": 2, "memory": 1, "knots": 3}),
}
SETTINGS = [{}, {"coarse": 1}, {"coarse": 2, "prediction": True}, {"prediction": True}, {"rotation": "none"}]


def twin(quantizer: GroupedResidualVQ, model: EntropyModel, frames: torch.Tensor, lmbda: float):
    """Greedy search by trying every code at every position with the teacher-forced model: slow and obvious."""
    layout = layout_of(quantizer)
    components = quantizer.transform(frames)
    multiplier = torch.tensor([lmbda])
    history: list[torch.Tensor] = []
    state = torch.zeros(quantizer.dim)
    size = quantizer.dim // quantizer.groups
    bits, output = [], []
    order = list(range(layout.positions))
    for frame in components:
        codes = torch.zeros(1, layout.positions, dtype=torch.int64)
        past = (history[::-1] + [torch.full((layout.positions,), -1)] * model.memory)[: model.memory]
        past = torch.stack(past).unsqueeze(0) if past else torch.zeros(1, 0, layout.positions, dtype=torch.int64)
        total = 0.0
        residual = frame - quantizer.predictor * state
        for position in order:
            costs = []
            for code in range(layout.vocabulary):
                codes[0, position] = code
                rate = float(-model(codes, past, multiplier)[0, position, code])
                if position < layout.coarse:
                    left = residual - quantizer.coarse_table()[position, code]
                else:
                    group, layer = divmod(position - layout.coarse, layout.layers)
                    left = residual.clone()
                    left[group * size : (group + 1) * size] -= quantizer.fine_table()[group, layer, code]
                costs.append((float(left.square().sum()) + lmbda * rate, code, rate, left))
            best = min(costs, key=lambda cost: cost[0])
            codes[0, position], residual = best[1], best[3]
            total += best[2]
        state = quantizer.predictor * state + quantizer.lookup(codes[0])[1]
        history.append(codes[0].clone())
        bits.append(total)
        output.append(codes[0].clone())
    return torch.stack(output), torch.tensor(bits)


def skip_if_cheaper(quantizer, model, frames, lmbda, codes, bits):
    """SKIP at every position of the row where that costs less; a model without memory has frames as rows."""
    if model.basis.knots == 1:
        return codes, bits
    if model.memory == 0 and not quantizer.prediction and len(frames) > 1:
        rows = [skip_if_cheaper(quantizer, model, frames[t : t + 1], lmbda, codes[t : t + 1], bits[t : t + 1])
                for t in range(len(frames))]  # fmt: skip
        return torch.cat([row[0] for row in rows]), torch.cat([row[1] for row in rows])
    skip = torch.full_like(codes, quantizer.codewords)
    before = frames_before(skip.unsqueeze(0), model.memory)[0]
    silence = model.bits(skip, before, torch.full((len(skip),), lmbda)).sum(-1)

    def cost(codes, bits):
        return (quantizer.decode(codes) - frames).square().sum() + lmbda * bits.sum()

    return (skip, silence) if cost(skip, silence) < cost(codes, bits) else (codes, bits)


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_greedy_equals_the_obvious_twin(kind, settings):
    quantizer = make_quantizer(**settings)
    model = make_model(quantizer, MODELS[kind][0], **MODELS[kind][1])
    features = 2 * torch.randn(2, 4, 8)
    lengths = torch.tensor([4, 2])
    codec = ECVQ(quantizer, model, points=(0.0, 0.3, 2.0, 6.0), survivors=1)
    coded = codec(features, lengths)
    for place, lmbda in enumerate(codec.points):
        for row, length in enumerate(lengths.tolist()):
            codes, bits = twin(quantizer, model, features[row, :length], lmbda)
            codes, bits = skip_if_cheaper(quantizer, model, features[row, :length], lmbda, codes, bits)
            assert torch.equal(coded.codes[place, row, :length].long(), codes)
            torch.testing.assert_close(coded.bits[place, row, :length], bits, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_codes_decode_to_the_coded_features_and_bits_are_those_of_the_model(kind, settings):
    quantizer = make_quantizer(**settings)
    model = make_model(quantizer, MODELS[kind][0], **MODELS[kind][1])
    codec = ECVQ(quantizer, model, points=(0.0, 0.5), beam=3)
    lengths = torch.tensor([5, 3, 1])
    coded = codec(torch.randn(3, 5, 8), lengths)
    torch.testing.assert_close(codec.decode(coded.codes), coded.features)
    codes = coded.codes[1].long()
    valid = codes[..., 0] >= 0
    assert valid.sum(1).tolist() == lengths.tolist()
    before = frames_before(codes, model.memory)
    bits = model.bits(codes[valid], before[valid], torch.full((int(valid.sum()),), 0.5)).sum(-1)
    torch.testing.assert_close(coded.bits[1][valid], bits, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("beam", [1, 3])
@pytest.mark.parametrize("settings", [{}, {"coarse": 1, "prediction": True}], ids=str)
def test_batch_composition_and_padding_change_nothing(kind, beam, settings):
    quantizer = make_quantizer(dim=24, codewords=16, layers=3, **settings)
    model = make_model(quantizer, MODELS[kind][0], **MODELS[kind][1])
    codec = ECVQ(quantizer, model, points=(0.0, 0.4, 1.5), beam=beam)
    lengths = torch.tensor([7, 12, 1, 9, 12])
    features = torch.randn(5, 12, 24)
    whole = codec(features, lengths)
    for row, length in enumerate(lengths.tolist()):
        alone = codec(features[row : row + 1, :length], lengths[row : row + 1])
        padded = codec(
            torch.nn.functional.pad(features[row : row + 1], (0, 0, 0, 5), value=7.0), lengths[row : row + 1]
        )
        for each in (alone, padded):
            assert torch.equal(each.codes[:, 0, :length], whole.codes[:, row, :length])
            if not isinstance(model, AutoregressiveModel):
                assert torch.equal(each.features[:, 0, :length], whole.features[:, row, :length])
                assert torch.equal(each.bits[:, 0, :length], whole.bits[:, row, :length])
    codec.rows = 3
    again = codec(features, lengths)
    assert torch.equal(again.codes, whole.codes)
    one = codec(features, lengths, points=[0.4])
    assert torch.equal(one.codes[0], whole.codes[1])


def test_lambda_zero_is_the_nearest_codeword_with_skip():
    quantizer = make_quantizer(coarse=1)
    model = make_model(quantizer, width=8)
    features, lengths = torch.randn(3, 6, 8), torch.tensor([6, 4, 1])
    coded = ECVQ(quantizer, model)(features, lengths, points=[0.0])
    quantized = quantizer(features, lengths)
    assert torch.equal(coded.codes[0].long(), quantized.codes)
    torch.testing.assert_close(coded.features[0], quantized.features)


def test_a_full_beam_finds_the_best_path_of_all():
    quantizer = make_quantizer(dim=4, groups=1, layers=3, codewords=3, rotation="none")
    model = make_model(quantizer, width=8, memory=0)
    frame, lmbda = torch.randn(1, 1, 4), 0.7
    paths = torch.tensor(list(itertools.product(range(4), repeat=3)))
    none = torch.zeros(len(paths), 0, 3, dtype=torch.int64)
    rate = model.bits(paths, none, torch.full((len(paths),), lmbda)).sum(-1)
    cost = (quantizer.decode(paths.unsqueeze(1))[:, 0] - frame[0, 0]).square().sum(-1) + lmbda * rate
    codec = ECVQ(quantizer, model, beam=64)
    found = codec(frame, torch.tensor([1]), points=[lmbda]).codes[0, 0, 0]
    assert torch.equal(found.long(), paths[cost.argmin()])


@pytest.mark.parametrize("parallel", [True, False])
def test_wider_beams_cost_less(parallel):
    quantizer = make_quantizer(dim=24, codewords=16, layers=3)
    model = make_model(quantizer, width=16, memory=0, parallel=parallel)
    features, lengths = torch.randn(8, 10, 24), torch.full((8,), 10)
    costs = []
    for beam in (1, 2, 8):
        coded = ECVQ(quantizer, model, beam=beam)(features, lengths, points=[0.5])
        costs.append(float((coded.features[0] - features).square().sum() + 0.5 * coded.bits.sum()))
    assert costs[0] > costs[1] > costs[2]


def test_rate_falls_and_distortion_rises_with_lambda_for_one_layer_without_context():
    quantizer = make_quantizer(dim=6, groups=2, layers=1, codewords=32, rotation="none")
    model = make_model(quantizer, FactorizedModel, knots=1)
    features, lengths = torch.randn(4, 20, 6), torch.full((4,), 20)
    coded = ECVQ(quantizer, model)(features, lengths, points=[0.0, 0.01, 0.1, 0.3, 1.0, 3.0, 30.0])
    bits = coded.bits.sum(-1)
    error = (coded.features - features).square().sum((-1, -2))
    assert (bits.diff(dim=0) <= 1e-4).all()
    assert (error.diff(dim=0) >= -1e-4).all()


@pytest.mark.parametrize("memory", [0, 1])
def test_below_the_known_lambdas_no_row_spends_more_bits_than_at_zero(memory):
    quantizer = make_quantizer(dim=24, codewords=16, layers=3, prediction=memory == 1)
    model = make_model(quantizer, width=16, memory=memory, low=0.2)
    features, lengths = torch.randn(96, 4, 24), torch.tensor([4] * 48 + [2] * 48)
    faint = 0.1
    search = Search(quantizer, model)
    search.weighs_paths = False
    components = quantizer.transform(features)
    spent = [search(components, lengths, torch.full((96,), lmbda)).bits for lmbda in (0.0, faint)]
    rises = [now > before for before, now in (spent, [each.sum(1) for each in spent])][memory]
    assert rises.any()  # left alone, the greedy search loses bits by accident
    coded = ECVQ(quantizer, model)(features, lengths, points=[0.0, faint, 0.5])
    rate = coded.bits.double().sum(2)
    assert (rate[1] <= rate[0]).all()
    assert (rate[1] < rate[0]).any()
    unit = coded.bits.double()[:2].flatten(1) if memory == 0 else rate[:2]  # without memory every frame is a row
    assert (unit[1] <= unit[0]).all()


@pytest.mark.parametrize("kind", ["light", "light intra", "factorized"])
def test_a_row_does_not_depend_on_the_lambdas_of_the_others(kind):
    quantizer = make_quantizer(dim=24, codewords=16, coarse=1)
    model_class, settings = MODELS[kind]
    codec = ECVQ(quantizer, make_model(quantizer, model_class, **settings))
    features, lmbdas = torch.randn(9, 24), [0.0, 2**-6, 0.1, 0.5, 2.0, 7.0, 30.0, 80.0, 200.0, 400.0]
    whole = codec(features.unsqueeze(0), torch.tensor([9]), lmbdas)
    for number in (1, 4, 6):
        alone = codec.encode(features, lmbdas[number])
        assert torch.equal(alone.codes, whole.codes[number, 0])
        assert torch.equal(alone.bits, whole.bits[number, 0])


def test_equal_codes_cost_the_same_beyond_the_last_knot():
    quantizer = make_quantizer(dim=24, codewords=16, layers=3, coarse=1)
    model = make_model(quantizer, width=16, high=2.0)
    codec = ECVQ(quantizer, model)
    encodings = [codec.encode(torch.randn(9, 24), lmbda) for lmbda in (2.0, 5.0)]
    for each in encodings:
        before = frames_before(each.codes.long().unsqueeze(0), 1)[0]
        bits = [model.bits(each.codes.long(), before, torch.full((9,), lmbda)).sum(-1) for lmbda in (2.0, 5.0, 500.0)]
        assert torch.equal(bits[0], bits[1])
        assert torch.equal(bits[0], bits[2])
        torch.testing.assert_close(each.bits, bits[0], rtol=1e-4, atol=1e-4)


def test_precision_of_the_caller_changes_nothing():
    quantizer = make_quantizer()
    model = make_model(quantizer, width=8)
    codec = ECVQ(quantizer, model, points=(0.5,))
    features, lengths = torch.randn(2, 5, 8), torch.tensor([5, 5])
    with torch.autocast("cpu", torch.bfloat16):
        inside = codec(features, lengths)
    assert inside.bits.dtype == torch.float32
    assert torch.equal(inside.codes, codec(features, lengths).codes)


@pytest.mark.parametrize("beam", [1, 3])
def test_without_context_no_more_frames_than_rows_are_searched_at_once(beam, monkeypatch):
    quantizer = make_quantizer(codewords=16)
    model = make_model(quantizer, width=16, memory=0, parallel=False)
    components, lengths = torch.randn(5, 30, 8), torch.tensor([30, 30, 21, 9, 1])
    lmbda = torch.tensor([0.0, 1e-3, 0.1, 1.0, 5.0])
    whole = Search(quantizer, model, beam, rows=1000)(components, lengths, lmbda)
    seen, start = [], model.start
    monkeypatch.setattr(model, "start", lambda rows, width=1: (seen.append(len(rows)), start(rows, width))[1])
    parts = Search(quantizer, model, beam, rows=16)(components, lengths, lmbda)
    assert max(seen) <= 2 * 16  # a row at a lambda that the model takes for 0 is searched at 0, too
    assert len(seen) == 6
    for one, other in zip(whole, parts, strict=True):
        assert torch.equal(one, other)
