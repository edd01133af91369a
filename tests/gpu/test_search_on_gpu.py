"""What a frame of the search costs a GPU: few operations whatever the rows, no wait of the host, no upload."""

import pytest
import torch
from pretend import moved

from emoquant.codecs import ECVQ, Nearest
from emoquant.codecs.search import layout_of
from emoquant.entropy import AutoregressiveModel, FactorizedModel, LightModel
from emoquant.quantization import GroupedResidualVQ

DIM, FRAMES = 16, 3
KINDS = {
    "light": (lambda: LightModel(8, knots=2), {}, 100),
    "beam": (lambda: LightModel(8, knots=2), {"beam": 3}, 200),
    "look-ahead": (lambda: LightModel(8, knots=2), {"survivors": 4}, 220),
    "factorized": (FactorizedModel, {}, 100),
    "transformer": (lambda: AutoregressiveModel(1, 8, 2, memory=1, knots=2), {}, 300),
}


def codec(model, **settings):
    torch.manual_seed(0)
    quantizer = GroupedResidualVQ(2, 3, 6, dim=DIM, coarse=1, prediction=True)
    quantizer.fine.set(torch.randn_like(quantizer.fine.vectors))
    quantizer.rough.set(torch.randn_like(quantizer.rough.vectors))
    quantizer.predictor.fill_(0.8)
    quantizer.ready.fill_(True)
    model = model()
    model.build(layout_of(quantizer))
    return ECVQ(quantizer, model, [0.0, 0.5, 4.0], **settings)


def counted(codec, gpu, rows, frames):
    features = torch.randn(rows, frames, DIM, generator=torch.Generator().manual_seed(1))
    there, lengths = moved(features), moved(torch.full((rows,), frames))
    gpu.clear()
    codec(there, lengths)
    return gpu.totals()


@pytest.mark.parametrize("kind", KINDS)
def test_a_frame_costs_few_operations_and_no_wait(kind, gpu):
    model, settings, most = KINDS[kind]
    made = moved(codec(model, **settings))
    few, many = (counted(made, gpu, 9, frames) for frames in (FRAMES, 2 * FRAMES))
    operations, waits, uploads = ((after - before) / FRAMES for before, after in zip(few, many, strict=True))
    assert (waits, uploads) == (0, 0)
    assert 10 < operations <= most
    wide = [counted(made, gpu, 40, frames) for frames in (FRAMES, 2 * FRAMES)]
    assert (wide[1][0] - wide[0][0]) / FRAMES == operations, "as many operations for any number of rows"


def test_a_frame_of_nearest_codewords_costs_few_operations(gpu):
    made = moved(Nearest(codec(FactorizedModel).quantizer))
    few, many = (counted(made, gpu, 9, frames) for frames in (FRAMES, 2 * FRAMES))
    assert [(after - before) / FRAMES for before, after in zip(few, many, strict=True)][1:] == [0, 0]
    assert (many[0] - few[0]) / FRAMES <= 30


def test_results_are_those_of_a_cpu(gpu):
    made = codec(*KINDS["light"][:1])
    features, lengths = torch.randn(5, 9, DIM), torch.tensor([9, 3, 7, 9, 1])
    here = made(features, lengths)
    there = moved(made)(moved(features), moved(lengths))
    for one, other in zip(here, there, strict=True):
        assert torch.equal(one, other.cpu())


def test_more_rows_are_searched_where_memory_is_free(gpu, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    made, here = codec(*KINDS["light"][:1]), torch.device("cpu")
    assert made.rows_at_once(here, 150) == 1024
    assert made.rows_at_once(torch.device("cuda", 0), 150) == 2**14
    assert made.rows_at_once(torch.device("cuda", 0), 2_000_000) == 1024
    assert codec(*KINDS["light"][:1], rows=5).rows_at_once(torch.device("cuda", 0), 150) == 5
