"""Every layer of an encoder measured alike, and the mixture of all that a probe learns."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from emoquant.cli import run
from emoquant.data.module import EmotionDataModule
from emoquant.data.sampling import Rows
from emoquant.storage.files import write_whole
from emoquant.storage.results import Row, read_results
from emoquant.storage.runs import RESULTS, newest

#: Steps and learning rate of the probe on the mixture (Adam on all utterances at once).
_STEPS, _RATE = 300, 0.02


class Vectors(NamedTuple):
    """Time means of utterances in every hidden state.

    Attributes:
        states: ``(N, L, D)`` float32.
        emotions: Index of each utterance's emotion, ``(N,)`` int64.
    """

    states: Tensor
    emotions: Tensor


def mean_vectors(data: EmotionDataModule, split: str) -> tuple[Tensor, Tensor]:
    """Return the time means ``(N, D)`` and emotions ``(N,)`` of a split of one layer, in the split's order."""
    dataset = data.dataset(split)
    batches = (dataset[Rows(np.array([row]), 0)] for row in range(len(dataset)))
    means = [batch.features.sum(1) / batch.lengths[:, None] for batch in batches]
    return torch.cat(means), torch.from_numpy(dataset.emotions)


def learn_mixture(train: Vectors, held: Vectors, classes: int, seed: int = 0) -> tuple[list[float], float]:
    """Return the weights of the hidden states that a linear probe on their mixture learns, and its UAR.

    The time mean of a mixture of states is the mixture of their time means, so that weights and probe are learnt on
    vectors. States are divided by their overall deviation first, so that a state does not count by its size; the
    weights that are returned are those of the states as they are, scaled to sum to 1.

    Args:
        train: Vectors of the training split.
        held: Vectors of the validation split, which decide how long it learns.
        classes: Emotions.
        seed: Seed of the probe.
    """
    torch.manual_seed(seed)
    scale = train.states.flatten(2).std(dim=(0, 2)).clamp_min(1e-6)  # (L,)
    center = train.states.mean(0)
    logits = torch.zeros(len(scale), requires_grad=True)
    probe = torch.nn.Linear(train.states.shape[2], classes)
    optimizer = torch.optim.Adam([logits, *probe.parameters()], lr=_RATE)
    best, kept = -1.0, torch.softmax(logits.detach(), 0)

    def scored(vectors: Vectors) -> Tensor:
        states = (vectors.states - center) / scale[:, None]
        return probe(torch.einsum("l,nld->nd", torch.softmax(logits, 0), states))

    for step in range(_STEPS):
        loss = torch.nn.functional.cross_entropy(scored(train), train.emotions)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 10 == 9:
            with torch.no_grad():
                found = recall_mean(scored(held).argmax(-1), held.emotions)
            if found > best:
                best, kept = found, torch.softmax(logits.detach(), 0)
    weights = kept / scale
    return (weights / weights.sum()).tolist(), best


def recall_mean(chosen: Tensor, emotions: Tensor) -> float:
    """Return the unweighted average recall of decisions, over the emotions that occur.

    Example:
        >>> round(recall_mean(torch.tensor([0, 0, 1, 1]), torch.tensor([0, 0, 0, 1])), 4)
        0.8333
    """
    recalls = [(chosen[emotions == each] == each).float().mean() for each in emotions.unique()]
    return float(torch.stack(recalls).mean())


def measure_layer(words: Sequence[str], folder: Path, ratios: Sequence[float], data: EmotionDataModule) -> list[Row]:
    """Train a probe and a transform codec on one layer, and return the rows of a sweep over lambda.

    Args:
        words: Words that name data and encoder.
        folder: Folder of the layer's runs.
        ratios: Lambdas over the variance of the layer's features a dimension, so that layers are comparable.
        data: The layer's data module, set up.

    Returns:
        Rows whose ``lmbda`` is the ratio.
    """
    variance = feature_variance(data)
    points = [ratio * variance for ratio in ratios]
    place = ["--folder", str(folder), *words]
    run(["fit", "probe", *place])
    run(["fit", "transform", *place])
    classifier = json.dumps({"class_path": "emoquant.encoders.ProbeHead",
                             "init_args": {"checkpoint": str(folder / "probe")}})  # fmt: skip
    codecs = json.dumps([{"run": "transform", "points": points}])
    run(["test", "lambda_sweep", *place, "--model.codecs", codecs, "--model.classifier", classifier,
         "--model.by_speaker", "false", "--reports", "[]"])  # fmt: skip
    done = newest(folder / "lambda_sweep", RESULTS)
    assert done is not None
    back = dict(zip(points, ratios, strict=True))
    return [row._replace(lmbda=back.get(row.lmbda, row.lmbda)) for row in read_results(done.results)]


def feature_variance(data: EmotionDataModule) -> float:
    """Return the variance of the training frames a dimension, from at most 200 utterances."""
    dataset = data.dataset("train")
    rows = np.unique(np.linspace(0, len(dataset) - 1, 200).astype(int))
    frames = torch.cat([dataset[Rows(np.array([row]), 0)].features[0] for row in rows])
    return float(frames.var(0).mean())


def write_mixture(path: Path, weights: Sequence[float], uar: float) -> None:
    """Write the weights of the hidden states as :class:`emoquant.encoders.TransformersEncoder` reads them."""
    content = {"weights": list(weights), "validation_uar": uar}
    write_whole(path, (json.dumps(content, indent=1) + "\n").encode())
