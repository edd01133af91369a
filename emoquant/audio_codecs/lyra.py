"""Lyra V2: Google's neural codec for speech, 16 kHz, with the weights of its release."""

import hashlib
import math
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from emoquant.audio_codecs.base import AudioCodec, Clip, CodedClip
from emoquant.storage.shipped import shipped_path

_ENCODER, _QUANTIZER, _DECODER = "soundstream_encoder.tflite", "quantizer.tflite", "lyragan.tflite"
#: Samples of a frame, 20 ms.
_HOP = 320
#: Stages of the quantizer, of four bits each, that each bit rate uses.
_STAGES = {3200.0: 16, 6000.0: 30, 9200.0: 46}
_MOST = 46
#: Features of a frame, which the quantizer codes.
_FEATURES = 64


class Lyra(AudioCodec):
    """Codes with Lyra V2 (https://github.com/google/lyra), 50 frames a second.

    Lyra V2 is SoundStream's encoder, a residual quantizer of 46 stages of 4 bits, and a generator (LyraGAN).

    It needs the extra ``lyra`` (``pip install emoquant[lyra]``) and the folder ``lyra_v2`` of its release
    (``soundstream_encoder.tflite``, ``quantizer.tflite``, ``lyragan.tflite``).

    Args:
        folder: Folder of these files.
        bits_per_second: Rates: 3,200, 6,000, 9,200.
        name: Name in the tables.

    Raises:
        ValueError: A rate is none of the three.
    """

    codewords = 16

    def __init__(self, folder: str, bits_per_second: Sequence[float] = (3200, 6000, 9200), name: str = "lyra") -> None:
        self.name, self.folder = name, folder
        self.points = tuple(float(point) for point in bits_per_second)
        if not self.points or not set(self.points) <= set(_STAGES):
            raise ValueError(f"Lyra V2 has the rates 3200, 6000 and 9200 bits a second, got {list(bits_per_second)}")

    @cached_property
    def _files(self) -> dict[str, Path]:
        folder = shipped_path(self.folder)
        found = {name: folder / name for name in (_ENCODER, _QUANTIZER, _DECODER)}
        for path in found.values():
            if not path.is_file():
                raise FileNotFoundError(
                    f"{folder} has no {path.name}: expected Lyra V2's files, as in lyra/model_coeffs of its release"
                )
        return found

    def _interpreter(self, name: str) -> Any:  # noqa: ANN401 - of a package without types
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise ImportError('Lyra needs the package ai-edge-litert: pip install "emoquant[lyra]"') from error
        try:
            return Interpreter(model_path=str(self._files[name]), num_threads=1)
        except (ValueError, RuntimeError) as error:
            raise ValueError(f"{self._files[name]} cannot be loaded ({error}); copy the file again") from error

    @cached_property
    def _quantizer(self) -> tuple[Any, Any]:
        interpreter = self._interpreter(_QUANTIZER)
        try:
            return interpreter.get_signature_runner("encode"), interpreter.get_signature_runner("decode")
        except ValueError as error:
            raise self._other(_QUANTIZER) from error

    def _other(self, name: str) -> ValueError:
        return ValueError(f"{self._files[name]} is not Lyra V2's {name}: copy the file of its release again")

    def _stateful(self, name: str, size: int) -> "_Stateful":
        """Return a network in a fresh state that reads so many values at once."""
        made = _Stateful(self._interpreter(name))
        if math.prod(made.shape) != size:
            raise self._other(name)
        return made

    def code(self, clips: Sequence[Clip], point: float) -> list[CodedClip]:
        """Code and decode utterances, each from a fresh state; see :meth:`AudioCodec.code`."""
        return [self._one(clip, _STAGES[point]) for clip in clips]

    def _one(self, clip: Clip, stages: int) -> CodedClip:
        samples = clip.waveform.cpu().numpy().astype(np.float32)
        frames = math.ceil((len(samples) + self.delay) / _HOP)
        padded = np.zeros(frames * _HOP, np.float32)
        padded[: len(samples)] = samples
        encode, decode = self._quantizer
        encoder, decoder = self._stateful(_ENCODER, _HOP), self._stateful(_DECODER, _FEATURES)
        codes, sound = [], []
        for frame in padded.reshape(frames, _HOP):
            latent = encoder(frame.reshape(encoder.shape))
            chosen = next(iter(encode(input_frames=latent.reshape(1, 1, -1), num_quantizers=np.int32(stages)).values()))
            codes.append(chosen.reshape(-1)[:stages].astype(np.int64))
            back = next(iter(decode(encoding_indices=chosen).values()))
            sound.append(decoder(back.reshape(decoder.shape)).reshape(-1))
        return CodedClip(
            torch.from_numpy(np.concatenate(sound)), 4.0 * stages * frames, codes=torch.from_numpy(np.stack(codes))
        )

    def fingerprint(self) -> str:
        """Return a digest of the three files."""
        digest = hashlib.sha256()
        for path in self._files.values():
            digest.update(path.read_bytes())
        return digest.hexdigest()


class _Stateful:
    """A network that keeps a state from call to call; only a new one is without: resetting variables leaves some.

    Args:
        interpreter: Its interpreter.
    """

    def __init__(self, interpreter: Any) -> None:  # noqa: ANN401 - of a package without types
        self.interpreter = interpreter
        interpreter.allocate_tensors()
        self.input, self.output = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
        self.shape = tuple(self.input["shape"])

    def __call__(self, value: np.ndarray) -> np.ndarray:
        """Return the output for one input."""
        self.interpreter.set_tensor(self.input["index"], value)
        self.interpreter.invoke()
        found: np.ndarray = self.interpreter.get_tensor(self.output["index"])  # a copy
        return found
