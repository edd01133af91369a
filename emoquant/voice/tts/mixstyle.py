"""Content without the style of its speaker (mix-style layer normalisation of GenerSpeech, Huang et al. 2022)."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional


class MixStyleLayerNorm(nn.Module):
    """Normalise content and give it the scale and shift of a mixture of two items' styles, so that it carries no style.

    In training each item is changed with a probability. The choice is made with :func:`torch.where`, so that the
    projection has a gradient in every step of every process.

    Args:
        hidden: Width of the model.
        probability: Share of training items that are changed.
        alpha: Both parameters of the Beta distribution that the mixing weight of an item comes from.
        evaluation: Outside of training: ``identity`` (as published) or ``own`` (normalise with the own style).
    """

    def __init__(
        self, hidden: int, probability: float, alpha: float, evaluation: Literal["identity", "own"] = "identity"
    ) -> None:
        super().__init__()
        self.probability, self.alpha, self.evaluation = probability, alpha, evaluation
        self.affine = nn.Linear(hidden, 2 * hidden)
        nn.init.xavier_uniform_(self.affine.weight)
        nn.init.zeros_(self.affine.bias)
        nn.init.ones_(self.affine.bias[hidden:])

    def forward(self, content: Tensor, style: Tensor) -> Tensor:
        """Return the normalised content ``(B, T, H)``; unchanged in evaluation with ``identity``.

        Args:
            content: Content of each frame, ``(B, T, H)``.
            style: Sum of the utterance's conditions, ``(B, 1, H)``.
        """
        if not self.training:
            return content if self.evaluation == "identity" else self._styled(content, self.affine(style))
        size = len(content)
        weight = torch.distributions.Beta(self.alpha, self.alpha).sample((size, 1, 1)).to(content)
        partner = torch.randperm(size, device=content.device)
        affine = self.affine(style)
        styled = self._styled(content, weight * affine + (1 - weight) * affine[partner])
        treated = torch.rand(size, 1, 1, device=content.device) < self.probability
        return torch.where(treated, styled, content.to(styled.dtype))

    @staticmethod
    def _styled(content: Tensor, affine: Tensor) -> Tensor:
        shift, scale = affine.chunk(2, -1)
        return functional.layer_norm(content, content.shape[-1:]) * scale + shift
