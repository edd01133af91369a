"""Training losses of the voice model; padding is not counted in any of them."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from emoquant.types import length_mask
from emoquant.voice.tts.masking import segment_sum

_WINDOW, _DEVIATION = 11, 1.5
_BIAS = 6.0
_STABLE_MEAN, _STABLE_VARIANCE = 0.01**2, 0.03**2


def mel_l1(preds: Tensor, target: Tensor, lengths: Tensor) -> Tensor:
    """Return the mean absolute difference of log mels ``(B, T, M)`` over the real frames, in their unit, a scalar.

    The task converts mels to log10 first, so that its losses do not depend on the logarithm of the mel settings.
    """
    mask = length_mask(lengths, target.shape[1]).unsqueeze(-1)
    return ((preds.float() - target).abs() * mask).sum() / (mask.sum() * target.shape[-1])


def spectrum_distance(preds: Tensor, target: Tensor, resolutions: Sequence[int], floor: float = 1e-2) -> Tensor:
    """Return the multi-resolution STFT loss (Yamamoto et al. 2020), a scalar, mean over resolutions.

    At each resolution it is the norm of the difference of the magnitude spectrograms over the target's norm, plus the
    mean absolute difference of log10 magnitudes.

    Args:
        preds: Waveforms, ``(B, N)``.
        target: Waveforms, ``(B, N)``.
        resolutions: Points of the Fourier transform of each resolution; the hop is a quarter of it.
        floor: Least magnitude; smaller ones are raised to it before the logarithm.
    """
    each = []
    with torch.autocast(target.device.type, enabled=False):
        for size in resolutions:
            window = torch.hann_window(size, device=target.device)
            made, real = (torch.stft(waves.float(), size, size // 4, size, window, return_complex=True).abs()
                          for waves in (preds, target))  # fmt: skip
            relative = (made - real).norm() / real.norm().clamp(min=floor)
            each.append(relative + (made.clamp(min=floor).log10() - real.clamp(min=floor).log10()).abs().mean())
    return torch.stack(each).mean()


def mel_dissimilarity(preds: Tensor, target: Tensor, lengths: Tensor) -> Tensor:
    """Return 1 - SSIM of log10 mels over the real frames, a scalar in [0, 2] (Wang et al. 2004).

    The mels are compared as images with a Gaussian window of 11 x 11, after adding 6 so that silence is near zero.

    Args:
        preds: Predicted mels, ``(B, T, M)``.
        target: Target mels, ``(B, T, M)``.
        lengths: Frames of each, ``(B,)`` int64.
    """
    mask = length_mask(lengths, target.shape[1]).unsqueeze(-1)
    with torch.autocast(target.device.type, enabled=False):
        left, right = (((mels.float() + _BIAS) * mask).unsqueeze(1) for mels in (preds, target))
        moments = torch.cat([left, right, left.square(), right.square(), left * right], 1)
        mean_l, mean_r, square_l, square_r, product = _blur(moments).unbind(1)
        variance = (square_l - mean_l.square()) + (square_r - mean_r.square())
        covariance = product - mean_l * mean_r
        similarity = (2 * mean_l * mean_r + _STABLE_MEAN) / (mean_l.square() + mean_r.square() + _STABLE_MEAN)
        similarity = similarity * (2 * covariance + _STABLE_VARIANCE) / (variance + _STABLE_VARIANCE)
        return ((1 - similarity) * mask).sum() / (mask.sum() * target.shape[-1])


def _blur(pictures: Tensor) -> Tensor:
    """Return pictures ``(B, C, T, M)`` under a Gaussian window, zeros beyond the edges."""
    place = torch.arange(_WINDOW, device=pictures.device, dtype=pictures.dtype) - _WINDOW // 2
    window = torch.exp(-place.square() / (2 * _DEVIATION**2))
    window = (window / window.sum()).expand(pictures.shape[1], 1, -1)
    channels, half = pictures.shape[1], _WINDOW // 2
    across = functional.conv2d(pictures, window.unsqueeze(2), padding=(0, half), groups=channels)
    return functional.conv2d(across, window.unsqueeze(3), padding=(half, 0), groups=channels)


def phone_duration_error(log_durations: Tensor, durations: Tensor, lengths: Tensor) -> Tensor:
    """Return the mean squared error of ``log(frames + 1)`` over the real phones, a scalar.

    Args:
        log_durations: Predictions, ``(B, L)``.
        durations: True frames of each phone, ``(B, L)`` int64.
        lengths: Phones of each item, ``(B,)`` int64.
    """
    mask = length_mask(lengths, durations.shape[1])
    return ((log_durations.float() - torch.log1p(durations.float())).square() * mask).sum() / mask.sum()


def group_duration_error(log_durations: Tensor, durations: Tensor, groups: Tensor) -> Tensor:
    """Return the mean squared error of ``log(frames + 1)`` of groups of phones, such as words or sentences, a scalar.

    Args:
        log_durations: Predictions of each phone, ``(B, L)``.
        durations: True frames of each phone, ``(B, L)`` int64.
        groups: Group of each phone, ``(B, L)`` int64: 1, 2, ... without gaps; 0 at padding.
    """
    predicted = segment_sum(torch.expm1(log_durations.float()).clamp(min=0), groups)
    target = segment_sum(durations.float(), groups)
    mask = length_mask(groups.amax(1), target.shape[1])
    return ((torch.log1p(predicted) - torch.log1p(target)).square() * mask).sum() / mask.sum()


def f0_error(preds: Tensor, target: Tensor, voiced: Tensor) -> Tensor:
    """Return the mean absolute error of F0 ``(B, T)`` over the voiced frames, a scalar in the unit of the arguments."""
    return ((preds.float() - target).abs() * voiced).sum() / voiced.sum().clamp(min=1)


def f0_spread_error(preds: Tensor, target: Tensor, voiced: Tensor) -> Tensor:
    """Return the mean absolute error of each utterance's standard deviation of F0 over voiced frames, a scalar.

    Args:
        preds: Predictions, ``(B, T)``.
        target: True values, ``(B, T)``.
        voiced: Which frames are voiced, ``(B, T)`` bool.
    """
    return (_spread(preds.float(), voiced) - _spread(target.float(), voiced)).abs().mean()


def _spread(values: Tensor, mask: Tensor) -> Tensor:
    count = mask.sum(1, keepdim=True).clamp(min=1)
    mean = (values * mask).sum(1, keepdim=True) / count
    return ((((values - mean) * mask).square().sum(1, keepdim=True) / count) + 1e-6).sqrt()


def voicing_error(logits: Tensor, voiced: Tensor, lengths: Tensor) -> Tensor:
    """Return the cross-entropy of voicing in nats over the real frames, a scalar.

    Args:
        logits: Logits of being voiced, ``(B, T)``.
        voiced: Which frames are, ``(B, T)`` bool.
        lengths: Frames of each item, ``(B,)`` int64.
    """
    mask = length_mask(lengths, voiced.shape[1])
    each = functional.binary_cross_entropy_with_logits(logits.float(), voiced.float(), reduction="none")
    return (each * mask).sum() / mask.sum()
