"""The voice model: GenerSpeech (Huang et al. 2022) with an emotion vector from any frame encoder."""

from typing import cast

import torch
from torch import Tensor, nn

from emoquant.types import StyleReference, TTSBatch, length_mask
from emoquant.voice.tts.architecture import Architecture
from emoquant.voice.tts.attention import StyleToContentAttention
from emoquant.voice.tts.conditioning import EmotionProjection, SpeakerProjection, or_null
from emoquant.voice.tts.content import ContentEncoder, MelDecoder
from emoquant.voice.tts.durations import DurationPredictor, LengthRegulator, phone_of_frame, whole_frames
from emoquant.voice.tts.flow import PostFlow
from emoquant.voice.tts.masking import masked, masked_mean
from emoquant.voice.tts.mixstyle import MixStyleLayerNorm
from emoquant.voice.tts.noise import flow_noise
from emoquant.voice.tts.outputs import Dropped, LocalStyle, Output, Synthesis
from emoquant.voice.tts.pitch import PitchEmbedding, PitchPredictorPair
from emoquant.voice.tts.style import LEVELS, LocalStyleEncoder, quantized_styles


class GenerSpeech(nn.Module):
    """Predict a mel spectrogram from phones, emotion vector, speaker vector and local style.

    Args:
        architecture: Hyperparameters.
        phones: Size of the phone set, padding not counted.
        mels: Mel bands, even.
        emotion_dim: Dimensions of an emotion vector.
        speaker_dim: Dimensions of a speaker vector.
        f0_mean: Mean F0 of the voiced training frames, in Hz; with ``log_f0`` the mean of the speakers' mean ln F0.
        f0_deviation: Standard deviation of F0, in Hz; with ``log_f0`` that of ln F0 around its speaker's mean.

    Attributes:
        postnet: The post-net; None where the architecture has no blocks of it.
        speaker_f0: With ``log_f0`` a speaker's mean ln F0 as a linear function of the speaker vector, ``(S,)``.
    """

    f0_mean: Tensor
    f0_deviation: Tensor
    speaker_f0: Tensor

    def __init__(
        self,
        architecture: Architecture,
        phones: int,
        mels: int,
        emotion_dim: int,
        speaker_dim: int,
        f0_mean: float,
        f0_deviation: float,
    ) -> None:
        super().__init__()
        size, hidden = architecture, architecture.hidden
        self.architecture, self.mels = architecture, mels
        self.content = ContentEncoder(size, phones)
        self.emotion = EmotionProjection(emotion_dim, hidden, size.emotion_norm)
        self.speaker = SpeakerProjection(speaker_dim, hidden)
        self.duration = DurationPredictor(hidden, size.predictor_dropout)
        self.regulate = LengthRegulator()
        self.mixstyle = MixStyleLayerNorm(hidden, size.mixstyle_probability, size.mixstyle_alpha, size.mixstyle_eval)
        self.local = nn.ModuleDict({level: LocalStyleEncoder(size, mels, level) for level in LEVELS})
        attention = (size.attention_layers, size.heads, size.attention_ffn, size.dropout, size.attention_band)
        self.align = nn.ModuleDict({level: StyleToContentAttention(hidden, *attention) for level in LEVELS})
        self.local_null = nn.Parameter(torch.zeros(hidden))
        self.pitch = PitchPredictorPair(hidden, size.predictor_dropout, size.dropout)
        self.pitch_embedding = PitchEmbedding(size.pitch_bins, hidden)
        self.decoder = MelDecoder(size, mels)
        flow = (size.flow_blocks, size.flow_channels, size.flow_layers, size.flow_shared_blocks)
        condition = (mels, mels + 4 * hidden)
        self.postnet = PostFlow(*condition, *flow, size.flow_shared_condition) if size.flow_blocks else None
        self.register_buffer("f0_mean", torch.tensor(f0_mean))
        self.register_buffer("f0_deviation", torch.tensor(f0_deviation))
        if size.log_f0:
            self.register_buffer("speaker_f0", torch.zeros(speaker_dim))

    def forward(
        self,
        batch: TTSBatch,
        emotion_vectors: Tensor | None = None,
        dropped: Dropped | None = None,
        forcing: float = 0.0,
        quantize: bool = True,
    ) -> Output:
        """Predict the mels of training utterances with their true durations and F0 (teacher forcing).

        Args:
            batch: The utterances.
            emotion_vectors: Emotion vectors ``(B, D)`` in place of the time means of the batch's emotion frames.
            dropped: Items that get learned vectors in place of a condition; none by default.
            forcing: Weight of the fixed diagonal in the style attention, in [0, 1].
            quantize: Whether local styles are quantized by their codebooks.
        """
        if emotion_vectors is None:
            emotion_vectors = masked_mean(batch.emotion_frames, batch.emotion_lengths)
        nobody = torch.zeros_like(batch.phone_lengths, dtype=torch.bool)
        dropped = dropped or Dropped(nobody, nobody, nobody)
        emotion = self.emotion(emotion_vectors, dropped.emotion)
        speaker = self.speaker(batch.speaker_vectors, dropped.speaker)
        phone_mask = length_mask(batch.phone_lengths, batch.phones.shape[1])
        mask = length_mask(batch.mel_lengths, batch.mels.shape[1])
        content = self.content(batch.phones, phone_mask)
        log_durations = self.duration(content + emotion + speaker, phone_mask)
        frames = self.regulate(content, phone_of_frame(batch.durations, batch.mels.shape[1]))
        frames = masked(self.mixstyle(frames, emotion + speaker), mask)
        styles = self._local_styles(frames, batch.mel_lengths, batch.style, forcing, quantize)
        style = self._sum_styles(styles, dropped.style)
        styled = masked(frames + emotion + speaker + style, mask)
        melody = self.pitch(frames, styled, mask)
        decoded = masked(styled + self.pitch_embedding(batch.f0, batch.voiced, mask), mask)
        mels = self.decoder(decoded, mask)
        conditions = self._conditions(mels, decoded, speaker, emotion, style, mask)
        nll = mels.new_zeros((), dtype=torch.float32)
        if self.postnet is not None:
            nll = self.postnet.negative_log_likelihood(batch.mels, batch.mel_lengths, conditions)
        return Output(mels, log_durations, melody, styles, conditions, nll)

    @torch.no_grad()
    def infer(
        self,
        phones: Tensor,
        phone_lengths: Tensor,
        emotion_vectors: Tensor | None = None,
        speaker_vectors: Tensor | None = None,
        style: StyleReference | None = None,
        *,
        durations: Tensor | None = None,
        f0: Tensor | None = None,
        voiced: Tensor | None = None,
        duration_scale: float = 1.0,
        f0_scale: float = 1.0,
        postnet: bool = True,
        noise: float = 0.8,
        seeds: Tensor | None = None,
    ) -> Synthesis:
        """Synthesise mels from phones; an item's result depends neither on the rest of the batch nor on padding.

        Args:
            phones: Phones, ``(B, L)`` int64; 0 at padding.
            phone_lengths: Phones of each item, ``(B,)`` int64.
            emotion_vectors: Time means of emotion frames (quantized or not), ``(B, D)``; None for the learned vector of
                no emotion.
            speaker_vectors: Speaker vectors, ``(B, S)``; None for the learned vector of no speaker.
            style: Local style reference; None for the learned vector of no style.
            durations: Frames of each phone, ``(B, L)`` int64; predicted by default.
            f0: F0 in Hz, ``(B, T)``, with ``voiced``; predicted by default. ``T`` must be what the durations give.
            voiced: Which frames are voiced, ``(B, T)`` bool.
            duration_scale: Factor on predicted durations.
            f0_scale: Factor on predicted F0.
            postnet: Whether the mels come from the post-net flow or from the decoder; a model without post-net always
                gives those of the decoder.
            noise: Standard deviation of the post-net's noise; 0 gives the mels of zero noise.
            seeds: Seed of each item's noise, ``(B,)`` int64; needed if there is noise.

        Raises:
            ValueError: The model is in training mode, F0 comes without voicing or with another length than the
                durations give, or there is noise without seeds.
        """
        self._check(f0, voiced, postnet and noise > 0, seeds)
        emotion = self._condition(self.emotion, emotion_vectors, phones)
        speaker = self._condition(self.speaker, speaker_vectors, phones)
        phone_mask = length_mask(phone_lengths, phones.shape[1])
        content = self.content(phones, phone_mask)
        if durations is None:
            predicted = self.duration(content + emotion + speaker, phone_mask)
            durations = whole_frames(predicted, phone_mask, duration_scale)
        lengths = durations.sum(1)
        of_frame = phone_of_frame(durations)
        mask = of_frame > 0
        frames = masked(self.mixstyle(self.regulate(content, of_frame), emotion + speaker), mask)
        local = self._styles_of(frames, lengths, style)
        styled = masked(frames + emotion + speaker + local, mask)
        if f0 is None or voiced is None:
            melody = self.pitch(frames, styled, mask)
            hertz = (self.hertz(melody.f0, speaker_vectors) * f0_scale).clamp(min=0.0)
            f0, voiced = hertz.masked_fill(~mask, 0.0), (melody.voicing > 0) & mask
        _require_length(f0, voiced, mask)
        decoded = masked(styled + self.pitch_embedding(f0, voiced, mask), mask)
        mels = self.decoder(decoded, mask).float()
        if postnet and self.postnet is not None:
            conditions = self._conditions(mels, decoded, speaker, emotion, local, mask)
            draw = flow_noise(lengths, of_frame.shape[1], self.mels, noise, seeds)
            mels = self.postnet.decode(draw, lengths, conditions)
        return Synthesis(mels, lengths, f0, voiced, durations)

    def set_speaker_f0(self, speaker_vectors: Tensor, means: Tensor) -> None:
        """Fit :attr:`speaker_f0` by least squares (minimum norm); do nothing without ``log_f0``.

        Args:
            speaker_vectors: Vector of each speaker, ``(speakers, S)``.
            means: Mean ln F0 of each speaker, ``(speakers,)``.
        """
        if self.architecture.log_f0:
            apart = (means.cpu() - self.f0_mean.cpu()).double().unsqueeze(1)  # GPUs have no such driver
            vectors = speaker_vectors.cpu().double()
            self.speaker_f0.copy_(torch.linalg.lstsq(vectors, apart, driver="gelsd").solution[:, 0])

    def hertz(self, f0: Tensor, speaker_vectors: Tensor | None) -> Tensor:
        """Convert F0 from the predictor's unit ``(B, T)`` to Hz, for speakers ``(B, S)`` or (None) an average one."""
        centred = f0 * self.f0_deviation + self.f0_mean
        return (centred + self._speaker_mean(speaker_vectors)).exp() if self.architecture.log_f0 else centred

    def normalized(self, f0: Tensor, speaker_vectors: Tensor) -> Tensor:
        """Convert F0 from Hz ``(B, T)`` to the predictor's unit, for speakers ``(B, S)``; padding may hold zeros.

        The unit is the training standard deviation of F0 in Hz around its mean, with ``log_f0`` that of ln F0 around
        the speaker's mean.
        """
        if self.architecture.log_f0:
            f0 = f0.clamp(min=1.0).log() - self._speaker_mean(speaker_vectors)
        return (f0 - self.f0_mean) / self.f0_deviation

    def _speaker_mean(self, speaker_vectors: Tensor | None) -> Tensor:
        if speaker_vectors is None:
            return self.f0_mean.new_zeros(1, 1)
        return (speaker_vectors.float() @ self.speaker_f0.float()).unsqueeze(1)

    def _local_styles(
        self, frames: Tensor, lengths: Tensor, reference: StyleReference, forcing: float, quantize: bool
    ) -> dict[str, LocalStyle]:
        styles = {}
        encoders = [cast(LocalStyleEncoder, self.local[level]) for level in LEVELS]
        for level, (coded, segments) in zip(LEVELS, quantized_styles(encoders, reference, quantize), strict=True):
            attended = self.align[level](frames, lengths, coded.styles.to(frames.dtype), segments, forcing)
            styles[level] = LocalStyle(coded, segments, attended)
        return styles

    def _sum_styles(self, styles: dict[str, LocalStyle], dropped: Tensor) -> Tensor:
        total = torch.stack([style.attended.styles for style in styles.values()]).sum(0)
        return or_null(total, self.local_null, dropped)

    def _styles_of(self, frames: Tensor, lengths: Tensor, style: StyleReference | None) -> Tensor:
        if style is None:
            return self.local_null.to(frames.dtype).expand(len(frames), 1, -1)
        styles = self._local_styles(frames, lengths, style, forcing=0.0, quantize=True)
        return self._sum_styles(styles, torch.zeros_like(lengths, dtype=torch.bool))

    def _conditions(
        self, mels: Tensor, decoded: Tensor, speaker: Tensor, emotion: Tensor, style: Tensor, mask: Tensor
    ) -> Tensor:
        shape = (*decoded.shape[:2], -1)
        parts = [mels, decoded, speaker.expand(shape), emotion.expand(shape), style.expand(shape)]
        return masked(torch.cat([part.float() for part in parts], -1), mask).detach()

    @staticmethod
    def _condition(project: EmotionProjection | SpeakerProjection, vectors: Tensor | None, phones: Tensor) -> Tensor:
        if vectors is None:
            return project.null.expand(len(phones), 1, -1)
        return project(vectors, torch.zeros(len(phones), dtype=torch.bool, device=phones.device))

    def _check(self, f0: Tensor | None, voiced: Tensor | None, noisy: bool, seeds: Tensor | None) -> None:
        if self.training:
            raise ValueError("the model is in training mode, where dropout is random; call eval() before infer()")
        if (f0 is None) != (voiced is None):
            raise ValueError("f0 and voiced belong together: give both or neither")
        if noisy and seeds is None:
            raise ValueError("the post-net's noise needs seeds, one for each item; or give noise=0 or postnet=False")


def _require_length(f0: Tensor, voiced: Tensor, mask: Tensor) -> None:
    if f0.shape != mask.shape or voiced.shape != mask.shape:
        raise ValueError(
            f"f0 and voiced of shape {tuple(f0.shape)} and {tuple(voiced.shape)} do not fit the durations, "
            f"which give {tuple(mask.shape)} frames; take all three from the same synthesis"
        )
