"""An audio codec as a codec of features: audio is coded and decoded, and the encoder makes features of the result."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from emoquant.audio.loading import read_audio
from emoquant.audio_codecs.base import AudioCodec, Clip, CodedClip
from emoquant.audio_codecs.code_entropy import CodeEntropy
from emoquant.codecs.base import Codec
from emoquant.encoders.base import FrameEncoder
from emoquant.types import Batch, Coded, Counted


class Recording(Protocol):
    """Where an utterance is; :class:`emoquant.data.base.Utterance` says more of each attribute."""

    @property
    def id(self) -> str:
        """Name that is unique in its corpus."""

    @property
    def path(self) -> Path:
        """Audio file."""

    @property
    def start(self) -> float:
        """Where it begins in the file, in seconds."""

    @property
    def end(self) -> float | None:
        """Where it ends, in seconds; None for the end of the file."""


class Recoded(Codec):
    """Makes a codec of features of an audio codec, so that the same sweeps and measures apply to both.

    It reads the audio of a batch's utterances, codes and decodes it at every operating point, and encodes the result
    with the encoder of the uncoded features. Operating points are nominal bits a second. An utterance's bits are spread
    evenly over its frames: bits a frame times frames a second are bits a second of audio.

    Bits are also counted in other ways (:attr:`extra`): ``file``, with the container, for a codec that writes files,
    and ``entropy_coded``, for a codec with codes once :meth:`learn_codes` was called.

    Args:
        codec: The codec.
        encoder: Encoder of the features.
        utterances: Utterances of the split, by the rows that batches name.
    """

    def __init__(self, codec: AudioCodec, encoder: FrameEncoder, utterances: Sequence[Recording]) -> None:
        super().__init__()
        self.name, self.points = codec.name, codec.points
        self.dim, self.positions, self.codewords = encoder.dim, 0, 0
        self.identity = f"{codec.fingerprint()} {encoder.fingerprint()}"
        self._parts = codec, encoder
        self._utterances = utterances
        self._entropy: Mapping[float, CodeEntropy] = {}
        self.learnt = 0

    @property
    def extra(self) -> tuple[str, ...]:
        """Names of the further rates; see :attr:`Codec.extra`."""
        return (*(("file",) if self._parts[0].writes_files else ()), *(("entropy_coded",) if self._entropy else ()))

    def forward(self, features: Tensor, lengths: Tensor, points: Sequence[float] | None = None) -> Coded:
        """Refuse to code features without their audio.

        Raises:
            ValueError: Always.
        """
        raise ValueError(f"{self.name!r} codes audio, not features: name it under audio_codecs, by itself")

    def code(self, batch: Batch) -> Coded:
        """Code the audio of a batch; see :meth:`Codec.code`. Errors as of :meth:`count`."""
        return self.count(batch).coded

    def count(self, batch: Batch) -> Counted:
        """Code the audio of a batch and count its bits in every way; see :meth:`Codec.count`.

        Raises:
            AudioError: An audio file cannot be read.
            ValueError: The codec fails, or the encoder gives another number of frames than before.
        """
        codec, encoder = self._parts
        codec.device = batch.features.device
        clips = [read_clip(self._utterances[row], encoder.sample_rate) for row in batch.utterances.tolist()]
        return self._coded(batch, clips, self.points)

    def code_waveform(self, waveform: Tensor, path: Path, points: Sequence[float] | None = None) -> Counted:
        """Return what the codec makes of one recording, a batch of one.

        Args:
            waveform: Samples ``(N,)`` at the encoder's rate.
            path: The recording's file.
            points: Operating points; all by default.
        """
        counts = self._parts[1].frame_lengths(torch.tensor([len(waveform)]))
        empty = torch.zeros(1, int(counts), self.dim)
        row = torch.zeros(1, dtype=torch.int64)
        batch = Batch(empty, counts, row, row, row, torch.zeros(1, 0))
        return self._coded(batch, [Clip(path.stem, path, waveform)], points or self.points)

    def _coded(self, batch: Batch, clips: Sequence[Clip], points: Sequence[float]) -> Counted:
        found = [self._point(batch, clips, point) for point in points]
        features, bits, extra = (torch.stack(parts) for parts in zip(*found, strict=True))
        codes = torch.zeros(*bits.shape, 0, dtype=torch.int16, device=bits.device)
        return Counted(Coded(codes, features, bits), extra)

    @torch.inference_mode(False)  # a test runs in that mode, where nothing can be trained
    def learn_codes(self, utterances: Sequence[Recording]) -> None:
        """Train an entropy model on the codes of utterances at each operating point; nothing for a codec without codes.

        Args:
            utterances: Utterances of the training split.
        """
        codec, encoder = self._parts
        if not codec.codewords:
            return
        clips = [read_clip(utterance, encoder.sample_rate) for utterance in utterances]
        found = {}
        for point in self.points:
            codes = [c.codes for part in _parts(clips) for c in codec.recode(part, point) if c.codes is not None]
            found[point] = CodeEntropy.trained(codec.codewords, codes)
        self._entropy, self.learnt = found, len(utterances)

    def _point(self, batch: Batch, clips: Sequence[Clip], point: float) -> tuple[Tensor, Tensor, Tensor]:
        """Return features ``(B, T, D)``, bits ``(B, T)`` and further bits ``(B, T, M)`` of one operating point."""
        codec, encoder = self._parts
        coded = codec.recode(clips, point, encoder.sample_rate)
        rows = self._encode([each.waveform for each in coded], batch)
        features = torch.zeros_like(batch.features)
        rates = torch.zeros(*batch.features.shape[:2], 1 + len(self.extra), device=batch.features.device)
        for index, (row, clip, each) in enumerate(zip(rows, clips, coded, strict=True)):
            if len(row) != int(batch.lengths[index]):
                raise ValueError(
                    f"{clip.path}: {len(row)} frames after coding, {int(batch.lengths[index])} before: the audio or "
                    "the encoder changed since its features were stored; extract them anew"
                )
            features[index, : len(row)] = row
            seconds = len(clip.waveform) / encoder.sample_rate
            spent = torch.tensor([each.bits, *self._further(each, point)])
            rates[index, : len(row)] = (spent / (seconds * encoder.frame_rate)).to(rates)
        return features, rates[..., 0], rates[..., 1:]

    def _further(self, coded: CodedClip, point: float) -> Iterator[float]:
        if self._parts[0].writes_files:
            yield coded.file_bits
        if self._entropy and coded.codes is not None:
            yield self._entropy[point].bits(coded.codes)

    def _encode(self, waveforms: Sequence[Tensor], batch: Batch) -> list[Tensor]:
        """Return frame features of waveforms: on a CPU each alone, as the feature store has them, else in one batch."""
        encoder, device = self._parts[1].to(batch.features.device), batch.features.device
        groups = [[waveform] for waveform in waveforms] if device.type == "cpu" else [list(waveforms)]
        rows: list[Tensor] = []
        for group in groups:
            lengths = torch.tensor([len(waveform) for waveform in group], device=device)
            features, counts = encoder(pad_sequence(group, batch_first=True).to(device), lengths)
            rows += [row[:count] for row, count in zip(features, counts.tolist(), strict=True)]
        return rows


def read_clip(utterance: Recording, sample_rate: int) -> Clip:
    """Return an utterance to be coded, at a sampling rate.

    Raises:
        AudioError: Its file cannot be read.
    """
    waveform = read_audio(utterance.path, utterance.start, utterance.end, sample_rate)
    return Clip(utterance.id, utterance.path, waveform, utterance.start)


def _parts(clips: Sequence[Clip], size: int = 16) -> Iterator[Sequence[Clip]]:
    for begin in range(0, len(clips), size):
        yield clips[begin : begin + size]
