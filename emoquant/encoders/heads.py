"""Classifiers of utterance vectors: an emotion2vec model's own, and probes trained on a corpus."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from emoquant.devices.precision import full_float32
from emoquant.encoders.base import EmotionHead, FrameEncoder
from emoquant.encoders.directory import body_digest, read_directory, read_weights
from emoquant.encoders.hub import Hub, find_model
from emoquant.labels import emotion_index
from emoquant.storage.artefacts import fetched, read_artefact, write_artefact
from emoquant.storage.documents import require_mapping
from emoquant.storage.origin import Origin, read_origin
from emoquant.storage.rebuilding import build, fill, require_weights
from emoquant.storage.runs import BEST, RUNS, find_checkpoint, newest
from emoquant.storage.tensors import read_tensors


class LinearHead(EmotionHead):
    """A frozen linear classifier."""

    def __init__(self, weight: Tensor, bias: Tensor, labels: Sequence[str]) -> None:
        """Keep a classifier.

        Args:
            weight: ``(C, D)``.
            bias: ``(C,)``.
            labels: Names of the classes, ``C`` of them. Classes named ``unuse...`` (as in emotion2vec_base_finetuned)
                are left out, as funasr does.

        Raises:
            ValueError: The shapes do not fit each other.
        """
        super().__init__()
        if weight.ndim != 2 or len(weight) != len(labels) or bias.shape != weight.shape[:1]:
            raise ValueError(
                f"a head of {len(labels)} labels needs weight ({len(labels)}, D) and bias ({len(labels)},), "
                f"got {tuple(weight.shape)} and {tuple(bias.shape)}"
            )
        used = [i for i, label in enumerate(labels) if not label.startswith("unuse")]
        self.labels = [labels[i] for i in used]
        self.dim = weight.shape[1]
        self.weight = nn.Parameter(weight.detach()[used].float().clone(), requires_grad=False)
        self.bias = nn.Parameter(bias.detach()[used].float().clone(), requires_grad=False)

    def forward(self, vectors: Tensor) -> Tensor:
        """Return logits ``(..., C)`` of utterance vectors ``(..., D)``, in float32 whatever the precision around."""
        with full_float32(vectors.device):
            return nn.functional.linear(vectors.float(), self.weight, self.bias)


def head_weights(model: str, labels: Sequence[str], weights: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Return weight ``(C, D)`` and bias ``(C,)`` of a model's head.

    Args:
        model: Name of the model, for the error.
        labels: Its classes.
        weights: Weights of the whole model.

    Raises:
        ValueError: The model has no head.
    """
    if not labels or not {"proj.weight", "proj.bias"} <= weights.keys():
        raise ValueError(
            f"{model} has no classification head; choose a model with one (emotion2vec_plus_base) or train a probe "
            "on its features: emoquant fit probe"
        )
    return weights["proj.weight"], weights["proj.bias"]


class EncoderHead(LinearHead):
    """The classification head of an emotion2vec model, loaded without the rest of the model."""

    def __init__(
        self, model: str = "checkpoints/emotion2vec-tiny", hub: Hub = "auto", any_encoder: bool = False
    ) -> None:
        """Load the head.

        Args:
            model: Directory or public name, as of :class:`emoquant.encoders.Emotion2Vec`.
            hub: Where a public name is looked up.
            any_encoder: Whether the head may read features of another model.

        Raises:
            FileNotFoundError: There is no such model.
            ValueError: The model has no head (emotion2vec_base).
        """
        directory = read_directory(find_model(model, hub))
        weights = read_weights(directory)
        super().__init__(*head_weights(model, directory.labels, weights), directory.labels)
        self.eval()
        digest = body_digest(directory.model_conf, weights)
        self.origin = None if any_encoder else Origin(model, digest, digest)


def default_head(encoder: FrameEncoder, emotions: Sequence[str], folder: str | Path = RUNS) -> EmotionHead:
    """Return the classifier of an encoder's features where none is named: its own head, or else the folder's probe.

    Args:
        encoder: The encoder.
        emotions: Emotions that the classifier must know.
        folder: Folder of runs; the newest run ``probe`` in it counts.

    Raises:
        ValueError: The encoder has no head that knows the emotions, and no probe was trained in the folder.
    """
    try:
        head = encoder.head()
        for emotion in emotions:
            emotion_index(emotion, head.labels)
        return head
    except ValueError as error:
        run = newest(Path(folder) / "probe", BEST)
        if run is None:
            flag = "" if str(folder) == RUNS else f" --folder {folder}"
            raise ValueError(
                f"the encoder's own head will not do ({error}): train a probe with emoquant fit probe{flag}"
            ) from error
        return ProbeHead(str(run.best))


def head_or_none(encoder: FrameEncoder, emotions: Sequence[str] = (), folder: str | Path = RUNS) -> EmotionHead | None:
    """Return :func:`default_head`, or None with a warning where there is neither a head nor a probe."""
    try:
        return default_head(encoder, emotions, folder)
    except ValueError as error:
        warnings.warn(f"goes without recognition: {error}", stacklevel=2)
        return None


class Probe(EmotionHead):
    """A classifier of utterance vectors that can be trained: linear, or with one hidden layer."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, dim: int, labels: Sequence[str], hidden: int = 0, dropout: float = 0.0) -> None:
        """Make an untrained probe.

        Args:
            dim: Feature dimensions.
            labels: Names of the classes.
            hidden: Units of the hidden layer; 0 for a linear probe.
            dropout: Dropout in front of every linear layer while training.
        """
        super().__init__()
        self.labels = list(labels)
        self.dim = dim
        self.hidden = hidden
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("deviation", torch.ones(()))
        layers: list[nn.Module] = [nn.Dropout(dropout)]
        if hidden:
            layers += [nn.Linear(dim, hidden), nn.GELU(), nn.Dropout(dropout)]
        self.layers = nn.Sequential(*layers, nn.Linear(hidden or dim, len(self.labels)))

    def standardize(self, mean: Tensor, deviation: Tensor) -> None:
        """Set what the probe subtracts from its input, ``(D,)``, and what it then divides by, a scalar."""
        self.mean.copy_(mean)
        self.deviation.copy_(deviation)

    def forward(self, vectors: Tensor) -> Tensor:
        """Return logits ``(..., C)`` of utterance vectors ``(..., D)``, in float32 whatever the precision around."""
        with full_float32(vectors.device):
            return self.layers((vectors.float() - self.mean) / self.deviation)


class ProbeHead(EmotionHead):
    """A probe that :class:`emoquant.tasks.ProbeTask` trained, frozen."""

    def __init__(self, checkpoint: str, any_encoder: bool = False) -> None:
        """Load the probe.

        Args:
            checkpoint: File ``*.ckpt`` of a training run of a probe, the run's folder, the folder of a saved probe, or
                the name of one on Hugging Face, ``owner/name``.
            any_encoder: Whether it may read features of another encoder than it was trained on.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It is no checkpoint of a probe.
        """
        super().__init__()
        path = find_checkpoint(fetched(checkpoint, "probe"), best=True)
        if not path.is_file():
            raise FileNotFoundError(f"no probe at {checkpoint}: train one with emoquant fit probe")
        stored: Any = _saved_probe(path) if path.suffix == ".safetensors" else read_tensors(path)
        if not isinstance(stored, dict) or "probe" not in stored:
            raise ValueError(f"{checkpoint} is no checkpoint of a probe; expected one that ProbeTask wrote")
        prefix = "probe."
        weights = require_weights(stored.get("state_dict"), checkpoint)
        state = {n.removeprefix(prefix): v for n, v in weights.items() if n.startswith(prefix)}
        self.probe = build(lambda: Probe(**stored["probe"]), state, checkpoint)
        fill(self.probe, state, checkpoint)
        self.requires_grad_(False).eval()
        self.labels, self.dim = self.probe.labels, self.probe.dim
        self.origin = None if any_encoder else read_origin(stored.get("encoder"))
        self.settings = dict(stored["probe"])

    def save(self, folder: str | Path) -> None:
        """Write the probe as ``probe.json`` and ``probe.safetensors``, which can be shared.

        Args:
            folder: Folder to write into; made if it is not there.
        """
        origin = None if self.origin is None else self.origin.stored()
        weights = {f"probe.{name}": value for name, value in self.probe.state_dict().items()}
        write_artefact(folder, "probe", {"probe": self.settings, "encoder": origin}, weights)

    def forward(self, vectors: Tensor) -> Tensor:
        """Return logits ``(..., C)`` of utterance vectors ``(..., D)``."""
        return self.probe(vectors)


def _saved_probe(path: Path) -> dict[str, Any]:
    """Return what a checkpoint of the same probe holds."""
    described, weights = read_artefact(path.parent, "probe")
    return {**require_mapping(described, path.with_suffix(".json"), "probe"), "state_dict": weights}
