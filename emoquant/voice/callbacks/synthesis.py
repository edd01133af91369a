"""What a voice in training sounds and looks like, in the logger."""

from functools import partial
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from emoquant.callbacks.media import Media, media_of
from emoquant.types import StyleReference, TTSBatch
from emoquant.voice.callbacks.voice_figures import attention_figure, duration_figure, mel_figure, melody_figure
from emoquant.voice.tts.model import GenerSpeech
from emoquant.voice.tts.outputs import Output, Synthesis
from emoquant.voice.tts.vocoders import SourceFilter, Vocoder
from emoquant.voice.tts.voice import Voice


def first_items(batch: TTSBatch, count: int) -> TTSBatch:
    """Return the first ``count`` utterances of a batch (fewer where it has fewer)."""
    style = StyleReference(*(value[:count] for value in batch.style))
    values = {name: value[:count] for name, value in batch._asdict().items() if name != "style"}
    return TTSBatch(style=style, **values)


class SynthesisSamples(Callback):
    """Writes the same few validation utterances to the logger after a validation, as the voice says them by then.

    Of each: audio with the true durations and melody, with predicted ones, and of the true mel through the same
    vocoder; mel spectrograms of all three; the attention of each style level; melody and durations, true and predicted.
    The task must offer ``voice()`` and ``emotion_vectors(batch)`` as
    :class:`~emoquant.voice.tasks.synthesis.EmotionTTS` does. Only the first process writes.

    Args:
        items: How many utterances of the first validation batch.
        every_n_validations: Validations from one look to the next.
        vocoder: Vocoder; the one without weights by default.
        noise: Standard deviation of the post-net's noise, where the voice uses its post-net.

    Raises:
        ValueError: A number is below 1.
    """

    def __init__(
        self, items: int = 4, every_n_validations: int = 1, vocoder: Vocoder | None = None, noise: float = 0.3
    ) -> None:
        if items < 1 or every_n_validations < 1:
            raise ValueError(f"items and every_n_validations must be at least 1, got {items} and {every_n_validations}")
        self.items, self.every_n_validations, self.noise = items, every_n_validations, noise
        self.vocoder = vocoder
        self._validations = 0

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,  # noqa: ANN401 - Lightning's hook
        batch: Any,  # noqa: ANN401 - Lightning's hook
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Write the first utterances of the first batch where it is due."""
        if batch_idx or trainer.sanity_checking:
            return
        self._validations += 1
        media = media_of(trainer)
        if media is not None and (self._validations - 1) % self.every_n_validations == 0:
            if not isinstance(batch, TTSBatch):
                raise TypeError(f"expected batches for synthesis, got {type(batch).__name__}: use a TTSDataModule")
            self._write(media, pl_module, first_items(batch, self.items), trainer.global_step)

    @torch.no_grad()
    def _write(
        self,
        media: Media,
        task: Any,  # noqa: ANN401 - any task that synthesises
        batch: TTSBatch,
        step: int,
    ) -> None:
        voice: Voice = task.voice()
        vectors = task.emotion_vectors(batch)
        forced: Output = voice.model(batch, vectors)
        given, free = self._say(voice, batch, vectors)
        true = Synthesis(batch.mels, batch.mel_lengths, batch.f0, batch.voiced, batch.durations)
        versions = {"true mel": true, "true durations and melody": given, "predicted": free}
        vocoder = self.vocoder or SourceFilter(voice.facts.mel)
        voice.facts.mel.require(vocoder.mel, "the vocoder", "the voice")
        for name, said in versions.items():
            waves = vocoder(said.mels.float(), said.mel_lengths, said.f0, said.voiced)
            for item, length in enumerate(said.mel_lengths.tolist()):
                samples = waves[item, : length * voice.facts.mel.hop]
                media.audio(f"voice_{item}/{name}", samples, voice.facts.mel.sample_rate, step)
        for item in range(len(batch.phones)):
            self._draw(media, f"voice_{item}", step, item, versions, forced, voice, batch)

    def _say(self, voice: Voice, batch: TTSBatch, vectors: Tensor) -> tuple[Synthesis, Synthesis]:
        """Return the batch with its own durations and melody, and with predicted ones."""
        model: GenerSpeech = voice.model
        say = partial(
            model.infer,
            batch.phones,
            batch.phone_lengths,
            vectors,
            batch.speaker_vectors,
            batch.style,
            postnet=voice.facts.postnet,
            noise=self.noise,
            seeds=batch.utterances,
        )
        return say(durations=batch.durations, f0=batch.f0, voiced=batch.voiced), say()

    @staticmethod
    def _draw(
        media: Media,
        tag: str,
        step: int,
        item: int,
        versions: dict[str, Synthesis],
        forced: Output,
        voice: Voice,
        batch: TTSBatch,
    ) -> None:
        lengths = {name: int(said.mel_lengths[item]) for name, said in versions.items()}
        true, free = versions["true mel"], versions["predicted"]
        settings = voice.facts.mel
        mels = {name: settings.decades(said.mels[item, : lengths[name]]) for name, said in versions.items()}
        media.figure(f"{tag}/mel", mel_figure(mels), step)
        attention = {
            level: style.attended.weights[item, :, : lengths["true mel"], : int(style.segments[item])]
            for level, style in forced.styles.items()
        }
        media.figure(f"{tag}/attention", attention_figure(attention), step)
        frames = slice(0, lengths["true mel"])
        predicted = voice.model.hertz(forced.melody.f0, batch.speaker_vectors)[item, frames]
        curves = {"true": (true.f0[item, frames], true.voiced[item, frames])}
        curves["predicted"] = (predicted, forced.melody.voicing[item, frames] > 0)
        media.figure(f"{tag}/melody", melody_figure(curves), step)
        count = int(batch.phone_lengths[item])
        symbols = [voice.facts.phones[phone - 1] for phone in batch.phones[item, :count].tolist()]
        durations = {"true": true.durations[item, :count], "predicted": free.durations[item, :count]}
        media.figure(f"{tag}/durations", duration_figure(durations, symbols), step)
