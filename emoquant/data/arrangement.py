"""What experiments change about splits: training on some emotions only, test references in pairs."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from lightning.pytorch.utilities import rank_zero_info
from torch.utils.data import DataLoader

from emoquant.data.base import Corpus
from emoquant.data.pairing import PairedDataset, partner_rows
from emoquant.data.sampling import BucketSampler
from emoquant.data.selection import SelectedDataset, rows_by_share
from emoquant.data.speech import SpeechDataModule
from emoquant.labels import STUDY_EMOTIONS, opposite_emotions


class ArrangedDataModule(SpeechDataModule):
    """A data module whose training split can be restricted to emotions and whose test split can be paired.

    Args:
        corpora: A corpus or several, which are joined split by split.
        emotions: Emotions that are kept, in the order of their indices; None for all that occur.
        cache_dir: Folder for what is derived from the corpora.
        budget: Largest padded size of a batch.
        num_workers: Processes that load batches; 0 loads in the training process.
        seed: Seeds the order of the training batches.
        train_emotions: Share of each emotion of the training split, of which only the ratios count: ``{angry: 1}`` for
            a codebook of one emotion, ``{happy: 1, sad: 1}`` for a mixed one. Validation and test keep every emotion.
            None trains on all utterances.
        train_utterances: Most training utterances under ``train_emotions``, to give every codebook equally many; as
            many as the proportions allow by default.
        partners: Makes every test item two references, one after the other: an utterance and its partner, of the same
            speaker and another emotion. The emotion of the partner by emotion (``{happy: sad, sad: happy}``; emotions
            that are not named are left out), or ``"opposite"`` (:func:`~emoquant.labels.opposite_emotions`). None for
            single utterances.
        batch_per_process: See :class:`SpeechDataModule`.
    """

    def __init__(
        self,
        corpora: Corpus | list[Corpus],
        emotions: Sequence[str] | None = STUDY_EMOTIONS,
        cache_dir: str = ".cache/emoquant",
        budget: int = 1,
        num_workers: int = 0,
        seed: int = 0,
        train_emotions: Mapping[str, float] | None = None,
        train_utterances: int | None = None,
        partners: dict[str, str] | Literal["opposite"] | None = None,
        batch_per_process: bool = False,
    ) -> None:
        super().__init__(corpora, emotions, cache_dir, budget, num_workers, seed, batch_per_process)
        self.train_emotions, self.train_utterances, self.partners = train_emotions, train_utterances, partners
        self._training: SelectedDataset | None = None

    def setup(self, stage: str | None = None) -> None:
        """Open the splits, restrict the training split and pair the test split; a second call does nothing.

        Raises:
            FileNotFoundError: A corpus is not where it should be.
            ValueError: A corpus has a wrong label, a split lacks an emotion that is asked for, or partners are wrong.
        """
        opened = self._datasets is None
        super().setup(stage)
        assert self._datasets is not None
        if opened and self.train_emotions is not None:
            whole, shares = self._datasets["train"], dict(self.train_emotions)
            rows = rows_by_share(whole.emotions, self.emotions, shares, self.train_utterances, self.seed)
            self._training = SelectedDataset(whole, rows)
            rank_zero_info(f"training on {len(rows)} utterances of {', '.join(shares)}")
        if opened and self.partners is not None:
            whole = self._datasets["test"]
            wanted = opposite_emotions(self.emotions) if self.partners == "opposite" else self.partners
            pairs = partner_rows(whole.emotions, whole.speakers, self.emotions, wanted)
            self._datasets["test"] = PairedDataset(whole, *pairs)

    @property
    def training_shares(self) -> dict[str, float]:
        """Share of each emotion among the training utterances; emotions without any are left out.

        Raises:
            RuntimeError: :meth:`setup` was not called.
        """
        dataset = self.dataset("train") if self._training is None else self._training
        counts = np.bincount(dataset.emotions, minlength=len(self.emotions)).tolist()
        return {name: count / len(dataset) for name, count in zip(self.emotions, counts, strict=True) if count}

    def train_dataloader(self) -> DataLoader[Any]:
        """Return the training split or what it was restricted to; see :class:`SpeechDataModule`."""
        if self._training is None:
            return super().train_dataloader()
        lengths, ranks = self._training.lengths, self._ranks()
        return self._training_loader(self._training, BucketSampler(lengths, self._training_budget(), self.seed, *ranks))
