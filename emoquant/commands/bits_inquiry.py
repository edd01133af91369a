"""What a codec leaves of emotion, speaker, text and melody, asked at each of its operating points."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from emoquant.audio_codecs import AudioCodec, Clip, CodeEntropy, Tokenizer, evenly, read_clip
from emoquant.codecs import Codec
from emoquant.console.progress import progress
from emoquant.data.base import Utterance
from emoquant.data.module import EmotionDataModule
from emoquant.data.sampling import Rows
from emoquant.metrics.estimates import Estimates, class_mean, mean
from emoquant.metrics.probing import Question, answers, code_histograms, question
from emoquant.metrics.similarity import utterance_vectors
from emoquant.metrics.verification import equal_error_rates, trials
from emoquant.storage.results import Row
from emoquant.types import Batch, length_mask
from emoquant.voice.metrics.recoded import Heard, Listener, Said

#: Metrics of the rows, a probed property in place of P.
METRICS = ("bits_per_second", "entropy_coded_bits_per_second", "probe/P", "probe_chance/P", "code_probe/P",
           "equal_error_rate", "character_error_rate", "f0_correlation", "quality")  # fmt: skip
#: Utterances that are coded at once.
_BATCH = 16


class Seen(NamedTuple):
    """What there is of a split's utterances at one operating point.

    Attributes:
        vectors: Time means of the encoder's features, ``(N, D)``; of no dimension for a tokenizer.
        histograms: Of the codes, ``(N, K)``; of no dimension for a codec without codes.
        bits: Bits of each, ``(N,)``; of no element before coding.
        seconds: Length of each, ``(N,)``.
        coded: Bits of each by an entropy model of the codes, ``(N,)``; NaN where there is none.
        heard: What is heard in each; empty for codecs of features and tokenizers.
    """

    vectors: Tensor
    histograms: Tensor
    bits: Tensor
    seconds: Tensor
    coded: Tensor
    heard: Sequence[Heard] = ()


def _joined(parts: Sequence[tuple[Tensor, ...]], heard: Sequence[Heard] = ()) -> Seen:
    vectors, histograms, bits, seconds, coded = (torch.cat(each) for each in zip(*parts, strict=True))
    return Seen(vectors, histograms, bits, seconds, coded, heard)


class Inquiry:
    """Asks codecs about the test split of a corpus, which probes are cross-validated on.

    Emotion and text are probed with speakers held out, speakers with texts held out (single utterances where no text
    is known).

    Args:
        data: Data module of frame features, set up, with its encoder.
        listener: Hears codecs of audio.
        replicates: Bootstrap replicates of the intervals.
        seed: Seed of the bootstrap.
        code_utterances: Training utterances whose codes an entropy model is trained on, for codecs of audio and
            tokenizers that have codes; 0 for none.

    Raises:
        ValueError: The data have no encoder.
    """

    def __init__(
        self,
        data: EmotionDataModule,
        listener: Listener,
        replicates: int = 1000,
        seed: int = 0,
        code_utterances: int = 0,
    ) -> None:
        if data.encoder is None:
            raise ValueError("the data have no encoder, which hears what codecs leave")
        self.encoder, self.listener, self.name = data.encoder.eval(), listener, data.name
        self.split, self.utterances = data.dataset("test"), data.dataset("test").utterances
        self.speakers = torch.from_numpy(self.split.speakers).long()
        self.estimates = Estimates(data.name, self.speakers, replicates, seed)
        who, texts = [u.speaker for u in self.utterances], [u.text for u in self.utterances]
        held = [text or utterance.id for text, utterance in zip(texts, self.utterances, strict=True)]
        asked = {"emotion": question([u.emotion for u in self.utterances], who), "speaker": question(who, held),
                 "text": question(texts, who)}  # fmt: skip
        self.questions: dict[str, Question] = {name: each for name, each in asked.items() if each is not None}
        self._recorded: list[Heard] = []
        self._training = evenly(data.dataset("train").utterances, code_utterances) if code_utterances else []

    def unquantized(self, audio: bool) -> list[Row]:
        """Return rows of the features and recordings as they are, codec ``"none"``.

        Args:
            audio: Whether recordings are heard, too; they are what codecs of audio are compared with.
        """
        vectors = [utterance_vectors(batch.features, batch.lengths) for batch in self._batches()]
        if audio:
            clips = (read_clip(each, self.encoder.sample_rate) for each in self.utterances)
            pairs = zip(clips, self.utterances, strict=True)
            rate = self.encoder.sample_rate
            self._recorded = [self.listener(clip.waveform, rate, Said(u.text, u.language)) for clip, u in pairs]
        nothing = torch.zeros(0)
        seen = Seen(torch.cat(vectors), torch.zeros(len(vectors), 0), nothing, nothing, nothing, self._recorded)
        rows = self._rows("none", math.nan, seen)
        for name, asked in self.questions.items():
            count = int((asked.classes >= 0).sum())
            rows.append(Row.known(self.name, "none", f"probe_chance/{name}", 1 / len(asked.names), n=count))
        return rows

    @torch.no_grad()
    def features(self, codec: Codec) -> list[Row]:
        """Return rows of a codec of features at each of its operating points."""
        parts: list[list[tuple[Tensor, ...]]] = [[] for _ in codec.points]
        for batch in self._batches(codec.name):
            coded = codec.code(batch)
            inside = length_mask(batch.lengths, batch.features.shape[1])
            for place, part in enumerate(parts):
                vectors = utterance_vectors(coded.features[place], batch.lengths)
                histograms = torch.zeros(len(vectors), 0)
                if codec.positions:
                    codes = coded.codes[place].clamp(0, codec.codewords)
                    histograms = code_histograms(codes, batch.lengths, codec.codewords + 1)
                bits = (coded.bits[place].double() * inside).sum(-1)
                seconds = batch.lengths.double() / self.encoder.frame_rate
                part.append((vectors, histograms, bits, seconds, torch.full_like(bits, math.nan)))
        seen = [_joined(part) for part in parts]
        return [
            row
            for point, each in zip(codec.points, seen, strict=True)
            for row in self._rows(codec.name, point, each)
        ]  # fmt: skip

    def audio(self, codec: AudioCodec) -> list[Row]:
        """Return rows of a codec of audio at each of its operating points.

        Raises:
            AudioError: A recording cannot be read.
            ValueError: The codec fails.
        """
        return [row for point in codec.points for row in self._rows(codec.name, point, self._recoded(codec, point))]

    @torch.no_grad()
    def _recoded(self, codec: AudioCodec, point: float) -> Seen:
        rate, found = self.encoder.sample_rate, []
        heard: list[Heard] = []
        entropy = self._entropy(codec, point)
        with progress(len(self.utterances), f"{codec.name} {point:g}") as bar:
            for part, clips in self._parts(self.utterances):
                for clip, utterance, each in zip(clips, part, codec.recode(clips, point, rate), strict=True):
                    frames, count = self.encoder(each.waveform[None], torch.tensor([len(each.waveform)]))
                    counted = _counted(each.codes, codec.codewords, each.bits, len(clip.waveform) / rate, entropy)
                    found.append((utterance_vectors(frames, count), *counted))
                    said = Said(utterance.text, utterance.language)
                    heard.append(self.listener(each.waveform, rate, said, clip.waveform))
                bar.update(len(clips))
        return _joined(found, heard)

    def tokens(self, tokenizer: Tokenizer) -> list[Row]:
        """Return rows of a tokenizer, of whose output there are codes alone; its operating point is its nominal rate.

        Raises:
            AudioError: A recording cannot be read.
            ValueError: An utterance has no codes.
        """
        rate, most, found = self.encoder.sample_rate, max(tokenizer.codewords), []
        entropy = None
        if self._training:
            learnt = [each for _, clips in self._parts(self._training) for each in tokenizer.tokens(clips, rate)]
            entropy = CodeEntropy.trained(most, learnt)
        with progress(len(self.utterances), tokenizer.name) as bar:
            for _, clips in self._parts(self.utterances):
                for clip, codes in zip(clips, tokenizer.tokens(clips, rate), strict=True):
                    bits, seconds = tokenizer.bits_per_frame * len(codes), len(clip.waveform) / rate
                    found.append((torch.zeros(1, 0), *_counted(codes, most, bits, seconds, entropy)))
                bar.update(len(clips))
        return self._rows(tokenizer.name, tokenizer.bits_per_frame * tokenizer.frame_rate, _joined(found))

    def _entropy(self, codec: AudioCodec, point: float) -> CodeEntropy | None:
        """Return an entropy model of a codec's codes of training utterances; None where none is wanted."""
        if not self._training or not codec.codewords:
            return None
        rate = self.encoder.sample_rate
        coded = [each for _, clips in self._parts(self._training) for each in codec.recode(clips, point, rate)]
        return CodeEntropy.trained(codec.codewords, [each.codes for each in coded if each.codes is not None])

    def _parts(self, utterances: Sequence[Utterance]) -> Iterator[tuple[Sequence[Utterance], list[Clip]]]:
        """Yield utterances with their audio, some at a time."""
        for begin in range(0, len(utterances), _BATCH):
            part = utterances[begin : begin + _BATCH]
            yield part, [read_clip(each, self.encoder.sample_rate) for each in part]

    def _batches(self, name: str = "features") -> Iterator[Batch]:
        count = len(self.utterances)
        with progress(count, name) as bar:
            for begin in range(0, count, _BATCH):
                batch = self.split[Rows(np.arange(begin, min(begin + _BATCH, count)), 0)]
                yield batch
                bar.update(len(batch.lengths))

    def _rows(self, codec: str, point: float, seen: Seen) -> list[Row]:
        row, found = self.estimates.row, []
        if len(seen.bits):
            found.append(row(codec, point, "bits_per_second", mean(seen.bits, seen.seconds)))
        if len(seen.coded) and not bool(seen.coded.isnan().any()):
            found.append(row(codec, point, "entropy_coded_bits_per_second", mean(seen.coded, seen.seconds)))
        for name, asked in self.questions.items():
            count = int((asked.classes >= 0).sum())
            if seen.vectors.shape[1]:
                right = class_mean(answers(seen.vectors, asked), asked.classes)
                found.append(row(codec, point, f"probe/{name}", right, count))
            if seen.histograms.shape[1]:
                right = class_mean(answers(seen.histograms, asked, scaled=False), asked.classes)
                found.append(row(codec, point, f"code_probe/{name}", right, count))
        return [*found, *self._heard_rows(codec, point, seen.heard)]

    def _heard_rows(self, codec: str, point: float, heard: Sequence[Heard]) -> Iterable[Row]:
        if not heard:
            return
        speakers = [each.speaker for each in heard]
        if speakers[0].numel() and len(self.speakers.unique()) > 1:
            recorded = torch.stack([each.speaker for each in self._recorded])
            compared = trials(torch.stack(speakers), recorded, self.speakers)
            yield self.estimates.row(codec, point, "equal_error_rate", lambda w: equal_error_rates(compared, w))
        errors, letters, melody, quality = (
            torch.tensor([getattr(each, name) for each in heard], dtype=torch.float64)
            for name in ("errors", "letters", "correlation", "quality")
        )
        if counted := int((~letters.isnan()).sum()):
            share = mean(errors, letters.nan_to_num(0.0))
            yield self.estimates.row(codec, point, "character_error_rate", share, counted)
        if counted := int((~melody.isnan()).sum()):
            yield self.estimates.row(codec, point, "f0_correlation", mean(melody), counted)
        if not bool(quality.isnan().any()):
            yield self.estimates.row(codec, point, "quality", mean(quality))


def _counted(
    codes: Tensor | None, codewords: int, bits: float, seconds: float, entropy: CodeEntropy | None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return histogram of an utterance's codes, its bits, its length and its entropy-coded bits, a batch of one."""
    histogram, coded = torch.zeros(1, 0), math.nan
    if codes is not None:
        histogram = code_histograms(codes[None], torch.tensor([len(codes)]), codewords)
        coded = math.nan if entropy is None else entropy.bits(codes)
    counts = torch.tensor([[bits], [seconds], [coded]], dtype=torch.float64)
    return histogram, counts[0], counts[1], counts[2]
