"""How ``emoquant compress`` codes the utterances of a run: at one lambda, or each for a target."""

from collections.abc import Iterator, Sequence

from torch import Tensor

from emoquant.codecs.bitstream import header_bytes
from emoquant.codecs.rate_control import Controlled, encode_by_curve
from emoquant.codecs.rate_curves import Curves, Target, choose, lmbda_grid, similarity, sweep
from emoquant.codecs.real_bits import RealBits
from emoquant.commands.compress_folder import Made
from emoquant.commands.compress_manifest import CompressedRow
from emoquant.commands.sources import Source, read_batches, source_digest
from emoquant.encoders.base import FrameEncoder

#: Lambdas at which the relation of rate and lambda is measured.
GRID_POINTS = 48
#: Encodes of an utterance for its target at most.
MOST_ENCODES = 6


class Coding:
    """Reads utterances and codes them, a batch at a time.

    Args:
        codec: The codec.
        encoder: Turns audio to features; None where there is none.
        utterances: Utterances of a batch at most.
        trim: How many dB below its loudest 20 ms audio is cut at both ends; None to cut nothing.

    Attributes:
        lmbda: Lambda of all utterances, in squared feature units per bit, where there is no target.
        target: What each utterance should reach; None for ``lmbda``.
        curve: What was measured of utterances like these (:meth:`measure`), where there is a target.
    """

    lmbda: float = 0.0
    target: Target | None = None
    curve: Curves | None = None

    def __init__(
        self, codec: RealBits, encoder: FrameEncoder | None, utterances: int, trim: float | None = None
    ) -> None:
        self.codec, self.encoder, self.utterances, self.trim = codec, encoder, utterances, trim

    def read(self, sources: Sequence[Source]) -> Iterator[list[tuple[Source, Tensor]]]:
        """Yield batches of utterances with their features ``(T, D)`` float32 on the codec's device.

        Raises:
            FileNotFoundError: A file is gone.
            ValueError: A file is damaged, or its features do not fit the codec; the message names the file.
        """
        for batch in read_batches(sources, self.encoder, self.utterances, self.trim):
            yield [(source, self._checked(source, features)) for source, features in batch]

    def _checked(self, source: Source, features: Tensor) -> Tensor:
        try:
            return self.codec.checked(features)
        except ValueError as error:
            raise ValueError(f"{source}: {error}") from error

    def measure(self, sources: Sequence[Source], count: int) -> Curves:
        """Return how rate and similarity of ``count`` evenly spaced utterances change with lambda."""
        count = min(count, len(sources))
        chosen = [sources[number * len(sources) // count] for number in range(count)]
        features = [each for batch in self.read(chosen) for _, each in batch]
        return sweep(self.codec, features, lmbda_grid(self.codec, GRID_POINTS))

    @staticmethod
    def meet(target: Target, curve: Curves) -> float:
        """Return the one lambda at which the measured utterances together meet a target."""
        return float(choose(curve.pooled(), target)[0])

    def code(self, batch: Sequence[tuple[Source, Tensor]]) -> list[Made]:
        """Return the ``.emq`` bytes of a batch and what is to be known of them."""
        digests = [source_digest(source) for source, _ in batch]
        found = self._encode([features for _, features in batch])
        coded = self.codec.write(found.encodings)
        made = []
        for (source, features), digest, data, encoding, reached in zip(
            batch, digests, coded, found.encodings, found.reached, strict=True
        ):
            frames = len(encoding.codes)
            row = CompressedRow(
                f"{source.name}.emq",
                frames,
                float(encoding.bits.double().sum()),
                len(data) - header_bytes(frames),
                len(data),
                encoding.lmbda,
                similarity(features, encoding.features),
                "" if self.target is None else str(int(reached)),
                digest,
            )
            made.append(Made(source, data, row))
        return made

    def _encode(self, features: Sequence[Tensor]) -> Controlled:
        if self.target is not None and self.curve is not None:
            return encode_by_curve(self.codec, features, self.target, self.curve, MOST_ENCODES)
        count = len(features)
        return Controlled(self.codec.encode_batch(features, self.lmbda), [1] * count, [True] * count)
