"""The recurrent utterance encoder of GE2E (Wan et al. 2018): for emotions in GenerSpeech, for speakers elsewhere."""

import hashlib
import importlib.util
import math
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from emoquant.audio.mel import MelSettings
from emoquant.devices.precision import full_float32
from emoquant.encoders.base import EmotionHead, FrameEncoder
from emoquant.storage.artefacts import description_file, read_artefact, weights_file, write_artefact
from emoquant.storage.rebuilding import build, fill, require_weights
from emoquant.storage.runs import find_checkpoint
from emoquant.storage.shipped import shipped_path
from emoquant.storage.tensors import read_tensors
from emoquant.types import length_mask

#: Mel bands of 25 ms every 10 ms, as powers without logarithm.
_MEL = MelSettings.generspeech(n_fft=400, hop=160, window=400, mels=40, fmin=0.0, fmax=8000.0)
#: The same in the words of the first version, by which caches and voices know the encoder.
_KNOWN_AS = "MelSpec(sample_rate=16000, n_fft=400, hop=160, window=400, mels=40, fmin=0.0, fmax=8000.0, eps=1e-10)"

#: Least mel power that a logarithm is taken of, and what brings the logarithms near zero.
_QUIET, _LIFT = 1e-6, 3.0

#: Mel frames of a window and from one window to the next: 1.6 s, half of it shared.
WINDOW, STEP = 160, 80

#: Mel frames of a frame of ``states``: 20 ms.
_PAIR = 2

#: Level to which quieter waveforms are raised, in dB of full scale.
_LEVEL = -30.0


def raise_level(waveforms: Tensor, lengths: Tensor) -> Tensor:
    """Return waveforms ``(B, N)`` whose quieter ones are raised to -30 dB of full scale, zeros past the end.

    Args:
        waveforms: Samples, ``(B, N)``.
        lengths: Samples of each, ``(B,)`` int64.
    """
    waveforms = waveforms.float().masked_fill(~length_mask(lengths, waveforms.shape[1]), 0.0)
    level = (waveforms.square().sum(1) / lengths).clamp(min=1e-12).sqrt()
    return waveforms * (10 ** (_LEVEL / 20) / level).clamp(min=1.0).unsqueeze(1)


def window_starts(frames: int) -> list[int]:
    """Return the first mel frame of each window; the last window ends with the utterance.

    Example:
        >>> window_starts(100), window_starts(160), window_starts(300)
        ([0], [0], [0, 80, 140])
    """
    last = max(frames - WINDOW, 0)
    return [*range(0, last, STEP), last]


class LSTMEncoder(FrameEncoder):
    """Encodes speech with a recurrent network (LSTM) over mel frames of 10 ms.

    What a frame of its features is depends on ``output``:

    - ``hidden``: the last state of the network over a window of 1.6 s; windows overlap by half;
    - ``embedding``: the unit vector that GE2E compares, of such a window;
    - ``states``: the mean state of two mel frames, 50 frames a second; the network runs over the whole utterance.

    Trained with :class:`~emoquant.tasks.ge2e.GE2ETask` on emotions it is the emotion encoder of GenerSpeech, whose
    vector is the time mean of the windows, made unit length (``emotion_norm: l2`` of the voice). With the weights of
    Resemblyzer (``weights: checkpoints/speaker-lstm``, or ``resemblyzer`` where that package is installed) it is a
    speaker encoder, trained without labels of emotion. Unlike these two it does not cut silences out.

    Args:
        weights: ``resemblyzer``, a checkpoint of ``GE2ETask``, or a file of weights; empty for random ones.
        output: What a frame is: ``hidden``, ``embedding`` or ``states``, as above.
        hidden: Width of the layers and of the output.
        layers: Layers.
        logarithm: Whether the network reads the logarithm of mel powers. The published ones read powers, which are so
            small that a training of minutes learns nothing from them.
        scale: What ``states`` are multiplied by, so that lambdas mean the same as with other encoders.

    Attributes:
        logarithmic: What ``logarithm`` says, a scalar bool; stored with the weights, so that they are not misread.

    Raises:
        ValueError: ``output`` is unknown, ``scale`` is not positive or is given for another output than ``states``, or
            a file is damaged or does not fit.
        FileNotFoundError: There are no such weights.
    """

    logarithmic: Tensor

    def __init__(
        self,
        weights: str = "",
        output: Literal["hidden", "embedding", "states"] = "hidden",
        hidden: int = 256,
        layers: int = 3,
        logarithm: bool = False,
        scale: float = 1.0,
    ) -> None:
        super().__init__()
        if output not in ("hidden", "embedding", "states"):
            raise ValueError(f"output is {output!r}, expected 'hidden', 'embedding' or 'states'")
        if not 0 < scale < math.inf or (scale != 1 and output != "states"):
            raise ValueError(f"scale is {scale}, expected a positive number, and 1 where output is not 'states'")
        self.dim, self.output, self.logarithm, self.scale = hidden, output, logarithm, scale
        self.frame_rate = _MEL.frame_rate / (_PAIR if output == "states" else STEP)
        path, state = _read_weights(weights) if weights else (Path(), {})
        parts = (lambda: nn.LSTM(_MEL.mels, hidden, layers, batch_first=True)), (lambda: nn.Linear(hidden, hidden))
        made = [build(part, state, path) if weights else part() for part in parts]
        self.lstm, self.linear = made
        self.register_buffer("logarithmic", torch.tensor(logarithm))
        if weights:
            self._fill(state, path)
            self.eval()  # whoever trains it turns that on

    def forward(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return windows as frames ``(B, F, D)`` and their number ``(B,)``; see the base class."""
        counts = self.checked_counts(waveforms, lengths, _MEL.hop if self.output == "states" else 1)
        frames = self.spectra(waveforms, lengths)
        if self.output == "states":
            return self._states(frames, counts)
        starts = [window_starts(self._mel_frames(length)) for length in lengths.tolist()]
        counts = counts.to(waveforms.device)
        rows = torch.repeat_interleave(torch.arange(len(starts), device=waveforms.device), counts)
        begins = torch.tensor([start for each in starts for start in each], device=waveforms.device)
        places = begins.unsqueeze(1) + torch.arange(WINDOW, device=waveforms.device)
        sizes = torch.tensor([self._mel_frames(length) for length in lengths.tolist()], device=waveforms.device)[rows]
        pieces = frames[rows.unsqueeze(1), places.clamp(max=frames.shape[1] - 1)]
        vectors = self.windows(pieces, (sizes - begins).clamp(max=WINDOW))
        out = vectors.new_zeros(len(starts), int(counts.max()), self.dim)
        out[length_mask(counts, out.shape[1])] = vectors
        return out, counts

    def _states(self, spectra: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
        """Return means of the states of two mel frames each, ``(B, F, D)``, and their number ``(B,)``."""
        steps = int(counts.max())
        states, _ = self.lstm(spectra[:, : _PAIR * steps])
        means = self.scale * states.float().unflatten(1, (steps, _PAIR)).mean(2)
        return means * length_mask(counts, steps).unsqueeze(-1), counts

    def spectra(self, waveforms: Tensor, lengths: Tensor) -> Tensor:
        """Return mel powers, or their logarithms, ``(B, T, 40)`` of waveforms ``(B, N)`` with these lengths."""
        with full_float32(waveforms.device):
            powers = _MEL.stft(raise_level(waveforms, lengths)).abs().square().transpose(1, 2)
            mels = powers @ _MEL.filters(waveforms.device).T
            return mels.clamp(min=_QUIET).log10() + _LIFT if self.logarithm else mels

    def windows(self, spectra: Tensor, lengths: Tensor) -> Tensor:
        """Return the vectors of windows, ``(W, D)`` float32.

        Args:
            spectra: What :meth:`spectra` gives, ``(W, T, 40)``.
            lengths: Mel frames of each window, ``(W,)`` int64; later ones are not heard.
        """
        states, _ = self.lstm(spectra)
        last = states[torch.arange(len(states), device=states.device), lengths - 1].float()
        if self.output == "hidden":
            return last
        return self.embed(last)

    def embed(self, states: Tensor) -> Tensor:
        """Return what GE2E compares: unit vectors ``(W, D)`` of last states ``(W, D)``."""
        return functional.normalize(functional.relu(self.linear(states)).float() + 1e-9, dim=-1)

    def frame_lengths(self, lengths: Tensor) -> Tensor:
        """Return the frames of waveforms of these lengths (samples), ``(B,)`` int64; 0 where they are too short."""
        if self.output == "states":
            return (torch.div(lengths, _MEL.hop, rounding_mode="floor") + 1) // _PAIR
        counts = [len(window_starts(self._mel_frames(length))) if length > 0 else 0 for length in lengths.tolist()]
        return torch.tensor(counts, device=lengths.device)

    def fingerprint(self) -> str:
        """Return a digest of weights and settings."""
        frames = f"{_PAIR} {self.scale}" if self.output == "states" else f"{WINDOW} {STEP}"
        digest = hashlib.sha256(f"LSTMEncoder {self.output} {_KNOWN_AS} {frames}".encode())
        for name, value in sorted(self.state_dict().items()):
            digest.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def head(self) -> EmotionHead:
        """Raise: there is no head.

        Raises:
            ValueError: Always.
        """
        raise ValueError("the LSTM encoder has no classification head; train a probe on its frames")

    def save(self, folder: str | Path, card: str = "") -> None:
        """Write the encoder as ``encoder.json`` and ``encoder.safetensors``, in half precision.

        ``--encoder FOLDER`` opens it with the same output.

        Args:
            folder: Folder to write into; made if it is not there.
            card: Text of a model card; written where there is none yet.
        """
        settings = {"output": self.output, "hidden": self.dim, "layers": self.lstm.num_layers,
                    "logarithm": self.logarithm, "scale": self.scale}  # fmt: skip
        weights = {n: v.half() if v.is_floating_point() else v for n, v in self.state_dict().items()}
        write_artefact(folder, "encoder", settings, weights, card)

    @staticmethod
    def _mel_frames(samples: int) -> int:
        return _MEL.frames(samples)

    def _fill(self, state: dict[str, Any], path: Path) -> None:
        wanted, kind = self.state_dict().keys(), bool(state.setdefault("logarithmic", torch.tensor(False)))
        if kind != self.logarithm:
            raise ValueError(f"{path} was trained with logarithm: {str(kind).lower()}; build the encoder so")
        try:
            fill(self, {name: value for name, value in state.items() if name in wanted}, path)
        except ValueError as error:
            raise ValueError(f"{path} holds no weights of this encoder: {error}") from error


def _read_weights(weights: str) -> tuple[Path, dict[str, Any]]:
    """Return the file that a word after ``weights`` stands for, and what it holds by names."""
    folder = shipped_path(weights)
    if weights == "resemblyzer":
        path = _resemblyzer()
    elif description_file(folder, "encoder").is_file():
        path = weights_file(folder, "encoder")
        return path, _plain_names(read_artefact(folder, "encoder")[1], path)
    else:
        path = find_checkpoint(weights)
    if not path.is_file():
        raise FileNotFoundError(
            f"no weights at {path}: expected a folder of an encoder, 'resemblyzer', a file, or a GE2E training"
        )
    if path.suffix == ".safetensors":
        return path, _plain_names(read_artefact(path.parent, "encoder")[1], path)
    return path, _plain_names(read_tensors(path, old=weights == "resemblyzer"), path)


def _plain_names(content: Any, path: Path) -> dict[str, Any]:  # noqa: ANN401 - whatever the file holds
    """Return weights by the names that they have here, out of a checkpoint or a state dict."""
    state = content.get("model_state", content.get("state_dict", content)) if isinstance(content, dict) else None
    return {name.removeprefix("encoder."): value for name, value in require_weights(state, path).items()}


def _resemblyzer() -> Path:
    """Return the weights that the package brings along, without importing it (its import needs other packages)."""
    found = importlib.util.find_spec("resemblyzer")
    if found is None or found.origin is None:
        raise FileNotFoundError(
            "the package resemblyzer is not installed, which brings the weights along; install it with: "
            "pip install --no-deps resemblyzer"
        )
    return Path(found.origin).parent / "pretrained.pt"
