"""What every frame encoder and every emotion classifier offers."""

from abc import ABC, abstractmethod
from typing import Any

from torch import Tensor, nn

from emoquant.devices.precision import full_float32
from emoquant.storage.origin import Origin


class EmotionHead(nn.Module, ABC):
    """A frozen classifier of utterance vectors.

    Attributes:
        labels: Class names in the order of the logits, canonical or bilingual spellings of :mod:`emoquant.labels`.
        dim: Feature dimensions that it reads.
        origin: Encoder whose features it was trained on; None where any features will do.
        name: What results call it; empty where it is the only one.
    """

    labels: list[str]
    dim: int
    origin: Origin | None = None
    name: str = ""

    @abstractmethod
    def forward(self, vectors: Tensor) -> Tensor:
        """Return logits ``(..., C)`` of utterance vectors (time means of frame features), ``(..., D)`` float32."""


class FrameEncoder(nn.Module, ABC):
    """Turns waveforms into frame features, everywhere in float32 (:func:`~emoquant.devices.precision.full_float32`).

    Features of a GPU are those of a CPU up to the rounding of float32, so one feature store serves both.

    Attributes:
        dim: Feature dimensions ``D``.
        sample_rate: Samples a second that it expects.
        frame_rate: Frames a second that it gives.
    """

    dim: int
    sample_rate: int = 16_000
    frame_rate: float = 50.0

    def __call__(self, waveforms: Tensor, lengths: Tensor) -> Any:  # noqa: ANN401 - what forward returns
        """Return frame features and their lengths; see :meth:`forward`."""
        with full_float32(waveforms.device):
            return super().__call__(waveforms, lengths)

    @abstractmethod
    def forward(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return frame features and their lengths; padding changes nothing.

        Args:
            waveforms: Mono samples, ``(B, N)`` float32; what lies past an utterance's length is ignored.
            lengths: Samples of each utterance, ``(B,)`` int64.

        Returns:
            Features ``(B, T, D)`` float32, zeros past the end, and frames of each utterance ``(B,)`` int64.

        Raises:
            ValueError: An utterance is too short for one frame.
        """

    def checked_counts(self, waveforms: Tensor, lengths: Tensor, field: int) -> Tensor:
        """Return the frames of each utterance of a batch, at least one.

        Args:
            waveforms: As of :meth:`forward`.
            lengths: As of :meth:`forward`.
            field: Samples that one frame needs.

        Raises:
            ValueError: Shapes do not fit, a length is beyond the waveforms, or an utterance is too short for a frame.
        """
        if waveforms.ndim != 2 or lengths.shape != waveforms.shape[:1]:
            raise ValueError(
                f"expected waveforms (B, N) and lengths (B,), got {tuple(waveforms.shape)} and {tuple(lengths.shape)}"
            )
        if int(lengths.max()) > waveforms.shape[1]:
            raise ValueError(
                f"lengths must be at most {waveforms.shape[1]} (waveforms' samples), but go up to {int(lengths.max())}"
            )
        counts = self.frame_lengths(lengths)
        if int(counts.min()) < 1:
            worst = int(lengths.argmin())
            raise ValueError(
                f"utterance {worst} of the batch has {int(lengths[worst])} samples: at least {field} "
                f"({1000 * field / self.sample_rate:g} ms at {self.sample_rate // 1000} kHz) are needed for one "
                "frame; leave it out or join it with its neighbour"
            )
        return counts

    @abstractmethod
    def frame_lengths(self, lengths: Tensor) -> Tensor:
        """Return the frames that waveforms of these lengths (samples) give, ``(B,)`` int64; 0 if too short."""

    @abstractmethod
    def fingerprint(self) -> str:
        """Return a hex digest of everything that shapes the features (weights and settings), for cache keys."""

    def identify(self) -> Origin:
        """Return what codecs and classifiers that are trained on the features remember of the encoder."""
        return Origin(type(self).__name__, self.fingerprint())

    def dimension_head(self) -> nn.Module | None:
        """Return what gives arousal, valence and dominance ``(..., 3)`` of utterance vectors; None without such."""
        return None

    @abstractmethod
    def head(self) -> EmotionHead:
        """Return the model's own classification head.

        Raises:
            ValueError: The model has none.
        """
