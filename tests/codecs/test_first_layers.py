import math

import pytest
import torch

from emoquant.codecs import ECVQ, FirstLayers
from emoquant.entropy import LightModel
from emoquant.quantization import GroupedResidualVQ
from emoquant.types import Batch

DIM, LAYERS, WORDS = 6, 5, 3


def codec(**changes):
    torch.manual_seed(0)
    shape = {"groups": 1, "layers": LAYERS, "codewords": WORDS, "rotation": "none", "dim": DIM} | changes
    quantizer = GroupedResidualVQ(**shape)
    quantizer.fine.vectors.copy_(torch.randn(quantizer.fine.vectors.shape))
    quantizer.ready.fill_(True)
    return ECVQ(quantizer, LightModel(width=8, memory=0, parallel=False), name="rvq").eval()


@pytest.fixture
def batch():
    torch.manual_seed(1)
    lengths = torch.tensor([4, 7])
    features = torch.randn(2, 7, DIM) * (torch.arange(7) < lengths[:, None])[..., None]
    zeros = torch.zeros(2, dtype=torch.int64)
    return Batch(features, lengths, zeros, zeros, torch.arange(2), torch.zeros(2, 1))


def by_hand(frame, words):
    """Nearest codewords of a frame, layer after layer, one at a time."""
    left, codes = frame.clone(), []
    for layer in words:
        codes.append(int((layer - left).square().sum(-1).argmin()))
        left = left - layer[codes[-1]]
    return codes


def test_layers_are_those_of_a_plain_residual_quantizer(batch):
    inner = codec()
    coded = FirstLayers(inner, [1, 3, 5])(batch.features, batch.lengths)
    words, transform = inner.quantizer.fine.vectors, inner.quantizer.transform
    for place, count in enumerate((1, 3, 5)):
        for row, length in enumerate(batch.lengths.tolist()):
            for t in range(length):
                codes = by_hand(transform(batch.features[row : row + 1, t : t + 1])[0, 0], words)
                assert coded.codes[place, row, t, :count].tolist() == codes[:count]
                assert set(coded.codes[place, row, t, count:].tolist()) <= {WORDS}
                total = sum(words[layer][code] for layer, code in enumerate(codes[:count]))
                torch.testing.assert_close(coded.features[place, row, t], transform.inverse(total[None, None])[0, 0])
            assert coded.bits[place, row, :length].tolist() == pytest.approx([count * math.log2(WORDS)] * length)
    assert not coded.features[:, 0, 4:].any()
    assert not coded.bits[:, 0, 4:].any()


def test_entropy_of_the_first_layers_does_not_know_the_later_ones(batch):
    inner = codec()
    (bits,) = FirstLayers(inner, [2]).count(batch).extra.unbind(-1)
    every = FirstLayers(inner, [2, 5]).count(batch)
    torch.testing.assert_close(every.extra[0, ..., 0], bits[0])
    assert (every.extra[1] >= every.extra[0]).all()
    assert FirstLayers(inner).points == (1.0, 2.0, 4.0, 5.0)
    assert FirstLayers(inner).extra == ("entropy_coded",)


def test_what_cannot_be_cut_is_refused():
    for changes in ({"groups": 2}, {"coarse": 1}, {"prediction": True}):
        with pytest.raises(ValueError, match="cannot be cut after some layers"):
            FirstLayers(codec(**changes))
    with pytest.raises(ValueError, match="expected numbers from 1 to the 5 of 'rvq'"):
        FirstLayers(codec(), [1, 6])
