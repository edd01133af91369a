"""A plain transform codec as a rival, and a Gaussian reference with memory for real features.

The rival: one rotation (KLT) over the dimensions, a cosine transform over each whole utterance, a uniform threshold
quantizer, and static histograms whose contexts are the expected size and the sizes of four neighbours. Its bits are
ideal code lengths, with escapes. The reference is no bound: it is the rate of a Gaussian process with the rotation and
the spectra of the test utterances themselves, and real features are none.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct, idct

Array = NDArray[np.float64]
EDGES = np.concatenate([[0], np.geomspace(0.003, 0.5, 14)])  # of bands in cycles a frame; band 0 is the time mean
MOST = 30  # larger sizes are escapes


class PlainTransform:
    """Rotation and spectra of utterances ``(T, D)``."""

    def __init__(self, utterances: list[Array]) -> None:
        frames = np.concatenate(utterances).astype(np.float64)
        self.mean = frames.mean(0)
        self.variance, basis = np.linalg.eigh(np.cov(frames.T))
        self.basis = basis[:, ::-1]
        power, count = np.zeros((len(EDGES) + 1, len(self.mean))), np.zeros(len(EDGES) + 1)
        for each in utterances:
            squares = self.forward(each) ** 2
            squares[0] /= len(each)  # the mean's variance grows with the number of frames
            np.add.at(power, _bands(len(each)), squares)
            np.add.at(count, _bands(len(each)), 1)
        self.power = power / np.maximum(count, 1)[:, None] + 1e-9

    def forward(self, frames: Array) -> Array:
        """Return the coefficients of an utterance."""
        return dct((frames - self.mean) @ self.basis, axis=0, norm="ortho")

    def inverse(self, coefficients: Array) -> Array:
        """Return the frames of coefficients."""
        return idct(coefficients, axis=0, norm="ortho") @ self.basis.T + self.mean

    def powers(self, frames: int) -> Array:
        """Return the variance of each coefficient of an utterance."""
        found = self.power[_bands(frames)].copy()
        found[0] *= frames
        return found

    def reference(self, lengths: list[int]) -> Array:
        """Return bits and squared error a frame by reverse water-filling over components and frequencies."""
        points = []
        for level in np.geomspace(1e-6, 300, 160) * self.variance.max():
            both = np.zeros(2)
            for power in map(self.powers, lengths):
                both += 0.5 * np.log2(np.maximum(power / level, 1)).sum(), np.minimum(power, level).sum()
            points.append(both / sum(lengths))
        return np.array(points)


def plain_codec(train: list[Array], test: list[Array], steps: Array) -> Array:
    """Return bits and squared error a frame of the plain codec at each step, trained and measured on utterances."""
    return utterance_points(train, test, steps).sum(1) / sum(map(len, test))


def utterance_points(train: list[Array], test: list[Array], steps: Array) -> Array:
    """Return bits and squared error of every test utterance at each step, ``(steps, N, 2)``."""
    transform = PlainTransform(train)
    known, asked = ([transform.forward(each) for each in part] for part in (train, test))
    return np.array([_at_step(transform, known, asked, step) for step in steps])


def _bands(frames: int) -> NDArray[np.int64]:
    found = np.searchsorted(EDGES, np.arange(frames) / (2 * frames), side="left")
    found[0] = 0
    return found


def _quantize(coefficients: Array, step: float) -> NDArray[np.int64]:
    dead = 0.33 if step > 12 else 0.2
    return (np.sign(coefficients) * np.maximum(np.floor(np.abs(coefficients) / step + 0.5 - dead), 0)).astype(np.int64)


def _contexts(transform: PlainTransform, indices: NDArray[np.int64], step: float) -> NDArray[np.int64]:
    deviation = np.sqrt(transform.powers(len(indices)))
    scale = np.clip(np.round((np.log2(deviation / step) + 7) * 3), 0, 44).astype(int)
    sizes, near = np.abs(indices), np.zeros_like(indices)
    near[1:] += 2 * sizes[:-1]
    near[2:] += sizes[:-2]
    near[:, 1:] += 2 * sizes[:, :-1]
    near[:, 2:] += sizes[:, :-2]
    return scale * 6 + np.minimum(near, 3) + (near >= 5) + (near >= 9)


def _tables(transform: PlainTransform, known: list[Array], step: float) -> tuple[Array, Array]:
    seen, sums, counts = np.zeros((270, 2 * MOST + 1)), np.zeros(4), np.zeros(4)
    for each in known:
        q = _quantize(each, step)
        np.add.at(seen, (_contexts(transform, q, step).ravel(), np.clip(q, -MOST, MOST).ravel() + MOST), 1)
        size = np.minimum(np.abs(q), 3).ravel()
        np.add.at(sums, size, np.abs(each).ravel() / step - np.abs(q).ravel())
        np.add.at(counts, size, 1)
    p = ((seen + seen[:, ::-1]) / 2).reshape(45, 6, -1)
    base = p.sum(1, keepdims=True) + 0.02 * np.exp(-np.abs(np.arange(-MOST, MOST + 1)))[None, None]
    p = p + 4 * base / base.sum(-1, keepdims=True)
    shift = sums / np.maximum(counts, 1)
    shift[0] = 0
    return (p / p.sum(-1, keepdims=True)).reshape(270, -1), shift


def _at_step(transform: PlainTransform, known: list[Array], asked: list[Array], step: float) -> Array:
    probabilities, shift = _tables(transform, known, step)
    found = []
    for each in asked:
        q = _quantize(each, step)
        cost = -np.log2(probabilities[_contexts(transform, q, step), np.clip(q, -MOST, MOST) + MOST])
        bits = (cost + (np.abs(q) > MOST) * (2 * np.log2(np.maximum(np.abs(q), 1)) + 1)).sum()
        value = np.sign(q) * (np.abs(q) + shift[np.minimum(np.abs(q), 3)]) * step
        found.append((bits, ((value - each) ** 2).sum()))  # the transform is orthonormal
    return np.array(found)
