"""From planned clips to samples: the second of the three passes of a listening run."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from emoquant.codecs.base import Codec
from emoquant.interfaces.protocols import SpokenData
from emoquant.metrics.similarity import cosine
from emoquant.voice.clips import Clip
from emoquant.voice.tasks.listening_items import Item
from emoquant.voice.tts.recipe import Emotion, quantize
from emoquant.voice.tts.synthesis import Delivery, Synthesizer


class Take(NamedTuple):
    """A clip that is rendered and not yet measured.

    Attributes:
        item: The reference.
        clip: What is known of the clip.
        waveform: Samples ``(N,)`` at the voice's rate.
        durations: Frames of each phone, ``(L,)`` int64; None for what was not synthesised.
    """

    item: Item
    clip: Clip
    waveform: Tensor
    durations: Tensor | None = None


class Renderer:
    """Renders groups of clips.

    Args:
        synthesizer: Voice and vocoder.
        codecs: The codecs in the order of the plan.
        data: The data module.
        delivery: How everything is said.
    """

    def __init__(self, synthesizer: Synthesizer, codecs: Sequence[Codec], data: SpokenData, delivery: Delivery) -> None:
        self.synthesizer, self.codecs, self.data, self.delivery = synthesizer, codecs, data, delivery

    def __call__(self, item: Item, clips: Sequence[Clip]) -> list[Take]:
        """Return the clips of a group, rendered.

        All are rendered together: rounding differs a little with the size of a batch, and a run that was interrupted
        shall give the very same samples.

        Args:
            item: The reference.
            clips: Clips of one text, condition and seed (:meth:`~emoquant.voice.tasks.listening_items.Plan.clips_of`).
        """
        first = clips[0]
        if first.kind == "ground_truth":
            return [Take(item, first, self.data.waveform(first.reference))]
        if first.kind == "copy_synthesis":
            lengths = torch.tensor([len(item.mels)], device=item.mels.device)
            copy = self.synthesizer.vocoder(item.mels[None], lengths, item.f0[None], item.voiced[None])
            return [Take(item, first, copy[0])]
        if first.kind == "random_vector":
            return self._spoken(item, clips, [self._random_emotion(item, first.seed)])
        coded = [each for codec in self.codecs for each in quantize(item.mixed, codec, list(codec.points))]
        return self._spoken(item, clips, coded)

    def _spoken(self, item: Item, clips: Sequence[Clip], emotions: Sequence[Emotion]) -> list[Take]:
        first, mean = clips[0], item.mixed.mean(0)
        style, speaker = (item.style, item.vector) if first.condition == "B" else (None, item.centroid)
        spoken = self.synthesizer.say(first.text, emotions, style, speaker, first.seed, self.delivery)
        takes = []
        for clip, emotion, speech in zip(clips, emotions, spoken, strict=True):
            similar = float(cosine(emotion.vector, mean))
            clip = clip._replace(bits_per_frame=emotion.bits, skip_rate=emotion.skips, vector_similarity=similar)
            takes.append(Take(item, clip, speech.waveform, speech.durations))
        return takes

    def _random_emotion(self, item: Item, seed: int) -> Emotion:
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn(self.data.dim, generator=generator)
        vector = self.data.emotion_mean + self.data.emotion_std * noise
        return Emotion(vector[None].to(item.frames.device))
