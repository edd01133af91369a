"""The orthonormal transform of a whole codec: cosine transforms over time, then a rotation for every frequency band."""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from emoquant.codecs.transform.rows import BANDS, BLOCK, LEVELS, Form, plan
from emoquant.codecs.transform.weighting import Weighting
from emoquant.entropy.coefficients.model import OCTAVE
from emoquant.quantization.transform import rowwise_product

#: Weight of what a neighbouring band says of a band's covariance, in rows: of the time mean, and of the other bands.
SHRINK_MEAN, SHRINK = 30.0, 200.0
#: Rows that a band needs for a covariance of its own.
LEAST_ROWS = 64.0
#: Largest logarithm of a deviation, 128 octaves.
MOST_LEVEL = 128 * OCTAVE
#: Smallest lambda that changes the step, relative to the features' variance.
FINEST = 2.0**-11


class Moments(NamedTuple):
    """Hold sums over training utterances to which the transform is fitted; processes add up their sums.

    Attributes:
        products: Sums of products of the rows of each band, ``(BANDS, D, D)`` float64.
        counts: Rows of each band, ``(BANDS,)``.
        lags: Products of the blocks' means with those 0, 1 and 2 blocks later, in the stream form, ``(3, D, D)``.
        pairs: Number of products in each sum, ``(3,)``.
        energy: Sum of squares of all rows, ``()``.
    """

    products: Tensor
    counts: Tensor
    lags: Tensor
    pairs: Tensor
    energy: Tensor


def no_moments(dim: int) -> Moments:
    """Return moments of zero, to which utterances are added."""
    zeros = torch.zeros(BANDS, dim, dim, dtype=torch.float64)
    return Moments(zeros, zeros[:, 0, 0].clone(), zeros[:3].clone(), zeros[:3, 0, 0].clone(), zeros[0, 0, 0].clone())


class BandTransform(nn.Module):
    """Transform frames to coefficients and back: cosine transforms over time, then a rotation for each frequency band.

    Args:
        dim: Feature dimensions ``D``.
        weighted: Whether errors are weighted; coefficients, deviations and variance are then of weighted frames.

    Attributes:
        mean: Training mean of the frames, ``(D,)``.
        rotations: Rotation of each band, and of the stream form's means, ``(BANDS + 1, D, D)``; columns are components.
        levels: Logarithms of the deviations of the components in 1/32 octaves, ``(LEVELS, D)`` int32.
        memory: Weights of the last two means of the stream form in the prediction of the next, ``(2, D)``.
        variance: Variance of the training frames per dimension.
        weighting: Weights of errors; None for the squared error.
        ready: Whether the transform was fitted.
    """

    ready: Tensor
    mean: Tensor
    rotations: Tensor
    levels: Tensor
    memory: Tensor
    variance: Tensor

    def __init__(self, dim: int, weighted: bool = False) -> None:
        super().__init__()
        self.dim = dim
        self.weighting = Weighting(dim) if weighted else None
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("rotations", torch.eye(dim).repeat(BANDS + 1, 1, 1))
        self.register_buffer("levels", torch.zeros(LEVELS, dim, dtype=torch.int32))
        self.register_buffer("memory", torch.zeros(2, dim))
        self.register_buffer("variance", torch.ones(()))
        self.register_buffer("ready", torch.tensor(False))

    def forward(self, frames: Tensor, form: Form) -> Tensor:
        """Return the coefficients ``(T, D)`` of an utterance ``(T, D)``, in the order of the form's rows."""
        made = plan(len(frames), form)
        spectrum = _over_time((frames.float() - self.mean).unsqueeze(0), form)[0]
        rows = spectrum[_on(made.order, frames)]
        weights = None if self.weighting is None else self.weighting.forth
        return self._rotate(rows.unsqueeze(0), made.rows.band, self.rotations, weights)[0]

    def inverse(self, coefficients: Tensor, form: Form) -> Tensor:
        """Return the frames ``(..., T, D)`` of coefficients ``(..., T, D)``."""
        shape = coefficients.shape
        made = plan(shape[-2], form)
        rows = self._rotate(coefficients.reshape(-1, *shape[-2:]), made.rows.band, self.rotations.mT)
        if self.weighting is not None:
            rows = self._rotate(rows, _role(made.rows.band), self.weighting.back)
        spectrum = torch.empty_like(rows)
        spectrum[:, _on(made.order, rows)] = rows
        return (_over_time(spectrum, form, back=True) + self.mean).view(shape)

    def errors(self, before: Tensor, after: Tensor, form: Form) -> Tensor:
        """Return the weighted squared errors ``(O,)`` of reconstructions ``(O, T, D)`` of frames ``(T, D)``."""
        if self.weighting is None:
            return (after - before).square().sum((1, 2))
        aim = self(before, form)
        return torch.stack([(self(each, form) - aim).square().sum() for each in after])

    def _rotate(self, rows: Tensor, bands: np.ndarray, matrices: Tensor, weights: Tensor | None = None) -> Tensor:
        """Rotate rows ``(n, T, D)``, each by the matrix of its band, after weighting them."""
        if weights is not None:
            rows = self._rotate(rows, _role(bands), weights)
        found = torch.empty_like(rows)
        bands = np.minimum(bands, BANDS)
        for band in np.unique(bands).tolist():
            chosen = _on(np.flatnonzero(bands == band), rows)
            part = rows[:, chosen]
            found[:, chosen] = rowwise_product(part.reshape(-1, self.dim), matrices[band]).view(part.shape)
        return found

    def check(self) -> None:
        """Check that the transform was fitted and that its tables are valid.

        Raises:
            ValueError: It was not fitted, or a table is out of range.
        """
        if not bool(self.ready):
            raise ValueError("saved before its transform was fitted: train it for at least one epoch")
        if self.weighting is not None:
            self.weighting.check()
        most = int(self.levels.abs().max()), float(self.memory.abs().max())
        if most[0] > MOST_LEVEL or int(self.levels.min()) < -MOST_LEVEL or most[1] > 2 or not float(self.variance) > 0:
            raise ValueError("tables of the transform are out of range: the file is damaged; train it again")

    @torch.no_grad()
    def add(self, frames: Tensor, moments: Moments) -> None:
        """Add an utterance ``(T, D)`` to the moments; :attr:`mean` must be known."""
        centred = (frames.double() - self.mean.double()).unsqueeze(0)
        made = plan(len(frames), "whole")
        rows = _over_time(centred, "whole")[0][_on(made.order, frames)]
        if self.weighting is not None:
            rows = self._rotate(rows.unsqueeze(0), _role(made.rows.band), self.weighting.forth.double())[0]
        moments.energy.add_(rows.square().sum().to(moments.energy))
        rows = rows * _on(2.0 ** (-made.rows.offset / OCTAVE), frames).unsqueeze(1)
        for band in np.unique(made.rows.band).tolist():
            part = rows[_on(np.flatnonzero(made.rows.band == band), frames)]
            moments.products[band] += (part.T @ part).to(moments.products)
            moments.counts[band] += len(part)
        size = BLOCK["stream"]
        whole = centred[0, : len(frames) // size * size]
        means = whole.view(-1, size, self.dim).sum(1) / math.sqrt(size)
        if self.weighting is not None:
            means = means @ self.weighting.forth[0].double()
        for lag in range(min(3, len(means))):
            moments.lags[lag] += (means[lag:].T @ means[: len(means) - lag]).to(moments.lags)
            moments.pairs[lag] += len(means) - lag

    @torch.no_grad()
    def fit(self, moments: Moments) -> None:
        """Set rotations, deviations, prediction and variance in closed form.

        Args:
            moments: Moments of all training utterances about :attr:`mean`.

        Raises:
            ValueError: There are too few frames, or their variance is not positive and finite.
        """
        variance = float(moments.energy / (moments.counts.sum() * self.dim).clamp(min=1))
        if not (math.isfinite(variance) and variance > 0 and float(moments.counts.sum()) > 1):
            raise ValueError(f"the training frames have the variance {variance}: check the features")
        self.variance.fill_(variance)
        covariances = self._filled(moments)
        for band in range(BANDS):
            near = covariances[band + 1] if band + 1 < BANDS else covariances[band - 1]
            near = near if band else self._as_of_means(near)
            weight, count = SHRINK if band else SHRINK_MEAN, float(moments.counts[band])
            shrunk = (count * covariances[band] + weight * _aligned(covariances[band], near)) / (count + weight)
            self._set(band, *_principal(shrunk))
        self._fit_means(moments, self._as_of_means(covariances[1]))
        self.ready.fill_(True)

    def _filled(self, moments: Moments) -> list[Tensor]:
        """Return the covariance of each band; a band of hardly any rows gets that of the nearest band of more."""
        enough = min(LEAST_ROWS, float(moments.counts.max()))
        seen = [band for band in range(BANDS) if moments.counts[band] >= enough]
        found = []
        for band in range(BANDS):
            _, nearest = min((abs(other - band), other) for other in seen)
            covariance = moments.products[nearest] / moments.counts[nearest]
            found.append(covariance if band or nearest == 0 else self._as_of_means(covariance))
        return found

    def _as_of_means(self, covariance: Tensor) -> Tensor:
        """Return a covariance of other rows as it would be if they were weighted as time means are."""
        if self.weighting is None:
            return covariance
        change = (self.weighting.forth[0].double() @ self.weighting.back[1].double()).to(covariance)
        return change @ covariance @ change.T

    def _fit_means(self, moments: Moments, fallback: Tensor) -> None:
        """Set the rotation of the stream form's means and predict each from the last two (Yule-Walker equations)."""
        lags = moments.lags / moments.pairs.clamp(min=1)[:, None, None]
        power, basis = _principal(lags[0] if moments.pairs[0] > self.dim else lags[0] + fallback)
        self._set(BANDS, power, basis)
        near, far = ((basis.T @ lags[lag] @ basis).diagonal() / power for lag in (1, 2))
        near, far = near.clamp(-0.99, 0.99), far.clamp(-0.99, 0.99)
        first = near * (1 - far) / (1 - near.square())
        second = ((far - near.square()) / (1 - near.square())).clamp(-0.9, 0.9)
        stable = (first.abs() < 0.999 - second) & (moments.pairs[2] > 0)
        first, second = torch.where(stable, first, 0.9 * near), torch.where(stable, second, 0)
        self.memory.copy_(torch.stack([first, second]))
        left = power * (1 - first * near - second * far).clamp(min=1e-3)
        self.levels[BANDS + 1].copy_(_logarithms(left))

    def _set(self, band: int, power: Tensor, basis: Tensor) -> None:
        self.rotations[band].copy_(basis)
        self.levels[band].copy_(_logarithms(power))


def _role(bands: np.ndarray) -> np.ndarray:
    """Return 0 for rows of the time mean or of blocks' means of the stream form, 1 for others."""
    return ((bands > 0) & (bands < BANDS)).astype(np.int64)


def _logarithms(power: Tensor) -> Tensor:
    return (OCTAVE / 2 * power.clamp(min=1e-12).log2()).round().int()


def _principal(covariance: Tensor) -> tuple[Tensor, Tensor]:
    """Return variances in falling order and their directions, with signs that do not depend on the machine."""
    values, vectors = torch.linalg.eigh(covariance.cpu())
    values, vectors = values.flip(0).clamp(min=1e-12), vectors.flip(1)
    largest = vectors.gather(0, vectors.abs().argmax(0, keepdim=True))
    return values, vectors * largest.sign()


def _aligned(covariance: Tensor, near: Tensor) -> Tensor:
    """Return what is left of a covariance if another one's directions are uncorrelated in it."""
    _, basis = _principal(near)
    basis = basis.to(covariance)
    power = (basis * (covariance @ basis)).sum(0)
    return (basis * power) @ basis.T


def _on(index: np.ndarray, like: Tensor) -> Tensor:
    return torch.from_numpy(index).to(like.device)


@lru_cache(maxsize=256)
def cosines(size: int) -> Tensor:
    """Return the orthonormal DCT-II, ``(size, size)`` float64, frequencies in rows."""
    angles = math.pi / size * torch.outer(torch.arange(size) + 0.0, torch.arange(size) + 0.5).double()
    found = torch.cos(angles) * math.sqrt(2 / size)
    found[0] = math.sqrt(1 / size)
    return found


@lru_cache(maxsize=256)
def mean_basis(lengths: tuple[int, ...]) -> Tensor:
    """Return an orthonormal transform of blocks' means ``(blocks, blocks)`` whose first row gives the time mean."""
    weights = torch.tensor(lengths, dtype=torch.float64)
    basis = cosines(len(lengths)).clone()
    basis[0] = (weights / weights.sum()).sqrt()
    vectors, triangle = torch.linalg.qr(basis.T)
    return (vectors * triangle.diagonal().sign()).T.contiguous()


def _over_time(frames: Tensor, form: Form, back: bool = False) -> Tensor:
    """Transform ``(n, T, D)`` over time, block by block, and the blocks' means together; or back."""
    made = plan(frames.shape[1], form)
    lengths = np.diff(made.starts)
    found = frames.clone() if back else torch.empty_like(frames)
    if back and form == "whole":
        _transform_means(found, made.starts, made.stretches, back)
    source = found.clone() if back else frames
    for length in np.unique(lengths).tolist():
        places = made.starts[:-1][lengths == length][:, None] + np.arange(length)
        matrix = cosines(length).to(frames)
        chosen = _on(places.reshape(-1), frames)
        part = source[:, chosen].view(-1, length, frames.shape[-1])
        part = torch.matmul(matrix.T if back else matrix, part)
        found[:, chosen] = part.view(len(frames), -1, frames.shape[-1])
    if not back and form == "whole":
        _transform_means(found, made.starts, made.stretches, back)
    return found


def _transform_means(spectrum: Tensor, starts: np.ndarray, stretches: np.ndarray, back: bool) -> None:
    for first, last in zip(stretches[:-1].tolist(), stretches[1:].tolist(), strict=True):
        matrix = mean_basis(tuple(np.diff(starts[first : last + 1]).tolist())).to(spectrum)
        places = _on(starts[first:last], spectrum)
        spectrum[:, places] = torch.matmul(matrix.T if back else matrix, spectrum[:, places])
