"""Rivals of the codec: fixed-rate quantizers with the entropy of their codes counted."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from emoquant.quantization import GroupedResidualVQ

if TYPE_CHECKING:
    import faiss


def counted_bits(train: np.ndarray, test: np.ndarray, codewords: int) -> float:
    """Bits a frame of codes ``(N, stages)``: what histograms of the training codes spend on the others."""
    bits = 0.0
    for stage in range(train.shape[1]):
        counts = np.bincount(train[:, stage], minlength=codewords) + 0.5
        bits -= np.log2(counts / counts.sum())[test[:, stage]].mean()
    return bits


def unpack(codes: np.ndarray, stages: int, bits: int) -> np.ndarray:
    """Codes ``(N, stages)`` from faiss's packed bytes."""
    flat = np.unpackbits(codes, axis=1, bitorder="little")[:, : stages * bits].reshape(len(codes), stages, bits)
    return (flat * (1 << np.arange(bits))).sum(2)


def faiss_points(train: Tensor, test: Tensor, groups: int) -> list[tuple[str, float, float]]:
    """Points (name, bits a frame with entropy counted, MSE per dimension) of faiss's RQ and PRQ."""
    import faiss  # an extra: pip install -e ".[bench]"

    mean = train.mean(0)
    known, asked = ((each - mean).numpy().astype(np.float32) for each in (train, test))
    points = []
    whole = faiss.ResidualQuantizer(known.shape[1], 12, 8)
    whole.train(known)
    books = faiss.vector_to_array(whole.codebooks).reshape(12, -1)
    for stages in (1, 2, 4, 8, 12):
        quantizer = faiss.ResidualQuantizer(known.shape[1], stages, 8)  # stages are trained one after the other
        faiss.copy_array_to_vector(books[:stages].ravel(), quantizer.codebooks)
        quantizer.is_trained = True
        points.append((f"faiss RQ {stages} x 8 bit", *measure(quantizer, known, asked, stages, 8)))
    for splits, stages in ((2, 1), (4, 1), (groups, 1), (groups, 2), (groups, 3)):
        quantizer = faiss.ProductResidualQuantizer(known.shape[1], splits, stages, 7)
        quantizer.train(known)
        name = f"faiss PRQ {splits} groups x {stages} x 7 bit"
        points.append((name, *measure(quantizer, known, asked, splits * stages, 7)))
    return points


def measure(
    quantizer: "faiss.AdditiveQuantizer", train: np.ndarray, test: np.ndarray, stages: int, bits: int
) -> tuple[float, float]:
    """Return bits a frame and MSE per dimension of a trained quantizer of faiss on the test frames."""
    codes = [unpack(quantizer.compute_codes(each), stages, bits) for each in (train, test)]
    error = np.square(quantizer.decode(quantizer.compute_codes(test)) - test).mean()
    return counted_bits(*codes, 1 << bits), float(error)


def plain_points(quantizer: GroupedResidualVQ, train: Tensor, test: Tensor) -> list[tuple[str, float, float]]:
    """Points of the study's quantizer with nearest codewords at 1 to L layers."""
    codes = [quantizer.assign(each.unsqueeze(0), skip=False)[0][0] for each in (train, test)]
    points = []
    for layers in range(1, quantizer.layers + 1):
        kept = torch.arange(quantizer.positions) % quantizer.layers < layers
        decoded = quantizer.decode(torch.where(kept, codes[1], quantizer.codewords).unsqueeze(0))[0]
        bits = counted_bits(*(each[:, kept].numpy() for each in codes), quantizer.codewords)
        points.append((f"plain GRVQ, {layers} layers", bits, float((decoded - test).square().mean())))
    return points
