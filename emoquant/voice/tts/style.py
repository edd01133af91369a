"""Encoders of a reference's local style, which changes over time, at one level: frames, phones or words."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from emoquant.types import StyleReference, length_mask
from emoquant.voice.tts.architecture import Architecture
from emoquant.voice.tts.bottleneck import Bottleneck, StyleCodebook, any_overflow, revive_codewords
from emoquant.voice.tts.convolution import GatedConvs, MaskedConv
from emoquant.voice.tts.masking import masked, segment_mean

LEVELS = ("frame", "phone", "word")

_KERNEL = 5


class ResidualConvs(nn.Module):
    """Apply a residual block of convolutions over segments."""

    def __init__(self, channels: int, sublayers: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(channels) for _ in range(sublayers))
        self.widen = nn.ModuleList(MaskedConv(channels, 2 * channels, _KERNEL) for _ in range(sublayers))
        self.narrow = nn.ModuleList(nn.Linear(2 * channels, channels) for _ in range(sublayers))

    def forward(self, frames: Tensor, mask: Tensor) -> Tensor:
        """Return frames ``(B, S, C)`` of the same shape; padding outside the mask ``(B, S)`` has no influence."""
        for norm, widen, narrow in zip(self.norms, self.widen, self.narrow, strict=True):
            frames = frames + narrow(functional.gelu(widen(norm(frames), mask) * _KERNEL**-0.5))
        return frames


class LocalStyleEncoder(nn.Module):
    """Encode the local style of a reference: gated convolutions over mels, mean by segment, convolutions, codebook.

    Args:
        architecture: Hyperparameters.
        mels: Mel bands.
        level: ``frame``, ``phone`` or ``word``: the segments over which frames are averaged.

    Raises:
        ValueError: There is no such level.
    """

    def __init__(self, architecture: Architecture, mels: int, level: str) -> None:
        super().__init__()
        if level not in LEVELS:
            raise ValueError(f"level is {level!r}, expected one of {', '.join(LEVELS)}")
        size, channels = architecture, architecture.style_channels or mels
        self.level = level
        self.input = nn.Identity() if channels == mels else nn.Linear(mels, channels)
        self.listen = GatedConvs(channels, 3, size.style_wave_layers)
        self.blocks = nn.ModuleList(ResidualConvs(channels, size.style_sublayers) for _ in range(size.style_blocks))
        self.norm = nn.LayerNorm(channels)
        self.output = MaskedConv(channels, size.hidden, 3)
        if size.style_norm and self.output.conv.bias is not None:
            self.output.conv.bias.requires_grad_(False)  # the norm takes it away: without a gradient it would wander
        self.codebook = StyleCodebook(size.hidden, size.codewords, size.codebook_decay, norm=size.style_norm)

    def forward(self, reference: StyleReference, quantize: bool = True) -> tuple[Bottleneck, Tensor]:
        """Return the quantized styles of the segments and the number of segments of each reference, ``(B,)`` int64.

        Args:
            reference: The reference speech.
            quantize: See :class:`~emoquant.voice.tts.bottleneck.StyleCodebook`.
        """
        return quantized_styles([self], reference, quantize)[0]

    def styles(self, reference: StyleReference) -> tuple[Tensor, Tensor, Tensor]:
        """Return styles ``(B, S, H)`` before quantization, their mask ``(B, S)`` bool, and their number ``(B,)``."""
        mask = length_mask(reference.lengths, reference.mels.shape[1])
        frames = self.listen(self.input(reference.mels), mask)
        counts = reference.lengths
        if self.level != "frame":
            frames, counts = segment_mean(frames, reference.phones if self.level == "phone" else reference.words)
        mask = length_mask(counts, frames.shape[1])
        for block in self.blocks:
            frames = block(frames, mask)
        return masked(self.output(self.norm(frames), mask), mask), mask, counts


def quantized_styles(
    encoders: Sequence[LocalStyleEncoder], reference: StyleReference, quantize: bool
) -> list[tuple[Bottleneck, Tensor]]:
    """Return the result of :meth:`LocalStyleEncoder.forward` for each encoder, waiting for the device only once.

    In training no encoder quantizes if a style of any of them is NaN or infinite.
    """
    found = [encoder.styles(reference) for encoder in encoders]
    books = [encoder.codebook for encoder in encoders]
    styles = [book.normalised(each, mask) for book, (each, mask, _) in zip(books, found, strict=True)]
    in_use = quantize and not (books[0].training and any_overflow(styles))
    coded = [book.quantize(each, mask, in_use) for book, each, (_, mask, _) in zip(books, styles, found, strict=True)]
    revive_codewords(books)
    return [(each, counts) for each, (_, _, counts) in zip(coded, found, strict=True)]
