"""The hyperparameters of the voice model."""

from dataclasses import dataclass
from typing import Literal

EmotionNorm = Literal["none", "l2", "standardize"]


@dataclass(frozen=True)
class Architecture:
    """Hold the hyperparameters of :class:`~emoquant.voice.tts.model.GenerSpeech`; defaults are the published ones.

    Args:
        hidden: Width of content, styles and decoder; even.
        encoder_layers: Feed-forward-transformer layers over phones.
        decoder_layers: Feed-forward-transformer layers over mel frames.
        heads: Attention heads, of the transformers and of the style attention.
        kernel: Width of the convolution in a transformer layer, in positions; odd.
        dropout: Dropout of transformers and style attention.
        predictor_dropout: Dropout of the duration predictor and the speaker-agnostic pitch predictor.
        style_wave_layers: Gated convolutions over the reference mel.
        style_blocks: Residual blocks over the segments of a reference.
        style_sublayers: Convolutions of such a block.
        style_channels: Channels of the local style encoders; 0 takes the number of mel bands.
        style_norm: Whether local styles are normalised before their codebooks, which keeps these in use.
        codewords: Codewords of the bottleneck of each level.
        codebook_decay: Decay of the codebooks' moving averages.
        attention_layers: Layers of the style-to-content attention.
        attention_ffn: Inner width of its feed-forward part.
        attention_band: Standard deviation, in segments of the reference, of a prior that favours the diagonal of that
            attention; 0 for none, as published.
        pitch_bins: Rows of the pitch embedding, of which the first 256 are used.
        log_f0: Whether the logarithm of F0 relative to the speaker's mean is predicted, so that an interval counts the
            same at any pitch; else Hz around the mean of all speakers, as published.
        flow_blocks: Blocks of the post-net flow; 0 for a model without post-net.
        flow_channels: Channels inside its couplings.
        flow_layers: Gated convolutions of a coupling.
        flow_shared_blocks: Neighbouring blocks that share these convolutions.
        flow_shared_condition: Whether one projection of the condition serves all blocks (saves 12 M parameters).
        mixstyle_probability: Share of training items whose content is re-normalised with a mixed style.
        mixstyle_alpha: Both parameters of the Beta distribution of the mixing weight.
        mixstyle_eval: Outside of training: ``identity`` (as published) or ``own`` (normalise with the own style).
        emotion_norm: Normalisation of emotion vectors before their projection: ``none``, ``l2`` (unit length) or
            ``standardize`` (by the training split's mean and standard deviation).

    Raises:
        ValueError: A size does not fit the others.
    """

    hidden: int = 256
    encoder_layers: int = 4
    decoder_layers: int = 4
    heads: int = 2
    kernel: int = 9
    dropout: float = 0.1
    predictor_dropout: float = 0.5
    style_wave_layers: int = 4
    style_blocks: int = 5
    style_sublayers: int = 2
    style_channels: int = 0
    style_norm: bool = False
    codewords: int = 128
    codebook_decay: float = 0.999
    attention_layers: int = 2
    attention_ffn: int = 2048
    attention_band: float = 0.0
    pitch_bins: int = 300
    log_f0: bool = False
    flow_blocks: int = 8
    flow_channels: int = 128
    flow_layers: int = 3
    flow_shared_blocks: int = 4
    flow_shared_condition: bool = False
    mixstyle_probability: float = 0.5
    mixstyle_alpha: float = 0.1
    mixstyle_eval: Literal["identity", "own"] = "identity"
    emotion_norm: EmotionNorm = "standardize"

    def __post_init__(self) -> None:
        if self.hidden % (2 * self.heads):
            raise ValueError(f"hidden is {self.hidden}, expected a multiple of twice the {self.heads} heads")
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel is {self.kernel}, expected an odd width")
        if self.pitch_bins < 257:
            raise ValueError(f"pitch_bins is {self.pitch_bins}, expected at least 257: 256 bins and one for padding")
        if self.flow_blocks < 0:
            raise ValueError(f"flow_blocks is {self.flow_blocks}, expected at least 0")
        sizes = (self.encoder_layers, self.decoder_layers, self.attention_layers, self.flow_layers)
        if min(*sizes, self.codewords, self.flow_shared_blocks, self.style_wave_layers, self.style_blocks) < 1:
            raise ValueError("every number of layers and codewords must be at least 1")
