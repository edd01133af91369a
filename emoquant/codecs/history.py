"""The training history of a codec: corpus, progress of the training, file."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from torch import nn

from emoquant.storage.origin import UNKNOWN, Origin


class History(NamedTuple):
    """Hold the training history of a codec, as stored in its checkpoint.

    Attributes:
        corpus: Name of the corpus, several joined by ``+``.
        utterances: Utterances of its training split; 0 if they are not known.
        phase: Phase of the last epoch: ``"codebooks"``, ``"gate"``, ``"search"``, or ``"contexts"`` of a transform
            codec.
        epoch: Number of finished epochs.
        epochs: Planned number of epochs; 0 if the training counted steps.
        emotions: Share of each emotion in the training, ``{"happy": 0.5, "sad": 0.5}``; empty if it is not known.
        seed: Seed of the training; None if it is not known.
    """

    corpus: str
    utterances: int
    phase: str
    epoch: int
    epochs: int
    emotions: Mapping[str, float] = MappingProxyType({})
    seed: int | None = None

    @property
    def finished(self) -> bool:
        """Whether all planned epochs are finished."""
        return self.epoch >= self.epochs

    def require_same(self, other: "History | None") -> None:
        """Check that a continued training has the corpus and the emotions that it began with.

        Args:
            other: History in the checkpoint; None is not checked.

        Raises:
            ValueError: The corpora or the shares of the emotions differ.
        """
        if other is not None and other[:2] != self[:2]:
            raise ValueError(
                f"the checkpoint that the run goes on from was trained on {other.corpus!r} ({other.utterances} "
                f"utterances), the data is {self.corpus!r} ({self.utterances}): name the corpus of that run, or begin "
                "a run of its own: --trainer.logger.init_args.name NAME"
            )
        if other is not None and other.emotions and self.emotions and other.emotions != self.emotions:
            raise ValueError(
                f"the checkpoint that the run goes on from was trained on {shares_text(other.emotions)}, the data is "
                f"{shares_text(self.emotions)}: train on the emotions of that run, or begin a run of its own: "
                "--trainer.logger.init_args.name NAME"
            )

    def stored(self) -> dict[str, Any]:
        """Return the history as plain values, for a checkpoint."""
        return {**self._asdict(), "emotions": dict(self.emotions)}


class Source(NamedTuple):
    """Describe the file that a codec was loaded from.

    Attributes:
        checkpoint: Path of the file.
        sha256: Digest of the file.
        history: Training history; None for checkpoints without one.
        encoder: Encoder whose features the codec was trained on, even if it may be used on others.
    """

    checkpoint: str
    sha256: str
    history: History | None
    encoder: Origin = UNKNOWN


def shares_text(emotions: Mapping[str, float]) -> str:
    """Return the shares of emotions as one cell of a table, rounded to three digits.

    Example:
        >>> shares_text({"happy": 0.5, "sad": 0.5})
        'happy=0.5;sad=0.5'
    """
    return ";".join(f"{name}={round(share, 3):g}" for name, share in emotions.items())


def read_history(stored: Any) -> History | None:  # noqa: ANN401 - whatever a file holds
    """Return the training history in a checkpoint (:meth:`History.stored`); None if it has none.

    Checkpoints of earlier versions hold no emotions and no seed.

    Example:
        >>> read_history({"corpus": "esd", "utterances": 9, "phase": "search", "epoch": 7, "epochs": 7}).finished
        True
        >>> read_history(None)
    """
    if not isinstance(stored, Mapping):
        return None
    kinds = {"corpus": str, "utterances": int, "phase": str, "epoch": int, "epochs": int}
    if not all(isinstance(stored.get(field), kind) for field, kind in kinds.items()):
        return None
    emotions, seed = stored.get("emotions", {}), stored.get("seed")
    known = isinstance(emotions, Mapping) and all(
        isinstance(name, str) and isinstance(share, float) for name, share in emotions.items()
    )
    if not known or not isinstance(seed, int | None):
        return None
    return History(**{field: stored[field] for field in kinds}, emotions=dict(emotions), seed=seed)


def sources_of(module: nn.Module) -> list[tuple[str, Source]]:
    """Return name and source of every codec inside a module that was loaded from a file, each once.

    Args:
        module: A codec, which may be composed of others, or any module that contains codecs.
    """
    found = [(str(part.name), source) for part in module.modules() if (source := getattr(part, "source", None))]
    named = [(name, source) for name, source in found if isinstance(source, Source)]
    return [each for place, each in enumerate(named) if each not in named[:place]]
