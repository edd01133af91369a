"""Training data of a transform codec's entropy coder: coefficients coded by its search, and counts of sizes."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from emoquant.codecs.transform import coder
from emoquant.codecs.transform.bands import FINEST
from emoquant.codecs.transform.codec import TransformCodec
from emoquant.codecs.transform.rows import Form
from emoquant.entropy.coefficients.model import (
    CENTROIDS,
    CLASSES,
    EXPECTED,
    KINDS,
    SIZES,
    Floats,
    low_bits,
)
from emoquant.entropy.coefficients.network import ContextNetwork
from emoquant.entropy.coefficients.walk import Output

#: Lambdas that are drawn, relative to the features' variance, in octaves; one is drawn from each part of the range.
OCTAVES, PARTS = (np.log2(FINEST), 8.0), 3
#: Coefficients a frame of which features are kept, so that rates of many bits do not drown those of few.
KEPT_A_FRAME = 12
#: Weight of the learnt table against what was counted, in coefficients; and of the mean offset of a size.
PRIOR, OFFSET_PRIOR = 40.0, 50.0


class Job(NamedTuple):
    """Describe an utterance that is coded to train the entropy coder.

    Attributes:
        coefficients: Coefficients in the form of the job, ``(T, D)``.
        lmbda: Lambda, in squared feature units per bit.
        tables: Tables, form and states.
        level: Logarithm of the step.
        seed: Seed of the choice of coefficients whose features are recorded.
    """

    coefficients: Floats
    lmbda: float
    tables: coder.Tables
    level: int
    seed: int


class Samples(NamedTuple):
    """Hold a sample of coded coefficients with their contexts.

    Attributes:
        features: Context features, ``(n, FEATURES)`` int16.
        kinds: Kind of quantizer of each, ``(n,)`` int64.
        symbols: Symbol of each, ``(n,)`` int64.
    """

    features: Tensor
    kinds: Tensor
    symbols: Tensor


class Counts(NamedTuple):
    """Hold sums over coded coefficients, float64; processes add up their sums.

    Attributes:
        symbols: How often each symbol was coded, ``(KINDS, CLASSES, SIZES + 1)``.
        residuals: Sums of sizes before quantization minus after, by the size, ``(KINDS, CLASSES, CENTROIDS)``.
        centroids: Number of summands of ``residuals``, of the same shape.
        sizes: Sums of sizes by sigma/step, ``(EXPECTED,)``.
        levels: Number of summands of ``sizes``, ``(EXPECTED,)``.
    """

    symbols: Tensor
    residuals: Tensor
    centroids: Tensor
    sizes: Tensor
    levels: Tensor


def no_counts() -> Counts:
    """Return counts of zero, to which coded coefficients are added."""
    shape = (KINDS, CLASSES, CENTROIDS)
    wide, narrow = torch.zeros(*shape[:2], SIZES + 1).double(), torch.zeros(EXPECTED).double()
    return Counts(wide, torch.zeros(shape).double(), torch.zeros(shape).double(), narrow, narrow.clone())


def draw_jobs(codec: TransformCodec, utterances: Sequence[Tensor], random: np.random.Generator) -> list[Job]:
    """Return jobs for utterances ``(T, D)``: each at :data:`PARTS` random lambdas, alternating forms and states."""
    variance, model = codec.variance, codec.tables()
    edges = np.linspace(*OCTAVES, PARTS + 1)
    jobs = []
    for frames in utterances:
        form: Form = "stream" if random.random() < 0.25 else "whole"
        coefficients = codec.transform(frames, form).cpu().numpy()
        for low, high in itertools.pairwise(edges.tolist()):
            lmbda, states = variance * 2.0 ** random.uniform(low, high), (8, 8, 8, 1)[random.integers(4)]
            tables = model._replace(form=form, states=states)
            jobs.append(Job(coefficients, lmbda, tables, coder.step_level(lmbda, states), int(random.integers(2**31))))
    return jobs


def run_jobs(jobs: Sequence[Job], counts: Counts) -> Samples:
    """Code utterances, add their coefficients to the counts, and return a sample of the coefficients."""
    outputs = coder.in_parallel(_code, jobs)
    features, kinds, symbols = [], [], []
    for job, output in zip(jobs, outputs, strict=True):
        tables, sizes = _flat(output, job)
        kind, number = tables // CLASSES, tables % CLASSES
        symbol = np.minimum(sizes >> low_bits()[tables], SIZES)
        _add(counts, output, kind, number, sizes, symbol)
        most = KEPT_A_FRAME * len(job.coefficients)
        chosen = np.arange(len(sizes))
        if len(sizes) > most:
            chosen = np.random.default_rng(job.seed).choice(len(sizes), most, replace=False)
        features.append(output.features[chosen])
        kinds.append(kind[chosen])
        symbols.append(symbol[chosen])
    found = (np.concatenate(part) for part in (features, kinds, symbols))
    first, second, third = (torch.from_numpy(part) for part in found)
    return Samples(first, second, third)


def _code(job: Job) -> Output:
    return coder.quantize(job.tables, job.coefficients, job.level, job.lmbda, record=True)


def _flat(output: Output, job: Job) -> tuple[np.ndarray, np.ndarray]:
    """Return table and size of each coded coefficient in the order of coding, int64."""
    counts = coder.coded_counts(job.tables, len(job.coefficients), job.level)
    coded = np.arange(output.indices.shape[1]) < counts[:, None]
    return output.tables[coded].astype(np.int64), np.abs(output.indices[coded].astype(np.int64))


def _add(
    counts: Counts, output: Output, kind: np.ndarray, number: np.ndarray, sizes: np.ndarray, symbol: np.ndarray
) -> None:
    centroid = np.minimum(sizes, CENTROIDS - 1)
    level = np.clip((output.features[:, 0].astype(np.int64) >> 3) + 32, 0, EXPECTED - 1)
    tables = kind * CLASSES + number
    for total, index, weights in (
        (counts.symbols, tables * (SIZES + 1) + symbol, None),
        (counts.residuals, tables * CENTROIDS + centroid, output.residual),
        (counts.centroids, tables * CENTROIDS + centroid, None),
        (counts.sizes, level, sizes),
        (counts.levels, level, None),
    ):
        found = np.bincount(index, weights, minlength=total.numel())
        total.view(-1).add_(torch.from_numpy(found))


@torch.no_grad()
def take_counts(contexts: ContextNetwork, counts: Counts) -> None:
    """Set the coder's tables, offsets and expected sizes from counts, smoothed by the trained tables."""
    learnt = contexts.logits.softmax(-1).double().cpu()
    tables = counts.symbols + PRIOR * learnt
    tables = (tables / tables.sum(-1, keepdim=True)).clamp(min=1e-8)
    contexts.probabilities.copy_(tables / tables.sum(-1, keepdim=True))
    common = counts.residuals.sum(1, keepdim=True) / counts.centroids.sum(1, keepdim=True).clamp(min=1)
    offsets = (counts.residuals + OFFSET_PRIOR * common) / (counts.centroids + OFFSET_PRIOR)
    offsets[..., 0] = 0
    contexts.offsets.copy_(offsets.clamp(-0.6, 0.6))
    means = (256 * counts.sizes / counts.levels.clamp(min=1)).round().long().clamp(min=1)
    contexts.expected.copy_(torch.where(counts.levels > 200, means, contexts.expected.cpu()))
