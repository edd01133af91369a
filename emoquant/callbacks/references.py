"""References in pairs for experiments that mix them."""

from collections.abc import Mapping

from lightning.pytorch import Callback, LightningModule, Trainer


class PairedReferences(Callback):
    """Makes every test item two references, one after the other: an utterance and its partner of another emotion.

    The partner is of the same speaker; see :func:`~emoquant.data.pairing.partner_rows`. Labels and rows of the results
    are those of the first, and the unquantized features stand for the plain average of the two.

    Args:
        partners: Emotion of the partner by emotion (``{happy: sad, sad: happy}``); emotions that are not named are left
            out. By default each emotion goes with the next one of the corpus.
    """

    def __init__(self, partners: Mapping[str, str] | None = None) -> None:
        self.partners = None if partners is None else dict(partners)

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Pair the test split, once the data module has opened it.

        Raises:
            TypeError: The run has no data module that can pair.
            ValueError: Partners are wrong or missing.
        """
        if stage != "test":
            return
        data = trainer.datamodule  # type: ignore[attr-defined]  # set by the trainer at run time
        if not hasattr(data, "pair_references"):
            raise TypeError(f"{type(data).__name__} has no pairs: use EmotionDataModule with PairedReferences")
        data.pair_references(self.partners)
