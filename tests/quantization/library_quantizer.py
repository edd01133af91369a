"""The grouped residual VQ of vector-quantize-pytorch: the reference for ours, and a source of codebooks."""

import torch
from torch import Tensor
from vector_quantize_pytorch import GroupedResidualVQ as LibraryGRVQ

from emoquant.quantization.grvq import GroupedResidualVQ


def library_quantizer(quantizer: GroupedResidualVQ) -> LibraryGRVQ:
    """Return the library's quantizer with the sizes, training settings and codebooks of ours.

    It trains on components (``quantizer.transform``), on one process only: the library decides about
    synchronisation when a module is built.

    Args:
        quantizer: Our quantizer, built and without coarse stages or prediction, which the library does not have.

    Raises:
        ValueError: The quantizer has coarse stages or prediction, or was not built.
    """
    if not quantizer.dim or quantizer.coarse or quantizer.prediction:
        raise ValueError("the library has neither coarse stages nor prediction: build a quantizer without them first")
    module = LibraryGRVQ(
        dim=quantizer.dim,
        groups=quantizer.groups,
        num_quantizers=quantizer.layers,
        codebook_size=quantizer.codewords,
        decay=quantizer.decay,
        threshold_ema_dead_code=quantizer.dead_below,
        kmeans_init=False,
    )
    shape = quantizer.groups, quantizer.layers, quantizer.codewords
    books = (
        quantizer.fine.vectors.view(*shape, -1),
        quantizer.fine.counts.view(shape),
        quantizer.fine.sums.view(*shape, -1),
    )
    for group, residual_vq in enumerate(module.rvqs):
        for layer, vq in enumerate(residual_vq.layers):
            book = vq._codebook
            for buffer, values in zip((book.embed, book.cluster_size, book.embed_avg), books, strict=True):
                buffer.data.copy_(values[group, layer].view_as(buffer))
            book.initted.data.fill_(True)
    return module


@torch.no_grad()
def load_library_codebooks(quantizer: GroupedResidualVQ, module: LibraryGRVQ) -> None:
    """Take over the codebooks and moving averages that the library trained, and mark ours as initialised.

    Args:
        quantizer: Our quantizer, built with the library's sizes.
        module: The library's quantizer with EMA codebooks, of our layout (groups in order, ``dim / groups`` each).

    Raises:
        ValueError: The sizes differ.
    """

    def gathered(name: str) -> Tensor:
        layers = [[getattr(vq._codebook, name)[0] for vq in rvq.layers] for rvq in module.rvqs]
        return torch.stack([torch.stack(each) for each in layers]).flatten(0, 1)

    vectors = gathered("embed")
    if vectors.shape != quantizer.fine.vectors.shape:
        ours, theirs = tuple(quantizer.fine.vectors.shape), tuple(vectors.shape)
        raise ValueError(
            f"the library's codebooks are {theirs}, ours {ours}: (groups x layers, codewords, dim / groups)"
        )
    quantizer.fine.vectors.copy_(vectors)
    quantizer.fine.counts.copy_(gathered("cluster_size"))
    quantizer.fine.sums.copy_(gathered("embed_avg"))
    quantizer.ready.fill_(True)
