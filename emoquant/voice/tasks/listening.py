"""Batch synthesis for listening: every reference with every codec at every operating point, under two conditions."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

import lightning.pytorch as pl
from lightning.pytorch.utilities import rank_zero_warn
from torch import nn

from emoquant.codecs.base import Codec
from emoquant.codecs.identity import Identity
from emoquant.codecs.specs import Place, open_codecs, require_runs
from emoquant.encoders.base import EmotionHead, FrameEncoder
from emoquant.encoders.heads import head_or_none
from emoquant.interfaces.access import spoken_data_of
from emoquant.interfaces.protocols import SpokenData
from emoquant.labels import opposite_emotions
from emoquant.storage.origin import require_origin
from emoquant.storage.runs import RUNS
from emoquant.tasks.partial import digest_of
from emoquant.types import TTSBatch
from emoquant.voice.tasks.blend_listening import BlendListener, require_blends
from emoquant.voice.tasks.judging import Judge, Rendered, SecondListener
from emoquant.voice.tasks.listening_items import STYLES, ItemSource, Plan
from emoquant.voice.tasks.rendering import Renderer
from emoquant.voice.tasks.speaker_listening import SpeakerListener
from emoquant.voice.text.recognition import Recognizer
from emoquant.voice.tts.references import Reference, hear_style
from emoquant.voice.tts.synthesis import Delivery, Synthesizer
from emoquant.voice.tts.vocoders.base import Vocoder
from emoquant.voice.tts.vocoders.source_filter import SourceFilter
from emoquant.voice.tts.voice import load_voice


class Passes(NamedTuple):
    """The three passes of a run: what is made of the references, how it is rendered, what is measured on it."""

    source: ItemSource
    plan: Plan
    render: Renderer
    judge: Judge


class ListeningTask(pl.LightningModule):
    """Synthesises references of the test split over codecs and operating points (``emoquant predict``).

    Everything but the emotion vector is the same along a sweep: text, speaker, style, noise. Condition ``"A"`` closes
    all other paths (speaker centroid, no local style), so that only it supports a claim about the quantizer; ``"B"``
    gives the reference's local style too, as the study does. Calibration clips are the reference, its copy through the
    vocoder, and the voice with a random vector. :class:`emoquant.voice.callbacks.ListeningWriter` writes them.

    Args:
        voice: Folder or checkpoint of a voice.
        codecs: Codecs, as :mod:`emoquant.codecs.specs` spells them, or ready ones; opened once the data stand.
        vocoder: The vocoder; one without weights by default.
        classifier: Hears emotions in the clips by the encoder's time means. By default the encoder's own head or the
            folder's probe; none, with a warning, where there is neither.
        points: Lambdas of every codec that names none.
        folder: Folder of the runs that the codecs are named in; ``runs`` by default.
        allow_class: Modules outside the project whose classes a codec's checkpoint may name.
        conditions: ``"A"``, ``"B"`` or both.
        texts: What is said; the reference's own text by default.
        per_cell: References of each emotion and speaker of the test split; their sentences take turns.
        speakers: Speakers whose references are taken.
        style: Local style under condition B: ``"same"`` (the reference's own, as in the study), ``"neutral"`` (the
            speaker's neutral recording of the same place in the split), ``"none"``, or an audio file.
        partners: Emotion of a second reference by emotion (``{happy: sad, sad: happy}``), of the same speaker: codecs
            get the frames of both, one after the other, as :class:`~emoquant.codecs.Mixture` wants them; without a
            codec the voice gets their plain average. ``"opposite"`` pairs every emotion; others are left out.
        calibration: Whether calibration clips are rendered.
        noise: Deviation of the post-net's noise.
        postnet: Whether mels come from the post-net; the voice's own choice by default.
        intelligibility: Recogniser whose word and character errors are measured; none by default.
        distances: Whether clips that say what their reference says are held against it: spectrum and melody.
        quality: Whether DNSMOS rates the clips (needs speechmos).
        speaker_encoder: Compares voices with other recordings of the speaker.
        second: A classifier on another encoder, which hears every clip, too; none by default.
        seed: Seed of the noise.

    Attributes:
        done: Files that need not be rendered again; a writer fills it before the first batch.
        settings: Digest of everything that changes a clip or its measures; there after :meth:`setup`.

    Raises:
        ValueError: An argument is out of range, or the vocoder was made for other mel settings.
    """

    _ready: Passes
    _pairs: dict[str, str] | None

    def __init__(
        self,
        voice: str,
        codecs: list[dict[str, Any] | str | Codec],
        vocoder: Vocoder | None = None,
        classifier: EmotionHead | None = None,
        points: list[float] | None = None,
        folder: str | None = None,
        allow_class: list[str] | None = None,
        conditions: Sequence[Literal["A", "B"]] = ("A", "B"),
        texts: list[str] | None = None,
        per_cell: int = 1,
        speakers: list[str] | None = None,
        style: str = "same",
        partners: dict[str, str] | Literal["opposite"] | None = None,
        calibration: bool = True,
        noise: float = 0.3,
        postnet: bool | None = None,
        intelligibility: Recognizer | None = None,
        distances: bool = False,
        quality: bool = False,
        speaker_encoder: FrameEncoder | None = None,
        second: SecondListener | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if per_cell < 1 or not conditions or not set(conditions) <= {"A", "B"}:
            raise ValueError(f"expected per_cell >= 1 and conditions of A and B, not {per_cell} and {conditions}")
        self.voice = load_voice(voice, postnet)
        self.model, mel = self.voice.model, self.voice.facts.mel
        self.vocoder = vocoder if vocoder is not None else SourceFilter(mel)
        mel.require(self.vocoder.mel, "the vocoder", "the voice")
        self.specs, self.place = list(codecs), Place(folder or RUNS, points, allow_class or ())
        self.codecs, self.classifier = nn.ModuleList(), classifier
        require_runs(codecs, folder or RUNS)
        self.conditions, self.texts, self.per_cell, self.speakers = tuple(conditions), texts, per_cell, speakers
        self.calibration, self.delivery, self.seed = calibration, Delivery(noise=noise), seed
        self.intelligibility, self.distances, self.quality = intelligibility, distances, quality
        self.speaker_encoder, self.second, self.style, self.partners = speaker_encoder, second, style, partners
        self.done, self.settings = set[str](), ""

    def setup(self, stage: str) -> None:
        """Open the codecs, and compute the digest of everything that changes a clip.

        Raises:
            ValueError: The data are not for synthesis, or a codec cannot be opened.
        """
        data = spoken_data_of(self.trainer)
        self.voice.facts.mel.require(data.mel, "the data", "the voice")
        self._pairs = opposite_emotions(data.emotions) if self.partners == "opposite" else self.partners
        codecs = open_codecs(self.specs, data.emotions, self.place)
        self.codecs = nn.ModuleList([Identity(), *(codec for codec in codecs if codec.name != "none")])
        if self.classifier is None:
            self.classifier = head_or_none(data.encoder, data.emotions, self.place.folder)
        self.requires_grad_(False)
        modules: dict[str, nn.Module] = {"voice": self.model, "vocoder": self.vocoder, "codecs": self.codecs}
        if self.classifier is not None:
            modules["classifier"] = self.classifier
        if self.second is not None:
            modules["second"] = self.second
        heard = {"judge": self.speaker_encoder, "voice": data.speaker_encoder}
        style = Path(self.style)
        options = {
            "facts": self.voice.facts, "delivery": self.delivery, "seed": self.seed, "texts": self.texts,
            "style": hashlib.sha256(style.read_bytes()).hexdigest() if style.is_file() else self.style,
            "partners": sorted(dict(self._pairs or {}).items()), "speaker_vectors": data.speaker_vectors,
            "speakers": {use: encoder and encoder.fingerprint() for use, encoder in heard.items()},
            "measures": (self.intelligibility and self.intelligibility.fingerprint(), self.distances, self.quality),
            "analysis": (data.analysis, data.front_end, data.precision),
        }  # fmt: skip
        if self.speaker_encoder is not None:
            # Voices are compared with all chosen recordings.
            options["compared"] = self.per_cell, None if self.speakers is None else sorted(self.speakers)
        if self._pairs and self.classifier is not None:  # they say how a blend is heard
            options["blends"] = [utterance.id for utterance in data.dataset("validation").utterances]
        self.settings = digest_of(modules, data, options)[:16]

    def on_predict_start(self) -> None:
        """Choose the references and meet the data module's encoder.

        Raises:
            ValueError: Data, voice and codecs do not fit, no reference is left, or the voice cannot say a text.
        """
        data = spoken_data_of(self.trainer)
        synthesizer = Synthesizer(self.voice, data.encoder, self.vocoder)
        codecs = [cast(Codec, codec) for codec in self.codecs]
        for codec in codecs:
            require_origin(f"codec {codec.name!r}", codec.origin, data.origin)
        if self.classifier is not None:
            require_origin("the classifier", self.classifier.origin, data.origin)
        facts = self.voice.facts
        style = self.style if self.style in STYLES else hear_style(Reference(self.style), facts.mel, facts.front_end)
        source = ItemSource(data, self.per_cell, self.speakers, style, self._pairs)
        for text in self.texts if self.texts is not None else source.texts:
            synthesizer.phones(text)  # what the voice cannot say is an error before anything is rendered
        points = [(codec.name, codec.points) for codec in codecs]
        plan = Plan(self.conditions, self.texts, points, self.calibration, self.style, self.settings, self.seed)
        speakers = None
        if self.speaker_encoder is not None:
            speakers = SpeakerListener(self.speaker_encoder, source.recordings, data, self.device)
        judge = Judge(
            data.encoder, self.classifier, data, self.intelligibility, self.quality, speakers, self.device,
            self.distances, self.second, self._blends(data, codecs),
        )  # fmt: skip
        self._ready = Passes(source, plan, Renderer(synthesizer, codecs, data, self.delivery), judge)

    def _blends(self, data: SpokenData, codecs: Sequence[Codec]) -> BlendListener | None:
        """Return what scores blends; none, with a warning, where classifier or validation split lack an emotion."""
        if not self._pairs or self.classifier is None:
            return None
        try:
            require_blends(self.classifier, data)
        except ValueError as error:
            rank_zero_warn(f"presence and salience are not measured: {error}")
            return None
        return BlendListener(self.classifier, data, codecs, self._pairs, self.device)

    def on_predict_end(self) -> None:
        """Give the data module's encoder back to the CPU."""
        spoken_data_of(self.trainer).encoder.to("cpu")

    def planned(self) -> set[str]:
        """Return the files of all clips that are asked for, of every process; known once predicting has started."""
        return self._ready.source.files(self._ready.plan)

    def predict_step(self, batch: TTSBatch, batch_idx: int) -> list[Rendered]:
        """Return the clips of a batch's references that are not done yet: planned, rendered, measured."""
        ready, done = self._ready, self.done
        planned = [(i, clips) for i, clips in ready.source.planned(batch, ready.plan) if {c.file for c in clips} - done]
        takes = [take for item, clips in planned for take in ready.render(item, clips) if take.clip.file not in done]
        return [ready.judge.score(take) for take in takes]
