"""Conversion of entropy models into tables indexed by codes, from which integer versions are made."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from emoquant.entropy.base import EntropyModel
from emoquant.entropy.factorized import FactorizedModel
from emoquant.entropy.fixed_point import lmbda_knots
from emoquant.entropy.integer import FoldedBlock, IntegerTwin
from emoquant.entropy.light import LightModel, StreamBlock


def integer_twin(model: EntropyModel) -> IntegerTwin:
    """Return the integer version of an entropy model, by which files are coded.

    Raises:
        ValueError: The model has no integer version, so that its rate is only estimated, or too large weights.
    """
    unit = lmbda_unit(model)
    lmbdas = [knot * unit for knot in lmbda_knots()]
    if isinstance(model, LightModel):
        return IntegerTwin(fold_light(model, lmbdas), unit)
    if isinstance(model, FactorizedModel):
        return IntegerTwin(fold_factorized(model, lmbdas), unit)
    raise ValueError(
        f"{type(model).__name__} gives estimated bits only: its float probabilities change in their last digits with "
        f"batch and device, and a decoder would lose track; for real bits train a LightModel or a FactorizedModel"
    )


def lmbda_unit(model: EntropyModel) -> float:
    """Return the unit of the tabulated lambdas, a power of two: 1 if the model's range of lambda fits the table."""
    basis, (_, first, *_, last) = model.basis, lmbda_knots()
    low, high = basis.low * float(basis.scale), basis.high * float(basis.scale)
    if basis.knots == 1 or first <= low <= high <= last:
        return 1.0
    return 2.0 ** math.ceil(math.log2(high / last))


def fold_light(model: LightModel, lmbdas: Sequence[float]) -> list[FoldedBlock]:
    """Return the tables of a light model, with the terms of lambda tabulated at ``lmbdas``."""
    weights = model.basis(torch.tensor(lmbdas, dtype=torch.float64, device=model.basis.scale.device)).double().cpu()
    blocks, first = [], 0
    for block in model.blocks:
        assert isinstance(block, StreamBlock)
        before = _empty(0, 0, 0, 0) if model.rough is None or not first else _table(model.rough)
        hidden = torch.einsum("uj,jslh->uslh", weights, _table(block.by_lambda)) + _table(block.offset)
        streams, steps, width, symbols = block.output.shape
        shared = _empty(0, model.layout.positions, symbols + 1, width)
        own = _empty(0, streams, steps, symbols + 1, width)
        if block.shared is not None and block.own is not None:
            shared, own = _table(block.shared), _table(block.own)
        blocks.append(
            FoldedBlock(
                first, _table(block.embedding), own, shared, before, _table(block.output), hidden,
                torch.einsum("uj,jslv->uslv", weights, _table(block.bias)),
            )
        )  # fmt: skip
        first += streams * steps
    return blocks


def fold_factorized(model: FactorizedModel, lmbdas: Sequence[float]) -> list[FoldedBlock]:
    """Return the tables of a factorized model, tabulated at ``lmbdas``; its hidden layer is empty."""
    weights = model.basis(torch.tensor(lmbdas, dtype=torch.float64, device=model.basis.scale.device)).double().cpu()
    bias = torch.einsum("uj,jpv->upv", weights, _table(model.bias)).unsqueeze(2)  # a stream of one step a position
    positions, symbols = bias.shape[1], bias.shape[3]

    return [
        FoldedBlock(
            0, _empty(positions, 1, symbols, 0), _empty(0, positions, 1, symbols + 1, 0),
            _empty(0, positions, symbols + 1, 0), _empty(0, symbols, positions, 0), _empty(positions, 1, 0, symbols),
            _empty(len(lmbdas), positions, 1, 0), bias,
        )
    ]  # fmt: skip


def _table(parameter: Tensor) -> Tensor:
    return parameter.detach().double().cpu().clone()


def _empty(*shape: int) -> Tensor:
    return torch.zeros(shape, dtype=torch.float64)
