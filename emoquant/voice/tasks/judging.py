"""What is measured on every clip: F0, the emotion that the encoder hears, words, quality, durations."""

import hashlib
import math
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
from emoquant.voice.tasks.speaker_listening import SpeakerListener, mean_frame
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
        vector = mean_frame(self.encoder.to(device), heard, device).to(device)
        return _class(self.classifier, self.classifier(vector[None])[0])


class Judge:
    """Measures clips.

    Args:
        encoder: The emotion encoder.
        classifier: Reads emotions off its time means; None for none.
        data: The data module.
        recognizer: Writes down every clip; None for none.
        quality: Whether DNSMOS rates every clip.
        speakers: Says whose voice a clip has; None for none.
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
        speakers: SpeakerListener | None = None,
        device: torch.device | str = "cpu",
        distances: bool = False,
        second: SecondListener | None = None,
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
        self.speakers, self.blends = speakers, blends

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
            if self.speakers is not None:
                clip = self.speakers(clip, waveform)
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
            vector = mean_frame(self.encoder, heard_by_encoder, self.device)
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

    def _similarity(self, vector: Tensor, emotion: str) -> float:
        return float(cosine(vector, self.centroids[emotion])) if emotion in self.centroids else math.nan


def _require_dim(classifier: EmotionHead, encoder: FrameEncoder) -> None:
    if classifier.dim != encoder.dim:
        raise ValueError(f"the classifier reads {classifier.dim} dimensions, the encoder gives {encoder.dim}")


def _class(classifier: EmotionHead, logits: Tensor) -> str:
    return canonical_emotion(classifier.labels[int(logits.argmax())])
