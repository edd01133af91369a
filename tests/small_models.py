"""Small emotion2vec models with random weights, in directories of funasr's format."""

import torch

from emoquant.encoders import UntrainedEmotion2Vec

SIZES = {"dim": 48, "depth": 1, "prenet_depth": 2, "heads": 4, "positional_width": 19, "positional_depth": 3}
FRONT_END = "[(16, 10, 5)] + [(16, 3, 2)] * 4 + [(16, 2, 2)] * 2"


def small_encoder(seed=0, **sizes):
    """Return an encoder of the public models' front end; seeded, every weight random."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        encoder = UntrainedEmotion2Vec(**{**SIZES, "front_end": FRONT_END, **sizes}).eval()
        for weight in encoder.load().parameters():
            if weight.ndim == 1:
                torch.nn.init.normal_(weight, 1.0, 0.1)
            elif weight.ndim > 3:
                torch.nn.init.uniform_(weight, 0.5, 2.0)  # slopes of the attention bias
    return encoder


def write_small_model(path, seed=0, **sizes):
    """Write such an encoder, in single precision, and return it."""
    encoder = small_encoder(seed, **sizes)
    encoder.export(path, dtype=torch.float32)
    return encoder


def waves(*lengths, seed=0):
    """Return waveforms of these lengths, padded with what must not matter, and their lengths."""
    generator = torch.Generator().manual_seed(seed)
    padded = torch.randn(len(lengths), max(lengths) + 37, generator=generator)
    return padded, torch.tensor(lengths)
