"""Initialisation and training of the codebooks of a grouped residual VQ."""

import math
from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from emoquant.devices.precision import full_float32
from emoquant.quantization.codebooks import Statistics, gather_rows, rank_counts, reduce_together, revive, share_buffers
from emoquant.quantization.grvq import GroupedResidualVQ
from emoquant.quantization.kmeans import kmeans, nearest
from emoquant.types import Batch, length_mask

#: The smallest ``dead_below`` that first moving counts are made for: with counts of 0 codewords would vanish.
LEAST_COUNT = 2.0


class Progress(NamedTuple):
    """Hold the statistics of one training step of the codebooks, over all processes.

    Attributes:
        distortion: Squared error of the nearest codewords, summed over dimensions, per frame.
        perplexity: 2^entropy of the codes of each position in the batch, ``(P,)``, without SKIP.
        usage: Share of the codewords of each position that occur in the batch, ``(P,)``.
        revived: Dead codewords that were replaced.
        frames: Frames counted.
    """

    distortion: float
    perplexity: Tensor
    usage: Tensor
    revived: int
    frames: int


def sample(batches: Iterable[Batch], count: int, frames: float, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return a random sample of whole training utterances, ``(B, T, D)``, and their lengths ``(B,)``.

    A batch holds utterances of similar lengths, which are similar in other ways, too. So a share of every batch is
    taken (at least an eighth of its utterances) until there are enough frames.

    Args:
        batches: The training batches of this process, in random order.
        count: How many there are.
        frames: Frames that are wanted; the sample has all frames if there are fewer.
        seed: Seed of the choice.
    """
    generator = torch.Generator().manual_seed(seed)
    utterances: list[Tensor] = []
    for batch in batches:
        share = min(1.0, max(0.125, 1.1 * frames / (count * max(1, int(batch.lengths.sum())))))
        chosen = torch.randperm(len(batch.lengths), generator=generator)[: math.ceil(share * len(batch.lengths))]
        utterances.extend(batch.features[row, : int(batch.lengths[row])] for row in chosen.tolist())
        if sum(map(len, utterances)) >= frames:
            break
    lengths = torch.tensor([len(each) for each in utterances])
    return torch.nn.utils.rnn.pad_sequence(utterances, batch_first=True), lengths


@torch.no_grad()
def initialise(quantizer: GroupedResidualVQ, features: Tensor, lengths: Tensor, seed: int = 0, rounds: int = 8) -> None:
    """Fit the transform, the predictor and first codebooks (k-means, stage after stage) to a sample.

    The sample is gathered over all processes in rank order, so that the result does not depend on how it is spread
    over them; every process gets the result of the first one.

    Args:
        quantizer: A quantizer that was built; everything in it is set anew.
        features: Frames of this process's share of the sample, ``(B, T, D)``.
        lengths: Frames of each utterance, ``(B,)``.
        seed: Seed of the k-means.
        rounds: Iterations of each k-means.

    Raises:
        ValueError: The sample has fewer than two frames or its variance is not finite and positive.
    """
    with full_float32(features.device):
        mask = length_mask(lengths, features.shape[1])
        first = torch.zeros_like(mask)
        first[:, 0] = True
        frames, starts = gather_rows(features.float()[mask]), gather_rows(first[mask])
        generator = torch.Generator().manual_seed(seed)
        mean, variance = frames.mean(0), frames.var(0).mean() if len(frames) > 1 else frames.sum()
        if len(frames) < 2 or not variance > 0 or not torch.isfinite(variance):
            raise ValueError(
                f"the {len(frames)} sample frames have variance {float(variance)}: expected features that vary"
            )
        quantizer.scale.copy_(variance)
        residual = _fit_transform(quantizer, frames, mean, generator, rounds)
        if quantizer.predictive:
            residual = _fit_predictor(quantizer, residual, starts)
        _fit_groups(quantizer, residual, generator, rounds)
        quantizer.ready.fill_(True)
        share_buffers(quantizer)


def _fit_transform(
    quantizer: GroupedResidualVQ, frames: Tensor, mean: Tensor, generator: torch.Generator, rounds: int
) -> Tensor:
    """Coarse stages on centred frames, then the rotation of what they leave; returns its components."""
    centred = frames - mean if quantizer.rotation != "none" else frames
    residual, stages = centred, []
    for _ in range(quantizer.coarse):
        means, counts = kmeans(residual.unsqueeze(0), quantizer.codewords, rounds, generator)
        stages.append((means[0], counts[0]))
        residual = residual - means[0][nearest(residual.unsqueeze(0), means)[0]]
    quantizer.transform.fit(mean, torch.cov(residual.T))
    if quantizer.coarse:
        means, counts = (torch.stack(each) for each in zip(*stages, strict=True))
        quantizer.rough.set(means if quantizer.rotation == "none" else means @ quantizer.transform.matrix, counts)
    return residual if quantizer.rotation == "none" else residual @ quantizer.transform.matrix


def _fit_predictor(quantizer: GroupedResidualVQ, components: Tensor, starts: Tensor) -> Tensor:
    """Least-squares coefficient of each component on the frame before; returns a sample of what is left to code."""
    before, now = components[:-1], components[1:]
    inside = ~starts[1:].unsqueeze(1)
    product, square = (now * before * inside).sum(0), (before.square() * inside).sum(0)
    quantizer.predictor.copy_((product / square.clamp(min=1e-12)).clamp(0, 0.99))
    innovation = now - quantizer.predictor * before * inside
    # At low rates the frame before is known badly and its prediction is near zero: half of the sample is whole frames.
    whole = torch.arange(len(innovation), device=innovation.device) % 2 == 0
    return torch.where(whole.unsqueeze(1), now, innovation)


def _fit_groups(quantizer: GroupedResidualVQ, residual: Tensor, generator: torch.Generator, rounds: int) -> None:
    grouped = residual.view(len(residual), quantizer.groups, -1).transpose(0, 1).contiguous()
    books = []
    for _ in range(quantizer.layers):
        means, counts = kmeans(grouped, quantizer.codewords, rounds, generator)
        books.append((means, counts))
        chosen = nearest(grouped, means).unsqueeze(-1).expand(-1, -1, grouped.shape[-1])
        grouped = grouped - means.gather(1, chosen)
    means, counts = (torch.stack(each, 1).flatten(0, 1) for each in zip(*books, strict=True))
    share = counts / counts.sum(-1, keepdim=True)
    weight = 4 * max(quantizer.dead_below, LEAST_COUNT)  # a codeword of average use stays well above a dead one's count
    quantizer.fine.set(means, (share * weight * quantizer.codewords).clamp(min=1.0))


@torch.no_grad()
def train_step(quantizer: GroupedResidualVQ, features: Tensor, lengths: Tensor, generator: torch.Generator) -> Progress:
    """Assign a batch's frames to their nearest codewords and update the codebooks, by two or three collective calls.

    Padding is never counted. The result is the same for one process with a batch and for several with its parts.

    Args:
        quantizer: An initialised quantizer.
        features: Frames, ``(B, T, D)``.
        lengths: Frames of each utterance, ``(B,)``.
        generator: A CPU generator in the same state on all processes (it chooses who replaces dead codewords).
    """
    with full_float32(features.device):
        mask = length_mask(lengths, features.shape[1])
        components = quantizer.transform(features)
        codes, (rough, fine) = quantizer.assign(components, skip=False)
        return update(quantizer, codes[mask], (rough[mask], fine[mask]), generator)


@torch.no_grad()
def inputs_of(quantizer: GroupedResidualVQ, components: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
    """Return the residual vectors that are quantized at each stage, given the codes of the stages before.

    Args:
        quantizer: The quantizer of the codes.
        components: Components of frames, ``(B, T, D)``.
        codes: Their codes, ``(B, T, P)`` int64 in ``[0, K]``.

    Returns:
        Residual vectors of the coarse stages, ``(B, T, coarse, D)``, and of the groups' layers,
        ``(B, T, G L, D / G)``.
    """
    residual = components
    if quantizer.predictive:
        fine = quantizer.lookup(codes)[1]
        state, forecasts = torch.zeros_like(components[:, 0]), []
        for frame in fine.unbind(1):
            forecasts.append(quantizer.predictor * state)
            state = forecasts[-1] + frame
        residual = residual - torch.stack(forecasts, 1)
    rough = []
    for stage, table in enumerate(quantizer.coarse_table()):
        rough.append(residual)
        residual = residual - table[codes[..., stage]]
    grouped, layers = residual.unflatten(-1, (quantizer.groups, -1)), []
    chosen = codes[..., quantizer.coarse :].unflatten(-1, (quantizer.groups, quantizer.layers))
    slot = torch.arange(quantizer.groups, device=codes.device) * (quantizer.codewords + 1)
    for layer, table in enumerate(quantizer.fine_table().unbind(1)):
        layers.append(grouped)
        grouped = grouped - table.flatten(0, 1)[chosen[..., layer] + slot]
    coarse = torch.stack(rough, 2) if rough else residual.new_zeros(*residual.shape[:2], 0, quantizer.dim)
    return coarse, torch.stack(layers, 3).flatten(2, 3)


@torch.no_grad()
def update(
    quantizer: GroupedResidualVQ, codes: Tensor, inputs: tuple[Tensor, Tensor], generator: torch.Generator | None
) -> Progress:
    """Update the codebooks with the vectors that are assigned to their codewords.

    Args:
        quantizer: An initialised quantizer.
        codes: Codes of valid frames, ``(N, P)`` in ``[0, K]``; SKIP is not counted.
        inputs: The quantized residual vectors: ``(N, coarse, D)`` and ``(N, G L, D / G)``.
        generator: A CPU generator in the same state on all processes; None leaves dead codewords as they are.

    Raises:
        ValueError: A vector of any process is NaN or infinite; nothing was changed.
    """
    rough = quantizer.rough.statistics(codes[:, : quantizer.coarse], inputs[0])
    fine = quantizer.fine.statistics(codes[:, quantizer.coarse :], inputs[1])
    left = inputs[1].view(len(codes), quantizer.groups, quantizer.layers, -1)[:, :, -1]
    last = codes[:, quantizer.coarse :].view(len(codes), quantizer.groups, quantizer.layers)[:, :, -1]
    table = quantizer.fine_table()[:, -1].unsqueeze(0).expand(len(codes), -1, -1, -1)
    final = left - table.gather(2, last[..., None, None].expand(-1, -1, 1, left.shape[-1])).squeeze(2)
    totals = torch.cat([final.square().sum().view(1), rank_counts(len(codes), final)])
    rough_counts, rough_sums, fine_counts, fine_sums, totals = reduce_together(*rough, *fine, totals)
    error, *counted = totals.tolist()
    held = [int(count) for count in counted]
    if not math.isfinite(error):
        raise ValueError(
            f"a feature of the batch's {sum(held)} frames is NaN or infinite; the codebooks are left as they were"
        )
    quantizer.rough.absorb(Statistics(rough_counts, rough_sums))
    quantizer.fine.absorb(Statistics(fine_counts, fine_sums))
    revived = 0
    if generator is not None:
        revived = revive((quantizer.rough, quantizer.fine), inputs, held, generator)
    counts = torch.cat([rough_counts, fine_counts])
    share = counts / counts.sum(-1, keepdim=True).clamp(min=1)
    perplexity = torch.exp2(torch.special.entr(share).sum(-1) / torch.log(torch.tensor(2.0)))
    frames = sum(held)
    return Progress(error / max(frames, 1), perplexity, (counts > 0).float().mean(-1), revived, frames)
