"""What a vocoder is trained on: recordings with their own mels, or with the mels that a voice predicts of them."""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from emoquant.audio.mel import MelSettings
from emoquant.interfaces.protocols import SpokenData
from emoquant.types import AudioBatch, TTSBatch
from emoquant.voice.tts.masking import masked_mean
from emoquant.voice.tts.voice import Voice


class Pairs(NamedTuple):
    """Waveforms and the mel spectrograms that a generator makes them of.

    Attributes:
        real: Recordings, ``(B, T * hop)``, zeros past the end.
        mels: Logarithmic mel spectrograms, ``(B, T, M)``.
        lengths: Samples of each recording, ``(B,)`` int64.
    """

    real: Tensor
    mels: Tensor
    lengths: Tensor


def outer_frames(mel: MelSettings) -> int:
    """Return how many frames at each end of a waveform see what lies outside of it.

    Example:
        >>> outer_frames(MelSettings()), outer_frames(MelSettings(n_fft=512, window=512))
        (2, 1)
    """
    return math.ceil((mel.n_fft - (0 if mel.center else mel.hop)) / 2 / mel.hop)


def recorded_pairs(batch: AudioBatch, mel: MelSettings, excerpts: bool) -> Pairs:
    """Return recordings with their own mels.

    Args:
        batch: The recordings at the rate of the mels.
        mel: Mel settings.
        excerpts: Whether they are cut out of longer ones. Then the frames at both ends, which see mirror images or
            zeros where the recording went on, are left out with their samples.
    """
    frames, hop = batch.waveforms.shape[1] // mel.hop, mel.hop
    real = batch.waveforms[:, : frames * hop]
    mels = mel(real)[:, :frames]
    edge = outer_frames(mel) if excerpts else 0
    if frames <= 2 * edge:
        edge = 0
    inner = slice(edge, frames - edge)
    real = real[:, edge * hop : (frames - edge) * hop]
    return Pairs(real, mels[:, inner], (batch.lengths - edge * hop).clamp(0, real.shape[1]))


class PredictedMels:
    """Recordings with the mels that a voice predicts of them, given their durations, melody, emotion and style.

    A vocoder that is trained on them learns to undo the blur of this voice ("ground-truth aligned" fine-tuning).

    Args:
        voice: The voice.
        data: The TTS data module whose batches are given; its splits have the recordings.

    Raises:
        ValueError: The voice was trained on other mels, phones or another encoder than the data have.
    """

    def __init__(self, voice: Voice, data: SpokenData) -> None:
        self.voice, self.data = voice, data
        facts = voice.facts
        facts.mel.require(data.mel, "the data", "the voice")
        for name, theirs in (("phones", tuple(data.phones)), ("encoder", data.encoder_name)):
            if getattr(facts, name) != theirs:
                raise ValueError(f"mels_from: the voice was trained with other {name} than the data have; use its data")

    @torch.no_grad()
    def __call__(self, batch: TTSBatch, split: str, frames: int | None = None) -> Pairs:
        """Return the pairs of a batch.

        Args:
            batch: Utterances of a split.
            split: The split, ``"train"`` or ``"validation"``.
            frames: Length of the excerpts, which lie at random places; None for whole utterances.
        """
        model, mel, device = self.voice.model.to(batch.mels.device), self.voice.facts.mel, batch.mels.device
        said = model.infer(
            batch.phones,
            batch.phone_lengths,
            masked_mean(batch.emotion_frames, batch.emotion_lengths),
            batch.speaker_vectors,
            batch.style,
            durations=batch.durations,
            f0=batch.f0,
            voiced=batch.voiced,
            postnet=self.voice.facts.postnet,
            seeds=batch.utterances,
        )
        dataset = self.data.dataset(split)
        longest = said.mels.shape[1] if frames is None else frames
        real, mels, lengths = [], [], []
        for row, (utterance, length) in enumerate(
            zip(batch.utterances.tolist(), said.mel_lengths.tolist(), strict=True)
        ):
            begin = int(torch.randint(length - longest + 1, ())) if length > longest else 0
            end = min(length, begin + longest)
            samples = dataset.waveform(utterance, mel.sample_rate)[begin * mel.hop : end * mel.hop].to(device)
            real.append(functional.pad(samples, (0, longest * mel.hop - len(samples))))
            mels.append(functional.pad(said.mels[row, begin:end], (0, 0, 0, longest - (end - begin))))
            lengths.append(len(samples))
        return Pairs(torch.stack(real), torch.stack(mels), torch.tensor(lengths, device=device))
