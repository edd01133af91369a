"""Training that goes on within an epoch with the batch after the last one."""

from typing import Any

from lightning.pytorch import Trainer
from torch.utils.data import DataLoader

from emoquant.data.sampling import TrainingSampler


class TrainingLoader(DataLoader[Any]):
    """A loader whose place in the epoch is part of the checkpoint (Lightning asks for it and gives it back).

    Without it a run that goes on in the middle of an epoch would see the epoch's first batches again, and one whose
    workers load ahead the order of the first epoch.

    Args:
        loader: A loader of whole batches (``batch_size=None``) with a
            :class:`~emoquant.data.sampling.TrainingSampler`.
        trainer: Knows how many batches were trained on; None leaves the loader at the beginning.
    """

    def __init__(self, loader: DataLoader[Any], trainer: Trainer | None) -> None:
        super().__init__(
            loader.dataset,
            batch_size=None,
            sampler=loader.sampler,
            num_workers=loader.num_workers,
            pin_memory=loader.pin_memory,
            persistent_workers=loader.persistent_workers,
        )
        self._trainer = trainer

    def state_dict(self) -> dict[str, int]:
        """Return epoch and batches that a run would have to go on from."""
        if self._trainer is None:
            return {"epoch": 0, "batches": 0}
        loop = self._trainer.fit_loop
        batches: Any = loop.epoch_loop.batch_progress.current
        epochs: Any = loop.epoch_progress.current
        done = int(batches.processed)
        if done >= self._trainer.num_training_batches:
            return {"epoch": epochs.started, "batches": 0}
        return {"epoch": max(0, epochs.started - 1), "batches": done}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on from there."""
        assert isinstance(self.sampler, TrainingSampler)
        self.sampler.go_on(state["epoch"], state["batches"])

    def __iter__(self) -> Any:  # noqa: ANN401 - torch's iterator, whose class is private
        """Iterate over the batches of the trainer's epoch, which workers that load ahead must know from the start."""
        if self._trainer is not None and isinstance(self.sampler, TrainingSampler):
            self.sampler.set_epoch(self._trainer.current_epoch)
        return super().__iter__()
