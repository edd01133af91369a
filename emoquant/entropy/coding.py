"""Range coder with the context model in the loop: codes of utterances to bytes and back, exactly.

The coder is constriction's range coder (Bamler, *Understanding entropy coding with asymmetric numeral systems*, 2022)
with 24-bit probabilities; the symbol weights come from an :class:`~emoquant.entropy.integer.IntegerTwin`, which makes
them equal on both sides (its docstring states the guarantee). Every utterance is a separate stream, so that its bytes
do not depend on other utterances; the model's steps are computed for all utterances of a call at once.

:func:`~emoquant.entropy.folding.integer_twin` makes the integer version of an entropy model, if it has one.
"""

from collections.abc import Sequence
from typing import Any

import constriction
import numpy as np
from numpy.typing import NDArray

from emoquant.entropy.fixed_point import Doubles
from emoquant.entropy.integer import Bias, Codes, IntegerTwin

#: No code costs more: the coder gives every symbol a probability of at least 2 ** -24.
_MOST_BITS = 24
#: Frames whose symbol weights an encoder holds at once.
CHUNK = 128


class BitstreamError(ValueError):
    """Report bytes that this codec did not write: of another format or codec, truncated or damaged."""


def encode(twin: IntegerTwin, codes: Sequence[NDArray[np.integer]], lmbdas: Sequence[float]) -> list[bytes]:
    """Encode the codes of each utterance to bytes.

    Args:
        twin: The entropy model in integers.
        codes: Codes of each utterance, ``(T, P)`` in ``[0, V)``.
        lmbdas: Lambda that each utterance was searched at.

    Raises:
        ValueError: Codes have another shape or lie out of range.
    """
    for utterance in codes:
        if utterance.ndim != 2 or utterance.shape[1] != twin.positions:
            raise ValueError(f"codes of an utterance must be (T, {twin.positions}), got {utterance.shape}")
        if utterance.size and (utterance.min() < 0 or utterance.max() >= twin.symbols):
            raise ValueError(f"codes must lie in [0, {twin.symbols - 1}]: padded frames (-1) are not coded")
    return [_encode(twin, each.astype(np.int64), twin.bias([x])) for each, x in zip(codes, lmbdas, strict=True)]


def _encode(twin: IntegerTwin, codes: Codes, bias: Bias) -> bytes:
    family = constriction.stream.model.Categorical(perfect=False)
    coder = constriction.stream.queue.RangeEncoder()
    order = [position for step in twin.steps for position in step]
    none = np.full((twin.memory, twin.positions), twin.symbols)
    padded = np.concatenate([none, codes])
    for first in range(0, len(codes), CHUNK):
        frames = codes[first : first + CHUNK]
        context = twin.start(len(frames))
        for back in range(1, twin.memory + 1):
            context.codes[:, back] = padded[first + twin.memory - back :][: len(frames)]
        weights = np.empty((len(frames), twin.positions, twin.symbols))
        done = 0
        for step, positions in enumerate(twin.steps):
            weights[:, done : done + len(positions)] = twin.weigh(context, step, bias).transpose(1, 0, 2)
            twin.advance(context, step, frames[:, positions])
            done += len(positions)
        symbols = frames[:, order].astype(np.int32).reshape(-1)
        coder.encode(symbols, family, weights.reshape(len(symbols), -1))
    return _finish(coder)


def _finish(coder: Any) -> bytes:  # noqa: ANN401 - constriction's classes are not typed
    """Return the fewest bytes that a decoder, which reads zeros after them, decodes as the coder's words.

    Any point of the coder's last interval ends the message; of the 32-bit words only as many bytes are kept as a point
    needs. That costs 3 bits an utterance on average over the information instead of 17.
    """
    words = coder.get_compressed().astype(">u4").tobytes()
    position, (lower, width) = coder.pos()
    first, end = words[: 4 * position], words[4 * position :]
    sealed = int.from_bytes(end.ljust(8, b"\0"), "big")
    if len(end) > 8 or (sealed - lower) % (1 << 64) >= width:
        return words
    low, high = (lower, min(lower + width, 1 << 64)) if sealed >= lower else (0, lower + width - (1 << 64))
    for count in range(len(end) + 1):
        unit = 1 << (64 - 8 * count)
        point = -(-low // unit) * unit
        if point < high:
            return (first + point.to_bytes(8, "big")[:count]).rstrip(b"\0")
    return words


def decode(
    twin: IntegerTwin, payloads: Sequence[bytes], frames: Sequence[int], lmbdas: Sequence[float]
) -> list[NDArray[np.int16]]:
    """Decode the bytes of each utterance to exactly the codes ``(T, P)`` that were encoded.

    Args:
        twin: The entropy model in integers; its digest must be that of the encoder's.
        payloads: What :func:`encode` returned.
        frames: Frames of each utterance.
        lmbdas: Lambda of each utterance.

    Raises:
        BitstreamError: A payload is damaged.
    """
    order = sorted(range(len(payloads)), key=lambda i: -frames[i])
    coders = [_open(payloads[i], frames[i] * twin.positions) for i in order]
    lengths = np.array([frames[i] for i in order], dtype=np.int64)
    context, bias = twin.start(len(order)), twin.bias([lmbdas[i] for i in order])
    parts: list[list[NDArray[np.int16]]] = []  # stretches of frames with equally many utterances still going on
    for frame in range(int(lengths.max(initial=0))):
        live = int((lengths > frame).sum())
        if live < len(context.codes) or not parts:
            context, bias = type(context)(context.codes[:live], context.sums[:live]), bias.rows(live)
            parts.append([])
        for step in range(len(twin.steps)):
            weights = twin.weigh(context, step, bias)
            twin.advance(context, step, _decode_step(coders, weights))
        parts[-1].append(context.codes[:, 0].astype(np.int16))
    stretches = [np.stack(part) for part in parts]  # (frames, utterances, P) each
    rows = [np.concatenate([part[:, row] for part in stretches if row < part.shape[1]]) for row in range(len(order))]
    found = dict(zip(order, rows, strict=True))
    return [found[i] for i in range(len(order))]


def _open(payload: bytes, symbols: int) -> Any:  # noqa: ANN401 - constriction's classes are not typed
    if 8 * len(payload) > _MOST_BITS * symbols + 64:
        raise BitstreamError(f"damaged: {len(payload)} coded bytes are more than {symbols} codes can take")
    words = np.frombuffer(payload + bytes(-len(payload) % 4), ">u4")
    return constriction.stream.queue.RangeDecoder(words.astype(np.uint32))


def _decode_step(coders: Sequence[Any], weights: Doubles) -> Codes:
    """Read one code for each weight vector, ``(n, B, V)`` -> ``(B, n)``."""
    family = constriction.stream.model.Categorical(perfect=False)
    by_row = np.ascontiguousarray(weights.transpose(1, 0, 2))
    chosen = np.empty(by_row.shape[:2], dtype=np.int64)
    for row, weight in enumerate(by_row):
        try:
            chosen[row] = coders[row].decode(family, weight)
        except AssertionError as error:
            raise BitstreamError("damaged: no code fits the coded bytes") from error
    return chosen
