"""Training of a whole codec in one run."""

from emoquant.entropy.base import EntropyModel
from emoquant.quantization.grvq import GroupedResidualVQ
from emoquant.tasks.training import CodecTraining, Phase


class CodecTask(CodecTraining):
    """Trains codebooks, then the entropy model on gated codes, then on codes of its own search, in one run.

    Args:
        quantizer: The quantizer; its feature dimension comes from the data.
        entropy: The entropy model; its layout comes from the quantizer.
        codebook_epochs: Epochs of the codebooks.
        gate_epochs: Epochs of the entropy model on codes of a gate; the epochs after them use its own search.
        joint_epochs: Epochs after those of the codebooks in which the codebooks go on, now following the codes that the
            entropy model learns.
        learning_rate: Peak learning rate of the entropy model.
        splits: Gradient steps a batch.
        sample_frames: Frames that codebooks are initialised from, over all processes.
        seed: Seed of everything that is drawn.
        survivors: Paths of coarse codes that the training's own search keeps over time: with 16 the entropy model
            learns the codes of a search that looks ahead, which pays where such a search is used; 1 for frame by frame.
        beam: Paths that it keeps in a frame; as with ``survivors``, what is learnt should be what will be used.
        weight_decay: Of the entropy model but for its biases (AdamW): against fitting too closely to few utterances.
    """

    def __init__(
        self,
        quantizer: GroupedResidualVQ,
        entropy: EntropyModel,
        codebook_epochs: int = 2,
        gate_epochs: int = 2,
        joint_epochs: int = 0,
        learning_rate: float = 0.01,
        splits: int = 4,
        sample_frames: int = 40_000,
        seed: int = 0,
        survivors: int = 1,
        beam: int = 1,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(quantizer, entropy, learning_rate, splits, sample_frames, seed, survivors, beam, weight_decay)
        self.codebook_epochs, self.gate_epochs, self.joint_epochs = codebook_epochs, gate_epochs, joint_epochs

    def phase(self) -> Phase:
        """Return the phase of the current epoch."""
        if self.current_epoch < self.codebook_epochs:
            return "codebooks"
        return "gate" if self.current_epoch < self.codebook_epochs + self.gate_epochs else "search"

    def joint_until(self) -> int:
        """Return the epoch before which the codebooks follow the entropy model's codes."""
        return self.codebook_epochs + self.joint_epochs

    def entropy_epochs(self) -> tuple[int, int]:
        """Return the epochs after those of the codebooks."""
        return self.codebook_epochs, max(self.codebook_epochs + 1, self.trainer.max_epochs or 1)
