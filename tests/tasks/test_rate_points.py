from types import SimpleNamespace

import numpy as np
import pytest
import torch

from emoquant.codecs import ECVQ
from emoquant.codecs.identity import Identity
from emoquant.codecs.rate_curves import Curves
from emoquant.entropy import FactorizedModel
from emoquant.quantization import GroupedResidualVQ
from emoquant.tasks.rate_points import RatePoint, _one_a_lambda, place_points, point_rows
from emoquant.types import Batch

DIM = 16


def small_codec():
    torch.manual_seed(0)
    quantizer = GroupedResidualVQ(groups=8, layers=2, codewords=16, rotation="none", dim=DIM)
    quantizer.fine.set(torch.randn_like(quantizer.fine.vectors))
    quantizer.ready.fill_(True)
    model = FactorizedModel(1)
    codec = ECVQ(quantizer, model, points=(0.0, 1.0))
    model.bias.data[..., 16] = 5.0
    return codec


def small_data(count=6):
    random, lengths = torch.Generator().manual_seed(1), torch.full((3,), 50)
    none = torch.zeros(3, dtype=torch.int64)
    batches = [
        Batch(torch.randn(3, 50, DIM, generator=random) + 0.5, lengths, none, none, rows, torch.zeros(3, 1))
        for rows in torch.arange(count).split(3)
    ]
    split = SimpleNamespace(lengths=np.full(count, 50))
    return SimpleNamespace(name="small", dataset=lambda split_name: split, val_dataloader=lambda: batches), batches


def test_points_spend_the_wanted_bits_on_validation_data():
    codec, (data, batches) = small_codec(), small_data()
    chosen = place_points(torch.nn.ModuleList([Identity(), codec]), data, [1000.0, 40.0, 20.0, 5.0])
    assert [point.rate for point in chosen[codec.name]] == [40.0, 20.0, 5.0]
    assert set(codec.points) == {0.0, 1.0, *(point.lmbda for point in chosen[codec.name])}
    assert codec.points == (0.0, 1.0, *(point.lmbda for point in chosen[codec.name]))
    for point in chosen[codec.name]:
        bits = sum(float(codec(batch.features, batch.lengths, (point.lmbda,)).bits.sum()) for batch in batches) / 300
        assert bits == pytest.approx(point.rate, rel=0.05)
    rows = {(row.metric, row.lmbda): row.value for row in point_rows(torch.nn.ModuleList([codec]), chosen, "small")}
    assert {value for (metric, _), value in rows.items() if metric == "target_bits_per_frame"} == {40.0, 20.0, 5.0}
    for point in codec.points:
        assert rows["relative_lambda", point] == pytest.approx(point / codec.variance)


def test_rates_that_one_lambda_stands_for_are_one_point():
    lmbdas = np.array([1.0, 2.0, 3.0])
    curve = Curves(lmbdas, np.array([[20.0, 9.0, 1.0]]), np.ones((1, 3)), np.array([10]))
    points = [
        RatePoint(1.0, 20.0),
        RatePoint(2.0, 12.0),
        RatePoint(2.0, 10.0),
        RatePoint(2.0, 5.0),
        RatePoint(3.0, 1.0),
    ]
    assert _one_a_lambda(points, curve) == [points[0], points[2], points[4]]


def test_a_lambda_that_is_there_already_gets_a_point_beside_it():
    first, second = small_codec(), small_codec()
    (chosen,) = place_points(torch.nn.ModuleList([first]), small_data()[0], [20.0])[first.name]
    second.points = (chosen.lmbda,)
    (other,) = place_points(torch.nn.ModuleList([second]), small_data()[0], [20.0])[second.name]
    assert chosen.lmbda < other.lmbda < 1.001 * chosen.lmbda


def test_what_cannot_be_placed_is_said():
    codecs = torch.nn.ModuleList([small_codec()])
    with pytest.raises(ValueError, match=r"rates are bits a frame above 0, got \[0.0\]"):
        place_points(codecs, small_data()[0], [0.0])
    with pytest.raises(ValueError, match="small has no validation utterances"):
        place_points(codecs, small_data(0)[0], [1.0])
    assert place_points(torch.nn.ModuleList([Identity()]), small_data(0)[0], [1.0]) == {}
