"""Codec and utterances that the benchmarks of coding and rate control measure: given ones, or made in a few minutes."""

import argparse
from pathlib import Path

import sources
import torch
from torch import Tensor

from emoquant.codecs import ECVQ, load_codec, save_codec
from emoquant.commands.sources import find_sources, read_features
from emoquant.entropy import LightModel
from emoquant.quantization import GroupedResidualVQ


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what :func:`load` reads."""
    parser.add_argument("--codec", help="checkpoint of a trained codec; without it one is trained on --source")
    parser.add_argument(
        "--features", help="folder of .npy or .safetensors features to code; test part of --source if absent"
    )
    parser.add_argument("--source", default="s1", help="s1, s2 or the YAML of a data module")
    parser.add_argument("--utterances", type=int, default=300, help="utterances to train on")
    parser.add_argument("--measured", type=int, default=48, help="utterances to code")
    parser.add_argument("--epochs", type=int, default=24)
    parser.add_argument("--groups", type=int, default=12)
    parser.add_argument("--save", help="where to keep the codec that was trained")
    parser.add_argument("--threads", type=int, default=2)


def load(arguments: argparse.Namespace) -> tuple[ECVQ, list[Tensor], list[Tensor]]:
    """Return the codec, utterances to measure on, and others like them."""
    torch.set_num_threads(arguments.threads)
    if arguments.features:
        found = read_features(find_sources(Path(arguments.features)), None)
        test, train = found[: arguments.measured], found[arguments.measured :] or found
    else:
        features = sources.load(arguments.source, arguments.utterances)
        count = min(len(features.test), arguments.measured)
        test = [features.test[row * len(features.test) // count] for row in range(count)]
        train = features.train
    if arguments.codec:
        return load_codec(arguments.codec), test, train
    from rate_distortion import trained

    made = sources.Features(arguments.source, train, test, [])
    codec = trained(made, GroupedResidualVQ(arguments.groups), LightModel(128), arguments.epochs)
    if arguments.save:
        save_codec(codec, arguments.save)
    return codec, test, train
