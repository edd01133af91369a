"""The text encoder (phones to content vectors) and the mel decoder of the voice model."""

import math

from torch import Tensor, nn

from emoquant.voice.tts.architecture import Architecture
from emoquant.voice.tts.masking import masked
from emoquant.voice.tts.transformer import FFTStack


class ContentEncoder(nn.Module):
    """Encode phones as content vectors: what is said, without speaker, emotion and style.

    Args:
        architecture: Sizes.
        phones: Size of the phone set, padding not counted.
    """

    def __init__(self, architecture: Architecture, phones: int) -> None:
        super().__init__()
        size = architecture
        self.embedding = nn.Embedding(phones + 1, size.hidden, padding_idx=0)
        nn.init.normal_(self.embedding.weight[1:], std=size.hidden**-0.5)
        self.scale = math.sqrt(size.hidden)
        self.layers = FFTStack(size.encoder_layers, size.hidden, size.heads, size.kernel, size.dropout)

    def forward(self, phones: Tensor, mask: Tensor) -> Tensor:
        """Return the content vectors ``(B, L, H)`` of phones ``(B, L)`` int64, zeros outside the mask ``(B, L)``."""
        return self.layers(self.embedding(phones) * self.scale, mask)


class MelDecoder(nn.Module):
    """Decode the sum of content, conditions and pitch of each frame to a logarithmic mel spectrogram.

    Args:
        architecture: Sizes.
        mels: Mel bands.
    """

    def __init__(self, architecture: Architecture, mels: int) -> None:
        super().__init__()
        size = architecture
        self.layers = FFTStack(size.decoder_layers, size.hidden, size.heads, size.kernel, size.dropout)
        self.output = nn.Linear(size.hidden, mels)

    def forward(self, frames: Tensor, mask: Tensor) -> Tensor:
        """Return mels ``(B, T, M)`` for frame vectors ``(B, T, H)``, zeros outside the mask ``(B, T)``."""
        return masked(self.output(self.layers(frames, mask)), mask)
