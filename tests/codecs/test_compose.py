"""Cascades and mixtures: against their definitions, and planted references that must be found in the mixture."""

import pytest
import torch
from test_search import make_model, make_quantizer

from emoquant.codecs import ECVQ, Cascade, Mixture
from emoquant.codecs.compose import estimated_bits


def make_codec(points=(0.0, 0.5, 2.0), **settings):
    quantizer = make_quantizer(**settings)
    return ECVQ(quantizer, make_model(quantizer, width=16), points, "test")


def pairs(sizes=(3, 5), seed=0, dim=8):
    """Return two references of each utterance one after the other, and each of them alone."""
    random = torch.Generator().manual_seed(seed)
    alone = [[torch.randn(size, dim, generator=random) for _ in range(2)] for size in sizes]
    features = torch.nn.utils.rnn.pad_sequence([torch.cat(pair) for pair in alone], batch_first=True)
    return features, torch.tensor([2 * size for size in sizes]), alone


class TestCascade:
    def test_it_is_one_codec_after_the_other(self):
        first, then = make_codec(seed=1), make_codec(seed=2, prediction=True)
        features, lengths, _ = pairs()
        coded = Cascade(first, then, at=0.5)(features, lengths)
        middle = first(features, lengths, (0.5,))
        expected = then(middle.features[0], lengths)
        for one, other in zip(coded, expected, strict=True):
            assert one.equal(other)
        both = Cascade(first, then, at=0.5, count_both=True)(features, lengths)
        assert both.bits.equal(expected.bits + middle.bits)
        assert both.features.equal(expected.features)

    def test_what_the_first_codec_takes_away_does_not_come_back(self):
        first, then = make_codec(seed=1), make_codec(seed=2)
        features, lengths, _ = pairs()
        coded = Cascade(first, then, at=1e6)(features, lengths)
        other = Cascade(first, then, at=1e6)(features.flip(0), lengths.flip(0))
        for row, length in enumerate(lengths.tolist()):
            frames = coded.features[:, row, :length]
            assert torch.allclose(frames, other.features[:, 1 - row, :length])
            again = Cascade(first, then, at=1e6)(torch.randn(1, length, 8), torch.tensor([length]))
            assert torch.allclose(frames, again.features[:, 0])

    def test_names_points_and_dimensions(self):
        first, then = make_codec(seed=1), make_codec(seed=2)
        cascade = Cascade(first, then, at=20)
        assert (cascade.name, cascade.points, cascade.positions) == ("test@20>test", then.points, then.positions)
        assert cascade.skip_vector().equal(then.skip_vector())
        with pytest.raises(ValueError, match="one encoder: 'test' has 8 dimensions, 'test' 4"):
            Cascade(first, make_codec(dim=4))


class TestMixture:
    @pytest.mark.parametrize("prediction", [False, True])
    def test_every_rule_equals_its_definition_utterance_by_utterance(self, prediction):
        codec = make_codec(prediction=prediction)
        features, lengths, alone = pairs()
        weights = torch.tensor([0.75, 0.25])
        mixed = {rule: Mixture(codec, (3.0, 1.0), rule)(features, lengths) for rule in ("average", "interpolate")}
        for row, (one, other) in enumerate(alone):
            size = torch.tensor([len(one)])
            coded = [codec(each[None], size) for each in (one, other)]
            plain = codec((weights[0] * one + weights[1] * other)[None], size)
            blend = weights[0] * coded[0].features[:, 0] + weights[1] * coded[1].features[:, 0]
            found = {rule: value.features[:, row, : 2 * len(one)] for rule, value in mixed.items()}
            assert torch.allclose(found["average"], plain.features[:, 0].repeat(1, 2, 1), atol=1e-5)
            assert torch.allclose(found["interpolate"], blend.repeat(1, 2, 1), atol=1e-5)
            bits = coded[0].bits[:, 0] + coded[1].bits[:, 0]
            assert torch.allclose(mixed["interpolate"].bits[:, row, : len(one)], bits, atol=1e-4)
        for value in mixed.values():
            assert value.features.shape == (3, 2, 10, 8)
            assert not value.features[:, 0, 6:].any()
            assert not value.bits[:, 0, 6:].any()

    def test_votes_take_every_position_from_a_reference_and_agree_where_they_agree(self):
        codec = make_codec(points=(0.0,))
        features, lengths, alone = pairs(sizes=(6, 6))
        coded = Mixture(codec, rule="vote")(features, lengths)
        size = torch.tensor([6])
        for row, pair in enumerate(alone):
            own = [codec(each[None], size).codes[0, 0] for each in pair]
            chosen = coded.codes[0, row, :6]
            assert bool(((chosen == own[0]) | (chosen == own[1])).all())
            shares = [float((chosen == codes).float().mean()) for codes in own]
            assert min(shares) >= 0.45
            assert coded.features[0, row, :6].equal(codec.decode(chosen[None])[0])
        agreed = torch.cat([features[:, :6], features[:, :6]], 1)
        assert (
            Mixture(codec, rule="vote")(agreed, lengths)
            .features[0, :, :6]
            .equal(codec(features[:, :6], lengths // 2).features[0])
        )

    def test_a_majority_outvotes_the_weights_of_the_others(self):
        codec = make_codec(points=(0.0,))
        one, other = torch.randn(2, 1, 4, 8, generator=torch.Generator().manual_seed(1))
        features = torch.cat([one, other, other], 1)
        coded = Mixture(codec, (1.0, 1.0, 1.0), "vote")(features, torch.tensor([12]))
        assert coded.codes[0, :, :4].equal(codec(other, torch.tensor([4])).codes[0])

    def test_distance_trusts_what_the_codebooks_know(self):
        codec = make_codec(points=(0.0,))
        random = torch.Generator().manual_seed(2)
        known = codec(torch.randn(1, 6, 8, generator=random), torch.tensor([6])).features[0]
        strange = 30 * torch.randn(1, 6, 8, generator=random)
        features, lengths = torch.cat([known, strange], 1), torch.tensor([12])
        trusted, plain = (
            Mixture(codec, rule=rule)(features, lengths).features[0] for rule in ("distance", "interpolate")
        )
        parts = codec(torch.cat([known, strange]), torch.tensor([6, 6])).features[0]
        share = [
            float(((each[0, :6] - parts[1]) * (parts[0] - parts[1])).sum() / (parts[0] - parts[1]).square().sum())
            for each in (trusted, plain)
        ]
        assert share[0] > share[1] + 0.1
        assert share[1] == pytest.approx(0.5, abs=1e-3)

    def test_a_mixture_lies_between_planted_references(self):
        codec = make_codec(points=(0.0,))
        words = codec.decode(torch.tensor([[[0, 5, 0, 5]], [[1, 5, 2, 5]]]))  # two points that the codebooks hold
        features, lengths = words.repeat(1, 4, 1).reshape(1, 8, 8), torch.tensor([8])
        for rule in ("average", "interpolate", "distance", "vote"):
            mean = Mixture(codec, rule=rule)(features, lengths).features[0, 0].mean(0)
            spans = [(mean - words[i, 0]).norm() / (words[0, 0] - words[1, 0]).norm() for i in (0, 1)]
            assert all(0.2 < float(span) < 1.0 for span in spans), rule

    def test_what_is_wrong_is_named(self):
        codec = make_codec()
        with pytest.raises(ValueError, match="at least two weights above 0"):
            Mixture(codec, (1.0,))
        with pytest.raises(ValueError, match="rule is 'sum'"):
            Mixture(codec, rule="sum")
        with pytest.raises(ValueError, match=r"multiples of 2, not \[3\]: give the data the option `partners`"):
            Mixture(codec)(torch.randn(1, 3, 8), torch.tensor([3]))


def test_estimated_bits_are_those_of_the_search():
    codec = make_codec(prediction=True)
    features, lengths, _ = pairs()
    coded = codec(features, lengths)
    for point, lmbda in enumerate(codec.points):
        assert torch.allclose(estimated_bits(codec, coded.codes[point], lmbda), coded.bits[point], atol=1e-3)
