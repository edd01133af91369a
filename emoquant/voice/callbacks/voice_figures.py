"""Pictures of what a voice says, beside what it was to say."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

#: Range of log10 mels in the pictures.
_DARK, _LIGHT = -6.0, 1.5


def _array(tensor: Tensor) -> np.ndarray:
    array: np.ndarray = tensor.detach().float().cpu().numpy()
    return array


def mel_figure(mels: Mapping[str, Tensor]) -> Figure:
    """Return mel spectrograms below each other.

    Args:
        mels: Log10 mel spectrograms ``(T, M)`` by title; they may differ in length.
    """
    figure = Figure(figsize=(8, 1.8 * len(mels)), layout="constrained")
    for axes, (title, mel) in zip(np.atleast_1d(figure.subplots(len(mels), 1)), mels.items(), strict=True):
        axes.imshow(_array(mel).T, origin="lower", aspect="auto", vmin=_DARK, vmax=_LIGHT, cmap="magma")
        axes.set_title(title, fontsize=9)
        axes.set_ylabel("mel band")
    axes.set_xlabel("frame")
    return figure


def attention_figure(weights: Mapping[str, Tensor]) -> Figure:
    """Return the attention of each level, layers below each other.

    Args:
        weights: Attention ``(N, T, S)`` of real frames to real segments by level.
    """
    layers = next(iter(weights.values())).shape[0]
    figure = Figure(figsize=(3 * len(weights), 2.2 * layers), layout="constrained")
    grid = figure.subplots(layers, len(weights), squeeze=False)
    for column, (level, weight) in enumerate(weights.items()):
        for layer in range(layers):
            axes = grid[layer, column]
            axes.imshow(_array(weight[layer]).T, origin="lower", aspect="auto", vmin=0.0, cmap="viridis")
            axes.set_title(f"{level}, layer {layer + 1}", fontsize=9)
            axes.set_xlabel("frame")
            axes.set_ylabel("segment of the reference")
    return figure


def melody_figure(curves: Mapping[str, tuple[Tensor, Tensor]]) -> Figure:
    """Return F0 curves over frames, unvoiced frames left out.

    Args:
        curves: F0 in Hz ``(T,)`` and voicing ``(T,)`` by name.
    """
    figure = Figure(figsize=(8, 2.4), layout="constrained")
    axes = figure.subplots()
    for name, (f0, voiced) in curves.items():
        axes.plot(np.where(_array(voiced) > 0, _array(f0), np.nan), label=name)
    axes.set_xlabel("frame")
    axes.set_ylabel("F0 in Hz")
    axes.legend(fontsize=8)
    return figure


def duration_figure(durations: Mapping[str, Tensor], phones: Sequence[str]) -> Figure:
    """Return the durations of phones as bars beside each other.

    Args:
        durations: Frames of each phone ``(L,)`` by name.
        phones: Symbols of the phones.
    """
    figure = Figure(figsize=(max(4.0, 0.28 * len(phones)), 2.4), layout="constrained")
    axes = figure.subplots()
    width = 0.8 / len(durations)
    for number, (name, frames) in enumerate(durations.items()):
        axes.bar(np.arange(len(phones)) + width * number, _array(frames), width, label=name)
    axes.set_xticks(np.arange(len(phones)) + 0.4 - width / 2, phones, fontsize=8)
    axes.set_ylabel("frames")
    axes.legend(fontsize=8)
    return figure
