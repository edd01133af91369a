"""Batch synthesis for listening: every reference with every codec at every operating point, under two conditions."""

import hashlib
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import lightning.pytorch as pl
import torch
from torch import Tensor, nn

from emoquant.clips import Clip
from emoquant.codecs.base import Codec
from emoquant.codecs.identity import Identity
from emoquant.encoders.base import EmotionHead, FrameEncoder
from emoquant.metrics.similarity import cosine
from emoquant.origin import require_origin
from emoquant.speech.recognition import Recognizer
from emoquant.tasks.judging import Judge
from emoquant.tasks.listening_items import STYLES, Item, ItemSource
from emoquant.tasks.partial import digest_of
from emoquant.tts.recipe import Emotion, quantize
from emoquant.tts.references import Reference, hear_style
from emoquant.tts.synthesis import Delivery, Speech, Synthesizer, seed_of
from emoquant.tts.vocoders.base import Vocoder
from emoquant.tts.vocoders.source_filter import SourceFilter
from emoquant.tts.voice import load_voice
from emoquant.types import TTSBatch

#: Calibration clips that need no synthesis.
RECORDINGS = ("ground_truth", "copy_synthesis")


class Rendered(NamedTuple):
    """A clip with its samples, ``(N,)`` float32 in [-1, 1] at the voice's rate."""

    clip: Clip
    waveform: Tensor


class ListeningTask(pl.LightningModule):
    """Synthesises references of the test split over codecs and operating points (``eval.py predict``).

    Everything but the emotion vector is the same along a sweep: text, speaker, style, noise. Condition ``"A"`` closes
    all other paths (speaker centroid, no local style), so that only it supports a claim about the quantizer; ``"B"``
    gives the reference's local style too, as the study does. Besides, there are clips to calibrate the ear and the
    measures: the reference, its copy through the vocoder, the voice without quantization and with a random vector.

    Under several processes every reference is rendered by one of them. :class:`emoquant.callbacks.ListeningWriter`
    writes the clips and the manifest, and makes an interrupted run go on.

    Args:
        voice: Folder or checkpoint of a voice.
        codecs: Codecs with their operating points.
        vocoder: The vocoder; the one without weights by default.
        classifier: Hears emotions in the clips by the encoder's time means; none by default.
        conditions: ``"A"``, ``"B"`` or both.
        texts: What is said; the reference's own text by default.
        per_cell: References of each emotion and speaker of the test split; their sentences take turns, the same in
            every run, whichever speakers and emotions are left out.
        speakers: Speakers whose references are taken; all by default.
        style: Local style under condition B: ``"same"`` (the reference's own, as in the study), ``"neutral"`` (the
            speaker's neutral recording of the same place in the split), ``"none"``, or an audio file.
        partners: Emotion of a second reference by emotion (``{happy: sad, sad: happy}``), of the same speaker: codecs
            get the frames of both, one after the other, as :class:`~emoquant.codecs.Mixture` wants them; without a
            codec the voice gets their plain average. Emotions that are not named are left out.
        calibration: Whether calibration clips are rendered.
        noise: Standard deviation of the post-net's noise.
        postnet: Overrides the voice's own choice of whether mels come from the post-net.
        intelligibility: Recogniser whose word and character errors are measured; none by default.
        distances: Whether clips that say what their reference says are held against it: spectrum and melody.
        quality: Whether DNSMOS rates the clips (needs speechmos).
        speaker_encoder: Compares the clips' voices with other recordings of the speaker; none by default.
        seed: Changes the noise of all items.

    Attributes:
        done: Files that need not be rendered again; a writer fills it before the first batch.
        settings: Digest of everything that shapes clips and what is measured on them, of the data too; there once
            these stand.

    Raises:
        ValueError: An argument is out of range, or the vocoder was made for other mel settings.
    """

    def __init__(
        self,
        voice: str,
        codecs: list[Codec],
        vocoder: Vocoder | None = None,
        classifier: EmotionHead | None = None,
        conditions: Sequence[Literal["A", "B"]] = ("A", "B"),
        texts: list[str] | None = None,
        per_cell: int = 1,
        speakers: list[str] | None = None,
        style: str = "same",
        partners: dict[str, str] | None = None,
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
        loaded = load_voice(voice, postnet)
        self.voice, self.model = loaded, loaded.model
        self.vocoder = vocoder if vocoder is not None else SourceFilter(loaded.facts.mel)
        loaded.facts.mel.require(self.vocoder.mel, "the vocoder", "the voice")
        self.codecs = nn.ModuleList([Identity(), *(codec for codec in codecs if codec.name != "none")])
        self.classifier = classifier
        self.conditions, self.texts, self.per_cell, self.speakers = tuple(conditions), texts, per_cell, speakers
        self.calibration, self.delivery, self.seed = calibration, Delivery(noise=noise), seed
        self.intelligibility, self.distances, self.quality = intelligibility, distances, quality
        self.speaker_encoder, self.style, self.partners = speaker_encoder, style, partners
        self.done: set[str] = set()
        self.settings = ""
        self._source: ItemSource | None = None
        self._judge: Judge | None = None
        self._synthesizer: Synthesizer | None = None
        self.requires_grad_(False)

    def setup(self, stage: str) -> None:
        """Find out what clips made with other settings are told by, once the data stands.

        Raises:
            ValueError: The data are not for synthesis.
        """
        data = self.trainer.datamodule  # type: ignore[attr-defined]  # set by the trainer at run time
        if not hasattr(data, "front_end"):
            raise ValueError("listening needs a TTS data module (emoquant.data.TTSDataModule); give one as --data")
        self.voice.facts.mel.require(data.mel, "the data", "the voice")
        modules: dict[str, nn.Module] = {"voice": self.model, "vocoder": self.vocoder, "codecs": self.codecs}
        if self.classifier is not None:
            modules["classifier"] = self.classifier
        heard = {"judge": self.speaker_encoder, "voice": data.speaker_encoder}
        style = Path(self.style)
        options = {
            "facts": self.voice.facts, "delivery": self.delivery, "seed": self.seed, "texts": self.texts,
            "style": hashlib.sha256(style.read_bytes()).hexdigest() if style.is_file() else self.style,
            "partners": sorted((self.partners or {}).items()), "speaker_vectors": data.speaker_vectors,
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
            ValueError: Data, voice and codecs do not fit, or no reference is left.
        """
        data = self.trainer.datamodule  # type: ignore[attr-defined]  # set by the trainer at run time
        self._synthesizer = Synthesizer(self.voice, data.encoder, self.vocoder)
        for codec in self.codecs:
            # The codecs are modules of this list: mypy takes their attributes for tensors or modules.
            require_origin(f"codec {codec.name!r}", codec.origin, data.origin)  # type: ignore[arg-type]
        if self.classifier is not None:
            require_origin("the classifier", self.classifier.origin, data.origin)
        facts = self.voice.facts
        style = self.style if self.style in STYLES else hear_style(Reference(self.style), facts.mel, facts.front_end)
        self._source = ItemSource(data, self.per_cell, self.speakers, style, self.partners)
        self._judge = Judge(
            data.encoder, self.classifier, data, self.intelligibility, self.quality, self.speaker_encoder, self.device
        )

    def on_predict_end(self) -> None:
        """Give the data module's encoder back to the CPU."""
        self.trainer.datamodule.encoder.to("cpu")  # type: ignore[attr-defined]  # set by the trainer at run time

    def planned(self) -> set[str]:
        """Return the files of all clips that are asked for, of every process; known once predicting has started."""
        assert self._source is not None
        return {file for row in self._source.rows for file in self._files(self._source.id_of(row))}

    def _files(self, item: str) -> Iterator[str]:
        if self.calibration:
            yield from (_file(item, kind) for kind in RECORDINGS)
        for number in range(1 if self.texts is None else len(self.texts)):
            for condition in self.conditions:
                for codec in self.codecs:
                    # The codecs are modules of this list: mypy takes their attributes for tensors or modules.
                    yield from (_file(item, number, condition, codec.name, point) for point in codec.points)  # type: ignore[union-attr]
                if self.calibration:
                    yield _file(item, number, condition, "random")

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
                file = _file(item.id, number, condition, str(module.name), point)
                plan.append(base._replace(file=file, codec=str(module.name), lmbda=float(point)))
        if any(clip.file not in self.done for clip in plan):
            # As above: codecs of a ModuleList.
            emotions = [each for codec in self.codecs for each in quantize(item.mixed, codec, list(codec.points))]  # type: ignore[arg-type]
            yield from self._spoken(plan, emotions, item)
        if self.calibration:
            file = _file(item.id, number, condition, "random")
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
        data = self.trainer.datamodule  # type: ignore[attr-defined]  # set by the trainer at run time
        generator = torch.Generator().manual_seed(seed)
        vector = data.emotion_mean + data.emotion_std * torch.randn(data.dim, generator=generator)
        return Emotion(vector[None].to(self.device))

    def _calibration_clips(self, item: Item) -> Iterator[Rendered]:
        """Yield the reference itself and its copy through the vocoder."""
        assert self._judge is not None
        data = self.trainer.datamodule  # type: ignore[attr-defined]  # set by the trainer at run time
        for kind in RECORDINGS:
            clip = Clip(_file(item.id, kind), kind, "", "none", math.nan, item.id, item.text, item.text,
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
        data: Any = self.trainer.datamodule  # type: ignore[attr-defined]  # set by the trainer at run time
        same_words = clip.text == item.text
        recording = data.waveform(item.id) if self.distances and same_words else None
        if same_words:
            clip = clip._replace(duration_ratio=clip.seconds * data.mel.frame_rate / len(item.mels))
            if isinstance(speech, Speech) and speech.durations.shape == item.durations.shape:
                apart = (speech.durations - item.durations).abs().double().mean() / data.mel.frame_rate
                clip = clip._replace(duration_error=1000 * float(apart))
        with torch.autocast(self.device.type, enabled=False):  # heard as the corpus was
            clip = self._judge(clip, waveform, item.frames.mean(0), recording)
            if self.speaker_encoder is not None:
                clip = clip._replace(speaker_similarity=self._judge.same_voice(waveform, self._others(item)))
        return Rendered(clip, waveform)

    def _others(self, item: Item) -> list[str]:
        """Return ids of other recordings of an item's speaker."""
        assert self._source is not None
        row = next(row for row in self._source.rows if self._source.id_of(row) == item.id)
        return [self._source.id_of(other) for other in self._source.others_of_speaker(row)]


def _file(item: str, *parts: object) -> str:
    """Return the name of a clip's file: its parts in order, numbers short, NaN left out."""
    told = [f"{part:g}" if isinstance(part, float) else str(part) for part in parts if part == part]
    return f"clips/{'-'.join([item, *told])}.wav"
