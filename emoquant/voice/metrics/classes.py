"""The measures of synthesised speech as torchmetrics classes: sums of fixed shape, exact on any number of processes."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torchmetrics import Metric

from emoquant.metrics.similarity import cosine
from emoquant.voice.metrics.distance import mel_cepstral_distortion, melody_errors
from emoquant.voice.metrics.quality import overall_quality
from emoquant.voice.metrics.words import Errors, character_errors, word_errors


class _Ratio(Metric):
    """A sum over another; NaN where nothing was counted."""

    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def _add(self, total: float, count: float) -> None:
        self.total += total
        self.count += count

    def compute(self) -> Tensor:
        """Return the ratio of the sums, a scalar float64."""
        return self.total / self.count


class MelCepstralDistortion(_Ratio):
    """Mean mel-cepstral distortion in dB over utterances (WORLD envelope, warped in time, without level).

    Args:
        order: Highest coefficient.
    """

    def __init__(self, order: int = 24) -> None:
        super().__init__()
        self.order = order

    def update(self, preds: Sequence[Tensor], target: Sequence[Tensor]) -> None:
        """Add utterances: samples at 16 kHz, ``(N,)`` each, and recordings of the same words."""
        for ours, theirs in zip(preds, target, strict=True):
            self._add(mel_cepstral_distortion(ours, theirs, self.order), 1)


class MelodyErrors(Metric):
    """Errors of melody along a warping path.

    ``compute`` gives ``f0_rmse`` (cents, frames voiced in both), ``f0_correlation`` (mean over utterances) and
    ``voicing_error`` (share of frames voiced in one only).
    """

    full_state_update = False
    sums: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("sums", torch.zeros(6, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, preds: Sequence[Tensor], target: Sequence[Tensor]) -> None:
        """Add utterances: samples at 16 kHz, ``(N,)`` each, and recordings of the same words."""
        for ours, theirs in zip(preds, target, strict=True):
            found = melody_errors(ours, theirs)
            defined = found.correlation == found.correlation
            numbers = [*found[:4], found.correlation if defined else 0.0, float(defined)]
            self.sums += torch.tensor(numbers, dtype=torch.float64, device=self.sums.device)

    def compute(self) -> dict[str, Tensor]:
        """Return the errors by name, scalars float64; NaN where nothing was counted."""
        squared, both, apart, frames, correlation, defined = self.sums
        return {
            "f0_rmse": (squared / both).sqrt(),
            "f0_correlation": correlation / defined,
            "voicing_error": apart / frames,
        }


class DurationError(Metric):
    """Errors of durations: ``phone_error`` in ms (mean absolute) and ``length_ratio`` (synthesised over recorded).

    Args:
        frame_rate: Frames a second of the durations.
    """

    full_state_update = False
    sums: Tensor

    def __init__(self, frame_rate: float = 62.5) -> None:
        super().__init__()
        self.frame_rate = frame_rate
        self.add_state("sums", torch.zeros(4, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, preds: Tensor, target: Tensor, lengths: Tensor) -> None:
        """Add utterances.

        Args:
            preds: Frames of each phone, ``(B, L)``.
            target: Frames of each phone of the recordings, ``(B, L)``.
            lengths: Phones of each utterance, ``(B,)`` int64.
        """
        mask = torch.arange(preds.shape[1], device=preds.device) < lengths[:, None]
        ours, theirs = preds.double() * mask, target.double() * mask
        self.sums += torch.stack([(ours - theirs).abs().sum(), mask.sum(), ours.sum(), theirs.sum()])

    def compute(self) -> dict[str, Tensor]:
        """Return the errors by name, scalars float64."""
        absolute, phones, ours, theirs = self.sums
        return {"phone_error": 1000 * absolute / phones / self.frame_rate, "length_ratio": ours / theirs}


class WordErrorRate(_Ratio):
    """Word errors over words, in [0, 1]: an utterance has at most as many errors as words."""

    def update(self, preds: Sequence[str], target: Sequence[str]) -> None:
        """Add utterances: the text that was heard of each, and what was said."""
        for heard, said in zip(preds, target, strict=True):
            self._add(*self._errors(heard, said))

    def _errors(self, heard: str, said: str) -> Errors:
        return word_errors(heard, said)


class CharacterErrorRate(WordErrorRate):
    """Errors of letters over letters; see :class:`WordErrorRate`."""

    def _errors(self, heard: str, said: str) -> Errors:
        return character_errors(heard, said)


class SpeechQuality(_Ratio):
    """Mean overall quality that DNSMOS predicts, about 1 to 5."""

    def update(self, preds: Sequence[Tensor]) -> None:
        """Add utterances: samples at 16 kHz, ``(N,)`` each."""
        for waveform in preds:
            self._add(overall_quality(waveform), 1)


class EmotionSimilarity(_Ratio):
    """Mean cosine of the emotion encoder's time means of synthesised speech and of what it is held against."""

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Add utterances: vectors ``(B, D)`` of the speech and of the references or centroids."""
        similar = cosine(preds, target)
        self._add(float(similar.sum()), similar.numel())


class SpeakerSimilarity(EmotionSimilarity):
    """Mean cosine of speaker vectors of synthesised speech and of recordings of the speaker."""
