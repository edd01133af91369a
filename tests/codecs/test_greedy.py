"""Greedy reduction of similarity: targets are met, the choice is the nearest one at every position."""

import pytest
import torch
from test_compose import make_codec

from emoquant.codecs import Greedy


def frames(count=3, longest=12, seed=0, dim=8):
    random = torch.Generator().manual_seed(seed)
    lengths = torch.tensor([longest - 2 * row for row in range(count)])
    features = 2 + torch.randn(count, longest, dim, generator=random)
    features[torch.arange(longest) >= lengths[:, None]] = 0
    return features, lengths


def similarity(one, other):
    return float(torch.nn.functional.cosine_similarity(one.double().mean(0), other.double().mean(0), dim=0))


@pytest.mark.parametrize("settings", [{}, {"prediction": True}, {"coarse": 1}, {"rotation": "none"}])
def test_targets_are_met(settings):
    codec = make_codec(**settings)
    greedy = Greedy(codec, (0.9, 0.7, 0.5), rounds=10)
    features, lengths = frames()
    features = codec(features, lengths, (0.0,)).features[0]  # within reach of the codebooks
    coded = greedy(features, lengths)
    for point, target in enumerate(greedy.points):
        for row, length in enumerate(lengths.tolist()):
            reached = similarity(features[row, :length], coded.features[point, row, :length])
            assert reached == pytest.approx(target, abs=0.08)  # five codewords are coarse


def test_each_code_brings_the_frame_nearest_to_the_level():
    codec = make_codec()
    greedy = Greedy(codec)
    features = torch.randn(1, 1, 8, generator=torch.Generator().manual_seed(3))
    for level in (0.9, 0.4):
        found = greedy._match(features, torch.tensor([1]), torch.tensor([level]))[0, 0]
        codes = torch.full((codec.positions,), codec.codewords)
        for position in range(codec.positions):
            off = []
            for code in range(codec.codewords + 1):
                codes[position] = code
                decoded = codec.decode(codes[None, None])[0]
                off.append(abs(similarity(features[0], decoded) - level))
            codes[position] = min(range(len(off)), key=off.__getitem__)
        assert codes.tolist() == found.tolist()


def test_batch_padding_and_other_targets_change_nothing():
    greedy = Greedy(make_codec(prediction=True), (0.8, 0.4))
    features, lengths = frames()
    whole = greedy(features, lengths)
    alone = greedy(features[1:2, :10], lengths[1:2], (0.4,))
    assert whole.codes[1, 1, :10].equal(alone.codes[0, 0])
    assert torch.allclose(whole.bits[1, 1, :10], alone.bits[0, 0], atol=1e-4)
    assert bool((whole.codes[:, 1, 10:] == -1).all())
    assert not whole.features[:, 1, 10:].any()
    assert not whole.bits[:, 1, 10:].any()


def test_codes_decode_to_the_features():
    codec = make_codec(prediction=True)
    greedy = Greedy(codec, (0.8, 0.3))
    features, lengths = frames()
    coded = greedy(features, lengths)
    valid = torch.arange(12) < lengths[:, None]
    for point in range(2):
        decoded = codec.decode(coded.codes[point].long())
        assert torch.allclose(decoded[valid], coded.features[point][valid], atol=1e-5)


def test_wrong_targets_are_named():
    with pytest.raises(ValueError, match=r"must lie in \(-1, 1\], at least one of them; got \[1.5\]"):
        Greedy(make_codec(), (1.5,))
    with pytest.raises(ValueError, match="above 0"):
        Greedy(make_codec(), rounds=0)
