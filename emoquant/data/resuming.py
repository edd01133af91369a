"""The loader of training batches, which resumes within an epoch."""

from typing import Any

from lightning.pytorch import Trainer
from torch.utils.data import DataLoader

from emoquant.data.sampling import TrainingSampler


class TrainingLoader(DataLoader[Any]):
    """Load training batches, and store the position in the epoch in Lightning's checkpoints.

    Without it a run that continues in the middle of an epoch would repeat the epoch's first batches, and with workers
    that load ahead it would use the order of the first epoch.

    Args:
        loader: A loader of whole batches (``batch_size=None``) with a
            :class:`~emoquant.data.sampling.TrainingSampler`.
        trainer: Trainer whose count of batches is the position; None leaves the loader at the beginning.
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
        """Return the epoch and the number of its batches that were trained on."""
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
        """Resume at a position that :meth:`state_dict` returned."""
        assert isinstance(self.sampler, TrainingSampler)
        self.sampler.go_on(state["epoch"], state["batches"])

    def __iter__(self) -> Any:  # noqa: ANN401 - torch's iterator, whose class is private
        """Iterate over the batches of the trainer's epoch, which workers that load ahead must know from the start."""
        if self._trainer is not None and isinstance(self.sampler, TrainingSampler):
            self.sampler.set_epoch(self._trainer.current_epoch)
        return super().__iter__()
