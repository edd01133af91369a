"""Codecs that write bytes: compression to ``.emq`` data, and exact decoding of the codes."""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeAlias, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from emoquant.codecs.base import Codec
from emoquant.codecs.bitstream import BitstreamError, Packet, pack, parse, stored_lmbda
from emoquant.types import Coded

Features: TypeAlias = Tensor | NDArray[np.floating]
Codes: TypeAlias = NDArray[np.int16]
Kept = TypeVar("Kept")


class Encoding(NamedTuple):
    """Hold the search result of one utterance.

    Attributes:
        codes: Codes, one row a frame, ``(T, P)`` int16; see :attr:`emoquant.types.Coded.codes`.
        features: Reconstruction, ``(T, D)`` float32.
        bits: Estimated bits of each frame, ``(T,)`` float32.
        lmbda: Lambda of the search, rounded as in a file.
    """

    codes: Tensor
    features: Tensor
    bits: Tensor
    lmbda: float


class RealBits(Codec):
    """Compress features to ``.emq`` bytes and decompress them.

    :meth:`decompress` recovers exactly the codes that :meth:`compress` wrote, whatever the batches, threads and devices
    of both. Features decoded on different devices are equal up to float32 rounding. Coding many utterances in one call
    is faster than one by one.

    Attributes:
        most_frames: Longest utterance that is compressed or decompressed, in frames. It limits the memory that
            malicious bytes can allocate; raise it for longer recordings.
    """

    writes_bits = True
    most_frames: int = 1 << 18

    @property
    @abstractmethod
    def mean(self) -> Tensor:
        """Training mean of the frames, ``(D,)``."""

    @property
    @abstractmethod
    def variance(self) -> float:
        """Variance of the training frames per dimension, in squared feature units: the scale of lambda."""

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
            ValueError: As in :meth:`encode`, or the codec cannot write bytes.
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
        """Encode several utterances as :meth:`encode` does, at one lambda or at one for each."""
        lmbdas = self._lambdas(lmbda, len(features))
        return self._search([self.checked(each) for each in features], lmbdas)

    def compress_batch(self, features: Sequence[Features], lmbda: float | Sequence[float] = 5.0) -> list[bytes]:
        """Compress several utterances as :meth:`compress` does, at one lambda or at one for each."""
        self.fingerprint()
        return self.write(self.encode_batch(features, lmbda))

    def write(self, encodings: Sequence[Encoding]) -> list[bytes]:
        """Return the ``.emq`` bytes of utterances that :meth:`encode` made.

        Raises:
            ValueError: The codec cannot write real bits.
        """
        return [pack(packet) for packet in self.packets(encodings)]

    def packets(self, encodings: Sequence[Encoding]) -> list[Packet]:
        """Return the packets of utterances, for an archive; errors as in :meth:`write`."""
        lmbdas, mine = [each.lmbda for each in encodings], self.fingerprint()
        payloads = self._payloads([each.codes.cpu().numpy() for each in encodings], lmbdas)
        return [
            Packet(mine, each.lmbda, len(each.codes), payload)
            for each, payload in zip(encodings, payloads, strict=True)
        ]

    def coded_bits(self, coded: Coded, lengths: Tensor, points: Sequence[float] | None = None) -> Tensor:
        """Return the bits that the range coder writes for a batch; see :meth:`Codec.coded_bits`.

        Raises:
            ValueError: The codec cannot write real bits.
        """
        lmbdas = self._lambdas(self.points if points is None else points, len(coded.codes))
        ends = lengths.tolist()
        found = torch.zeros(coded.bits.shape[:2], dtype=torch.float64)
        for number, (codes, lmbda) in enumerate(zip(coded.codes.cpu().numpy(), lmbdas, strict=True)):
            utterances = [each[:end] for each, end in zip(codes, ends, strict=True)]
            payloads = self._payloads(utterances, [lmbda] * len(utterances))
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
        return self._read([self.check(each) for each in data])

    @torch.no_grad()
    def decompress_batch(self, data: Sequence[bytes]) -> list[Tensor]:
        """Decompress several utterances as :meth:`decompress` does."""
        return self.restore([self.check(each) for each in data])

    @torch.no_grad()
    def restore(self, packets: Sequence[Packet]) -> list[Tensor]:
        """Decode packets from :meth:`check` or an archive to features ``(T, D)``; errors as there."""
        accepted = [self._accept(packet) for packet in packets]
        return self._features(self._read(accepted), [packet.lmbda for packet in accepted])

    @abstractmethod
    def fingerprint(self) -> bytes:
        """Return four bytes that identify this codec: a digest of everything that decoding depends on.

        Raises:
            ValueError: The codec cannot write real bits.
        """

    @abstractmethod
    def lmbda_range(self) -> tuple[float, float]:
        """Return the lambdas between which the rate of the codec changes, in squared feature units per bit."""

    @abstractmethod
    def _search(self, features: Sequence[Tensor], lmbdas: Sequence[float]) -> list[Encoding]:
        """Return the encodings of checked utterances, at one lambda each."""

    @abstractmethod
    def _payloads(self, codes: Sequence[Codes], lmbdas: Sequence[float]) -> list[bytes]:
        """Return the coded bytes of codes."""

    @abstractmethod
    def _read(self, packets: Sequence[Packet]) -> list[Tensor]:
        """Return the codes of packets."""

    @abstractmethod
    def _features(self, codes: Sequence[Tensor], lmbdas: Sequence[float]) -> list[Tensor]:
        """Return what codes are decoded to."""

    def _accept(self, packet: Packet) -> Packet:
        if packet.fingerprint != self.fingerprint()[: len(packet.fingerprint)]:
            raise BitstreamError(
                "the checksum does not match: truncated, damaged, or written by another codec; copy the file again, or "
                "load the checkpoint that compressed it"
            )
        if packet.frames > self.most_frames:
            raise BitstreamError(
                f"claims {packet.frames} frames, more than the {self.most_frames} that are allowed; set most_frames on "
                f"the codec if the file is trusted"
            )
        return packet

    def _kept_for(self, tensors: Iterable[Tensor], make: Callable[[], Kept], *settings: object) -> Kept:
        """Return what was made of weights, made anew after one of them, or a setting, was changed or moved."""
        state = (*settings, *((each.data_ptr(), 0 if each.is_inference() else each._version) for each in tensors))
        kept: tuple[object, Kept] | None = getattr(self, "_kept", None)
        if kept is None or kept[0] != state:
            kept = state, make()
            self._kept = kept
        return kept[1]

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
        found = found.to(self.mean.device, torch.float32)
        if not bool(torch.isfinite(found).all()):
            raise ValueError("features hold NaN or infinity: check what made them")
        return found


def require_real_bits(codec: Codec, use: str) -> RealBits:
    """Return a codec after checking that it can write bytes.

    Args:
        codec: The codec.
        use: What needs it, for the error message: ``"the .emq format"``.

    Raises:
        ValueError: The codec writes no bytes.
    """
    if not isinstance(codec, RealBits):
        raise ValueError(
            f"{use} needs a codec that writes bits: expected one that CodecTask, EntropyTask or TransformTask trained, "
            f"not {codec.name!r}, a {type(codec).__name__}"
        )
    return codec
