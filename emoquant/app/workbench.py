"""Processing behind the page: quantize a recording at every lambda, and synthesise a text with its emotion."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from emoquant.app.atlas import Atlas
from emoquant.audio.loading import AudioError, audio_seconds
from emoquant.audio.trimming import TRIM, require_threshold, trimmed
from emoquant.codecs.base import Codec
from emoquant.encoders.base import EmotionHead, FrameEncoder
from emoquant.labels import canonical_emotion
from emoquant.storage.origin import require_origin
from emoquant.voice.tts.recipe import Emotion, Intensity, Step, quantize
from emoquant.voice.tts.references import Reference
from emoquant.voice.tts.synthesis import Speech, Synthesizer

#: Longest recording that is taken, in seconds, longest text, in characters, and recordings that are remembered.
LONGEST, CHARACTERS, REMEMBERED = 30.0, 300, 8


class Hearing(NamedTuple):
    """A recording through one codec.

    Attributes:
        points: Lambdas of the codec.
        before: The recording's frames, not quantized.
        after: The quantized frames at each point.
    """

    points: tuple[float, ...]
    before: Emotion
    after: list[Emotion]


class Workbench:
    """Encoder, codecs, map and, if there is one, a voice.

    Args:
        encoder: Encoder of recordings.
        codecs: Codecs to choose from.
        atlas: Map of emotions.
        head: Classifier of emotion vectors; none by default.
        synthesizer: A voice; none by default.
        trim: How many dB below its loudest 20 ms a recording is cut at both ends; None to cut nothing.

    Raises:
        ValueError: There is no codec, two have one name, a codec was trained on another encoder, or ``trim`` is not
            positive.
    """

    def __init__(
        self,
        encoder: FrameEncoder,
        codecs: Sequence[Codec],
        atlas: Atlas,
        head: EmotionHead | None = None,
        synthesizer: Synthesizer | None = None,
        trim: float | None = TRIM,
    ) -> None:
        self.codecs = {codec.name: codec for codec in codecs}
        if not codecs or len(self.codecs) < len(codecs):
            raise ValueError(f"expected codecs of different names, at least one, not {[c.name for c in codecs]}")
        for codec in codecs:
            require_origin(f"codec {codec.name!r}", codec.origin, encoder.identify())
        self.encoder, self.atlas, self.head, self.synthesizer = encoder.eval(), atlas, head, synthesizer
        require_threshold(trim)
        self.trim = trim
        self._heard: dict[tuple[str, str], Hearing] = {}

    def hear(self, recording: Path, codec: str) -> Hearing:
        """Encode a recording and quantize it at every operating point of a codec; recent results are kept.

        Raises:
            AudioError: The recording cannot be used or is too long.
        """
        seconds = audio_seconds(recording)
        if seconds > LONGEST:
            raise AudioError(f"the recording is {seconds:.0f} s long, expected at most {LONGEST:.0f} s: cut it")
        known = hashlib.sha256(recording.read_bytes()).hexdigest(), codec
        if known not in self._heard:
            frames = self._frames(Reference(recording).waveform(self.encoder.sample_rate))
            chosen = self.codecs[codec]
            after = quantize(frames, chosen, list(chosen.points))
            self._heard[known] = Hearing(tuple(chosen.points), Emotion(frames), after)
            for oldest in list(self._heard)[:-REMEMBERED]:
                del self._heard[oldest]
        return self._heard[known]

    def _frames(self, waveform: Tensor) -> Tensor:
        waveform = trimmed(waveform, self.encoder.sample_rate, self.trim)
        with torch.no_grad():
            features, _ = self.encoder(waveform[None], torch.tensor([len(waveform)]))
        found: Tensor = features[0]
        return found

    def heard_as(self, emotion: Emotion) -> str:
        """Return the emotion that the head predicts, by its canonical name; empty without a head."""
        if self.head is None:
            return ""
        with torch.no_grad():
            return canonical_emotion(self.head.labels[int(self.head(emotion.vector).argmax())])

    def speak(
        self, text: str, emotion: Emotion, speaker: str | None, style: Path | None = None, intensity: float = 1.0
    ) -> Speech:
        """Return a text spoken with an emotion.

        Args:
            text: What is said.
            emotion: The emotion, quantized or not.
            speaker: A speaker of the voice; None for none.
            style: Recording whose local style is imitated; None for none.
            intensity: Along the way from the corpus's neutral (0) to the emotion (1) and beyond it (to 1.5).

        Raises:
            ValueError: There is no voice, or nothing to say, or too much of it; or the intensity is out of range, or
                the corpus has no neutral speech where it would begin.
        """
        if self.synthesizer is None:
            raise ValueError("there is no voice: name one with --voice")
        if not text.strip() or len(text) > CHARACTERS:
            raise ValueError(f"expected a text of 1 to {CHARACTERS} characters, not {len(text.strip())}")
        heard = Reference(style) if style is not None else None
        steps: list[Step] = []
        if intensity != 1:
            names = self.atlas.emotions
            if "neutral" not in names:
                raise ValueError(f"intensity begins at neutral, and the corpus has {', '.join(names)} only")
            steps.append(Intensity(intensity, self.atlas.centroids[names.index("neutral")]))
        return self.synthesizer.synthesize(text, emotion.frames, steps, heard, speaker)
