"""From samples to the input of a pretrained speech model, and how many frames that makes."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


class FrontEnd(ABC):
    """What a family of models reads, made by the feature extractor that belongs to the model.

    Attributes:
        hop: Samples from one frame to the next.
        field: Samples that a frame is computed from: the shortest utterance that has one.
        longest: Most samples that a model takes at once; None where nothing bounds them.
        exact: Whether utterances of different lengths may share a batch and have the frames that each has alone.
    """

    hop: int
    field: int
    longest: int | None = None
    exact: bool = True

    def __init__(self, extractor: Any) -> None:  # noqa: ANN401 - a feature extractor of transformers
        self.extractor = extractor

    def count(self, lengths: Tensor) -> Tensor:
        """Return the frames that waveforms of these lengths (samples) give, ``(B,)`` int64; 0 if too short."""
        return (torch.div(lengths - self.field, self.hop, rounding_mode="floor") + 1).clamp_min(0)

    @abstractmethod
    def __call__(self, waveforms: Sequence[Tensor]) -> dict[str, Tensor]:
        """Return the model's arguments for waveforms ``(N,)`` at 16 kHz, on CPU."""

    def _extract(self, waveforms: Sequence[Tensor], **options: Any) -> dict[str, Tensor]:  # noqa: ANN401 - of transformers
        arrays = [waveform.detach().cpu().numpy() for waveform in waveforms]
        rate = int(self.extractor.sampling_rate)
        return dict(self.extractor(arrays, sampling_rate=rate, return_tensors="pt", **options))


class Samples(FrontEnd):
    """Samples, normalised over the utterance where the extractor says so (wav2vec 2.0, HuBERT, WavLM and their kin)."""

    def __init__(self, extractor: Any, settings: Any) -> None:  # noqa: ANN401 - of transformers
        super().__init__(extractor)
        self.kernels, self.strides = tuple(settings.conv_kernel), tuple(settings.conv_stride)
        self.hop, self.field = math.prod(self.strides), 1
        for kernel, stride in reversed(list(zip(self.kernels, self.strides, strict=True))):
            self.field = (self.field - 1) * stride + kernel
        # A norm over time sees the padding, and so do the stacked convolutions of data2vec for positions.
        self.exact = (
            getattr(settings, "feat_extract_norm", "layer") != "group" and settings.model_type != "data2vec-audio"
        )

    def count(self, lengths: Tensor) -> Tensor:
        """Return the frames that waveforms of these lengths (samples) give, ``(B,)`` int64; 0 if too short."""
        for kernel, stride in zip(self.kernels, self.strides, strict=True):
            lengths = torch.div(lengths - kernel, stride, rounding_mode="floor") + 1
        return lengths.clamp_min(0)

    def __call__(self, waveforms: Sequence[Tensor]) -> dict[str, Tensor]:
        """Return ``input_values (B, N)``, and ``attention_mask (B, N)`` where lengths differ."""
        alike = len({len(waveform) for waveform in waveforms}) == 1
        found = self._extract(waveforms, padding=True, return_attention_mask=not alike)
        return {name: found[name] for name in ("input_values", "attention_mask") if name in found and not (
            alike and name == "attention_mask")}  # fmt: skip


class Filterbank(FrontEnd):
    """Log-mel energies in windows of 25 ms every 10 ms, two side by side, each band normalised over the utterance."""

    hop, field = 320, 560

    def __call__(self, waveforms: Sequence[Tensor]) -> dict[str, Tensor]:
        """Return ``input_features (B, T, 2 M)`` and ``attention_mask (B, T)``."""
        found = self._extract(waveforms, padding=True)
        return {name: found[name] for name in ("input_features", "attention_mask")}


class PaddedMel(FrontEnd):
    """Log-mel energies of exactly 30 s, zeros behind the utterance: Whisper's encoder sees them as silence."""

    hop, field = 320, 320

    def __init__(self, extractor: Any) -> None:  # noqa: ANN401 - a feature extractor of transformers
        super().__init__(extractor)
        self.longest = int(extractor.n_samples)

    def __call__(self, waveforms: Sequence[Tensor]) -> dict[str, Tensor]:
        """Return ``input_features (B, M, T)``."""
        return {"input_features": self._extract(waveforms, padding="max_length")["input_features"]}


#: Families that read samples, by the ``model_type`` of their configuration.
SAMPLE_FAMILIES = ("data2vec-audio", "hubert", "unispeech", "unispeech-sat", "wav2vec2", "wav2vec2-conformer", "wavlm")
FAMILIES = (*SAMPLE_FAMILIES, "wav2vec2-bert", "whisper")


def front_end(extractor: Any, settings: Any) -> FrontEnd:  # noqa: ANN401 - of transformers
    """Return the front end of a model.

    Args:
        extractor: Its feature extractor.
        settings: Its configuration, of one of :data:`FAMILIES`.
    """
    if settings.model_type == "whisper":
        return PaddedMel(extractor)
    return Filterbank(extractor) if settings.model_type == "wav2vec2-bert" else Samples(extractor, settings)
