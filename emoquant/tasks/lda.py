"""A classifier of another family than the probe of gradient descent: linear discriminant analysis, in closed form."""

import torch
from torch import Tensor, nn

from emoquant.interfaces.access import data_of
from emoquant.tasks.probe import ProbeTask, means


def shrunk_covariance(scatter: Tensor, fourth: Tensor, count: int, share: float | None = None) -> Tensor:
    """Return a covariance matrix shrunk towards a multiple of the identity, ``(D, D)``.

    Args:
        scatter: Sum of the outer products of centred vectors, ``(D, D)`` float64.
        fourth: Sum of the fourth powers of their lengths, a scalar.
        count: Vectors.
        share: Share of the identity; by default what Ledoit and Wolf (2004) estimate to lose least.
    """
    covariance = scatter / count
    target = covariance.diagonal().mean() * torch.eye(len(covariance), dtype=covariance.dtype)
    if share is None:
        distance = (covariance - target).square().sum()
        noise = (fourth / count - covariance.square().sum()) / count
        share = float((noise.clamp_min(0.0) / distance.clamp_min(1e-300)).clamp_max(1.0))
    return (1 - share) * covariance + share * target


def discriminants(centroids: Tensor, covariance: Tensor) -> tuple[Tensor, Tensor]:
    """Return weights ``(C, D)`` and biases ``(C,)`` of the log posteriors of Gaussian classes, all equally likely.

    Args:
        centroids: Means of the classes, ``(C, D)`` float64.
        covariance: Covariance within the classes, ``(D, D)`` float64, positive definite.
    """
    weight = torch.linalg.solve(covariance, centroids.T).T
    return weight, -0.5 * (weight * centroids).sum(-1)


class LDATask(ProbeTask):
    """Fits linear discriminant analysis to the time means of cached frame features; no step of gradient descent.

    The classes are Gaussians of one covariance, which is shrunk (:func:`shrunk_covariance`), and equally likely. The
    result is a linear probe, which :class:`emoquant.encoders.ProbeHead` loads. The training split is read twice when
    the fit starts; the epoch that follows changes nothing.

    Args:
        shrinkage: Share of the identity in the covariance, in [0, 1]; estimated from the training split by default.

    Raises:
        ValueError: The share is out of range.
    """

    def __init__(self, shrinkage: float | None = None) -> None:
        super().__init__()
        if shrinkage is not None and not 0 <= shrinkage <= 1:
            raise ValueError(f"shrinkage is {shrinkage}, expected a share from 0 to 1")
        self.shrinkage = shrinkage

    def on_fit_start(self) -> None:
        """Fit the discriminants to the training split."""
        assert self.probe is not None
        classes, dim = len(self.labels), self.probe.dim
        sums = torch.zeros(classes, dim + 1, dtype=torch.float64)
        for batch in data_of(self.trainer).reference_dataloader():
            vectors = means(batch).double()
            sums.index_add_(0, batch.emotions, torch.cat([vectors, torch.ones(len(vectors), 1)], dim=1))
        sums = self._added(sums)
        counts = sums[:, -1:]
        if missing := [name for name, count in zip(self.labels, counts, strict=True) if not count]:
            raise ValueError(f"the training split has no utterance of {', '.join(missing)}: leave the emotion out")
        centroids = sums[:, :-1] / counts
        scatter, fourth = torch.zeros(dim, dim, dtype=torch.float64), torch.zeros((), dtype=torch.float64)
        for batch in data_of(self.trainer).reference_dataloader():
            centred = means(batch).double() - centroids[batch.emotions]
            scatter += centred.T @ centred
            fourth += centred.square().sum(1).square().sum()
        summed = self._added(scatter), self._added(fourth)
        covariance = shrunk_covariance(*summed, int(counts.sum()), self.shrinkage)
        mean = centroids.mean(0)
        weight, bias = discriminants(centroids - mean, covariance)
        self.probe.standardize(mean.float(), torch.ones(()))
        last = self.probe.layers[-1]
        assert isinstance(last, nn.Linear)
        with torch.no_grad():
            last.weight.copy_(weight.float())
            last.bias.copy_(bias.float())

    def _added(self, values: Tensor) -> Tensor:
        """Return the sum of what every process has."""
        return self.trainer.strategy.reduce(values.to(self.device), reduce_op="sum").cpu()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return an optimizer that changes nothing: checkpoints are written after steps, so there must be one."""
        return torch.optim.SGD(self.parameters(), lr=0.0)
