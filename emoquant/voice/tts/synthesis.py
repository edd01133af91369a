"""Synthesis of speech from text and reference recordings."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from emoquant.encoders.base import FrameEncoder
from emoquant.storage.origin import Origin, require_origin
from emoquant.types import StyleReference
from emoquant.voice.text.text import FrontEnd, encode_phones, front_end
from emoquant.voice.tts.recipe import Audio, Emotion, Quantize, Step
from emoquant.voice.tts.references import Reference, hear_style, repeated
from emoquant.voice.tts.vocoders.base import Vocoder
from emoquant.voice.tts.vocoders.source_filter import SourceFilter
from emoquant.voice.tts.voice import Voice, load_voice


class Speech(NamedTuple):
    """Hold synthesised speech.

    Attributes:
        waveform: Samples at the voice's sampling rate, ``(N,)`` float32 in [-1, 1].
        mels: Logarithmic mel spectrogram, ``(T, M)``.
        f0: F0 in Hz, ``(T,)``.
        voiced: Whether a frame is voiced, ``(T,)`` bool.
        durations: Frames of each phone, ``(L,)`` int64.
        emotion: Emotion that the voice was conditioned on.
    """

    waveform: Tensor
    mels: Tensor
    f0: Tensor
    voiced: Tensor
    durations: Tensor
    emotion: Emotion


@dataclass(frozen=True)
class Delivery:
    """Hold the options of a synthesis that are not about emotion: tempo, F0, noise.

    Args:
        duration_scale: Factor on predicted durations.
        f0_scale: Factor on predicted F0.
        noise: Standard deviation of the post-net's noise; the study has 0.8.
        postnet: Whether the mels come from the post-net; the voice's own setting by default.
        durations: Frames of each phone, ``(L,)``, from another synthesis of the same text; predicted by default.
        f0: F0 in Hz, ``(T,)``, with ``voiced``, likewise; ``T`` must be the sum of the durations.
        voiced: Whether a frame is voiced, ``(T,)`` bool, likewise.
    """

    duration_scale: float = 1.0
    f0_scale: float = 1.0
    noise: float = 0.3
    postnet: bool | None = None
    durations: Tensor | None = None
    f0: Tensor | None = None
    voiced: Tensor | None = None


class Synthesizer:
    """Synthesise speech with a voice, the encoder of its reference recordings and a vocoder.

    Args:
        voice: The voice.
        encoder: Encoder of reference recordings; without one, references must be given as frames.
        vocoder: The vocoder; :class:`SourceFilter`, which needs no weights, by default.

    Raises:
        ValueError: The vocoder's mel settings or the encoder are not those of the voice.
    """

    def __init__(self, voice: Voice, encoder: FrameEncoder | None = None, vocoder: Vocoder | None = None) -> None:
        facts = voice.facts
        self.voice, self.encoder = voice, None if encoder is None else encoder.eval()
        self.vocoder = (vocoder if vocoder is not None else SourceFilter(facts.mel)).eval()
        facts.mel.require(self.vocoder.mel, "the vocoder", "the voice")
        if encoder is not None and (name := encoder_name(encoder)) != facts.encoder:
            raise ValueError(
                f"the voice was trained on frames of {facts.encoder!r}, the encoder is {name!r}; load the one it knows"
            )
        self._front_end: FrontEnd | None = None

    @property
    def device(self) -> torch.device:
        """Device that the voice's weights are on."""
        return _device(self.voice.model)

    @cached_property
    def origin(self) -> Origin:
        """The encoder that the voice was trained with."""
        if self.encoder is not None:
            return self.encoder.identify()
        name, _, fingerprint = self.voice.facts.encoder.partition(":")
        return Origin(name, fingerprint)

    def frames(self, audio: Audio) -> Tensor:
        """Return the emotion frames ``(F, D)`` of a recording, on the voice's device.

        Raises:
            ValueError: The synthesizer has no encoder.
            AudioError: The file cannot be used.
        """
        if self.encoder is None:
            raise ValueError("this synthesizer has no encoder: give one, or give frames in place of recordings")
        waveform = Reference(audio).waveform(self.encoder.sample_rate).to(_device(self.encoder))
        with torch.no_grad():
            features, _ = self.encoder.eval()(waveform[None], torch.tensor([len(waveform)], device=waveform.device))
        return features[0].to(self.device)

    def phones(self, text: str) -> Tensor:
        """Return the phones of a text as numbers of the voice's phone set, ``(L,)`` int64.

        Raises:
            ValueError: The text has nothing to speak, or a phone that the voice was not trained on.
        """
        if self._front_end is None:
            self._front_end = front_end(self.voice.facts.front_end)
        return encode_phones(self._front_end(text).symbols, self.voice.facts.phones)

    def synthesize(
        self,
        text: str,
        reference: Reference | Tensor,
        recipe: Sequence[Step] = (),
        style: Reference | None = None,
        speaker: str | Tensor | None = None,
        seed: int | None = None,
        delivery: Delivery | None = None,
    ) -> Speech:
        """Synthesise a text with the emotion of a reference.

        Args:
            text: Text to speak.
            reference: Recording whose emotion is imitated, or its frames ``(F, D)``.
            recipe: Operations on the reference's emotion frames, such as quantization, in their order; none by default.
            style: Recording whose local style is imitated: the same reference (the study's setting), a neutral one or
                another; None for the learned vector of no style.
            speaker: Name of a speaker of the voice, or a speaker vector ``(S,)``; None for the learned vector of no
                speaker.
            seed: Seed of the noise; a digest of the text by default, so that recipes can be compared.
            delivery: Tempo, F0 and noise; the defaults of :class:`Delivery` if None.

        Raises:
            ValueError: The text, the speaker, the delivery or a codec of the recipe does not fit the voice.
        """
        for step in recipe:
            if isinstance(step, Quantize):
                require_origin(f"codec {step.codec.name!r}", step.codec.origin, self.origin)
        frames = reference if isinstance(reference, Tensor) else self.frames(reference.audio)
        emotion = Emotion(frames.to(self.device))
        for step in recipe:
            emotion = step(emotion)
        heard = hear_style(style, self.voice.facts.mel, self.voice.facts.front_end) if style is not None else None
        number = seed if seed is not None else seed_of(text)
        return self.say(text, [emotion], heard, self.speaker_vector(speaker), number, delivery)[0]

    def speaker_vector(self, speaker: str | Tensor | None) -> Tensor | None:
        """Return the vector of a speaker, ``(S,)``; None for none.

        Raises:
            ValueError: The voice has no such speaker, or the vector has another dimension.
        """
        if speaker is None:
            return None
        vector = self.voice.speaker(speaker) if isinstance(speaker, str) else speaker
        if vector.shape != (self.voice.facts.speaker_dim,):
            raise ValueError(f"expected a speaker vector ({self.voice.facts.speaker_dim},), got {tuple(vector.shape)}")
        return vector.to(self.device)

    @torch.no_grad()
    def say(
        self,
        text: str,
        emotions: Sequence[Emotion],
        style: StyleReference | None,
        speaker: Tensor | None,
        seed: int,
        delivery: Delivery | None = None,
    ) -> list[Speech]:
        """Synthesise a text with several emotions, in one batch of the same style, speaker and noise.

        Args:
            text: Text to speak.
            emotions: The emotions.
            style: Local style, a batch of one; None for none.
            speaker: Speaker vector ``(S,)``; None for none.
            seed: Seed of the noise, the same for all.
            delivery: Tempo, F0 and noise; the defaults of :class:`Delivery` if None.
        """
        knobs, count, device = delivery or Delivery(), len(emotions), self.device
        phones = self.phones(text).to(device)
        postnet = self.voice.facts.postnet if knobs.postnet is None else knobs.postnet
        made = self.voice.model.infer(
            phones.expand(count, -1),
            torch.full((count,), len(phones), device=device),
            torch.stack([emotion.vector for emotion in emotions]),
            speaker.expand(count, -1) if speaker is not None else None,
            StyleReference(*(part.to(device) for part in repeated(style, count))) if style is not None else None,
            durations=_repeat(knobs.durations, count, device),
            f0=_repeat(knobs.f0, count, device),
            voiced=_repeat(knobs.voiced, count, device),
            duration_scale=knobs.duration_scale,
            f0_scale=knobs.f0_scale,
            postnet=postnet,
            noise=knobs.noise,
            seeds=torch.full((count,), seed, device=device),
        )
        waveforms = self.vocoder(made.mels, made.mel_lengths, made.f0, made.voiced)
        hop, spoken = self.voice.facts.mel.hop, []
        for row, (emotion, frames) in enumerate(zip(emotions, made.mel_lengths.tolist(), strict=True)):
            mels, f0, voiced = made.mels[row, :frames], made.f0[row, :frames], made.voiced[row, :frames]
            spoken.append(Speech(waveforms[row, : frames * hop], mels, f0, voiced, made.durations[row], emotion))
        return spoken


def load_synthesizer(
    voice: str | Path, encoder: FrameEncoder | None = None, vocoder: Vocoder | None = None, postnet: bool | None = None
) -> Synthesizer:
    """Load a voice and return a synthesizer with it.

    Args:
        voice: Folder or checkpoint of a voice (:func:`emoquant.voice.tts.voice.load_voice`).
        encoder: Encoder of reference recordings.
        vocoder: The vocoder; see :class:`Synthesizer`.
        postnet: Whether mels come from the post-net; the voice's own setting if None.
    """
    return Synthesizer(load_voice(voice, postnet), encoder, vocoder)


def encoder_name(encoder: FrameEncoder) -> str:
    """Return the name by which a voice identifies its encoder: class and fingerprint of the weights."""
    return f"{type(encoder).__name__}:{encoder.fingerprint()[:16]}"


def seed_of(*parts: str) -> int:
    """Return a seed in [0, 2^63) that is a digest of strings.

    Example:
        >>> seed_of("item", "text") == seed_of("item", "text") != seed_of("item", "other text")
        True
    """
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def _repeat(track: Tensor | None, count: int, device: torch.device) -> Tensor | None:
    return track.to(device).expand(count, *track.shape) if track is not None else None


def _device(module: torch.nn.Module) -> torch.device:
    return next((parameter.device for parameter in module.parameters()), torch.device("cpu"))
