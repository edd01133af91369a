"""The lambdas that a codec is trained at, and rate and distortion over a grid of them, which tell how good it is."""

import torch
from torch import Tensor

from emoquant.codecs.search import Search, rows_that_fit
from emoquant.entropy.base import LARGEST_RATIO, EntropyModel, LambdaBasis
from emoquant.quantization.codebooks import reduce_together
from emoquant.quantization.grvq import GroupedResidualVQ
from emoquant.types import Batch

#: Lambdas of the validation, relative to the variance of the features per dimension.
RATIOS = (0.0, 0.05, 0.2, 0.5, 1.0, 2.0, 5.0, 20.0)


def draw_lambdas(basis: LambdaBasis, scale: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Return lambdas ``(N,)`` of the utterances of a batch, stratified over it in a random order.

    They are log-uniform from the first knot of the basis to the last, at least to 600 times the variance of the
    features per dimension, where a codec shall spend nothing.

    Args:
        basis: The entropy model's basis.
        scale: Variance of the features per dimension, a scalar.
        count: Utterances ``N``.
        generator: A CPU generator.
    """
    place = (torch.randperm(count, generator=generator) + torch.rand(count, generator=generator)) / count
    ratio = basis.low * (max(basis.high, LARGEST_RATIO) / basis.low) ** place
    return (ratio.to(scale.device) * scale).float()


class LambdaGrid:
    """Sums of bits, squared errors and frames of a validation, at every lambda of the grid."""

    def __init__(self) -> None:
        self._sums = torch.zeros(len(RATIOS), 3, dtype=torch.float64)

    def add(self, quantizer: GroupedResidualVQ, model: EntropyModel, batch: Batch) -> None:
        """Code a batch at every lambda and add it up.

        Args:
            quantizer: An initialised quantizer.
            model: The entropy model.
            batch: Frame features.
        """
        order = batch.lengths.argsort(descending=True, stable=True)
        components, lengths = quantizer.transform(batch.features)[order], batch.lengths[order]
        ratios = torch.tensor(RATIOS, device=components.device).float()
        rows = rows_that_fit(quantizer, model, components.device, components.shape[1])
        search, step = Search(quantizer, model, rows=rows), max(1, rows // len(ratios))
        for part, ends in zip(components.split(step), lengths.split(step), strict=True):
            part = part[:, : int(ends[0])].repeat_interleave(len(ratios), 0)
            found = search(part, ends.repeat_interleave(len(ratios)), (ratios * quantizer.scale).repeat(len(ends)))
            valid = (found.codes[..., :1] >= 0).float()
            error = ((found.components - part).square() * valid).sum((1, 2))
            sums = torch.stack([found.bits.sum(1), error, valid.sum((1, 2))], -1).double()
            self._sums += sums.view(len(ends), len(ratios), 3).sum(0).cpu()

    def figures(self, quantizer: GroupedResidualVQ, device: torch.device) -> dict[str, float]:
        """Return figures by their names in the log, of all processes (a collective call); none without any frames.

        Args:
            quantizer: The quantizer, for the dimension and the scale of the features.
            device: Device on which the processes add up.

        Returns:
            Bits a frame and distortion at every lambda, and the mean Lagrangian a dimension; distortion and lambda are
            relative to the variance of the features.
        """
        bits, error, frames = reduce_together(self._sums.float().to(device))[0].double().T.cpu()
        return grid_figures(bits, error, frames, quantizer.dim, float(quantizer.scale))


def grid_figures(bits: Tensor, error: Tensor, frames: Tensor, dim: int, variance: float) -> dict[str, float]:
    """Return rate, distortion and mean Lagrangian over :data:`RATIOS` by their names in the log; none without frames.

    Args:
        bits: Bits of all frames at each lambda.
        error: Their squared error.
        frames: Frames.
        dim: Feature dimensions.
        variance: Variance of the features a dimension, which distortion and lambda are relative to.
    """
    if not float(frames[0]):
        return {}
    rate, distortion = bits / frames, error / frames / (dim * variance)
    cost = distortion + torch.tensor(RATIOS) * rate / dim
    figures = {"val/lagrangian": float(cost.mean())}
    for ratio, each_rate, each_distortion in zip(RATIOS, rate, distortion, strict=True):
        figures[f"val/bits_per_frame/lambda_{ratio:g}"] = float(each_rate)
        figures[f"val/distortion/lambda_{ratio:g}"] = float(each_distortion)
    return figures
