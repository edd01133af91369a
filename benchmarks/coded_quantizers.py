"""Quantizers of other libraries, their codes counted at order 0 and by this project's entropy model.

A quantizer is trained on centred frames at its largest number of stages; fewer stages are its first ones. Their codes
cost what a histogram of each stage says, or what a light model says that is trained on the codes of those stages: it
sees the frame before and the stages before. Everything is trained on the training frames and measured on others.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
import vector_quantize_pytorch as library
from numpy.typing import NDArray
from torch import Tensor, nn

from emoquant.entropy import LightModel
from emoquant.entropy.base import Layout, frames_before

STAGES = (1, 4, 12)
CODEWORDS = 256
Points = NDArray[np.float64]


class Coded(NamedTuple):
    """Codes of one number of stages, for all frames of training and of measurement.

    Attributes:
        name: Quantizer and stages.
        known: Codes of the training frames, ``(N, S)`` int64.
        asked: Codes of the measured frames, ``(M, S)`` int64.
        error: Squared error of the measured frames, ``(M,)``.
    """

    name: str
    known: Tensor
    asked: Tensor
    error: Tensor


def histogram_bits(coded: Coded) -> Tensor:
    """Return bits of the measured frames, ``(M,)``, by histograms of the training codes."""
    bits = torch.zeros(len(coded.asked))
    for known, asked in zip(coded.known.T, coded.asked.T, strict=True):
        counts = torch.bincount(known, minlength=CODEWORDS).float() + 0.5
        bits -= (counts / counts.sum()).log2()[asked]
    return bits


def model_bits(coded: Coded, lengths: tuple[list[int], list[int]], steps: int = 200) -> Tensor:
    """Return bits of the measured frames, ``(M,)``, by a light model trained on the training codes.

    Args:
        coded: The codes.
        lengths: Frames of each training and each measured utterance.
        steps: Gradient steps of 1,000 frames.
    """
    torch.manual_seed(0)
    stages = coded.known.shape[1]
    model = LightModel(64, 1, parallel=False, knots=1, layout=Layout(0, 1, stages, CODEWORDS, 1))
    before = [_before(*each) for each in zip((coded.known, coded.asked), lengths, strict=True)]
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for step in range(steps):
        rows = torch.randint(len(coded.known), (1000,))
        optimizer.param_groups[0]["lr"] = 0.01 * max(0.01, 0.5 * (1 + math.cos(math.pi * step / steps)))
        optimizer.zero_grad()
        model.bits(coded.known[rows], before[0][rows], torch.ones(len(rows))).sum(-1).mean().backward()
        optimizer.step()
    with torch.no_grad():
        parts = zip(coded.asked.split(2000), before[1].split(2000), strict=True)
        return torch.cat([model.bits(codes, past, torch.ones(len(codes))).sum(-1) for codes, past in parts])


def _before(codes: Tensor, lengths: list[int]) -> Tensor:
    padded = nn.utils.rnn.pad_sequence(codes.split(lengths), batch_first=True, padding_value=-1)
    past = frames_before(padded, 1)
    return torch.cat([past[row, :end] for row, end in enumerate(lengths)])


def faiss_codes(known: Tensor, asked: Tensor) -> Iterator[Coded]:
    """Yield codes of faiss's product and residual quantizers of 8 bits a stage.

    Raises:
        ImportError: faiss is not installed (``pip install -e ".[bench]"``).
    """
    import faiss
    from rivals import unpack

    wide = [each.numpy().astype(np.float32) for each in (known, asked)]
    whole = faiss.ResidualQuantizer(known.shape[1], STAGES[-1], 8)
    whole.train(wide[0])
    books = faiss.vector_to_array(whole.codebooks).reshape(STAGES[-1], -1)
    for stages in STAGES:
        residual = faiss.ResidualQuantizer(known.shape[1], stages, 8)
        faiss.copy_array_to_vector(books[:stages].ravel(), residual.codebooks)
        residual.is_trained = True
        product = faiss.ProductQuantizer(known.shape[1], stages, 8)
        product.train(wide[0])
        for name, quantizer in (("residual", residual), ("product", product)):
            packed = [quantizer.compute_codes(each) for each in wide]
            codes = [torch.from_numpy(unpack(each, stages, 8)) for each in packed]
            error = np.square(quantizer.decode(packed[1]) - wide[1]).sum(1)
            yield Coded(f"faiss, {name} quantizer, {stages} x 8 bit", *codes, torch.from_numpy(error))


def vector_quantize_codes(known: Tensor, asked: Tensor, steps: int = 300) -> Iterator[Coded]:
    """Yield codes of the residual quantizers of vector-quantize-pytorch, after steps of 1,000 frames.

    A residual FSQ of 256 codewords has four dimensions; it is given 12 groups, of 1, 2 and 3 stages each.
    """
    torch.manual_seed(0)
    dim, most = known.shape[1], STAGES[-1]
    made: dict[str, nn.Module] = {
        "ResidualVQ": library.ResidualVQ(
            dim=dim, num_quantizers=most, codebook_size=CODEWORDS, kmeans_init=True, decay=0.98
        ),
        "ResidualSimVQ": library.ResidualSimVQ(dim=dim, num_quantizers=most, codebook_size=CODEWORDS),
        "ResidualFSQ, 12 groups": GroupedFSQ(dim),
    }
    scale = known.std()
    for name, module in made.items():
        train(module, known / scale, steps)
        with torch.no_grad():
            found = [coded_stages(module, each / scale) for each in (known, asked)]
        codes, restored = zip(*found, strict=True)
        places = [12 * (each + 1) for each in range(3)] if isinstance(module, GroupedFSQ) else list(STAGES)
        for stages in places:
            last = restored[1][: stages // 12 if isinstance(module, GroupedFSQ) else stages].sum(0)
            error = (last * scale - asked).square().sum(1)
            yield Coded(f"{name}, {stages} x 8 bit", *(each[:, :stages] for each in codes), error)


class GroupedFSQ(nn.Module):
    """Residual finite scalar quantizers of ``[4, 4, 4, 4]`` levels, one for each of 12 groups of dimensions."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.groups = nn.ModuleList(
            library.ResidualFSQ(dim=dim // 12, levels=[4] * 4, num_quantizers=3) for _ in range(12)
        )

    def forward(self, frames: Tensor, return_all_codes: bool = False) -> tuple[Tensor, ...]:
        """Return reconstructions ``(1, N, D)``, codes ``(1, N, 36)`` stage by stage, and a part a stage."""
        parts = [each(part, return_all_codes=True) for each, part in
                 zip(self.groups, frames.chunk(12, -1), strict=True)]  # fmt: skip
        whole = torch.cat([part[0] for part in parts], -1)
        codes = torch.stack([part[1] for part in parts], -1).flatten(2)  # (1, N, stages, groups)
        every = [torch.stack([group.project_out(stage) for stage in part[2]]) for group, part in
                 zip(self.groups, parts, strict=True)]  # fmt: skip
        stages = torch.cat(every, -1)
        bias = torch.cat([group.project_out.bias for group in self.groups])
        stages[1:] -= bias  # the projection's offset belongs to the first stage
        return whole, codes, stages


def train(module: nn.Module, frames: Tensor, steps: int) -> None:
    """Train a quantizer by its own losses and squared error."""
    parameters = [each for each in module.parameters() if each.requires_grad]
    optimizer = torch.optim.Adam(parameters, lr=2e-3) if parameters else None
    module.train()
    for _ in range(steps):
        batch = frames[torch.randint(len(frames), (1000,))].unsqueeze(0)
        restored, _, *losses = module(batch)
        if optimizer is None:
            continue
        loss = (restored - batch).square().mean()
        if losses and not isinstance(module, GroupedFSQ):
            loss = loss + losses[0].sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    module.eval()


def coded_stages(module: nn.Module, frames: Tensor) -> tuple[Tensor, Tensor]:
    """Return codes ``(N, P)`` and what each stage adds, ``(stages, N, D)``."""
    codes, parts = [], []
    for part in frames.split(4000):
        _, found, *_, every = module(part.unsqueeze(0), return_all_codes=True)
        codes.append(found[0].long())
        parts.append(every[:, 0])
    return torch.cat(codes), torch.cat(parts, 1)
