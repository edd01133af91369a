"""What a codec remembers of its making: the corpus, how far the training was, the file."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import nn


class History(NamedTuple):
    """The training of a codec, as its checkpoint tells it.

    Attributes:
        corpus: Name of the corpus, several joined by ``+``.
        utterances: Utterances of its training split.
        phase: What the last epoch trained: ``"codebooks"``, ``"gate"`` or ``"search"``.
        epoch: Epochs that are over.
        epochs: Epochs that the training was to have; 0 if it counted steps.
    """

    corpus: str
    utterances: int
    phase: str
    epoch: int
    epochs: int

    @property
    def finished(self) -> bool:
        """Whether the training came to its end, as far as epochs can tell."""
        return self.epoch >= self.epochs

    def require_same(self, other: "History | None") -> None:
        """Check that a training that goes on has the corpus that it began with.

        Args:
            other: The training as its checkpoint tells it; None is not checked.

        Raises:
            ValueError: The corpora differ.
        """
        if other is not None and other[:2] != self[:2]:
            raise ValueError(
                f"the checkpoint that the run goes on from was trained on {other.corpus!r} ({other.utterances} "
                f"utterances), the data is {self.corpus!r} ({self.utterances}): name the corpus of that run, or begin "
                "a run of its own: --trainer.logger.init_args.name NAME"
            )

    def stored(self) -> dict[str, str | int]:
        """Return what a checkpoint holds of it."""
        return self._asdict()


class Source(NamedTuple):
    """The file that a codec was loaded from.

    Attributes:
        checkpoint: Its path.
        sha256: Its digest.
        history: The training; None for checkpoints that tell nothing of it.
    """

    checkpoint: str
    sha256: str
    history: History | None


def read_history(stored: Any) -> History | None:  # noqa: ANN401 - whatever a file holds
    """Return the training that a checkpoint tells of (:meth:`History.stored`), None if it tells nothing.

    Example:
        >>> read_history({"corpus": "esd", "utterances": 9, "phase": "search", "epoch": 7, "epochs": 7}).finished
        True
        >>> read_history(None)
    """
    fields = [stored.get(field) for field in History._fields] if isinstance(stored, Mapping) else [None]
    kinds = History.__annotations__.values()
    fits = len(fields) == len(kinds) and all(isinstance(field, kind) for field, kind in zip(fields, kinds, strict=True))
    return History(*fields) if fits else None


def sources_of(module: nn.Module) -> list[tuple[str, Source]]:
    """Return name and source of every codec inside a module that was loaded from a file, each once.

    Args:
        module: A codec, also one that is made of others, or whatever holds codecs.
    """
    found = [(str(part.name), source) for part in module.modules() if (source := getattr(part, "source", None))]
    return list(dict.fromkeys((name, source) for name, source in found if isinstance(source, Source)))
