"""Base class of codecs: features in, coded features out, at any number of operating points."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from emoquant.codecs.history import Source
from emoquant.storage.origin import Origin
from emoquant.types import Batch, Coded, Counted

#: Lagrange multipliers of the study's sweep, in squared feature units per bit.
STUDY_LAMBDAS = (0.0, 1e-4, 0.01, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0)


class Codec(nn.Module, ABC):
    """Code frame features at operating points, such as lambdas or similarity targets.

    A codec of your own needs :meth:`forward` and the attributes below. If it has :meth:`settings`, it can also be saved
    (:func:`~emoquant.codecs.save_codec`) and loaded (:func:`~emoquant.codecs.load_codec`): a checkpoint holds the path
    of its class, its settings and its ``state_dict``. So everything that it learns must be a parameter or a buffer, be
    finite, and have a shape that follows from the settings.

    Attributes:
        name: Name in the tables.
        dim: Feature dimensions ``D``; 0 for a codec of any dimensions (identity).
        positions: Codes of a frame ``P``; 0 for a codec without codes.
        codewords: Codewords ``K`` of a position; code ``K`` is SKIP.
        points: Operating points that an evaluation runs, in the order of its tables.
        origin: Encoder whose features it was trained on; None for a codec of any features.
        source: File that it was loaded from; None for a codec that was not loaded.
    """

    name: str
    dim: int
    positions: int
    codewords: int
    points: tuple[float, ...]
    origin: Origin | None = None
    source: Source | None = None

    @property
    def extra(self) -> tuple[str, ...]:
        """Names of other ways of counting bits, as :attr:`emoquant.types.Counted.extra` has them; none by default."""
        return ()

    @property
    def trained_on(self) -> Mapping[str, float]:
        """Share of each emotion in its training; empty if that is unknown or irrelevant."""
        history = self.source.history if self.source is not None else None
        return {} if history is None else history.emotions

    #: Whether :meth:`coded_bits` can say what a coder writes.
    writes_bits: bool = False

    @abstractmethod
    def forward(self, features: Tensor, lengths: Tensor, points: Sequence[float] | None = None) -> Coded:
        """Code a batch at every operating point in one call.

        The result for an utterance does not depend on the others in the batch or on padding.

        Args:
            features: Frame features, ``(B, T, D)`` float32.
            lengths: Frames of each utterance, ``(B,)`` int64.
            points: Operating points, ``O`` of them; the codec's own :attr:`points` by default.

        Raises:
            ValueError: The features have another dimension than the codec, or a point is out of range.
        """

    def code(self, batch: Batch) -> Coded:
        """Code a batch at the codec's own :attr:`points`; for codecs that need more of a batch than its features.

        Args:
            batch: Frame features with the rows of their utterances.
        """
        coded: Coded = self(batch.features, batch.lengths)
        return coded

    def count(self, batch: Batch) -> Counted:
        """Code a batch as :meth:`code` does, and count its bits also in the ways that :attr:`extra` names."""
        coded = self.code(batch)
        return Counted(coded, coded.bits.new_zeros(*coded.bits.shape, 0))

    def settings(self) -> dict[str, Any]:
        """Return the constructor arguments of a codec of the same shape, as plain values.

        Name, points, origin and source can be left out: :func:`~emoquant.codecs.load_codec` sets name, origin, source
        and, if they are given, points.

        Raises:
            ValueError: The codec cannot be saved; this is the default.
        """
        raise ValueError(
            f"codec {self.name!r} cannot be stored: {type(self).__name__} has no settings(); give it that method (see "
            "emoquant.codecs.Codec), or store the codecs that it is made of"
        )

    def check_weights(self) -> None:
        """Check loaded weights beyond their shapes and finiteness.

        Raises:
            ValueError: The weights were never trained, or are out of the codec's valid range.
        """

    def coded_bits(self, coded: Coded, lengths: Tensor, points: Sequence[float] | None = None) -> Tensor:
        """Return the bits that an entropy coder writes for a batch, for comparison with the estimated ones.

        Args:
            coded: Result of :meth:`forward`.
            lengths: Frames of each utterance, ``(B,)`` int64.
            points: The operating points of that call; the codec's own :attr:`points` by default.

        Returns:
            Bits of each utterance with their termination, without the header of a file, ``(O, B)`` float64.

        Raises:
            ValueError: The codec writes no bits.
        """
        raise ValueError(f"codec {self.name!r} writes no bits: its rate is an estimate")
