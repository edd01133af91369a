"""Training of codebooks alone."""

from emoquant.quantization.grvq import GroupedResidualVQ
from emoquant.tasks.training import CodecTraining, Phase


class CodebookTask(CodecTraining):
    """Trains the codebooks of a quantizer: the first of the study's two stages (:class:`EntropyTask` is the second).

    Args:
        quantizer: The quantizer; its feature dimension comes from the data.
        sample_frames: Frames that codebooks are initialised from, over all processes.
        seed: Seed of the initialisation and of the choice of vectors that replace dead codewords.
    """

    def __init__(self, quantizer: GroupedResidualVQ, sample_frames: int = 40_000, seed: int = 0) -> None:
        super().__init__(quantizer, None, learning_rate=1.0, splits=1, sample_frames=sample_frames, seed=seed)

    def phase(self) -> Phase:
        """Return ``"codebooks"``."""
        return "codebooks"

    def entropy_epochs(self) -> tuple[int, int]:
        """Return that no epoch trains an entropy model."""
        return 0, 0
