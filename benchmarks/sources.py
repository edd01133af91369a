"""Frame features to measure rate and distortion on: two synthetic sources with known bounds, and real features."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jsonargparse import ArgumentParser
from lightning.pytorch import LightningDataModule
from torch import Tensor

from emoquant.types import Batch


class Features(NamedTuple):
    """Utterances to train and to measure on, each ``(T, D)``, and bounds as ``(name, (points, 2))`` of bits and MSE."""

    name: str
    train: list[Tensor]
    test: list[Tensor]
    bounds: list[tuple[str, np.ndarray]]


class GaussianSource:
    """Frames ``mean(emotion) + mean(speaker) + mean(phone) + Q diag(sqrt(lam)) z`` with unit variance per dimension.

    Every ``z_i`` is a Gaussian AR(1) process of unit variance and coefficient ``rho_i``; phones are a Markov chain that
    stays with probability ``stay``; ``Q`` is a random rotation.
    """

    def __init__(
        self, dim: int, decay: float, shares: tuple[float, float, float], rho: tuple[float, float], stay: float
    ) -> None:
        rng = np.random.default_rng(0)
        self.dim, self.stay = dim, stay
        self.rotation, _ = np.linalg.qr(rng.standard_normal((dim, dim)))
        index = np.arange(dim)
        spectrum = (index + 8.0) ** -decay
        self.lam = spectrum / spectrum.sum() * dim * (1 - sum(shares))
        self.rho = rho[1] + (rho[0] - rho[1]) * np.exp(-index / 120.0)
        counts, spans = (48, 5, 10), (128, 16, 32)
        self.means = [self._means(rng, *each, decay) for each in zip(counts, shares, spans, strict=True)]

    def _means(self, rng: np.random.Generator, count: int, share: float, span: int, decay: float) -> np.ndarray:
        means = rng.standard_normal((count, span)) * (np.arange(span) + 8.0) ** (-decay / 2)
        means -= means.mean(0)
        means *= np.sqrt(self.dim * share / (means**2).sum(1).mean())
        return np.pad(means, ((0, 0), (0, self.dim - span)))

    def sample(self, utterances: int, frames: int, seed: int) -> list[Tensor]:
        """Draw utterances ``(frames, dim)`` float32."""
        rng = np.random.default_rng(seed)
        phone, emotion, speaker = self.means
        z = rng.standard_normal((utterances, self.dim))
        state = rng.integers(len(phone), size=utterances)
        fixed = emotion[np.arange(utterances) % len(emotion)] + speaker[rng.integers(len(speaker), size=utterances)]
        out = np.empty((utterances, frames, self.dim), np.float32)
        for frame in range(frames):
            if frame:
                z = self.rho * z + np.sqrt(1 - self.rho**2) * rng.standard_normal(z.shape)
                moves = rng.random(utterances) >= self.stay
                state = np.where(moves, rng.integers(len(phone), size=utterances), state)
            out[:, frame] = (z * np.sqrt(self.lam) + phone[state] + fixed) @ self.rotation.T
        return list(torch.from_numpy(out))

    def bound(self) -> np.ndarray:
        """Reverse water-filling over the spectra in time, all means given: no coder gets below."""
        w = np.linspace(-np.pi, np.pi, 257)[:-1] + np.pi / 256
        rho = self.rho[:, None]
        density = self.lam[:, None] * (1 - rho**2) / (1 - 2 * rho * np.cos(w) + rho**2)
        levels = np.geomspace(1e-4 * self.lam.max(), 40 * self.lam.max(), 400)
        rate = [0.5 * np.log2(np.maximum(density / level, 1)).mean(1).sum() for level in levels]
        error = [np.minimum(density, level).mean(1).sum() / self.dim for level in levels]
        return np.stack([rate, error], 1)


def water_filling(covariance: Tensor) -> np.ndarray:
    """Rate-distortion bound of a memoryless Gaussian source with this covariance, ``(points, 2)`` of bits and MSE."""
    variance = torch.linalg.eigvalsh(covariance.double()).clamp(min=1e-12).numpy()
    levels = np.geomspace(1e-4 * variance.max(), variance.max(), 400)
    rate = [0.5 * np.log2(np.maximum(variance / level, 1)).sum() for level in levels]
    return np.stack([rate, [np.minimum(variance, level).mean() for level in levels]], 1)


def load(name: str, utterances: int) -> Features:
    """Return a source by name (``s1``, ``s2``) or the features of a data module's YAML."""
    if name in ("s1", "s2"):
        settings: dict[str, Any] = {"decay": 0.8, "shares": (0.35, 0.06, 0.06), "rho": (0.92, 0.5), "stay": 0.85}
        if name == "s2":
            settings = {"decay": 0.5, "shares": (0.15, 0.05, 0.05), "rho": (0.6, 0.1), "stay": 0.8}
        source = GaussianSource(768, **settings)
        train, test = source.sample(utterances, 150, 1), source.sample(max(20, utterances // 8), 150, 2)
        bounds = [("bound with memory, states given", source.bound())]
    else:
        train, test = _of_data_module(Path(name), utterances)
        bounds = []
    covariance = torch.cov(torch.cat(train).T)
    bounds.append(("water-filling of the covariance (no memory)", water_filling(covariance)))
    return Features(name, train, test, bounds)


def _of_data_module(path: Path, utterances: int) -> tuple[list[Tensor], list[Tensor]]:
    parser = ArgumentParser()
    parser.add_subclass_arguments(LightningDataModule, "data")
    module = parser.instantiate_classes(parser.parse_args([f"--data={path}"])).data
    module.prepare_data()
    module.setup("fit")
    module.setup("test")
    return _spread(module.train_dataloader(), utterances), _spread(module.test_dataloader(), utterances // 4)


def _spread(loader: Iterable[Batch], count: int) -> list[Tensor]:
    """Features ``(T, D)`` of utterances from all over a loader, whose batches are of similar lengths each."""
    found: list[Tensor] = []
    for batch in loader:
        found.extend(f[:length].clone() for f, length in zip(batch.features, batch.lengths.tolist(), strict=True))
    count = min(len(found), count)
    return [found[row * len(found) // count] for row in range(count)]
