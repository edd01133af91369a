"""emotion2vec (Ma et al. 2023, https://arxiv.org/abs/2312.15185) as a frame encoder."""

import hashlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from emoquant.encoders import frames
from emoquant.encoders.architecture import EMOTION2VEC_LABELS, Network, build_network, emotion2vec_config
from emoquant.encoders.base import EmotionHead, FrameEncoder
from emoquant.encoders.directory import (
    ModelDirectory,
    body_digest,
    load_weights,
    read_directory,
    read_weights,
    weights_digest,
    write_directory,
)
from emoquant.encoders.heads import LinearHead, head_weights
from emoquant.encoders.hub import Hub, find_model
from emoquant.encoders.windows import Windows, join_windows, plan_windows
from emoquant.storage.origin import Origin
from emoquant.storage.rebuilding import build


class Emotion2Vec(FrameEncoder):
    """An emotion2vec model from a directory or a hub, batched.

    The constructor reads nothing; the configuration is read when a size is asked for, the weights on the first use.
    Features equal those of ``funasr.AutoModel(...).generate(granularity="frame")`` one by one, for utterances up to
    ``window`` seconds. Longer ones are cut into windows that overlap, and each frame is taken from the window in
    whose middle it lies, so that memory does not grow with the square of the length.

    Attributes:
        model: Directory or public name.
    """

    def __init__(
        self,
        model: str = "checkpoints/emotion2vec-tiny",
        hub: Hub = "auto",
        window: float = 40.0,
        overlap: float = 4.0,
    ) -> None:
        """Name a model.

        Args:
            model: Directory in funasr's format, or public name such as ``iic/emotion2vec_plus_base``.
            hub: Where a public name is looked up (:func:`emoquant.encoders.hub.find_model`).
            window: Longest stretch that is encoded at once, in seconds.
            overlap: What two windows share, in seconds.

        Raises:
            ValueError: The overlap is shorter than 0.1 s or not shorter than half a window.
        """
        super().__init__()
        if not 0.1 <= overlap < window / 2:
            raise ValueError(f"overlap={overlap} s must be at least 0.1 s and shorter than half of window={window} s")
        self.model, self.hub = model, hub
        self.window, self.overlap = window, overlap
        self.network: Network = None
        self.eval()  # whoever trains it turns that on

    @cached_property
    def directory(self) -> ModelDirectory:
        """The model's small files; fetched from a hub if need be."""
        return read_directory(find_model(self.model, self.hub))

    @property
    def model_conf(self) -> dict[str, Any]:
        """Configuration of the network in funasr's format."""
        return self.directory.model_conf

    @property
    def labels(self) -> list[str]:
        """Classes of the model's head, as the model spells them; empty without one."""
        return self.directory.labels

    @property
    def dim(self) -> int:  # type: ignore[override]  # a property where the base has an attribute
        """Feature dimensions ``D``."""
        return int(self.model_conf["embed_dim"])

    @property
    def hop(self) -> int:
        """Samples from one frame to the next."""
        return frames.hop_and_field(self._front_end)[0]

    @property
    def receptive_field(self) -> int:
        """Samples that the convolutions in front see at once: the shortest utterance that has a frame."""
        return frames.hop_and_field(self._front_end)[1]

    @property
    def _front_end(self) -> str:
        return str(self.model_conf["modalities"]["audio"]["feature_encoder_spec"])

    def load(self) -> Network:
        """Return the network, with its weights loaded.

        Raises:
            FileNotFoundError: There is no such model.
            ValueError: Its weights do not fit its configuration.
        """
        if self.network is None:
            self.network = self._make_network().train(self.training)
        return self.network

    def _make_network(self) -> Network:
        weights = read_weights(self.directory)
        classes = len(self.labels) if "proj.weight" in weights else 0
        network = build(lambda: build_network(self.model_conf, classes, empty=True), weights, self.directory.path)
        load_weights(network, weights, self.directory.path)
        return network

    def frame_lengths(self, lengths: Tensor) -> Tensor:
        """Return the frames that waveforms of these lengths (samples) give, ``(B,)`` int64; 0 if too short."""
        return frames.count_frames(lengths, self._front_end)

    def forward(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return frame features and their lengths; padding changes nothing.

        Args:
            waveforms: Mono samples at 16 kHz, ``(B, N)``; what lies past an utterance's length is ignored.
            lengths: Samples of each utterance, ``(B,)`` int64.

        Returns:
            Features ``(B, T, D)`` float32, zeros past the end, and frames of each utterance ``(B,)`` int64.

        Raises:
            ValueError: An utterance is too short for one frame, or is longer than the tensor.
        """
        waveforms, lengths, counts = self._prepare(waveforms, lengths)
        windows = Windows(self.window, self.overlap, self.sample_rate, self.hop, self.receptive_field)
        if int(lengths.max()) <= windows.samples:
            return self._encode(waveforms, counts), counts
        rows = []
        for waveform, length in zip(waveforms, lengths.tolist(), strict=True):
            plan = plan_windows(length, windows)
            parts = [self._encode_one(waveform[start:stop]) for start, stop in plan]
            rows.append(join_windows(parts, plan, windows))
        return nn.utils.rnn.pad_sequence(rows, batch_first=True), counts

    def local_features(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the convolutions over the samples give, before any frame sees another.

        Args:
            waveforms: As of :meth:`forward`.
            lengths: As of :meth:`forward`.

        Returns:
            Local features ``(B, T, D)`` and frames of each utterance ``(B,)``.
        """
        waveforms, _, counts = self._prepare(waveforms, lengths)
        return frames.local_features(self.load(), waveforms), counts

    def context_features(self, local: Tensor, counts: Tensor) -> Tensor:
        """Return frame features ``(B, T, D)`` of local features and the frames of each utterance."""
        return frames.context_features(self.load(), local, counts)

    def _prepare(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        lengths = lengths.to(waveforms.device)
        counts = self.checked_counts(waveforms, lengths, self.receptive_field)
        self.load().to(waveforms.device)  # the weights are loaded late, after the encoder itself was moved
        if self.model_conf["normalize"]:
            waveforms = frames.normalize_waveforms(waveforms, lengths)
        return waveforms, lengths, counts

    def _encode(self, waveforms: Tensor, counts: Tensor) -> Tensor:
        return self.context_features(frames.local_features(self.load(), waveforms), counts)

    def _encode_one(self, waveform: Tensor) -> Tensor:
        counts = self.frame_lengths(torch.tensor([len(waveform)], device=waveform.device))
        return self._encode(waveform[None], counts)[0]

    def _weights(self) -> Mapping[str, Tensor]:
        """Return the weights, from the directory while the network is not loaded."""
        return read_weights(self.directory) if self.network is None else self.network.state_dict()

    def fingerprint(self) -> str:
        """Return a hex digest of weights and settings, for cache keys."""
        settings = f"{self.window}:{self.overlap}:{weights_digest(self.model_conf, self._weights())}"
        return hashlib.sha256(settings.encode()).hexdigest()

    def identify(self) -> Origin:
        """Return what codecs and classifiers that are trained on the features remember of the encoder."""
        return Origin(self.model, self.fingerprint(), body_digest(self.model_conf, self._weights()))

    def head(self) -> EmotionHead:
        """Return the model's own classification head; the rest of the model need not be loaded for it.

        Raises:
            ValueError: The model has none (emotion2vec_base).
        """
        return LinearHead(*head_weights(self.model, self.labels, self._weights()), self.labels)

    def export(self, directory: str | Path, dtype: torch.dtype = torch.float16) -> None:
        """Write the model with its head to a directory that funasr loads by itself.

        Args:
            directory: Directory to write; a model that is there is replaced.
            dtype: Type of the stored weights.
        """
        write_directory(Path(directory), self.load(), self.model_conf, self.labels, dtype)


class UntrainedEmotion2Vec(Emotion2Vec):
    """An emotion2vec network of any size with random weights, to be trained from scratch."""

    def __init__(
        self,
        dim: int = 768,
        depth: int = 8,
        prenet_depth: int = 4,
        heads: int = 12,
        labels: Sequence[str] = EMOTION2VEC_LABELS,
        **sizes: Any,  # noqa: ANN401 - the other arguments of emotion2vec_config
    ) -> None:
        """Choose the sizes; by default those of the base model.

        Args:
            dim: Feature dimensions.
            depth: Transformer blocks after the prenet.
            prenet_depth: Transformer blocks of the prenet.
            heads: Attention heads.
            labels: Classes of the head.
            sizes: Further arguments of :func:`emoquant.encoders.architecture.emotion2vec_config`.
        """
        super().__init__("untrained")
        self._conf = emotion2vec_config(dim, depth, prenet_depth, heads, **sizes)
        self._labels = list(labels)
        self.train()  # it is of no use before

    @property
    def model_conf(self) -> dict[str, Any]:
        """Configuration of the network in funasr's format."""
        return self._conf

    @property
    def labels(self) -> list[str]:
        """Classes of the head."""
        return self._labels

    def _make_network(self) -> Network:
        return build_network(self._conf, len(self._labels))

    def _weights(self) -> Mapping[str, Tensor]:
        return self.load().state_dict()


@torch.no_grad()
def scale_features(encoder: Emotion2Vec, factor: float) -> None:
    """Multiply the features of an encoder by a factor, and divide its head by it: the classes stay as they are.

    Args:
        encoder: Encoder whose last operation is a layer norm (``layer_norm_first: false``, as in the public models).
        factor: The factor, positive.

    Raises:
        ValueError: The factor is not positive, or the encoder does not end with a layer norm.
    """
    network = encoder.load()
    if factor <= 0:
        raise ValueError(f"factor={factor} must be positive")
    if encoder.model_conf["layer_norm_first"]:
        raise ValueError("only an encoder with layer_norm_first: false ends with a layer norm that can be scaled")
    last = network.blocks[-1].norm2
    last.weight.mul_(factor)
    last.bias.mul_(factor)
    if network.proj is not None:
        network.proj.weight.div_(factor)
