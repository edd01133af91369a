"""Who speaks in a clip: its speaker vector against recordings of every speaker."""

import json
import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from emoquant.audio.loading import resampled
from emoquant.encoders.base import FrameEncoder
from emoquant.interfaces.protocols import SpokenData
from emoquant.metrics.similarity import cosine
from emoquant.voice.clips import Clip


class SpeakerListener:
    """Compares the voice of a clip with recordings of every speaker, by the time means of an encoder.

    Args:
        encoder: The speaker encoder; it is moved to the device.
        recordings: Ids of recordings of the test split by speaker.
        data: The data module that they are of.
        device: Device to hear on.
    """

    def __init__(
        self,
        encoder: FrameEncoder,
        recordings: Mapping[str, Sequence[str]],
        data: SpokenData,
        device: torch.device | str = "cpu",
    ) -> None:
        self.encoder, self.recordings, self.data = encoder.to(device).eval(), recordings, data
        self.rate, self.device = data.mel.sample_rate, torch.device(device)
        self._vectors: dict[str, Tensor] = {}

    @torch.no_grad()
    def __call__(self, clip: Clip, waveform: Tensor) -> Clip:
        """Return the clip with the cosines of its speaker vector and the mean unit vector of each speaker's recordings.

        Its own reference is left out; a speaker without another recording is not compared.

        Args:
            clip: The clip.
            waveform: Its samples at the rate of the data's mel, ``(N,)`` on CPU.
        """
        waveform = resampled(waveform, self.rate, self.encoder.sample_rate)
        if int(self.encoder.frame_lengths(torch.tensor([len(waveform)]))) < 1:
            return clip
        vector, scores = mean_frame(self.encoder, waveform, self.device), {}
        for speaker, names in self.recordings.items():
            others = [self._vector(name) for name in names if name != clip.reference]
            if others:
                scores[speaker] = float(cosine(vector, torch.stack(others).mean(0)))
        heard = json.dumps({speaker: round(score, 6) for speaker, score in scores.items()})
        return clip._replace(speaker_similarity=scores.get(clip.speaker, math.nan), speakers_heard=heard)

    def _vector(self, name: str) -> Tensor:
        """Return the unit speaker vector ``(S,)`` of a recording."""
        if name not in self._vectors:
            recording = resampled(self.data.waveform(name), self.rate, self.encoder.sample_rate)
            vector = mean_frame(self.encoder, recording, self.device)
            self._vectors[name] = torch.nn.functional.normalize(vector, dim=0)
        return self._vectors[name]


def mean_frame(encoder: FrameEncoder, waveform: Tensor, device: torch.device) -> Tensor:
    """Return the time mean ``(D,)``, on CPU, of an encoder's frames of a waveform ``(N,)`` at its rate.

    Args:
        encoder: The encoder, on the device.
        waveform: Samples of at least a frame.
        device: The device.
    """
    frames, _ = encoder(waveform[None].to(device), torch.tensor([len(waveform)], device=device))
    return frames[0].mean(0).cpu()
