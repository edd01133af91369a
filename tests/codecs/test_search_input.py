"""What a search refuses."""

import math

import pytest
import torch
from test_search import make_model, make_quantizer

from emoquant.codecs import ECVQ
from emoquant.codecs.search import Search


@pytest.mark.parametrize(
    ("features", "lengths", "points", "said"),
    [
        (torch.zeros(1, 2, 7), torch.tensor([2]), [1.0], "trained on an encoder of 8"),
        (torch.zeros(1, 2, 8), torch.tensor([3]), [1.0], "lengths must lie"),
        (torch.zeros(1, 2, 8), torch.tensor([0]), [1.0], "lengths must lie"),
        (torch.full((1, 2, 8), math.nan), torch.tensor([2]), [1.0], "NaN"),
        (torch.zeros(1, 2, 8), torch.tensor([2]), [-1.0], "lambdas must be finite"),
        (torch.zeros(1, 2, 8), torch.tensor([2]), [], "lambdas must be finite"),
    ],
)
def test_wrong_input_is_named(features, lengths, points, said):
    quantizer = make_quantizer()
    with pytest.raises(ValueError, match=said):
        ECVQ(quantizer, make_model(quantizer, width=4))(features, lengths, points)


@pytest.mark.parametrize("name", ["beam", "survivors", "rows"])
def test_sizes_of_a_search_must_be_positive(name):
    quantizer = make_quantizer()
    with pytest.raises(ValueError, match=name):
        Search(quantizer, make_model(quantizer, width=4), **{name: 0})
