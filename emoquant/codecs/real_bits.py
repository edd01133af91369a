"""Compress and decompress: real bytes from a trained codec, and exactly the same codes back from them."""

import hashlib
import math
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from emoquant.codecs.base import Codec
from emoquant.codecs.bitstream import FINGERPRINT_BYTES, BitstreamError, Packet, pack, parse
from emoquant.codecs.search import Search
from emoquant.entropy import coding
from emoquant.entropy.base import EntropyModel
from emoquant.entropy.folding import integer_twin
from emoquant.entropy.integer import IntegerTwin
from emoquant.precision import full_float32
from emoquant.quantization.grvq import GroupedResidualVQ
from emoquant.types import Coded

Features: TypeAlias = Tensor | NDArray[np.floating]

#: Frames, padding included, that are searched or decoded side by side.
FRAMES_AT_ONCE = 1 << 16


class Encoding(NamedTuple):
    """One utterance after the search.

    Attributes:
        codes: ``(T, P)`` int16 in ``[0, K]``.
        features: Reconstruction, ``(T, D)`` float32.
        bits: Estimated bits of each frame, ``(T,)`` float32.
        lmbda: Lambda of the search, exactly a float32.
    """

    codes: Tensor
    features: Tensor
    bits: Tensor
    lmbda: float


class RealBits(Codec):
    """A codec with a quantizer and an entropy model that writes ``.emq`` bytes.

    What :meth:`compress` writes, :meth:`decompress` turns into exactly the codes that were chosen, for any batch, any
    number of threads and any device on either side (:mod:`emoquant.entropy.integer` says why); the features are the sum
    of the codes' codewords, equal up to float32 rounding between devices. Coding many utterances in one call is several
    times faster than one by one.

    Attributes:
        most_frames: Longest utterance that is compressed or decompressed. It bounds the memory that hostile bytes can
            ask for; raise it for longer recordings.
    """

    quantizer: GroupedResidualVQ
    entropy: EntropyModel
    beam: int
    survivors: int
    writes_bits = True
    most_frames: int = 1 << 18

    @abstractmethod
    def rows_at_once(self, device: torch.device, frames: int) -> int:
        """Return how many rows of up to ``frames`` frames are searched side by side on a device."""

    def encode(self, features: Features, lmbda: float) -> Encoding:
        """Return codes, reconstruction and estimated bits of an utterance.

        Args:
            features: Frame features, ``(T, D)``.
            lmbda: Lagrange multiplier in squared feature units per bit; larger means fewer bits.

        Raises:
            ValueError: The features have another shape, are not finite or too long, or lambda is out of range.
        """
        return self.encode_batch([features], lmbda)[0]

    def compress(self, features: Features, lmbda: float = 5.0) -> bytes:
        """Return the ``.emq`` bytes of an utterance; arguments and errors as in :meth:`encode`.

        Raises:
            ValueError: Also where the entropy model cannot write real bits.
        """
        return self.compress_batch([features], lmbda)[0]

    def decompress(self, data: bytes) -> Tensor:
        """Return the features ``(T, D)`` float32 of ``.emq`` bytes, on the codec's device.

        Raises:
            BitstreamError: The bytes are no ``.emq`` data, truncated, damaged, too long, or of another codec.
        """
        return self.decompress_batch([data])[0]

    @torch.no_grad()
    def encode_batch(self, features: Sequence[Features], lmbda: float | Sequence[float]) -> list[Encoding]:
        """Return what :meth:`encode` returns for each of several utterances, at one lambda or one for each."""
        lmbdas = self._lambdas(lmbda, len(features))
        checked = [self.checked(each) for each in features]
        found: dict[int, Encoding] = {}
        longest = max((len(each) for each in checked), default=1)
        rows = self.rows_at_once(self.quantizer.transform.mean.device, longest)
        for chosen in _batches([len(each) for each in checked], rows):
            found |= zip(chosen, self._search([checked[i] for i in chosen], [lmbdas[i] for i in chosen]), strict=True)
        return [found[i] for i in range(len(features))]

    def compress_batch(self, features: Sequence[Features], lmbda: float | Sequence[float] = 5.0) -> list[bytes]:
        """Return what :meth:`compress` returns for each of several utterances, at one lambda or one for each."""
        self.twin()
        return self.write(self.encode_batch(features, lmbda))

    def write(self, encodings: Sequence[Encoding]) -> list[bytes]:
        """Return the ``.emq`` bytes of utterances that :meth:`encode` made.

        Raises:
            ValueError: The entropy model cannot write real bits.
        """
        lmbdas = [each.lmbda for each in encodings]
        payloads = coding.encode(self.twin(), [each.codes.cpu().numpy() for each in encodings], lmbdas)
        mine = self.fingerprint()
        return [
            pack(Packet(mine, lmbda, len(each.codes), payload))
            for each, lmbda, payload in zip(encodings, lmbdas, payloads, strict=True)
        ]

    def coded_bits(self, coded: Coded, lengths: Tensor, points: Sequence[float] | None = None) -> Tensor:
        """Return the bits that the range coder writes for a batch; see :meth:`Codec.coded_bits`.

        Raises:
            ValueError: The entropy model cannot write real bits.
        """
        lmbdas = self._lambdas(self.points if points is None else points, len(coded.codes))
        ends = lengths.tolist()
        found = torch.zeros(coded.bits.shape[:2], dtype=torch.float64)
        for number, (codes, lmbda) in enumerate(zip(coded.codes.cpu().numpy(), lmbdas, strict=True)):
            utterances = [each[:end] for each, end in zip(codes, ends, strict=True)]
            payloads = coding.encode(self.twin(), utterances, [lmbda] * len(utterances))
            found[number] = torch.tensor([8.0 * len(payload) for payload in payloads])
        return found

    def check(self, data: bytes) -> Packet:
        """Return the packet in ``.emq`` bytes if this codec wrote it; the codes are not decoded.

        Raises:
            BitstreamError: As in :meth:`decompress`.
        """
        return self._accept(parse(data))

    def read(self, data: Sequence[bytes]) -> list[Tensor]:
        """Return the codes ``(T, P)`` int16 of ``.emq`` bytes; errors as in :meth:`decompress`."""
        packets = [self.check(each) for each in data]
        payloads, frames = [packet.payload for packet in packets], [packet.frames for packet in packets]
        found = coding.decode(self.twin(), payloads, frames, [packet.lmbda for packet in packets])
        return [torch.from_numpy(codes) for codes in found]

    @torch.no_grad()
    def decompress_batch(self, data: Sequence[bytes]) -> list[Tensor]:
        """Return what :meth:`decompress` returns for each of several utterances."""
        codes = self.read(data)
        device = self.quantizer.transform.mean.device
        found: dict[int, Tensor] = {}
        for chosen in _batches([len(each) for each in codes], len(codes)):
            padded = nn.utils.rnn.pad_sequence([codes[i] for i in chosen], batch_first=True, padding_value=-1)
            features = self.quantizer.decode(padded.to(device).long())
            found |= {i: features[row, : len(codes[i])].clone() for row, i in enumerate(chosen)}
        return [found[i] for i in range(len(data))]

    def twin(self) -> IntegerTwin:
        """Return the entropy model's integer twin.

        Raises:
            ValueError: The entropy model cannot write real bits.
        """
        return self._prepared()[0]

    def fingerprint(self) -> bytes:
        """Return four bytes that tell this codec from others: everything that decoding depends on shapes them."""
        return self._prepared()[1]

    def _prepared(self) -> tuple[IntegerTwin, bytes]:
        """Twin and fingerprint, made anew after a weight was changed or moved."""
        tensors = [*self.entropy.state_dict().values(), *self.quantizer.state_dict().values()]
        state = tuple((each.data_ptr(), 0 if each.is_inference() else each._version) for each in tensors)
        kept: tuple[object, tuple[IntegerTwin, bytes]] | None = getattr(self, "_kept", None)
        if kept is None or kept[0] != state:
            twin = integer_twin(self.entropy)
            kept = state, (twin, _fingerprint(twin, self.quantizer))
            self._kept = kept
        return kept[1]

    def _accept(self, packet: Packet) -> Packet:
        mine = self.fingerprint()
        if packet.fingerprint != mine:
            raise BitstreamError(
                f"written by another codec (fingerprint {packet.fingerprint.hex()}, this codec has {mine.hex()}); load "
                f"the checkpoint that compressed it"
            )
        if packet.frames > self.most_frames:
            raise BitstreamError(
                f"claims {packet.frames} frames, more than the {self.most_frames} that are allowed; set most_frames on "
                f"the codec if the file is trusted"
            )
        return packet

    def _lambdas(self, lmbda: float | Sequence[float], count: int) -> list[float]:
        given = list(lmbda) if isinstance(lmbda, Iterable) else [lmbda] * count
        if len(given) != count:
            raise ValueError(f"lmbda must be one number or one for each utterance: {count}, got {len(given)}")
        return [stored_lmbda(each) for each in given]

    def checked(self, features: Features) -> Tensor:
        """Return features ``(T, D)`` as float32 on the codec's device; errors as in :meth:`encode`."""
        found = torch.as_tensor(features)
        if found.ndim != 2 or found.shape[1] != self.dim or not len(found):
            raise ValueError(
                f"features of an utterance must be (T, {self.dim}) with T >= 1, got {tuple(found.shape)}; use the "
                f"encoder that the codec was trained on"
            )
        if len(found) > self.most_frames:
            raise ValueError(
                f"{len(found)} frames are more than {self.most_frames}; split the recording or set most_frames"
            )
        found = found.to(self.quantizer.transform.mean.device, torch.float32)
        if not bool(torch.isfinite(found).all()):
            raise ValueError("features hold NaN or infinity: check what made them")
        return found

    def _search(self, features: Sequence[Tensor], lmbdas: Sequence[float]) -> list[Encoding]:
        lengths = torch.tensor([len(each) for each in features])
        padded = nn.utils.rnn.pad_sequence(list(features), batch_first=True)
        with full_float32(padded.device):
            components = self.quantizer.transform(padded)
            rows = self.rows_at_once(padded.device, padded.shape[1])
            search = Search(self.quantizer, self.entropy, self.beam, self.survivors, rows)
            found = search(components, lengths, torch.tensor(lmbdas, device=padded.device))
            restored = self.quantizer.transform.inverse(found.components)
        return [
            Encoding(found.codes[i, :end].clone(), restored[i, :end].clone(), found.bits[i, :end].clone(), lmbdas[i])
            for i, end in enumerate(lengths.tolist())
        ]


def stored_lmbda(lmbda: float) -> float:
    """Return a lambda as ``.emq`` bytes hold it, a float32.

    Raises:
        ValueError: It is not finite, negative, or beyond what a float32 can hold.
    """
    with np.errstate(over="ignore"):
        found = float(np.float32(lmbda))
    if not math.isfinite(found) or found < 0:
        raise ValueError(f"lmbda must be finite and at least 0, got {lmbda}")
    return found


def _batches(lengths: Sequence[int], rows: int) -> Iterable[list[int]]:
    """Yield indices in falling order of length, as many at once as ``rows`` and :data:`FRAMES_AT_ONCE` allow."""
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    while order:
        count = max(1, min(rows, FRAMES_AT_ONCE // lengths[order[0]]))
        yield order[:count]
        order = order[count:]


def _fingerprint(twin: IntegerTwin, quantizer: GroupedResidualVQ) -> bytes:
    found = hashlib.sha256(twin.digest)
    tables = quantizer.fine.vectors, quantizer.rough.vectors, quantizer.predictor, quantizer.transform.mean
    for table in (*tables, quantizer.transform.matrix):
        found.update(repr(tuple(table.shape)).encode())
        found.update(table.detach().cpu().float().numpy().astype("<f4").tobytes())
    return found.digest()[:FINGERPRINT_BYTES]
