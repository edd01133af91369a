"""The study's recipe, written plainly: the yardstick of the other benchmarks, not meant to be fast.

Codebooks of raw groups; a causal transformer over the codes of one frame, whose prefix is computed anew for every code;
one utterance and one lambda at a time; full ranking of all codes at every position.
"""

import math

import torch
from torch import Tensor, nn

from emoquant.quantization import GroupedResidualVQ


class PlainTransformer(nn.Module):
    """Six causal layers of width 256 and eight heads over the codes of a frame."""

    def __init__(self, positions: int, vocabulary: int, width: int = 256, layers: int = 6, heads: int = 8) -> None:
        super().__init__()
        self.start = nn.Parameter(torch.zeros(1, 1, width))
        self.embedding = nn.Embedding(vocabulary, width)
        self.place = nn.Parameter(torch.randn(positions, width) * 0.02)
        layer = nn.TransformerEncoderLayer(width, heads, 4 * width, 0.0, batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.output = nn.Linear(width, vocabulary)

    def forward(self, codes: Tensor) -> Tensor:
        """Return logits ``(N, p + 1, V)`` of the codes after each prefix of ``codes`` ``(N, p)``."""
        start = self.start.expand(len(codes), -1, -1)
        tokens = torch.cat([start, self.embedding(codes)], 1) + self.place[: codes.shape[1] + 1]
        mask = nn.Transformer.generate_square_subsequent_mask(tokens.shape[1])
        return self.output(self.layers(tokens, mask=mask, is_causal=True))


@torch.no_grad()
def search(
    quantizer: GroupedResidualVQ, model: PlainTransformer, features: Tensor, lmbda: float
) -> tuple[Tensor, Tensor]:
    """Return the codes ``(T, P)`` and the bits ``(T,)`` of one utterance ``(T, D)`` at one lambda."""
    table = quantizer.fine_table()
    groups, layers = table.shape[:2]
    codes = torch.zeros(len(features), 0, dtype=torch.int64)
    bits = torch.zeros(len(features))
    for group in range(groups):
        residual = features.view(len(features), groups, -1)[:, group]
        for layer in range(layers):
            rate = -torch.log_softmax(model(codes)[:, -1], -1) / math.log(2)
            cost = torch.cdist(residual, table[group, layer]).square() + lmbda * rate
            chosen = cost.argmin(-1)
            bits += rate.gather(1, chosen.unsqueeze(1)).squeeze(1)
            residual = residual - table[group, layer][chosen]
            codes = torch.cat([codes, chosen.unsqueeze(1)], 1)
    return codes, bits
