"""Training on some emotions only: biased and mixed codebooks."""

from collections.abc import Mapping

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_info


class TrainingEmotions(Callback):
    """Restricts the training split to emotions in given proportions; validation and test keep all of them.

    The data module's part is its method ``restrict_training``, as
    :class:`~emoquant.data.module.EmotionDataModule` has it. So a codebook of one emotion is the same run on the same
    data, with this callback in its YAML.

    Args:
        shares: Share of each emotion: ``{angry: 1}`` for a biased codebook, ``{happy: 1, sad: 1}`` for a mixed one;
            only their ratios count.
        utterances: Most training utterances in all (to give every codebook equally many); as many as the proportions
            allow by default.
        seed: Seeds the choice of utterances.
    """

    def __init__(self, shares: Mapping[str, float], utterances: int | None = None, seed: int = 0) -> None:
        self.shares, self.utterances, self.seed = dict(shares), utterances, seed

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Restrict the training split, once the data module has opened it.

        Raises:
            TypeError: The run has no data module that can be restricted.
            ValueError: An emotion is unknown or the split has none of it.
        """
        if stage != "fit":
            return
        data = trainer.datamodule  # type: ignore[attr-defined]  # set by the trainer at run time
        if not hasattr(data, "restrict_training"):
            raise TypeError(
                f"{type(data).__name__} cannot be restricted to emotions: use EmotionDataModule with TrainingEmotions"
            )
        data.restrict_training(self.shares, self.utterances, self.seed)
        whole = sum(self.shares.values())
        shares = [f"{name} ({share / whole:.0%})" for name, share in self.shares.items()]
        rank_zero_info(f"training on the emotions {', '.join(shares)} only")
