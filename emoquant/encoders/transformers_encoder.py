"""Speech models of the transformers library as frame encoders: any layer of theirs, or a mixture of all."""

import hashlib
import math
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from emoquant.encoders.base import EmotionHead, FrameEncoder
from emoquant.encoders.front_ends import FAMILIES, FrontEnd, front_end
from emoquant.encoders.pretrained import files_digest, find_pretrained, load_front_end, load_pretrained, read_settings
from emoquant.encoders.sequence_heads import dimension_head, sequence_head
from emoquant.encoders.windows import Windows, join_windows, plan_windows
from emoquant.storage.documents import read_json
from emoquant.storage.origin import Origin
from emoquant.storage.shipped import shipped_path

#: ``layer`` of the model's own output, after its last norm.
LAST = -1


class TransformersEncoder(FrameEncoder):
    """WavLM, HuBERT, wav2vec 2.0, data2vec, UniSpeech-SAT, wav2vec2-BERT or Whisper's encoder, 50 frames a second.

    The constructor reads nothing; settings are read when a size is asked for, weights on the first use. Only the layers
    up to the chosen one are kept. An utterance has the frames that transformers gives it alone: where padding would
    change them (a norm over time), utterances of equal length are encoded together. Longer ones than ``window`` are cut
    into windows that overlap (:mod:`emoquant.encoders.windows`), each normalised on its own.

    Attributes:
        model: Folder or public name.
        layer: The layer.
    """

    def __init__(
        self,
        model: str,
        layer: int | Literal["weighted"] = LAST,
        mixture: str | None = None,
        window: float = 30.0,
        overlap: float = 4.0,
    ) -> None:
        """Name a model.

        Args:
            model: Folder in transformers' format, or name on Hugging Face's hub (``microsoft/wavlm-base-plus``).
            layer: Which hidden state: 0 is what the first layer reads, k what layer k gives, -1 the model's output
                (after its last norm, if it has one). ``"weighted"``: the sum of all, with weights that were learnt with
                a probe (Yang et al. 2021, https://arxiv.org/abs/2105.01051).
            mixture: JSON of these weights, as ``emoquant layers`` writes it (``layers.json``).
            window: Longest stretch that is encoded at once, in seconds; 30 at most for Whisper.
            overlap: What two windows share, in seconds.

        Raises:
            ValueError: A number is out of range, or weights are named for one layer or lacking for all.
        """
        super().__init__()
        if not 0.1 <= overlap < window / 2:
            raise ValueError(f"overlap={overlap} s must be at least 0.1 s and shorter than half of window={window} s")
        if layer != "weighted" and (not isinstance(layer, int) or layer < LAST):
            raise ValueError(f"layer={layer!r}: expected a number from 0, -1 for the output, or 'weighted'")
        if (layer == "weighted") != (mixture is not None):
            raise ValueError(
                "layer: weighted and mixture (the weights, layers.json of `emoquant layers`) belong together: give "
                "both or neither"
            )
        self.model, self.layer, self.mixture = model, layer, mixture
        self.window, self.overlap = window, overlap
        self.network: nn.Module | None = None
        self.eval()

    @cached_property
    def folder(self) -> Path:
        """The model's files; fetched from the hub if need be."""
        return find_pretrained(self.model, FAMILIES, "speech encoder")

    @cached_property
    def settings(self) -> Any:  # noqa: ANN401 - a configuration of transformers
        """The model's configuration."""
        settings = read_settings(self.folder)
        if getattr(settings, "add_adapter", False):
            settings.add_adapter = False  # it would change the frame rate of the output
        layers = self._layers_of(settings)
        if isinstance(self.layer, int) and self.layer > layers:
            raise ValueError(f"{self.model} has {layers} layers: layer must be at most {layers}, got {self.layer}")
        return settings

    @cached_property
    def front_end(self) -> FrontEnd:
        """What turns samples into the model's input."""
        extractor = load_front_end(self.folder)
        if int(extractor.sampling_rate) != self.sample_rate:
            raise ValueError(
                f"{self.model} reads {extractor.sampling_rate} samples a second, expected {self.sample_rate}: choose a "
                "model for speech at 16 kHz"
            )
        found = front_end(extractor, self.settings)
        rate = self.sample_rate / found.hop
        if rate != self.frame_rate:
            raise ValueError(f"{self.model} gives {rate:g} frames a second, expected {self.frame_rate:g}")
        if found.longest is not None and self.window * self.sample_rate > found.longest:
            raise ValueError(
                f"window={self.window} s is longer than the {found.longest / self.sample_rate:g} s that {self.model} "
                "takes at once"
            )
        return found

    @property
    def dim(self) -> int:  # type: ignore[override]  # a property where the base has an attribute
        """Feature dimensions ``D``."""
        return int(self.settings.hidden_size)

    @property
    def layers(self) -> int:
        """Layers ``L`` of the model; it has ``L + 1`` hidden states."""
        return self._layers_of(self.settings)

    @staticmethod
    def _layers_of(settings: Any) -> int:  # noqa: ANN401 - a configuration of transformers
        return int(settings.encoder_layers if settings.model_type == "whisper" else settings.num_hidden_layers)

    def load(self) -> nn.Module:
        """Return the network, its weights loaded and the layers above the chosen one left out.

        Raises:
            FileNotFoundError: There is no such model.
            ValueError: Its weights do not fit its configuration.
        """
        if self.network is None:
            network: Any = load_pretrained(self.folder, self.settings)
            stack = network.encoder if self.settings.model_type != "whisper" else network.get_encoder()
            if isinstance(self.layer, int) and self.layer >= 0:
                stack.layers = stack.layers[: self.layer + 1]  # one more: the state before it has no last norm
            self.network = stack if self.settings.model_type == "whisper" else network
        return self.network

    def frame_lengths(self, lengths: Tensor) -> Tensor:
        """Return the frames that waveforms of these lengths (samples) give, ``(B,)`` int64; 0 if too short."""
        return self.front_end.count(lengths)

    def forward(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return frame features and their lengths; see :meth:`FrameEncoder.forward`."""
        if self.layer == "weighted":
            weights = self._mixture().to(waveforms.device)
            return self._run(
                waveforms, lengths, lambda states, _: torch.einsum("l,lbtd->btd", weights, torch.stack(tuple(states)))
            )
        if self.layer == LAST:
            return self._run(waveforms, lengths, lambda _, output: output)
        chosen = int(self.layer)
        return self._run(waveforms, lengths, lambda states, _: states[chosen])

    def hidden_states(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return the frames of all hidden states at once, for encoders with ``layer`` -1 or ``weighted``.

        Args:
            waveforms: As of :meth:`forward`.
            lengths: As of :meth:`forward`.

        Returns:
            Features ``(B, T, (L + 1) D)``, the states side by side, and frames of each utterance ``(B,)``.
        """
        with torch.no_grad():
            return self._run(waveforms, lengths, lambda states, _: torch.cat(list(states), dim=-1))

    def _run(
        self, waveforms: Tensor, lengths: Tensor, choose: Callable[[Sequence[Tensor], Tensor], Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Return what is chosen of the hidden states of every utterance, zeros past its end."""
        lengths = lengths.to(waveforms.device)
        counts = self.checked_counts(waveforms, lengths, self.front_end.field)
        windows = Windows(self.window, self.overlap, self.sample_rate, self.front_end.hop, self.front_end.field)
        plans = [plan_windows(int(length), windows) for length in lengths.tolist()]
        parts = [row[start:stop] for row, plan in zip(waveforms, plans, strict=True) for start, stop in plan]
        encoded = self._encode_parts(parts, choose)
        rows = []
        for plan in plans:
            own, encoded = encoded[: len(plan)], encoded[len(plan) :]
            rows.append(join_windows(own, plan, windows))
        return nn.utils.rnn.pad_sequence(rows, batch_first=True), counts

    def _encode_parts(
        self, parts: Sequence[Tensor], choose: Callable[[Sequence[Tensor], Tensor], Tensor]
    ) -> list[Tensor]:
        """Return the frames ``(T, D)`` of each waveform; those that may share a batch do."""
        groups: dict[int, list[int]] = {}
        for index, part in enumerate(parts):
            groups.setdefault(0 if self.front_end.exact else len(part), []).append(index)
        found: dict[int, Tensor] = {}
        network: Any = self.load().to(parts[0].device)  # the weights are loaded late, after the encoder was moved
        for members in groups.values():
            inputs = self.front_end([parts[index] for index in members])
            inputs = {name: value.to(parts[0].device) for name, value in inputs.items()}
            output = network(**inputs, output_hidden_states=True)
            chosen = choose(output.hidden_states, output.last_hidden_state).float()
            counts = self.frame_lengths(torch.tensor([len(parts[index]) for index in members])).tolist()
            found |= {index: row[:count] for index, row, count in zip(members, chosen, counts, strict=True)}
        return [found[index] for index in range(len(parts))]

    def _mixture(self) -> Tensor:
        """Return the weights of the hidden states, ``(L + 1,)``; they sum to 1."""
        path = shipped_path(str(self.mixture))
        if not path.is_file():
            raise FileNotFoundError(f"no weights of the layers at {path}: learn them with emoquant layers")
        content = read_json(path)
        weights = (content.get("weights") if isinstance(content, dict) else None) or []
        right = isinstance(weights, list) and all(isinstance(each, int | float) for each in weights)
        if not right or len(weights) != self.layers + 1 or not math.isclose(sum(weights), 1.0, abs_tol=1e-3):
            raise ValueError(
                f"{path}: expected 'weights', {self.layers + 1} numbers that sum to 1 (a state of {self.model} each); "
                "learn them for this model with emoquant layers"
            )
        return torch.tensor(weights, dtype=torch.float32)

    @cached_property
    def _digest(self) -> str:
        mixture = self._mixture().tolist() if self.layer == "weighted" else None
        return hashlib.sha256(f"{files_digest(self.folder)}:{self.layer}:{mixture}".encode()).hexdigest()

    def fingerprint(self) -> str:
        """Return a hex digest of weights and settings, for cache keys."""
        return hashlib.sha256(f"{self._digest}:{self.window}:{self.overlap}".encode()).hexdigest()

    def identify(self) -> Origin:
        """Return what codecs and classifiers that are trained on the features remember of the encoder."""
        return Origin(f"{self.model}, layer {self.layer}", self.fingerprint(), self._digest)

    def head(self) -> EmotionHead:
        """Return the classifier of a model that was fine-tuned for emotions, for its output layer.

        Raises:
            ValueError: The model has none, or another layer than its output was chosen.
        """
        return sequence_head(self.folder, self.settings, self.layer == LAST)

    def dimension_head(self) -> nn.Module | None:
        """Return the head of a model that was fine-tuned for arousal, valence and dominance, for its output layer."""
        return dimension_head(self.folder, self.settings) if self.layer == LAST else None
