"""What experiments change about splits: training on some emotions only, test references in pairs."""

from collections.abc import Mapping
from typing import Any

from torch.utils.data import DataLoader

from emoquant.data.pairing import PairedDataset, partner_rows
from emoquant.data.sampling import BucketSampler
from emoquant.data.selection import SelectedDataset, rows_by_share
from emoquant.data.speech import SpeechDataModule


class ArrangedDataModule(SpeechDataModule):
    """A data module whose training split can be restricted to emotions and whose test split can be paired.

    The callbacks ``TrainingEmotions`` and ``PairedReferences`` call what is here; without them nothing is changed.
    """

    _training: SelectedDataset | None = None

    def restrict_training(self, shares: Mapping[str, float], utterances: int | None = None, seed: int = 0) -> None:
        """Train on some emotions only, in given proportions; every other loader stays whole.

        Args:
            shares: Share of each emotion; only their ratios count.
            utterances: Most training utterances in all; as many as the proportions allow by default.
            seed: Seeds the choice of utterances.

        Raises:
            ValueError: See :func:`~emoquant.data.selection.rows_by_share`.
            RuntimeError: :meth:`setup` was not called.
        """
        whole = self.dataset("train")
        self._training = SelectedDataset(whole, rows_by_share(whole.emotions, self.emotions, shares, utterances, seed))

    def pair_references(self, partners: Mapping[str, str] | None = None) -> None:
        """Pair each test utterance with one of the same speaker and another emotion; a second call does nothing.

        Args:
            partners: Emotion of the partner by emotion; see :func:`~emoquant.data.pairing.partner_rows`.

        Raises:
            ValueError: Partners are wrong or missing.
            RuntimeError: :meth:`setup` was not called.
        """
        whole = self.dataset("test")
        assert self._datasets is not None
        if not isinstance(whole, PairedDataset):
            rows = partner_rows(whole.emotions, whole.speakers, self.emotions, partners)
            self._datasets["test"] = PairedDataset(whole, *rows)

    def train_dataloader(self) -> DataLoader[Any]:
        """Return the training split or what it was restricted to; see :class:`SpeechDataModule`."""
        if self._training is None:
            return super().train_dataloader()
        lengths, ranks = self._training.lengths, self._ranks()
        return self._training_loader(self._training, BucketSampler(lengths, self._training_budget(), self.seed, *ranks))
