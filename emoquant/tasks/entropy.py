"""Training of an entropy model on codebooks that stand."""

from collections.abc import Sequence
from pathlib import Path

from emoquant.codecs.checkpoint import origin_of, read_checkpoint, restore_quantizer
from emoquant.entropy.base import EntropyModel
from emoquant.storage.origin import require_origin
from emoquant.storage.runs import RUNS, find_checkpoint
from emoquant.tasks.training import CodecTraining, Phase


class EntropyTask(CodecTraining):
    """Trains an entropy model for the codebooks of a checkpoint: the second of the study's two stages.

    The codebooks are part of the new checkpoint, which is a whole codec.

    Args:
        codebooks: Checkpoint, run folder or name of a run of a :class:`CodebookTask` (or of a whole codec, whose
            entropy model is left behind).
        entropy: The entropy model; its layout comes from the codebooks.
        gate_epochs: Epochs on codes of a gate (nearest codewords, SKIP where they gain little) before the model's own
            search takes over.
        learning_rate: Peak learning rate.
        splits: Gradient steps a batch.
        seed: Seed of the lambdas and of the order of frames.
        any_encoder: Whether the codebooks may have been trained on features of another encoder than the data's.
        survivors: Paths of coarse codes that the search keeps over time; as in :class:`CodecTask`.
        beam: Paths that it keeps in a frame; as in :class:`CodecTask`.
        weight_decay: Of the entropy model; as in :class:`CodecTask`.
        allow_class: Modules outside the project whose quantizer the codebooks' checkpoint may name; as in
            :func:`~emoquant.codecs.load_codec`.
        folder: Folder of the runs that the codebooks are named in; ``runs`` by default.
    """

    def __init__(
        self,
        codebooks: str | Path,
        entropy: EntropyModel,
        gate_epochs: int = 2,
        learning_rate: float = 0.01,
        splits: int = 4,
        seed: int = 0,
        any_encoder: bool = False,
        survivors: int = 1,
        beam: int = 1,
        weight_decay: float = 0.0,
        allow_class: str | Sequence[str] = (),
        folder: str | None = None,
    ) -> None:
        super().__init__(None, entropy, learning_rate, splits, 2, seed, survivors, beam, weight_decay)
        self.codebooks, self.gate_epochs, self.any_encoder = codebooks, gate_epochs, any_encoder
        self.folder = folder or RUNS
        self.allow_class = allow_class

    def configure_model(self) -> None:
        """Load the codebooks and build the entropy model for them.

        Raises:
            ValueError: The codebooks were trained on features of another encoder.
        """
        if self.quantizer is None:
            path = find_checkpoint(self.codebooks, self.folder)
            content = read_checkpoint(path)
            require_origin(f"{path}", None if self.any_encoder else origin_of(content), self.origin)
            self.quantizer = restore_quantizer(content, path, self.allow_class)
        super().configure_model()

    def phase(self) -> Phase:
        """Return the phase of the current epoch."""
        return "gate" if self.current_epoch < self.gate_epochs else "search"

    def entropy_epochs(self) -> tuple[int, int]:
        """Return all epochs."""
        return 0, max(1, self.trainer.max_epochs or 1)
