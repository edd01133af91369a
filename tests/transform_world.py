"""A transform codec trained for a moment on correlated features, for tests."""

from functools import cache

import numpy as np
import torch

from emoquant.codecs import TransformCodec
from emoquant.codecs.transform.bands import BandTransform, no_moments
from emoquant.codecs.transform.learning import draw_jobs, no_counts, run_jobs, take_counts
from emoquant.entropy.coefficients.network import ContextNetwork

DIM = 12


def utterances(lengths, seed=0, dim=DIM):
    """Return features with memory and a mean of their own."""
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(dim, dim, generator=torch.Generator().manual_seed(99)) * 0.7 ** torch.arange(dim)
    found = []
    for length in lengths:
        state, frames = torch.randn(dim, generator=generator), []
        mean = torch.randn(dim, generator=generator)
        for _ in range(length):
            state = 0.9 * state + 0.4 * torch.randn(dim, generator=generator)
            frames.append((state + mean) @ mixing + 2)
        found.append(torch.stack(frames))
    return found


def fit_transform(features, dim=DIM):
    """Return a transform fitted to utterances."""
    transform = BandTransform(dim)
    frames = torch.cat(features)
    transform.mean.copy_(frames.mean(0))
    moments = no_moments(dim)
    for each in features:
        transform.add(each, moments)
    transform.fit(moments)
    return transform


@cache
def trained_parts():
    """Return a transform, and a context network whose tables were counted once."""
    features = utterances([40, 90, 25, 130, 60, 17, 8, 75] * 3, 1)
    torch.manual_seed(0)
    codec = TransformCodec(DIM)
    codec.transform = fit_transform(features)
    counts = no_counts()
    run_jobs(draw_jobs(codec, features, np.random.default_rng(0)), counts)
    take_counts(codec.contexts, counts)
    return codec.transform, codec.contexts


def make_codec(states=8, form="whole", seed=None):
    """Return a codec; with a seed its network is random, as no training would leave it."""
    transform, contexts = trained_parts()
    if seed is not None:
        torch.manual_seed(seed)
        contexts = ContextNetwork()
        with torch.no_grad():
            for parameter in (*contexts.hidden.parameters(), *contexts.output.parameters()):
                torch.nn.init.normal_(parameter, std=0.3)
            contexts.probabilities.copy_(torch.rand(contexts.probabilities.shape).pow(4) + 1e-6)
            contexts.probabilities.div_(contexts.probabilities.sum(-1, keepdim=True))
            contexts.offsets.uniform_(-0.3, 0.3)[..., 0] = 0
    codec = TransformCodec(DIM, states, form)
    codec.transform, codec.contexts = transform, contexts.requires_grad_(False)
    return codec
