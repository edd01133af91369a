"""What is measured on every clip: F0, the emotion that the encoder hears, words, quality, durations."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from emoquant.audio.loading import resampled
from emoquant.audio.mel import MelSettings
from emoquant.audio.pitch import melody
from emoquant.devices.precision import full_float32
from emoquant.encoders.base import EmotionHead, FrameEncoder
from emoquant.interfaces.protocols import SpokenData
from emoquant.labels import canonical_emotion
from emoquant.metrics.similarity import cosine
from emoquant.storage.origin import require_origin
from emoquant.voice.clips import Clip
from emoquant.voice.metrics import character_errors, compare_speech, overall_quality, word_errors
from emoquant.voice.tasks.blend_listening import BlendListener
from emoquant.voice.tasks.rendering import Take
from emoquant.voice.text.recognition import Recognizer, language_of

#: Samples a second of what recognisers, DNSMOS and the comparison with recordings read.
_RATE = 16_000


class Rendered(NamedTuple):
    """A clip with its samples, ``(N,)`` float32 in [-1, 1] at the voice's rate."""

    clip: Clip
    waveform: Tensor


class SecondListener(nn.Module):
    """A classifier on another encoder, which hears every clip beside the data's own.

    Args:
        encoder: The encoder, frozen.
        classifier: Reads emotions off its time means.

    Raises:
        ValueError: The classifier was trained on features of another encoder, or reads another dimension.
    """

    def __init__(self, encoder: FrameEncoder, classifier: EmotionHead) -> None:
        super().__init__()
        require_origin("the second classifier", classifier.origin, encoder.identify())
        _require_dim(classifier, encoder)
        self.encoder, self.classifier = encoder.eval(), classifier.eval()

    def forward(self, waveform: Tensor, device: torch.device) -> str:
        """Return the emotion heard in a clip ``(N,)`` at 16 kHz; empty for one shorter than a frame.

        Args:
            waveform: Samples, on CPU.
            device: Device to hear on.
        """
        heard = resampled(waveform, _RATE, self.encoder.sample_rate)
        if int(self.encoder.frame_lengths(torch.tensor([len(heard)]))) < 1:
            return ""
        vector = _mean_frame(self.encoder.to(device), heard, device).to(device)
        return _class(self.classifier, self.classifier(vector[None])[0])


class Judge:
    """Measures clips.

    Args:
        encoder: The emotion encoder.
        classifier: Reads emotions off its time means; None for none.
        data: The data module.
        recognizer: Writes down every clip; None for none.
        quality: Whether DNSMOS rates every clip.
        speaker_encoder: Its time means say who speaks; None for none.
        recordings: Ids of recordings of the test split by speaker, with which the speaker encoder compares clips.
        device: Device that encoders and classifier hear on; they are moved there.
        distances: Whether clips that say what their reference says are held against it.
        second: A classifier on another encoder; None for none.
        blends: Judges clips of two references; None for none.

    Raises:
        ImportError: A package that a measure needs is not installed.
        ValueError: The classifier reads vectors of another dimension.
    """

    def __init__(
        self,
        encoder: FrameEncoder,
        classifier: EmotionHead | None,
        data: SpokenData,
        recognizer: Recognizer | None = None,
        quality: bool = False,
        speaker_encoder: FrameEncoder | None = None,
        device: torch.device | str = "cpu",
        distances: bool = False,
        second: SecondListener | None = None,
        recordings: Mapping[str, Sequence[str]] | None = None,
        blends: BlendListener | None = None,
    ) -> None:
        if classifier is not None:
            _require_dim(classifier, encoder)
        self.second = None if second is None else second.to(device)
        self.encoder, self.quality, self.device = encoder.to(device).eval(), quality, torch.device(device)
        self.classifier = None if classifier is None else classifier.to(device).eval()
        self.mel: MelSettings = data.mel
        self.rate = data.mel.sample_rate
        self.centroids: dict[str, Tensor] = dict(zip(data.emotions, data.emotion_centroids, strict=True))
        self.recognizer = recognizer
        self.data, self.distances = data, distances
        self.speaker_encoder = None if speaker_encoder is None else speaker_encoder.to(device).eval()
        self.recordings, self.blends = recordings or {}, blends
        self._voices: dict[str, Tensor] = {}

    def score(self, take: Take) -> Rendered:
        """Return a rendered clip with all that is measured on it.

        Args:
            take: The clip, its samples and its reference.
        """
        item, clip, waveform = take.item, take.clip, take.waveform.float().cpu()
        samples = (waveform.clamp(-1, 1) * 32767).round().to(torch.int16).numpy()
        clip = clip._replace(seconds=len(samples) / self.rate, sha256=hashlib.sha256(samples.tobytes()).hexdigest())
        recording = None
        if clip.text == clip.reference_text:
            clip = clip._replace(duration_ratio=clip.seconds * self.mel.frame_rate / len(item.mels))
            if take.durations is not None and take.durations.shape == item.durations.shape:
                apart = (take.durations - item.durations).abs().double().mean() / self.mel.frame_rate
                clip = clip._replace(duration_error=1000 * float(apart))
            recording = self.data.waveform(clip.reference) if self.distances else None
        with full_float32(self.device):  # heard as the corpus was
            clip = self(clip, waveform, item.frames.mean(0), recording)
            if self.speaker_encoder is not None:
                clip = self.compare_voices(clip, waveform)
        return Rendered(clip, waveform)

    @torch.no_grad()
    def __call__(self, clip: Clip, waveform: Tensor, reference: Tensor, recording: Tensor | None = None) -> Clip:
        """Return the clip with what was measured.

        Args:
            clip: What is known before.
            waveform: Its samples at the rate of the data's mel, ``(N,)`` float32 on CPU.
            reference: Time mean of the reference's frames, ``(D,)``.
            recording: Samples of a recording of the same words that the clip is held against; None for none.
        """
        track = melody(waveform, self.mel)
        waveform = resampled(waveform, self.rate, _RATE)
        heard = track.f0[track.voiced].double()
        clip = clip._replace(
            f0_mean=float(heard.mean()) if len(heard) else math.nan,
            f0_deviation=float((12 * heard.log2()).std()) if len(heard) > 1 else math.nan,
        )
        heard_by_encoder = resampled(waveform, _RATE, self.encoder.sample_rate)
        length = torch.tensor([len(heard_by_encoder)])
        if int(self.encoder.frame_lengths(length)) > 0:  # a voice that says nothing is heard as no emotion
            vector = _mean_frame(self.encoder, heard_by_encoder, self.device)
            clip = clip._replace(
                similarity_reference=float(cosine(vector, reference.cpu())),
                similarity_own=self._similarity(vector, clip.emotion),
                similarity_neutral=self._similarity(vector, "neutral"),
                similarity_partner=self._similarity(vector, clip.partner_emotion),
            )
            clip = self._classified(clip, vector)
        if self.second is not None:
            clip = clip._replace(predicted_second=self.second(waveform, self.device))
        if self.recognizer is not None:
            text = self.recognizer(waveform, language_of(self.data.front_end))
            words, letters = word_errors(text, clip.text), character_errors(text, clip.text)
            clip = clip._replace(
                heard=text,
                word_error_rate=words.errors / words.length,
                character_error_rate=letters.errors / letters.length,
            )
        if recording is not None:
            distortion, melodies = compare_speech(waveform, resampled(recording, self.rate, _RATE))
            clip = clip._replace(
                distortion=distortion,
                f0_error=math.sqrt(melodies.squared_cents / melodies.both) if melodies.both else math.nan,
                voicing_error=melodies.disagreements / melodies.frames,
            )
        return clip._replace(quality=overall_quality(waveform)) if self.quality else clip

    def _classified(self, clip: Clip, vector: Tensor) -> Clip:
        if self.classifier is None:
            return clip
        logits = self.classifier(vector[None].to(self.device))[0]
        clip = clip._replace(predicted=_class(self.classifier, logits))
        return clip if self.blends is None else self.blends(clip, logits)

    @torch.no_grad()
    def compare_voices(self, clip: Clip, waveform: Tensor) -> Clip:
        """Return the clip with the cosines of its speaker vector and the mean vector of each speaker's recordings.

        Its own reference is left out where the speaker has other recordings.

        Args:
            clip: The clip.
            waveform: Its samples at the rate of the data's mel, ``(N,)``.

        Raises:
            ValueError: There is no speaker encoder.
        """
        if self.speaker_encoder is None:
            raise ValueError("voices are compared by a speaker encoder: give one")
        waveform = resampled(waveform, self.rate, self.speaker_encoder.sample_rate)
        if int(self.speaker_encoder.frame_lengths(torch.tensor([len(waveform)]))) < 1:
            return clip
        vector, scores = _mean_frame(self.speaker_encoder, waveform, self.device), {}
        for speaker, names in self.recordings.items():
            others = [name for name in names if name != clip.reference] or names
            scores[speaker] = round(
                float(cosine(vector, torch.stack([self._voice(name) for name in others]).mean(0))), 6
            )
        return clip._replace(speaker_similarity=scores[clip.speaker], speakers_heard=json.dumps(scores))

    def _voice(self, name: str) -> Tensor:
        """Return the unit speaker vector ``(S,)`` of a recording."""
        if name not in self._voices:
            assert self.speaker_encoder is not None
            theirs = resampled(self.data.waveform(name), self.rate, self.speaker_encoder.sample_rate)
            vector = _mean_frame(self.speaker_encoder, theirs, self.device)
            self._voices[name] = torch.nn.functional.normalize(vector, dim=0)
        return self._voices[name]

    def _similarity(self, vector: Tensor, emotion: str) -> float:
        return float(cosine(vector, self.centroids[emotion])) if emotion in self.centroids else math.nan


def _require_dim(classifier: EmotionHead, encoder: FrameEncoder) -> None:
    if classifier.dim != encoder.dim:
        raise ValueError(f"the classifier reads {classifier.dim} dimensions, the encoder gives {encoder.dim}")


def _class(classifier: EmotionHead, logits: Tensor) -> str:
    return canonical_emotion(classifier.labels[int(logits.argmax())])


def _mean_frame(encoder: FrameEncoder, waveform: Tensor, device: torch.device) -> Tensor:
    """Return the time mean ``(D,)`` of the frames of an encoder on a device, on CPU."""
    frames, _ = encoder(waveform[None].to(device), torch.tensor([len(waveform)], device=device))
    return frames[0].mean(0).cpu()
