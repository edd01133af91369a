"""From text and references to speech."""

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
from emoquant.voice.tts.recipe import Audio, Emotion, EmotionRecipe
from emoquant.voice.tts.references import Reference, hear_style, repeated
from emoquant.voice.tts.vocoders.base import Vocoder
from emoquant.voice.tts.vocoders.source_filter import SourceFilter
from emoquant.voice.tts.voice import Voice, load_voice


class Speech(NamedTuple):
    """Synthesised speech.

    Attributes:
        waveform: Samples at the voice's rate, ``(N,)`` float32 in [-1, 1].
        mels: Logarithmic mel spectrogram, ``(T, M)``.
        f0: Hz, ``(T,)``.
        voiced: ``(T,)`` bool.
        durations: Frames of each phone, ``(L,)`` int64.
        emotion: What conditioned the voice.
    """

    waveform: Tensor
    mels: Tensor
    f0: Tensor
    voiced: Tensor
    durations: Tensor
    emotion: Emotion


@dataclass(frozen=True)
class Delivery:
    """How something is said, emotion apart.

    Args:
        duration_scale: Factor on predicted durations.
        f0_scale: Factor on predicted F0.
        noise: Standard deviation of the post-net's noise; 0.8 is the study's, sweeps take less.
        postnet: Whether the mel comes from the post-net; the voice's own choice by default.
        durations: Frames of each phone, ``(L,)``, copied from another rendering of the same text.
        f0: Hz, ``(T,)``, copied likewise; ``T`` must be what the durations give.
        voiced: ``(T,)`` bool, copied likewise.
    """

    duration_scale: float = 1.0
    f0_scale: float = 1.0
    noise: float = 0.3
    postnet: bool | None = None
    durations: Tensor | None = None
    f0: Tensor | None = None
    voiced: Tensor | None = None


class Synthesizer:
    """A voice, the encoder of its references and a vocoder.

    Args:
        voice: The voice.
        encoder: Encoder of reference recordings; without one, references must come as frames.
        vocoder: The vocoder; :class:`SourceFilter`, which needs no weights, by default.

    Raises:
        ValueError: Vocoder or encoder were made for something else than the voice.
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
        """Device of the voice."""
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
            ValueError: There is no encoder.
            AudioError: The file cannot be used.
        """
        if self.encoder is None:
            raise ValueError("this synthesizer has no encoder: give one, or give frames in place of recordings")
        waveform = Reference(audio).waveform(self.encoder.sample_rate).to(_device(self.encoder))
        with torch.no_grad():
            features, _ = self.encoder.eval()(waveform[None], torch.tensor([len(waveform)], device=waveform.device))
        return features[0].to(self.device)

    def phones(self, text: str) -> Tensor:
        """Return the phones of a text as the voice numbers them, ``(L,)`` int64.

        Raises:
            ValueError: There is nothing to speak, or the voice never heard one of the phones.
        """
        if self._front_end is None:
            self._front_end = front_end(self.voice.facts.front_end)
        return encode_phones(self._front_end(text).symbols, self.voice.facts.phones)

    def synthesize(
        self,
        text: str,
        reference: Reference | Tensor,
        recipe: EmotionRecipe | None = None,
        style: Reference | None = None,
        speaker: str | Tensor | None = None,
        seed: int | None = None,
        delivery: Delivery | None = None,
    ) -> Speech:
        """Return a text spoken with the emotion of a reference.

        Args:
            text: What is said.
            reference: Recording whose emotion is imitated, or its frames ``(F, D)``.
            recipe: What is done to the emotion before; nothing by default.
            style: Recording whose local style is imitated: the same reference (the study's setting), a neutral one or
                another; None leaves this path closed.
            speaker: Name of a speaker of the voice, or a speaker vector ``(S,)``; None leaves this path closed.
            seed: Seed of the noise; a digest of the text by default, so that recipes can be compared.
            delivery: Knobs.

        Raises:
            ValueError: The text, the speaker, a knob or a codec of the recipe does not fit the voice.
        """
        for codec in recipe.codecs if recipe is not None else ():
            require_origin(f"codec {codec.name!r}", codec.origin, self.origin)
        frames = reference if isinstance(reference, Tensor) else self.frames(reference.audio)
        emotion = (recipe or EmotionRecipe())(frames.to(self.device), self.frames)
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
        """Return a text spoken with several emotions, everything else the same: style, speaker and noise.

        Args:
            text: What is said.
            emotions: The emotions.
            style: Local style, a batch of one; None for none.
            speaker: Speaker vector ``(S,)``; None for none.
            seed: Seed of the noise, the same for all.
            delivery: Knobs.
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
    """Return a synthesizer of a voice's files.

    Args:
        voice: Folder or checkpoint of a voice (:func:`emoquant.voice.tts.voice.load_voice`).
        encoder: Encoder of reference recordings.
        vocoder: The vocoder; see :class:`Synthesizer`.
        postnet: Overrides the voice's own choice of whether mels come from the post-net.
    """
    return Synthesizer(load_voice(voice, postnet), encoder, vocoder)


def encoder_name(encoder: FrameEncoder) -> str:
    """Return the name under which a voice remembers the encoder of its training."""
    return f"{type(encoder).__name__}:{encoder.fingerprint()[:16]}"


def seed_of(*parts: str) -> int:
    """Return a seed that depends on nothing but these strings, in [0, 2^63).

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
