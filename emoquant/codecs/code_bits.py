"""Real bits of a quantizer's codes: the entropy model's integer twin drives a range coder."""

import hashlib
from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from emoquant.codecs.bitstream import FINGERPRINT_BYTES, Packet
from emoquant.codecs.real_bits import Codes, Encoding, RealBits
from emoquant.codecs.search import Search
from emoquant.devices.precision import full_float32
from emoquant.devices.sharding import by_length
from emoquant.entropy import coding
from emoquant.entropy.base import LARGEST_RATIO, EntropyModel
from emoquant.entropy.folding import integer_twin
from emoquant.entropy.integer import IntegerTwin
from emoquant.quantization.grvq import GroupedResidualVQ

#: Frames, padding included, that are searched or decoded side by side.
FRAMES_AT_ONCE = 1 << 16


class CodeBits(RealBits):
    """A codec with a quantizer and an entropy model that writes ``.emq`` bytes.

    :mod:`emoquant.entropy.integer` says why codes come back exactly on any machine.
    """

    quantizer: GroupedResidualVQ
    entropy: EntropyModel
    beam: int
    survivors: int

    @abstractmethod
    def rows_at_once(self, device: torch.device, frames: int) -> int:
        """Return how many rows of up to ``frames`` frames are searched side by side on a device."""

    def twin(self) -> IntegerTwin:
        """Return the entropy model's integer twin.

        Raises:
            ValueError: The entropy model cannot write real bits.
        """
        return self._prepared()[0]

    def fingerprint(self) -> bytes:
        """Return four bytes that tell this codec from others; see :meth:`RealBits.fingerprint`."""
        return self._prepared()[1]

    def lmbda_range(self) -> tuple[float, float]:
        """Return the lambdas between which the rate changes, from what the entropy model takes for 0 up."""
        scale, basis = float(self.quantizer.scale), self.entropy.basis
        return scale * min(basis.low, 0.001), scale * max(basis.high, LARGEST_RATIO)

    def _prepared(self) -> tuple[IntegerTwin, bytes]:
        """Twin and fingerprint."""

        def make() -> tuple[IntegerTwin, bytes]:
            twin = integer_twin(self.entropy)
            return twin, _fingerprint(twin, self.quantizer)

        return self._kept_for([*self.entropy.state_dict().values(), *self.quantizer.state_dict().values()], make)

    def _search(self, features: Sequence[Tensor], lmbdas: Sequence[float]) -> list[Encoding]:
        found: dict[int, Encoding] = {}
        rows = self.rows_at_once(self.mean.device, max((len(each) for each in features), default=1))
        for chosen in by_length([len(each) for each in features], FRAMES_AT_ONCE, rows):
            made = self._search_together([features[i] for i in chosen], [lmbdas[i] for i in chosen])
            found |= zip(chosen, made, strict=True)
        return [found[i] for i in range(len(features))]

    def _search_together(self, features: Sequence[Tensor], lmbdas: Sequence[float]) -> list[Encoding]:
        lengths = torch.tensor([len(each) for each in features])
        padded = nn.utils.rnn.pad_sequence(list(features), batch_first=True)
        with full_float32(padded.device):
            components = self.quantizer.transform(padded)
            rows = self.rows_at_once(padded.device, padded.shape[1])
            search = Search(self.quantizer, self.entropy, self.beam, self.survivors, rows)
            found = search(components, lengths, torch.tensor(lmbdas, device=padded.device))
            restored = self.quantizer.restore(found.components, found.codes)
        return [
            Encoding(found.codes[i, :end].clone(), restored[i, :end].clone(), found.bits[i, :end].clone(), lmbdas[i])
            for i, end in enumerate(lengths.tolist())
        ]

    def _payloads(self, codes: Sequence[Codes], lmbdas: Sequence[float]) -> list[bytes]:
        return coding.encode(self.twin(), codes, lmbdas)

    def _read(self, packets: Sequence[Packet]) -> list[Tensor]:
        payloads, frames = [packet.payload for packet in packets], [packet.frames for packet in packets]
        found = coding.decode(self.twin(), payloads, frames, [packet.lmbda for packet in packets])
        return [torch.from_numpy(codes) for codes in found]

    def _features(self, codes: Sequence[Tensor], lmbdas: Sequence[float]) -> list[Tensor]:
        device = self.quantizer.transform.mean.device
        found: dict[int, Tensor] = {}
        for chosen in by_length([len(each) for each in codes], FRAMES_AT_ONCE):
            padded = nn.utils.rnn.pad_sequence([codes[i] for i in chosen], batch_first=True, padding_value=-1)
            features = self.quantizer.decode(padded.to(device).long())
            found |= {i: features[row, : len(codes[i])].clone() for row, i in enumerate(chosen)}
        return [found[i] for i in range(len(codes))]


def _fingerprint(twin: IntegerTwin, quantizer: GroupedResidualVQ) -> bytes:
    found = hashlib.sha256(twin.digest)
    tables = quantizer.fine.vectors, quantizer.rough.vectors, quantizer.predictor, quantizer.transform.mean
    smoothing = [] if quantizer.smoother is None else [quantizer.smoother.weights]
    for table in (*tables, quantizer.transform.matrix, *smoothing):
        found.update(repr(tuple(table.shape)).encode())
        found.update(table.detach().cpu().float().numpy().astype("<f4").tobytes())
    return found.digest()[:FINGERPRINT_BYTES]
