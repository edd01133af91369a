"""A causal rival: rotation over the dimensions, and each component predicted from its decoded past (DPCM).

The quantizer is a uniform one with a dead zone in a closed loop, the prediction a first-order one, and the histograms
are static: their contexts are the expected size of a component's residual and the sizes of neighbours in time and
component. Bits are ideal code lengths, with escapes.
"""

import numpy as np
from klt_dct import MOST, Array
from numpy.typing import NDArray

Indices = NDArray[np.int64]


class Predictive:
    """Mean, rotation and first-order prediction of utterances ``(T, D)``."""

    def __init__(self, utterances: list[Array]) -> None:
        frames = np.concatenate(utterances)
        self.mean = frames.mean(0)
        self.basis = np.linalg.eigh(np.cov(frames.T))[1][:, ::-1]
        turned = [self.turn(each) for each in utterances]
        past = np.concatenate([each[:-1] for each in turned])
        self.memory = (past * np.concatenate([each[1:] for each in turned])).sum(0) / (past**2).sum(0)

    def turn(self, frames: Array) -> Array:
        """Return components."""
        return (frames - self.mean) @ self.basis

    def code(self, components: list[Array], step: float) -> list[tuple[Indices, Array]]:
        """Return indices and squared errors, ``(T, D)`` each, of all utterances side by side."""
        longest, dead = max(map(len, components)), 0.33 if step > 12 else 0.2
        state, aim = np.zeros((len(components), len(self.mean))), np.zeros((len(components), longest, len(self.mean)))
        for row, each in enumerate(components):
            aim[row, : len(each)] = each
        indices, error = np.zeros(aim.shape, np.int64), np.zeros_like(aim)
        for t in range(longest):
            forecast = self.memory * state
            left = aim[:, t] - forecast
            size = np.maximum(np.floor(np.abs(left) / step + 0.5 - dead), 0)
            indices[:, t] = np.sign(left) * size
            state = forecast + np.sign(left) * (size - 0.05 * (size > 0)) * step
            error[:, t] = (aim[:, t] - state) ** 2
        ends = [len(each) for each in components]
        return [(indices[row, :end], error[row, :end]) for row, end in enumerate(ends)]


def utterance_points(train: list[Array], test: list[Array], steps: Array) -> Array:
    """Return bits and squared error of every test utterance at each step, ``(steps, N, 2)``."""
    codec = Predictive(train)
    known, asked = ([codec.turn(each) for each in part] for part in (train, test))
    return np.array([_at_step(codec, known, asked, step) for step in steps])


def _at_step(codec: Predictive, known: list[Array], asked: list[Array], step: float) -> list[tuple[float, float]]:
    seen = codec.code(known, step)
    spread = np.sqrt(np.mean(np.concatenate([indices for indices, _ in seen]).astype(float) ** 2, 0))
    scale = np.clip(np.round((np.log2(spread + 1e-3) + 10) * 3), 0, 44).astype(int)
    counts = np.zeros((270, 2 * MOST + 1))
    for indices, _ in seen:
        np.add.at(counts, (_contexts(indices, scale).ravel(), np.clip(indices, -MOST, MOST).ravel() + MOST), 1)
    both = ((counts + counts[:, ::-1]) / 2).reshape(45, 6, -1)
    base = both.sum(1, keepdims=True) + 0.02 * np.exp(-np.abs(np.arange(-MOST, MOST + 1)))[None, None]
    both = both + 4 * base / base.sum(-1, keepdims=True)
    price = -np.log2((both / both.sum(-1, keepdims=True)).reshape(270, -1))
    found = []
    for indices, error in codec.code(asked, step):
        bits = price[_contexts(indices, scale), np.clip(indices, -MOST, MOST) + MOST].sum()
        escapes = np.abs(indices[np.abs(indices) > MOST])
        found.append((bits + (2 * np.log2(np.maximum(escapes, 1)) + 1).sum(), error.sum()))
    return found


def _contexts(indices: Indices, scale: Indices) -> Indices:
    sizes, near = np.abs(indices), np.zeros_like(indices)
    near[1:] += 2 * sizes[:-1]
    near[2:] += sizes[:-2]
    near[:, 1:] += 2 * sizes[:, :-1]
    near[:, 2:] += sizes[:, :-2]
    return scale * 6 + np.minimum(near, 3) + (near >= 5) + (near >= 9)
