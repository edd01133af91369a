"""How each family of neural codecs in transformers is called: its rates, its codebooks, its arguments."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from emoquant.audio.loading import resampled

#: Objects of transformers: a configuration, a feature extractor, a model.
Settings: TypeAlias = Any
Extractor: TypeAlias = Any
Model: TypeAlias = Any


class Family:
    """A family whose models take and give samples and codes ``(B, P, T)``, any number of codebooks of them.

    Attributes:
        features: Whether its models read features beside the samples, which a feature extractor makes.
        fixed: Whether only the offered numbers of codebooks will do.
    """

    features = False
    fixed = False

    def input_rate(self, settings: Settings) -> int:
        """Return the samples a second that a model reads."""
        return int(settings.sampling_rate if hasattr(settings, "sampling_rate") else settings.sample_rate)

    def rates(self, settings: Settings) -> tuple[float, ...]:
        """Return what must be positive: samples a second, frames of codes a second, and values of a code less one."""
        if self.input_rate(settings) < 1 or getattr(settings, "hop_length", 1) < 1:
            return (0.0,)
        return self.input_rate(settings), self.frame_rate(settings), self.codewords(settings) - 1

    def frame_rate(self, settings: Settings) -> float:
        """Return the frames of codes a second."""
        return self.input_rate(settings) / settings.hop_length

    def codewords(self, settings: Settings) -> int:
        """Return the values ``K`` of a code."""
        return int(settings.codebook_size)

    def offered(self, settings: Settings) -> list[int]:
        """Return numbers of codebooks in rising order, the last one all."""
        most = self.codebooks(settings)
        return [*(2**power for power in range(most.bit_length()) if 2**power < most), most]

    def codebooks(self, settings: Settings) -> int:
        """Return the number of all codebooks."""
        return int(settings.num_quantizers)

    def run(
        self,
        network: Model,
        settings: Settings,
        front_end: Extractor,
        waveforms: Tensor,
        codebooks: int,
    ) -> tuple[Tensor, Tensor]:
        """Return codes ``(B, P, T)`` and decoded samples ``(B, N')`` of waveforms ``(B, N)``, both at the input's rate.

        Args:
            network: The model.
            settings: Its configuration.
            front_end: Its feature extractor, where the family needs one.
            waveforms: Samples of equal length.
            codebooks: Number of codebooks.
        """
        codes = self.encode(network, settings, waveforms[:, None], codebooks)
        return codes, flat(self.decode(network, codes))

    def encode(self, network: Model, settings: Settings, samples: Tensor, codebooks: int) -> Tensor:
        """Return codes ``(B, P, T)`` of samples ``(B, 1, N)``."""
        codes: Tensor = network.encode(samples, num_quantizers=codebooks).audio_codes
        return codes

    def decode(self, network: Model, codes: Tensor) -> Tensor:
        """Return samples, ``(B, 1, N')`` or ``(B, N')``, of codes ``(B, P, T)``."""
        sound: Tensor = network.decode(audio_codes=codes).audio_values
        return sound


class MimiFamily(Family):
    """Mimi (Defossez et al. 2024, https://arxiv.org/abs/2410.00037)."""

    def frame_rate(self, settings: Settings) -> float:
        """Return the frames of codes a second."""
        return float(settings.frame_rate)


class DacFamily(Family):
    """DAC (Kumar et al. 2023, https://arxiv.org/abs/2306.06546)."""

    def codebooks(self, settings: Settings) -> int:
        """Return the number of all codebooks."""
        return int(settings.n_codebooks)

    def encode(self, network: Model, settings: Settings, samples: Tensor, codebooks: int) -> Tensor:
        """Return codes ``(B, P, T)``; the samples are filled up to whole frames."""
        samples = whole_frames(samples, settings.hop_length)
        codes: Tensor = network.encode(samples, n_quantizers=codebooks).audio_codes
        return codes


class BandwidthFamily(Family):
    """X-Codec (Ye et al. 2024, https://arxiv.org/abs/2408.17175) and Higgs Audio v2: rates named in kbit/s."""

    fixed = True

    def offered(self, settings: Settings) -> list[int]:
        """Return the numbers of codebooks of the target bandwidths."""
        bits = self._bits(settings)
        return sorted({max(1, int(1000 * kilobits / bits)) for kilobits in settings.target_bandwidths})

    def _bits(self, settings: Settings) -> float:
        """Return the bits a second of one codebook, as the models themselves count them."""
        return float(settings.frame_rate * (self.codewords(settings) - 1).bit_length())

    def bandwidth(self, settings: Settings, codebooks: int) -> float:
        """Return the target bandwidth in kbit/s that uses a number of codebooks."""
        bits = self._bits(settings)
        return next(float(k) for k in settings.target_bandwidths if max(1, int(1000 * k / bits)) == codebooks)

    def encode(self, network: Model, settings: Settings, samples: Tensor, codebooks: int) -> Tensor:
        """Return codes ``(B, P, T)``; the samples are filled up to whole frames."""
        samples = whole_frames(samples, settings.hop_length)
        codes: Tensor = network.encode(samples, bandwidth=self.bandwidth(settings, codebooks)).audio_codes
        return codes


class EncodecFamily(BandwidthFamily):
    """EnCodec (Defossez et al. 2022, https://arxiv.org/abs/2210.13438) without windows: the model of 24 kHz."""

    def run(
        self,
        network: Model,
        settings: Settings,
        front_end: Extractor,
        waveforms: Tensor,
        codebooks: int,
    ) -> tuple[Tensor, Tensor]:
        """Return codes and decoded samples; see :meth:`Family.run`.

        Raises:
            ValueError: The model is one for music in windows, with a scale beside the codes.
        """
        if settings.chunk_length_s is not None or settings.audio_channels != 1 or settings.normalize:
            raise ValueError(
                "this EnCodec is one for music (stereo, in windows, with scales): use facebook/encodec_24khz"
            )
        found = network.encode(waveforms[:, None], bandwidth=self.bandwidth(settings, codebooks))
        sound = network.decode(found.audio_codes, found.audio_scales).audio_values
        return found.audio_codes[0], flat(sound)


class SingleFamily(Family):
    """X-Codec 2 (Ye et al. 2025, https://arxiv.org/abs/2502.04128) and NeuCodec: one code a frame."""

    features = True
    fixed = True

    def input_rate(self, settings: Settings) -> int:
        """Return the samples a second that a model reads."""
        return int(getattr(settings, "input_sampling_rate", None) or settings.sampling_rate)

    def output_rate(self, settings: Settings) -> int:
        """Return the samples a second that a model gives."""
        return int(getattr(settings, "output_sampling_rate", None) or self.input_rate(settings))

    def frame_rate(self, settings: Settings) -> float:
        """Return the frames of codes a second."""
        return self.output_rate(settings) / settings.hop_length

    def codewords(self, settings: Settings) -> int:
        """Return the values ``K`` of a code: the product of the levels of its scalar quantizers."""
        return int(torch.tensor(list(settings.quantization_levels)).prod())

    def codebooks(self, settings: Settings) -> int:
        """Return 1."""
        return 1

    def run(
        self,
        network: Model,
        settings: Settings,
        front_end: Extractor,
        waveforms: Tensor,
        codebooks: int,
    ) -> tuple[Tensor, Tensor]:
        """Return codes and decoded samples; see :meth:`Family.run`."""
        arrays = [waveform.cpu().numpy() for waveform in waveforms]
        given = front_end(arrays, sampling_rate=self.input_rate(settings), return_tensors="pt")
        names = ("input_values", "input_features")
        codes = network.encode(**{name: given[name].to(waveforms.device) for name in names}).audio_codes
        sound = flat(network.decode(codes).audio_values)
        rates = self.output_rate(settings), self.input_rate(settings)
        return codes, torch.stack([resampled(row, *rates) for row in sound])


def whole_frames(samples: Tensor, hop: int) -> Tensor:
    """Return samples ``(B, 1, N)`` filled with zeros up to a multiple of the hop."""
    return nn.functional.pad(samples, (0, -samples.shape[-1] % hop))


def flat(sound: Tensor) -> Tensor:
    """Return samples ``(B, N)`` of ``(B, 1, N)`` or ``(B, N)``."""
    return sound[:, 0] if sound.ndim == 3 else sound


#: By the ``model_type`` of their configuration.
FAMILIES: Mapping[str, Family] = {
    "encodec": EncodecFamily(),
    "dac": DacFamily(),
    "mimi": MimiFamily(),
    "xcodec": BandwidthFamily(),
    "xcodec2": SingleFamily(),
    "higgs_audio_v2_tokenizer": BandwidthFamily(),
    "neucodec": SingleFamily(),
}
