"""An orthonormal transform of frames before grouping; it leaves squared errors unchanged."""

from typing import Literal

import torch
from torch import Tensor, nn

Kind = Literal["klt", "contiguous", "none"]

#: Rows that a matrix product is padded to. Below it, BLAS takes another kernel and a row's last bits change.
MINIMUM_ROWS = 8


def rowwise_product(rows: Tensor, matrix: Tensor) -> Tensor:
    """Return the matrix product ``(N, I) x (I, J)``; a row of the result does not depend on the number of rows.

    BLAS picks a kernel by the number of rows, and a product of a few rows differs from that of many in the last bits.
    Padding to eight rows makes each row's result the same in any batch on CPU (checked by a test); cuBLAS gives no
    such promise.
    """
    missing = MINIMUM_ROWS - rows.shape[0]
    if missing <= 0:
        return rows @ matrix
    return (torch.cat([rows, rows.new_zeros(missing, rows.shape[1])]) @ matrix)[: rows.shape[0]]


class FrameTransform(nn.Module):
    """Transform frames to centred, rotated components in the order of the groups, and back.

    ``y = (x - mean) R`` with orthonormal ``R``. ``"klt"`` takes the eigenvectors of the frames' covariance in falling
    order of variance (Karhunen-Loeve transform) and deals component ``i`` to group ``i mod G``, so that each group gets
    the same spectrum; ``"contiguous"`` gives the leading components to the first group; ``"none"`` leaves raw feature
    dimensions in their order and does not centre, so that SKIP everywhere decodes to the zero vector (the study's way).

    Attributes:
        mean: Training mean of the frames, ``(D,)``; known for every kind, subtracted unless the kind is ``"none"``.
        matrix: The rotation ``R``, ``(D, D)``; ``(0, 0)`` for ``"none"``.
    """

    mean: Tensor
    matrix: Tensor

    def __init__(self, kind: Kind, dim: int, groups: int) -> None:
        super().__init__()
        if kind not in ("klt", "contiguous", "none"):
            raise ValueError(f"rotation {kind!r} is unknown: expected 'klt', 'contiguous' or 'none'")
        self.kind, self.groups = kind, groups
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("matrix", torch.zeros(0, 0) if kind == "none" else torch.eye(dim))

    @torch.no_grad()
    def fit(self, mean: Tensor, covariance: Tensor) -> None:
        """Set the mean, and the rotation to the eigenvectors of a covariance.

        Args:
            mean: Mean of the frames, ``(D,)``.
            covariance: Covariance of what is rotated, ``(D, D)``, in squared feature units.
        """
        self.mean.copy_(mean)
        if self.kind == "none":
            return
        _, vectors = torch.linalg.eigh(covariance.double().cpu())
        vectors = vectors.flip(1)
        largest = vectors.gather(0, vectors.abs().argmax(0, keepdim=True))
        vectors = vectors * largest.sign()
        if self.kind == "klt":
            dim = len(mean)
            vectors = vectors[:, torch.arange(dim).view(dim // self.groups, self.groups).T.reshape(-1)]
        self.matrix.copy_(vectors)

    def forward(self, features: Tensor) -> Tensor:
        """Return the components ``(..., D)`` float32 of frames ``(..., D)``."""
        features = features.float()
        if self.kind == "none":
            return features
        flat = (features - self.mean).reshape(-1, features.shape[-1])
        return rowwise_product(flat, self.matrix).view(features.shape)

    def inverse(self, components: Tensor) -> Tensor:
        """Return the frames ``(..., D)`` float32 of components ``(..., D)``."""
        if self.kind == "none":
            return components
        flat = components.reshape(-1, components.shape[-1])
        return rowwise_product(flat, self.matrix.T).view(components.shape) + self.mean
