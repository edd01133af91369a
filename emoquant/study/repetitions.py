"""Repetitions of a study: all trainings and evaluations, for each seed and in each fold."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from emoquant.storage.runs import RESULTS
from emoquant.study.plan import Step

#: Folder of the results of all folds together.
TOGETHER = "folds"


class Repetition(NamedTuple):
    """All steps of a study with one seed and in one fold.

    Attributes:
        place: Folder of its runs.
        seed: Seed of its trainings and evaluations; None for those of the configurations.
        fold: Number and count of its folds; None for the splits of the corpus.
    """

    place: Path
    seed: int | None = None
    fold: tuple[int, int] | None = None

    def words(self, step: Step) -> list[str]:
        """Return the words of a step's command: its folder, seed and fold, and where the sums of folds meet."""
        words = ["--folder", str(self.place), *(["--seed", str(self.seed)] if self.seed is not None else [])]
        if self.fold is not None:
            words += ["--data.fold", f"{self.fold[0]}/{self.fold[1]}"]
            words += [] if step.trains else ["--model.pool", str(self._together(step.name))]
        return words

    def results(self, name: str, run: Path) -> Path | None:
        """Return the results of an experiment: those of its run, or of all folds together; None where these lack.

        Args:
            name: Name of the experiment.
            run: Folder of its run.
        """
        path = (run if self.fold is None else self._together(name)) / RESULTS
        return path if path.is_file() else None

    def _together(self, name: str) -> Path:
        return self.place.parent / TOGETHER / name


def repetitions(folder: Path, seeds: Sequence[int] | None, folds: int) -> Iterator[Repetition]:
    """Yield the repetitions, each with a folder of its own.

    Args:
        folder: Folder of all runs.
        seeds: Seeds; None for a single run of those of the configurations.
        folds: Folds of the corpus; 0 for its own splits.

    Raises:
        ValueError: There are one or two folds.
    """
    if folds and folds < 3:
        raise ValueError(f"{folds} folds leave nothing to train on beside test and validation: expected 3 or more")
    chosen: list[int | None] = [*seeds] if seeds else [None]
    for seed in chosen:
        place = folder if seed is None else folder / f"seed_{seed}"
        if not folds:
            yield Repetition(place, seed)
        for number in range(folds):
            yield Repetition(place / f"fold_{number}", seed, (number, folds))
