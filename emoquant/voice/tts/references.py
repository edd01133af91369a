"""Reference recordings for local style: mel spectrogram with segments of phones and words."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from emoquant.audio.loading import read_audio, resampled
from emoquant.audio.mel import MelSettings
from emoquant.types import StyleReference
from emoquant.voice.alignment.alignment import Alignment, frame_durations, segments_of_frames, timed_phones
from emoquant.voice.alignment.sphinx import align_unknown, is_installed
from emoquant.voice.alignment.warping import align_by_voice
from emoquant.voice.text.text import spoken_front_end
from emoquant.voice.tts.recipe import Audio

#: Seconds of a pseudo phone and a pseudo word where nothing is known of the words.
_PHONE, _WORD = 0.08, 0.288


@dataclass(frozen=True)
class Reference:
    """Describe a recording whose emotion or style is imitated.

    Args:
        audio: File, or mono samples at 16 kHz.
        text: Text that is spoken; empty where unknown.
        alignment: Times of its phones; None where unknown.
    """

    audio: Audio
    text: str = ""
    alignment: Alignment | None = None

    def waveform(self, sample_rate: int = 16_000) -> Tensor:
        """Return the samples at a sampling rate, ``(N,)`` float32.

        Raises:
            FileNotFoundError: There is no such file.
            AudioError: The file cannot be used.
        """
        if isinstance(self.audio, Tensor):
            return resampled(self.audio, 16_000, sample_rate)
        # mypy does not know that a path is what is left.
        return read_audio(self.audio, sample_rate=sample_rate)  # type: ignore[arg-type]


def hear_style(reference: Reference, mel: MelSettings, front_end: str) -> StyleReference:
    """Return the input of the local style encoders for a reference: mels with segments, a batch of one.

    The segments of phones and words come from the first of these that applies:

    1. the reference's alignment;
    2. its text, aligned by comparison with espeak-ng's voice, if the front end is one of espeak-ng or ``cmu``;
    3. without text: pocketsphinx's recognition, if it is installed and the language is English;
    4. equal lengths of 80 ms (phones) and 288 ms (words).

    Args:
        reference: The recording.
        mel: Mel settings of the voice.
        front_end: The voice's text front end, which tells the language: ``espeak:VOICE``, ``cmu`` (English) or
            ``dictionary:FILE`` (unknown).
    """
    waveform = reference.waveform()
    mels = mel(reference.waveform(mel.sample_rate)[None])[0]
    alignment = reference.alignment
    name = spoken_front_end(front_end)
    kind, _, voice = ("espeak:en-us" if name == "cmu" else name).partition(":")
    if alignment is None and reference.text.strip() and kind == "espeak":
        alignment = align_by_voice(waveform, reference.text, voice)
    elif alignment is None and not reference.text.strip() and kind == "espeak" and voice.startswith("en"):
        alignment = align_unknown(waveform) if is_installed() else None
    if alignment is None:
        frames = torch.arange(len(mels))
        phone, word = (max(1, round(seconds * mel.frame_rate)) for seconds in (_PHONE, _WORD))
        return _batch_of_one(mels, 1 + frames // phone, 1 + frames // word)
    phones, borders = timed_phones(alignment)
    durations = frame_durations(borders, mel.frame_rate, len(mels))
    segments = [segments_of_frames(numbers, durations) for numbers in (range(len(durations)), phones.words)]
    return _batch_of_one(mels, torch.from_numpy(segments[0]), torch.from_numpy(segments[1]))


def repeated(style: StyleReference, times: int) -> StyleReference:
    """Repeat the style of one reference for every item of a batch of size ``times``."""
    return StyleReference(*(part.expand(times, *part.shape[1:]) for part in style))


def joined(styles: Sequence[StyleReference]) -> StyleReference:
    """Join styles of single references to one batch, padded to the longest."""
    parts = [pad_sequence([style[at][0] for style in styles], batch_first=True) for at in (0, 2, 3)]
    return StyleReference(parts[0], torch.cat([style.lengths for style in styles]), parts[1], parts[2])


def _batch_of_one(mels: Tensor, phones: Tensor, words: Tensor) -> StyleReference:
    return StyleReference(mels[None], torch.tensor([len(mels)]), phones[None], words[None])
