"""A front end that starts as a filterbank instead of noise: what little data would otherwise spend hours to find."""

import math

import torch
from torch import Tensor

from emoquant.encoders.acoustics import hertz_to_mel, mel_to_hertz
from emoquant.encoders.architecture import Network

_PHASES = 4


def filter_frequencies(
    bands: int, low: float = 75.0, spacing: float = 25.0, corner: float = 1000.0
) -> tuple[Tensor, Tensor]:
    """Return centre frequencies and bandwidths in Hz, ``(bands,)``.

    Below the corner the bands are equally spaced, narrow enough to part the harmonics of a voice; above, they are
    equally spaced in mel up to 7.4 kHz.
    """
    narrow = torch.arange(low, corner, spacing)[: bands // 2 + bands // 8]
    first = float(narrow[-1]) + spacing
    wide = mel_to_hertz(torch.linspace(hertz_to_mel(first), hertz_to_mel(7400.0), bands - len(narrow)))
    widths = torch.cat([torch.full_like(narrow, spacing), torch.gradient(wide)[0]])
    return torch.cat([narrow, wide]), widths


def gabor_filters(bands: int, kernel: int, sample_rate: int = 16_000) -> Tensor:
    """Return band-pass filters in four phases each, band-major, ``(4 * bands, 1, kernel)``, of unit gain.

    The sum of a band's four rectified outputs is nearly the magnitude of the signal in that band.
    """
    centres, widths = filter_frequencies(bands)
    time = (torch.arange(kernel) - kernel / 2 + 0.5) / sample_rate
    spans = (2 / widths).clamp(6e-3, kernel / sample_rate)[:, None]
    windows = torch.where(time.abs() < spans / 2, 0.5 + 0.5 * torch.cos(2 * math.pi * time / spans), 0.0)
    windows = 2 * windows / windows.sum(1, keepdim=True)
    phases = torch.arange(_PHASES) * 2 * math.pi / _PHASES
    carriers = torch.cos(2 * math.pi * centres[:, None, None] * time + phases[:, None])
    return (windows[:, None] * carriers).reshape(bands * _PHASES, 1, kernel)


@torch.no_grad()
def start_as_filterbank(network: Network, level: float = 0.1, sharpness: float = 3.0) -> None:
    """Set the first two convolutions of a network to a bank of filters and the sum of each band's rectified phases.

    Args:
        network: funasr's ``Emotion2vec``, untrained, whose first convolution has four times as many channels as there
            shall be bands and whose second has a kernel of 1.
        level: Root mean square of the filters' output for speech of variance 1.
        sharpness: Gain in front of the first rectification.

    Raises:
        ValueError: The front end has another shape.
    """
    layers = network.modality_encoders["AUDIO"].local_encoder.conv_layers
    first, second = layers[0][0], layers[1][0]
    channels, kernel = first.out_channels, first.kernel_size[0]
    if channels % _PHASES or second.kernel_size != (1,) or kernel < 320:
        raise ValueError(
            f"a filterbank needs a first convolution of at least 320 samples and 4 channels a band, and a second "
            f"one of kernel 1; the front end begins with {channels} channels of kernel {kernel} and kernel "
            f"{second.kernel_size[0]}"
        )
    bands = channels // _PHASES
    with torch.device("cpu"):  # wherever the network is made, its filters are the same
        centres, widths = filter_frequencies(bands)
        spectrum = widths.sqrt() / (1 + (centres / 500).square())  # of long-term speech, roughly
        gains = level / (spectrum / spectrum.mean()).pow(0.8)
        filters = gabor_filters(bands, kernel) * gains.repeat_interleave(_PHASES)[:, None, None]
    first.weight.copy_(filters)
    norm = layers[0][2][1]
    norm.weight.fill_(sharpness)
    norm.weight[-1], norm.bias[-1] = 0.0, 1.0  # one constant channel: the level survives the next normalisation
    weight = torch.randn_like(second.weight) * 0.02
    for row in range(len(weight)):
        band, copy = row % bands, row // bands
        sign = 1 if copy % 2 == 0 else -1
        weight[row, _PHASES * band : _PHASES * (band + 1), 0] += sign * 0.5 * (1 + copy // 2)
    weight[:, -1, 0] = torch.randn(len(weight)) * 0.5
    second.weight.copy_(weight)
