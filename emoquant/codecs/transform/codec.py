"""The transform codec: its operating points, its bytes and what a checkpoint holds of it."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from emoquant.codecs.base import STUDY_LAMBDAS
from emoquant.codecs.bitstream import FINGERPRINT_BYTES, Packet, stored_lmbda
from emoquant.codecs.ecvq import check_features, check_lambdas
from emoquant.codecs.real_bits import Codes, Encoding, RealBits
from emoquant.codecs.transform import coder
from emoquant.codecs.transform.bands import FINEST, BandTransform
from emoquant.codecs.transform.rows import Form, plan
from emoquant.devices.precision import full_float32
from emoquant.entropy.coefficients.model import Floats
from emoquant.entropy.coefficients.network import ContextNetwork
from emoquant.entropy.coefficients.walk import Output
from emoquant.types import Coded

#: Lambda over the features' variance from which on the quantizer is scalar: dependent quantization does not pay where
#: hardly a coefficient is coded.
SPARSE = 32.0
#: Utterances whose coefficients are held at once in a sweep.
UTTERANCES_AT_ONCE = 16


class TransformCodec(RealBits):
    """Code frame features by a transform codec at several lambdas.

    1. A cosine transform is applied to blocks of 16 frames, and another one to the blocks' means over the utterance.
    2. Every frequency band is rotated by its own Karhunen-Loeve transform.
    3. Coefficients are quantized by dependent quantization, with a search that minimises ``D + lmbda R``, and
       entropy-coded with contexts from a small integer network.

    ``lmbda`` is in squared feature units per bit, as for :class:`~emoquant.codecs.ecvq.ECVQ`. It determines the
    quantization step (:func:`~emoquant.codecs.transform.coder.step_level`), which is constant below 2^-11 of the
    features' variance; at lambda 0 the search minimises only the error.

    The codes in its results are the indices of coefficients. They have as many rows as the utterance has frames, but a
    row belongs to a frequency of a block, not to a frame. The bits of a block are spread evenly over its frames.

    Args:
        dim: Feature dimensions ``D``.
        states: 8 or 4 states of dependent quantization, or 1 for a scalar quantizer, which is searched faster.
        form: ``"whole"`` for whole utterances; ``"stream"`` for blocks of 8 frames (160 ms), each coded without those
            after it.
        points: Lambdas that an evaluation runs.
        name: Name in the tables.
        weighted: Whether errors are weighted (:class:`~emoquant.codecs.transform.weighting.Weighting`): lambda and
            variance are then in weighted squared feature units.

    Attributes:
        transform: The transform, which must be fitted before the codec is used.
        contexts: The context network with its tables.

    Raises:
        ValueError: Number of states or form are unknown, or a lambda is out of range.
    """

    def __init__(
        self,
        dim: int,
        states: int = 8,
        form: Form = "whole",
        points: Sequence[float] = STUDY_LAMBDAS,
        name: str = "transform",
        weighted: bool = False,
    ) -> None:
        super().__init__()
        if states not in (1, 4, 8) or form not in ("whole", "stream"):
            raise ValueError(f"states must be 1, 4 or 8 and form 'whole' or 'stream', got {states!r} and {form!r}")
        self.transform, self.contexts = BandTransform(dim, weighted), ContextNetwork()
        self.points, self.name, self.states, self.form = check_lambdas(points), name, states, form
        self.dim, self.positions, self.codewords = dim, 0, 0

    def settings(self) -> dict[str, Any]:
        """Return the constructor arguments; see :meth:`Codec.settings`."""
        weighted = {} if self.transform.weighting is None else {"weighted": True}
        return {"dim": self.dim, "states": self.states, "form": self.form, **weighted}

    def check_weights(self) -> None:
        """Check weights that came out of a file; see :meth:`Codec.check_weights`."""
        self.transform.check()
        self.contexts.check()

    @property
    def mean(self) -> Tensor:
        """Training mean of the frames, ``(D,)``."""
        return self.transform.mean

    @property
    def variance(self) -> float:
        """Variance of the training frames per dimension, in squared feature units: the scale of lambda."""
        return float(self.transform.variance)

    def lmbda_range(self) -> tuple[float, float]:
        """Return the lambdas between which the rate changes."""
        return FINEST * self.variance, 4.0 * self.dim * self.variance

    def fingerprint(self) -> bytes:
        """Return four bytes that tell this codec from others; see :meth:`RealBits.fingerprint`."""
        return self._prepared()[1]

    def tables(self, lmbda: float = 0.0) -> coder.Tables:
        """Return the tables and settings that encoder and decoder share at a lambda."""
        tables = self._prepared()[0]
        return tables if lmbda < SPARSE * self.variance else tables._replace(states=1)

    def level(self, lmbda: float) -> int:
        """Return the logarithm of the step at a lambda, in 1/32 octaves."""
        finest = coder.step_level(FINEST * self.variance, self.states)
        return max(finest, coder.step_level(lmbda, self.states)) if lmbda else finest

    @torch.no_grad()
    def forward(self, features: Tensor, lengths: Tensor, points: Sequence[float] | None = None) -> Coded:
        """Code a batch at every lambda in one call; see :meth:`Codec.forward`."""
        check_features(features, lengths, self.dim)
        lmbdas = [stored_lmbda(each) for each in (self.points if points is None else check_lambdas(points))]
        count, (batch, frames, _) = len(lmbdas), features.shape
        codes = torch.full((count, batch, frames, self.dim), -1, dtype=torch.int16)
        bits = torch.zeros(count, batch, frames)
        restored = features.new_zeros(count, batch, frames, self.dim, dtype=torch.float32)
        ends = lengths.tolist()
        for first in range(0, batch, UTTERANCES_AT_ONCE):
            rows = range(first, min(batch, first + UTTERANCES_AT_ONCE))
            coefficients = [self._coefficients(features[i, : ends[i]]) for i in rows]
            jobs = [(each, lmbda) for each in coefficients for lmbda in lmbdas]
            found = coder.in_parallel(self._quantize, jobs)
            for place, i in enumerate(rows):
                mine = found[place * count : (place + 1) * count]
                codes[:, i, : ends[i]] = torch.from_numpy(np.stack([each.indices for each in mine]))
                bits[:, i, : ends[i]] = torch.from_numpy(np.stack([self._frame_bits(each.bits) for each in mine]))
                restored[:, i, : ends[i]] = self._restore([each.decoded for each in mine], lmbdas)
        return Coded(codes.to(features.device), restored, bits.to(features.device))

    def _coefficients(self, frames: Tensor) -> Floats:
        with full_float32(frames.device):
            found: Floats = self.transform(frames, self.form).cpu().numpy()
            return found

    def _quantize(self, job: tuple[Floats, float]) -> Output:
        coefficients, lmbda = job
        return coder.choose(self.tables(lmbda), coefficients, self.level(lmbda), lmbda)

    def _restore(self, decoded: Sequence[Floats], lmbdas: Sequence[float]) -> Tensor:
        """Return the frames ``(n, T, D)`` of decoded coefficients in steps, each ``(T, D)``."""
        steps = np.array([coder.step_size(self.level(lmbda)) for lmbda in lmbdas], np.float32)
        coefficients = torch.from_numpy(np.stack(decoded) * steps[:, None, None]).to(self.mean.device)
        with full_float32(coefficients.device):
            return self.transform.inverse(coefficients, self.form)

    def _frame_bits(self, bits: np.ndarray) -> np.ndarray:
        """Return bits of frames from bits of rows, ``(T,)`` float32."""
        made = plan(len(bits), self.form)
        lengths = np.diff(made.starts)
        own = made.blocks >= 0
        each = np.bincount(made.blocks[own], bits[own], len(lengths)) / lengths
        return np.asarray(np.repeat(each, lengths) + bits[~own].sum() / len(bits), np.float32)

    def _search(self, features: Sequence[Tensor], lmbdas: Sequence[float]) -> list[Encoding]:
        jobs = [(self._coefficients(each), lmbda) for each, lmbda in zip(features, lmbdas, strict=True)]
        found = coder.in_parallel(self._quantize, jobs)
        return [
            Encoding(
                torch.from_numpy(each.indices),
                self._restore([each.decoded], [lmbda])[0],
                torch.from_numpy(self._frame_bits(each.bits)),
                lmbda,
            )
            for each, lmbda in zip(found, lmbdas, strict=True)
        ]

    def _payloads(self, codes: Sequence[Codes], lmbdas: Sequence[float]) -> list[bytes]:
        def write(job: tuple[Codes, float]) -> bytes:
            return coder.encode(self.tables(job[1]), job[0], self.level(job[1]))

        return coder.in_parallel(write, list(zip(codes, lmbdas, strict=True)))

    def _read(self, packets: Sequence[Packet]) -> list[Tensor]:
        def read(packet: Packet) -> Tensor:
            found = coder.decode(self.tables(packet.lmbda), packet.payload, packet.frames, self.level(packet.lmbda))
            return torch.from_numpy(found.indices)

        return coder.in_parallel(read, packets)

    def _features(self, codes: Sequence[Tensor], lmbdas: Sequence[float]) -> list[Tensor]:
        def replay(job: tuple[Tensor, float]) -> Floats:
            return coder.replay(self.tables(job[1]), job[0].numpy(), self.level(job[1])).decoded

        decoded = coder.in_parallel(replay, list(zip(codes, lmbdas, strict=True)))
        return [self._restore([each], [lmbda])[0] for each, lmbda in zip(decoded, lmbdas, strict=True)]

    def _prepared(self) -> tuple[coder.Tables, bytes]:
        """Tables and fingerprint, made anew after a weight or a setting was changed."""

        def make() -> tuple[coder.Tables, bytes]:
            levels, memory = self.transform.levels.cpu().numpy(), self.transform.memory.cpu().numpy()
            tables = coder.Tables(self.contexts.integers(), levels, memory, self.form, self.states)
            return tables, self._fingerprint(tables)

        tensors = [*self.transform.state_dict().values(), *self.contexts.state_dict().values()]
        return self._kept_for(tensors, make, self.form, self.states)

    def _fingerprint(self, tables: coder.Tables) -> bytes:
        found = hashlib.sha256(repr((tables.form, tables.states, tables.model.constant)).encode())
        for table in (*(each for each in tables.model if isinstance(each, np.ndarray)), tables.levels, tables.memory):
            found.update(table.astype(table.dtype.newbyteorder("<")).tobytes())
        weights = [] if self.transform.weighting is None else [self.transform.weighting.forth]
        for tensor in (self.transform.mean, self.transform.rotations, self.transform.variance, *weights):
            found.update(tensor.cpu().numpy().astype("<f4").tobytes())
        return found.digest()[:FINGERPRINT_BYTES]
