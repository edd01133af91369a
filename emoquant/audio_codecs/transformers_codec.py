"""Neural audio codecs of the transformers library: EnCodec, DAC, Mimi, X-Codec, X-Codec 2, Higgs Audio v2, NeuCodec."""

import math
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from emoquant.audio_codecs.base import AudioCodec, Clip, CodedClip
from emoquant.audio_codecs.families import FAMILIES, Family
from emoquant.devices.precision import full_float32
from emoquant.encoders.pretrained import (
    CONFIG,
    files_digest,
    find_pretrained,
    load_front_end,
    load_pretrained,
    model_family,
    read_settings,
)


class TransformersCodec(AudioCodec):
    """Codes with a neural codec of transformers: a folder, or a name on the hub (``facebook/encodec_24khz``).

    Bits are those of its codes, ``log2 K`` each, without an entropy coder. Utterances of equal length share a batch:
    padding would change the codes of most of these models.

    Args:
        model: Folder or public name.
        codebooks: Numbers of codebooks, an operating point each; by default every one that the model offers (its target
            bandwidths; all codebooks where it has none, or 1, 2, 4, 8, ... of them).
        name: Name in the tables; that of the model's family by default.
    """

    def __init__(self, model: str, codebooks: Sequence[int] | None = None, name: str | None = None) -> None:
        self.model, self.codebooks = model, None if codebooks is None else list(codebooks)
        self._name = name
        self._network: nn.Module | None = None

    @cached_property
    def folder(self) -> Path:
        """The model's files; fetched from the hub if need be."""
        return find_pretrained(self.model, FAMILIES, "audio codec")

    @property
    def family(self) -> Family:
        """How models of the family are called."""
        return FAMILIES[model_family(self.folder)]

    @cached_property
    def settings(self) -> Any:  # noqa: ANN401 - a configuration of transformers
        """The model's configuration.

        Raises:
            ValueError: It is damaged, or a rate in it is not positive.
        """
        settings = read_settings(self.folder)
        if not all(number > 0 for number in self.family.rates(settings)):
            raise ValueError(
                f"{self.folder / CONFIG} has a sampling rate, a hop or a codebook size of 0: copy it again"
            )
        return settings

    @property
    def name(self) -> str:  # type: ignore[override]  # a property where the base has an attribute
        """Name in the tables."""
        return self._name or model_family(self.folder)

    @property
    def sample_rate(self) -> int:  # type: ignore[override]  # a property where the base has an attribute
        """Samples a second that the model reads."""
        return self.family.input_rate(self.settings)

    @property
    def codewords(self) -> int:  # type: ignore[override]  # a property where the base has an attribute
        """Values ``K`` of a code."""
        return self.family.codewords(self.settings)

    @property
    def bits_per_codebook(self) -> float:
        """Bits a second of one codebook."""
        return self.family.frame_rate(self.settings) * math.log2(self.codewords)

    @cached_property
    def _counts(self) -> dict[float, int]:
        """Codebooks of each operating point, by its bits a second.

        Raises:
            ValueError: The model has no such number of codebooks.
        """
        offered = self.family.offered(self.settings)
        chosen = offered if self.codebooks is None else self.codebooks
        most = offered[-1] if offered else 0
        right = [count for count in offered if count > 0] if self.family.fixed else range(1, most + 1)
        wrong = [count for count in chosen if count not in right]
        if wrong or not chosen:
            raise ValueError(
                f"{self.model} has no {', '.join(map(str, wrong)) or 'zero'} codebooks: expected numbers among "
                f"{', '.join(map(str, offered)) or 'none'}{'' if self.family.fixed else f', or others up to {most}'}"
            )
        return {count * self.bits_per_codebook: count for count in chosen}

    @property
    def points(self) -> tuple[float, ...]:  # type: ignore[override]  # a property where the base has an attribute
        """Nominal bits a second of each operating point."""
        return tuple(self._counts)

    def load(self) -> nn.Module:
        """Return the network with its weights, on :attr:`device`.

        Raises:
            ValueError: They do not fit its configuration.
        """
        if self._network is None:
            self._network = load_pretrained(self.folder, self.settings)
        return self._network.to(self.device)

    @cached_property
    def _front_end(self) -> Any:  # noqa: ANN401 - a feature extractor of transformers
        return load_front_end(self.folder) if self.family.features else None

    @torch.no_grad()
    def code(self, clips: Sequence[Clip], point: float) -> list[CodedClip]:
        """Code and decode utterances; see :meth:`AudioCodec.code`."""
        groups: dict[int, list[int]] = {}
        for index, clip in enumerate(clips):
            groups.setdefault(len(clip.waveform), []).append(index)
        found: dict[int, CodedClip] = {}
        for members in groups.values():
            waveforms = torch.stack([clips[index].waveform for index in members]).to(self.device)
            codes, decoded = self._code(waveforms, self._counts[point])
            for index, own, sound in zip(members, codes.cpu(), decoded.float().cpu(), strict=True):
                bits = own.numel() * math.log2(self.codewords)
                found[index] = CodedClip(sound, bits, codes=own.T.long())
        return [found[index] for index in range(len(clips))]

    def _code(self, waveforms: Tensor, codebooks: int) -> tuple[Tensor, Tensor]:
        """Return codes ``(B, P, T)`` and decoded samples ``(B, N')`` at the input's rate of waveforms ``(B, N)``."""
        network = self.load()
        with full_float32(self.device):
            codes, decoded = self.family.run(network, self.settings, self._front_end, waveforms, codebooks)
        return codes, decoded

    def fingerprint(self) -> str:
        """Return a digest of settings and weights."""
        return files_digest(self.folder)
