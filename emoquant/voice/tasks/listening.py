"""Batch synthesis for listening: every reference with every codec at every operating point, under two conditions."""

import hashlib
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import lightning.pytorch as pl
import torch
from torch import Tensor, nn

from emoquant.codecs.base import Codec
from emoquant.codecs.identity import Identity
from emoquant.codecs.specs import Place, open_codecs, require_runs
from emoquant.devices.precision import full_float32
from emoquant.encoders.base import EmotionHead, FrameEncoder
from emoquant.encoders.heads import head_or_none
from emoquant.interfaces.access import spoken_data_of
from emoquant.labels import opposite_emotions
from emoquant.metrics.similarity import cosine
from emoquant.storage.origin import require_origin
from emoquant.storage.runs import RUNS
from emoquant.tasks.partial import digest_of
from emoquant.types import TTSBatch
from emoquant.voice.clips import Clip
from emoquant.voice.tasks.judging import Judge
from emoquant.voice.tasks.listening_items import STYLES, Item, ItemSource, Rendered, clip_file
from emoquant.voice.text.recognition import Recognizer
from emoquant.voice.tts.recipe import Emotion, quantize
from emoquant.voice.tts.references import Reference, hear_style
from emoquant.voice.tts.synthesis import Delivery, Speech, Synthesizer, seed_of
from emoquant.voice.tts.vocoders.base import Vocoder
from emoquant.voice.tts.vocoders.source_filter import SourceFilter
from emoquant.voice.tts.voice import load_voice

#: Calibration clips that need no synthesis.
RECORDINGS = ("ground_truth", "copy_synthesis")


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
        seed: Seed of the noise.

    Attributes:
        done: Files that need not be rendered again; a writer fills it before the first batch.
        settings: Digest of everything that changes a clip or its measures; there after :meth:`setup`.

    Raises:
        ValueError: An argument is out of range, or the vocoder was made for other mel settings.
    """

    _source: ItemSource | None = None
    _judge: Judge | None = None
    _synthesizer: Synthesizer | None = None

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
        self.speaker_encoder, self.style, self.partners = speaker_encoder, style, partners
        self.done, self.settings = set[str](), ""

    def setup(self, stage: str) -> None:
        """Open the codecs, and compute the digest of everything that changes a clip.

        Raises:
            ValueError: The data are not for synthesis, or a codec cannot be opened.
        """
        data = spoken_data_of(self.trainer)
        self.voice.facts.mel.require(data.mel, "the data", "the voice")
        if self.partners == "opposite":
            self.partners = opposite_emotions(data.emotions)
        codecs = open_codecs(self.specs, data.emotions, self.place)
        self.codecs = nn.ModuleList([Identity(), *(codec for codec in codecs if codec.name != "none")])
        if self.classifier is None:
            self.classifier = head_or_none(data.encoder, data.emotions, self.place.folder)
        self.requires_grad_(False)
        modules: dict[str, nn.Module] = {"voice": self.model, "vocoder": self.vocoder, "codecs": self.codecs}
        if self.classifier is not None:
            modules["classifier"] = self.classifier
        heard = {"judge": self.speaker_encoder, "voice": data.speaker_encoder}
        style = Path(self.style)
        options = {
            "facts": self.voice.facts, "delivery": self.delivery, "seed": self.seed, "texts": self.texts,
            "style": hashlib.sha256(style.read_bytes()).hexdigest() if style.is_file() else self.style,
            "partners": sorted(dict(self.partners or {}).items()), "speaker_vectors": data.speaker_vectors,
            "speakers": {use: encoder and encoder.fingerprint() for use, encoder in heard.items()},
            "measures": (self.intelligibility and self.intelligibility.fingerprint(), self.distances, self.quality),
            "analysis": (data.analysis, data.front_end, data.precision),
        }  # fmt: skip
        if self.speaker_encoder is not None:
            options["per_cell"] = self.per_cell  # voices are compared with the other chosen recordings
        self.settings = digest_of(modules, data, options)[:16]

    def on_predict_start(self) -> None:
        """Choose the references and meet the data module's encoder.

        Raises:
            ValueError: Data, voice and codecs do not fit, no reference is left, or the voice cannot say a text.
        """
        data = spoken_data_of(self.trainer)
        self._synthesizer = Synthesizer(self.voice, data.encoder, self.vocoder)
        for codec in self.codecs:
            # The codecs are modules of this list: mypy takes their attributes for tensors or modules.
            require_origin(f"codec {codec.name!r}", codec.origin, data.origin)  # type: ignore[arg-type]
        if self.classifier is not None:
            require_origin("the classifier", self.classifier.origin, data.origin)
        facts = self.voice.facts
        style = self.style if self.style in STYLES else hear_style(Reference(self.style), facts.mel, facts.front_end)
        partners = self.partners if isinstance(self.partners, dict) else None
        self._source = ItemSource(data, self.per_cell, self.speakers, style, partners)
        for text in self.texts if self.texts is not None else self._source.texts:
            self._synthesizer.phones(text)  # what the voice cannot say is an error before anything is rendered
        self._judge = Judge(
            data.encoder, self.classifier, data, self.intelligibility, self.quality, self.speaker_encoder, self.device
        )

    def on_predict_end(self) -> None:
        """Give the data module's encoder back to the CPU."""
        spoken_data_of(self.trainer).encoder.to("cpu")

    def planned(self) -> set[str]:
        """Return the files of all clips that are asked for, of every process; known once predicting has started."""
        assert self._source is not None
        return {file for row in self._source.rows for file in self._files(self._source.id_of(row))}

    def _files(self, item: str) -> Iterator[str]:
        if self.calibration:
            yield from (clip_file(item, kind) for kind in RECORDINGS)
        for number in range(1 if self.texts is None else len(self.texts)):
            for condition in self.conditions:
                for codec in self.codecs:
                    yield from (clip_file(item, number, condition, codec.name, point) for point in codec.points)  # type: ignore[union-attr]
                if self.calibration:
                    yield clip_file(item, number, condition, "random")

    def predict_step(self, batch: TTSBatch, batch_idx: int) -> list[Rendered]:
        """Return the clips of a batch's references that are not done yet."""
        assert self._source is not None
        return [rendered for item in self._source.items(batch) for rendered in self._item_clips(item)]

    def _item_clips(self, item: Item) -> Iterator[Rendered]:
        if self.calibration:
            yield from self._calibration_clips(item)
        for number, text in enumerate(self.texts if self.texts is not None else [item.text]):
            for condition in self.conditions:
                yield from self._sweep(item, number, text, condition)

    def _sweep(self, item: Item, number: int, text: str, condition: str) -> Iterator[Rendered]:
        """Yield the clips of an item and text at every operating point of every codec.

        All points are rendered together even where only one is lacking: rounding differs a little with the size of a
        batch, and a run that was interrupted shall give the very same samples.
        """
        seed = seed_of(item.id, text, str(self.seed))
        base = Clip("", "synthesis", condition, "none", math.nan, item.id, item.text, text, item.emotion,
                    item.speaker, seed, 0.0, settings=self.settings, style=self.style if condition == "B" else "",
                    partner=item.partner, partner_emotion=item.partner_emotion)  # fmt: skip
        plan: list[Clip] = []
        for module in self.codecs:
            for point in module.points:  # type: ignore[union-attr]  # set when it is reached
                file = clip_file(item.id, number, condition, str(module.name), point)
                plan.append(base._replace(file=file, codec=str(module.name), lmbda=float(point)))
        if any(clip.file not in self.done for clip in plan):
            # As above: codecs of a ModuleList.
            emotions = [each for codec in self.codecs for each in quantize(item.mixed, codec, list(codec.points))]  # type: ignore[arg-type]
            yield from self._spoken(plan, emotions, item)
        if self.calibration:
            file = clip_file(item.id, number, condition, "random")
            clip = base._replace(file=file, kind="random_vector")
            if file not in self.done:
                yield from self._spoken([clip], [self._random_emotion(seed)], item)

    def _spoken(self, plan: list[Clip], emotions: list[Emotion], item: Item) -> Iterator[Rendered]:
        """Yield the clips of a plan that are not done, all of one text, condition and seed."""
        assert self._synthesizer is not None
        first = plan[0]
        style, speaker = (item.style, item.vector) if first.condition == "B" else (None, item.centroid)
        spoken = self._synthesizer.say(first.text, emotions, style, speaker, first.seed, self.delivery)
        for clip, emotion, speech in zip(plan, emotions, spoken, strict=True):
            if clip.file not in self.done:
                similar = float(cosine(emotion.vector, item.mixed.mean(0)))
                clip = clip._replace(bits_per_frame=emotion.bits, skip_rate=emotion.skips, vector_similarity=similar)
                yield self._judged(clip, speech, item)

    def _random_emotion(self, seed: int) -> Emotion:
        data = spoken_data_of(self.trainer)
        generator = torch.Generator().manual_seed(seed)
        vector = data.emotion_mean + data.emotion_std * torch.randn(data.dim, generator=generator)
        return Emotion(vector[None].to(self.device))

    def _calibration_clips(self, item: Item) -> Iterator[Rendered]:
        """Yield the reference itself and its copy through the vocoder."""
        assert self._judge is not None
        data = spoken_data_of(self.trainer)
        for kind in RECORDINGS:
            clip = Clip(clip_file(item.id, kind), kind, "", "none", math.nan, item.id, item.text, item.text,
                        item.emotion, item.speaker, 0, 0.0, settings=self.settings)  # fmt: skip
            if clip.file in self.done:
                continue
            if kind == "ground_truth":
                waveform = data.waveform(item.id)
            else:
                lengths = torch.tensor([len(item.mels)], device=item.mels.device)
                waveform = self.vocoder(item.mels[None], lengths, item.f0[None], item.voiced[None])[0]
            yield self._judged(clip, waveform, item)

    def _judged(self, clip: Clip, speech: Speech | Tensor, item: Item) -> Rendered:
        assert self._judge is not None
        waveform = speech if isinstance(speech, Tensor) else speech.waveform
        waveform = waveform.float().cpu()
        samples = (waveform.clamp(-1, 1) * 32767).round().to(torch.int16).numpy()
        clip = clip._replace(
            seconds=len(samples) / self.voice.facts.mel.sample_rate,
            sha256=hashlib.sha256(samples.tobytes()).hexdigest(),
        )
        data = spoken_data_of(self.trainer)
        same_words = clip.text == item.text
        recording = data.waveform(item.id) if self.distances and same_words else None
        if same_words:
            clip = clip._replace(duration_ratio=clip.seconds * data.mel.frame_rate / len(item.mels))
            if isinstance(speech, Speech) and speech.durations.shape == item.durations.shape:
                apart = (speech.durations - item.durations).abs().double().mean() / data.mel.frame_rate
                clip = clip._replace(duration_error=1000 * float(apart))
        with full_float32(self.device):  # heard as the corpus was
            clip = self._judge(clip, waveform, item.frames.mean(0), recording)
            if self.speaker_encoder is not None:
                clip = clip._replace(speaker_similarity=self._judge.same_voice(waveform, self._others(item)))
        return Rendered(clip, waveform)

    def _others(self, item: Item) -> list[str]:
        """Return ids of other recordings of an item's speaker."""
        assert self._source is not None
        row = next(row for row in self._source.rows if self._source.id_of(row) == item.id)
        return [self._source.id_of(other) for other in self._source.others_of_speaker(row)]
