"""What quantizers and entropy models choose for the feature dimensions, and that what is given wins."""

import pytest

from emoquant.codecs.search import layout_of
from emoquant.entropy import AutoregressiveModel, FactorizedModel, Layout, LightModel
from emoquant.quantization import GroupedResidualVQ
from emoquant.quantization.grvq import default_groups


def built(dim, model, **settings):
    quantizer = GroupedResidualVQ(**settings, dim=dim)
    model.build(layout_of(quantizer))
    return quantizer, model


@pytest.mark.parametrize(
    ("dim", "groups", "width", "high"),
    [(192, 12, 64, 2.0), (256, 16, 64, 2.0), (768, 12, 128, 32.0), (1024, 16, 128, 32.0), (512, 16, 128, 8.0)],
)
def test_defaults_follow_the_dimensions(dim, groups, width, high):
    quantizer, model = built(dim, LightModel(knots=2), codewords=2, coarse=1)
    assert (quantizer.groups, quantizer.positions) == (groups, 1 + 3 * groups)
    assert quantizer.settings()["groups"] == groups
    assert (model.width, model.basis.high) == (width, high)
    assert model.settings() == {
        "width": width, "memory": 1, "parallel": True, "knots": 2, "low": 1e-4, "high": high
    }  # fmt: skip
    again = LightModel(**model.settings())
    again.build(layout_of(GroupedResidualVQ(**quantizer.settings())))
    shapes = [{name: each.shape for name, each in made.state_dict().items()} for made in (model, again)]
    assert shapes[0] == shapes[1]


def test_they_are_open_until_then():
    quantizer, model = GroupedResidualVQ(), LightModel()
    assert (quantizer.settings()["groups"], quantizer.settings()["dim"]) == (None, 0)
    assert (model.settings()["width"], model.settings()["high"]) == (None, None)
    assert GroupedResidualVQ(**quantizer.settings()).settings() == quantizer.settings()
    quantizer.build(24)
    quantizer.build(24)
    assert quantizer.groups == 12


def test_what_is_given_wins():
    quantizer, model = built(192, LightModel(32, high=7.0, knots=2), groups=4, codewords=2, coarse=1)
    assert (quantizer.groups, model.width, model.basis.high) == (4, 32, 7.0)


@pytest.mark.parametrize("kind", [LightModel, FactorizedModel, AutoregressiveModel])
def test_the_last_knot_of_every_model(kind):
    for coarse, high in ((1, 2.0), (0, 32.0)):
        _, model = built(192, kind(), layers=1, codewords=2, coarse=coarse)
        assert model.basis.high == model.settings()["high"] == high
    with pytest.raises(ValueError, match=r"the first knot at 3.0 is not below the last at 2.0: give high"):
        built(192, kind(low=3.0), layers=1, codewords=2, coarse=1)


def test_divisors_near_12():
    found = {dim: default_groups(dim) for dim in (1280, 100, 10, 4, 514, 640, 36)}
    assert found == {1280: 10, 100: 10, 10: 5, 4: 2, 514: 2, 640: 10, 36: 12}
    for dim in (1021, 7, 3, 2, 1):
        with pytest.raises(ValueError, match=f"no number of groups divides {dim} feature dimensions: give groups: 1"):
            GroupedResidualVQ(dim=dim)
    assert GroupedResidualVQ(groups=1, codewords=2, dim=7).groups == 1


def test_a_layout_says_its_dimensions():
    assert layout_of(GroupedResidualVQ(codewords=2, dim=256)) == Layout(0, 16, 3, 2, 16)
    assert Layout(0, 16, 3, 2, 16).dim == 256
