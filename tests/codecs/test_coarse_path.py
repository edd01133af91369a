"""Look-ahead over time: the best path of all on tiny problems, never dearer than greedy, no influence of other rows."""

import itertools

import pytest
import torch
from test_search import make_model, make_quantizer

from emoquant.codecs import ECVQ, load_codec, save_codec
from emoquant.codecs.coarse_path import best_coarse_path
from emoquant.codecs.search import Search
from emoquant.entropy import AutoregressiveModel, FactorizedModel
from emoquant.entropy.base import frames_before

LAMBDAS = (0.3, 1.0, 3.0, 10.0, 30.0)


def make_codec(survivors=16, dim=12, codewords=7, beam=1, **settings):
    """A codec whose coarse codes cost next to nothing while they stay, and six bits when they change."""
    quantizer = make_quantizer(dim, codewords=codewords, **{"coarse": 1, "prediction": True} | settings)
    quantizer.fine.set(0.2 * quantizer.fine.vectors)
    model = make_model(quantizer, width=codewords + 1, high=32.0)
    for parameter in model.parameters():
        parameter.mul_(0.3)
    coarse, fine = model.blocks
    for parameter in coarse.parameters():
        parameter.mul_(0.1)
    same = torch.eye(codewords + 1)
    coarse.own[0, 0, 0, :-1] += same
    coarse.output[0, 0] += 4 * same
    fine.bias[..., -1] += 5
    return ECVQ(quantizer, model, LAMBDAS, beam=beam, survivors=survivors)


def slow_frames(codec, utterances=6, longest=20, seed=3):
    """Frames that stay for a while near a coarse codeword, as those of phones do."""
    random = torch.Generator().manual_seed(seed)
    words = codec.quantizer.coarse_table()[0, :-1]
    places = words[torch.randint(len(words), (utterances, longest // 5 + 1), generator=random)]
    frames = places.repeat_interleave(5, 1)[:, :longest]
    frames = frames + 0.5 * torch.randn(frames.shape, generator=random)
    lengths = torch.tensor([longest - 2 * row for row in range(utterances)])
    valid = (torch.arange(longest) < lengths.unsqueeze(1)).unsqueeze(-1)
    return codec.quantizer.transform.inverse(frames) * valid, lengths


def costs(codec, coded, features, lengths):
    """Squared error plus lambda times bits of every row, ``(O, B)``."""
    valid = (torch.arange(features.shape[1]) < lengths.unsqueeze(1)).unsqueeze(-1)
    error = ((coded.features - features) * valid).double().square().sum((2, 3))
    return error + torch.tensor(codec.points).unsqueeze(1) * coded.bits.double().sum(2)


@pytest.mark.parametrize("seed", range(5))
def test_with_all_codes_as_survivors_no_path_is_better(seed):
    torch.manual_seed(seed)
    quantizer = make_quantizer(dim=4, coarse=1, codewords=3, seed=seed)
    model = make_model(quantizer, width=8)
    components, lmbda = torch.randn(8, 5, 4), torch.linspace(0.05, 3, 8)
    words = quantizer.coarse_table()[0]
    paths = torch.tensor(list(itertools.product(range(4), repeat=5)))
    codes = torch.full((len(paths), 5, quantizer.positions), quantizer.codewords)
    codes[..., 0] = paths
    before = frames_before(codes, 1)
    found = best_coarse_path(words, model, components, torch.full((8,), 5), lmbda, survivors=4)
    for row, multiplier in enumerate(lmbda):
        multipliers = torch.full((len(paths) * 5,), float(multiplier))
        bits = model.bits(codes.flatten(0, 1), before.flatten(0, 1), multipliers)[:, 0].view(-1, 5).sum(1)
        total = (words[paths] - components[row]).square().sum((1, 2)) + multiplier * bits
        assert torch.equal(found[row], paths[total.argmin()])


def test_a_full_search_finds_the_best_codes_of_all():
    """Where fine codes tell the next frames nothing, the best coarse path with the best fine codes is exact."""
    codec = make_codec(dim=4, groups=1, layers=1, codewords=2)
    quantizer, model, lmbda = codec.quantizer, codec.entropy, 8.0
    quantizer.fine.set(1e-3 * quantizer.fine.vectors)
    model.blocks[0].shared[:, 1:] = model.blocks[1].shared[:] = model.blocks[1].own[:] = 0
    model.rough[:] = 0
    features, lengths = 2 * torch.randn(12, 4, 4), torch.full((12,), 4)
    codes = torch.tensor(list(itertools.product(range(3), repeat=8))).view(-1, 4, 2)
    before = frames_before(codes, 1)
    bits = model.bits(codes.flatten(0, 1), before.flatten(0, 1), torch.full((len(codes) * 4,), lmbda))
    decoded, bits = quantizer.decode(codes), bits.view(len(codes), -1).sum(1)
    best = [((decoded - frames).square().sum((1, 2)) + lmbda * bits).min() for frames in features]
    codec.points = (lmbda,)
    found = costs(codec, codec(features, lengths), features, lengths)[0]
    torch.testing.assert_close(found, torch.stack(best).double(), rtol=1e-3, atol=0)
    codec.survivors = 1
    assert (costs(codec, codec(features, lengths), features, lengths)[0] > 1.01 * found).any()


@pytest.mark.parametrize("beam", [1, 3])
@pytest.mark.parametrize("settings", [{}, {"coarse": 2, "prediction": False}], ids=str)
def test_no_row_costs_more_than_greedy_and_some_cost_far_less(beam, settings):
    codec = make_codec(beam=beam, **settings)
    features, lengths = slow_frames(codec)
    found = costs(codec, codec(features, lengths), features, lengths)
    codec.survivors = 1
    greedy = costs(codec, codec(features, lengths), features, lengths)
    assert (found <= greedy * (1 + 1e-6)).all()
    assert (found < 0.9 * greedy).any()
    assert float(found.sum()) < 0.99 * float(greedy.sum())


def test_more_survivors_cost_less():
    codec, total = make_codec(), []
    features, lengths = slow_frames(codec)
    for survivors in (1, 2, 8):
        codec.survivors = survivors
        total.append(float(costs(codec, codec(features, lengths), features, lengths).sum()))
    assert total[0] > total[1] >= total[2]


@pytest.mark.parametrize("transformer", [False, True])
def test_codes_and_bits_belong_together(transformer):
    codec = make_codec()
    features, lengths = slow_frames(codec)
    if transformer:
        settings = {"layers": 1, "width": 8, "heads": 2, "memory": 1, "knots": 3}
        codec = ECVQ(
            codec.quantizer, make_model(codec.quantizer, AutoregressiveModel, **settings), LAMBDAS, survivors=16
        )
    coded = codec(features, lengths)
    torch.testing.assert_close(codec.decode(coded.codes), coded.features)
    for place, lmbda in enumerate(codec.points):
        codes = coded.codes[place].long()
        valid = codes[..., 0] >= 0
        bits = codec.entropy.bits(
            codes[valid], frames_before(codes, 1)[valid], torch.full((int(valid.sum()),), lmbda)
        ).sum(-1)
        torch.testing.assert_close(coded.bits[place][valid], bits, rtol=1e-4, atol=1e-4)


def test_batch_composition_and_padding_change_nothing():
    codec = make_codec(dim=24, codewords=16, layers=3)
    features, lengths = slow_frames(codec)
    whole = codec(features, lengths)
    codec.survivors = 1
    assert not torch.equal(codec(features, lengths).codes, whole.codes)
    codec.survivors = 16
    for row, length in enumerate(lengths.tolist()):
        for padding in (0, 5):
            alone = torch.nn.functional.pad(features[row : row + 1, :length], (0, 0, 0, padding), value=7.0)
            coded = codec(alone, lengths[row : row + 1])
            for each, expected in zip(coded, whole, strict=True):
                assert torch.equal(each[:, 0, :length], expected[:, row, :length])
    codec.rows = 3
    assert torch.equal(codec(features, lengths).codes, whole.codes)
    codec.rows = 1024
    assert torch.equal(codec(features, lengths, points=[3.0]).codes[0], whole.codes[2])


def test_the_rate_falls_with_lambda_where_prices_are_the_same():
    """Of least-cost paths under equal prices, a larger lambda never has more bits: beyond the last knot, all codes."""
    codec = make_codec()
    features, lengths = slow_frames(codec)
    model = make_model(codec.quantizer, width=8, high=0.3)
    words = codec.quantizer.coarse_table()[0]
    lmbda = torch.tensor([0.3, 0.6, 1.0, 2.0, 4.0, 8.0, 20.0, 60.0])
    for row in range(3):
        components = codec.quantizer.transform(features[row : row + 1]).expand(8, -1, -1)
        codes = torch.full((8, features.shape[1], codec.positions), codec.codewords)
        codes[..., 0] = best_coarse_path(words, model, components, lengths[row].expand(8), lmbda, 8)
        valid = torch.arange(features.shape[1]) < lengths[row]
        before = frames_before(codes, 1)[:, valid].flatten(0, 1)
        bits = model.bits(codes[:, valid].flatten(0, 1), before, lmbda.repeat_interleave(int(valid.sum())))[:, 0]
        assert (bits.view(8, -1).sum(1).diff() <= 1e-3).all()


def test_without_a_coarse_stage_or_context_it_has_no_effect():
    for settings in ({"coarse": 0, "prediction": True}, {"coarse": 1}):
        quantizer = make_quantizer(**settings)
        model = make_model(quantizer, FactorizedModel) if settings["coarse"] else make_model(quantizer, width=8)
        assert not Search(quantizer, model, survivors=16).looks_ahead
    quantizer = make_quantizer(coarse=1)
    assert not Search(quantizer, make_model(quantizer, width=8, knots=1), survivors=16).looks_ahead
    assert not Search(quantizer, make_model(quantizer, width=8), survivors=1).looks_ahead
    assert Search(quantizer, make_model(quantizer, width=8), survivors=16).looks_ahead
    with pytest.raises(ValueError, match="survivors"):
        Search(quantizer, make_model(quantizer, width=8), survivors=0)


def test_real_bits_come_back_and_a_loaded_codec_looks_ahead_if_told(tmp_path):
    codec = make_codec()
    features, lengths = slow_frames(codec)
    utterances = [frames[:length] for frames, length in zip(features, lengths.tolist(), strict=True)]
    encodings = codec.encode_batch(utterances, 10.0)
    for data, encoding in zip(codec.write(encodings), encodings, strict=True):
        assert torch.equal(codec.read([data])[0], encoding.codes)
        torch.testing.assert_close(codec.decompress(data), encoding.features)
        assert len(codec.check(data).payload) * 8 <= 1.003 * float(encoding.bits.double().sum()) + 32
    save_codec(codec, tmp_path / "codec.ckpt")
    loaded = load_codec(tmp_path / "codec.ckpt", LAMBDAS, any_encoder=True, survivors=codec.survivors)
    assert torch.equal(loaded(features, lengths).codes, codec(features, lengths).codes)
    codec.survivors = 1
    greedy = load_codec(tmp_path / "codec.ckpt", LAMBDAS, any_encoder=True)
    assert torch.equal(greedy(features, lengths).codes, codec(features, lengths).codes)
