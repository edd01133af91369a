"""Figures, audio, text and tables of a run, in whichever logger it has.

================  ==============================================================================
logger            where they go
================  ==============================================================================
TensorBoard       its pages for images, audio, text, histograms and the projector
Weights & Biases  images and audio of the run; text, histograms and embeddings as tables
MLflow            artifacts of the run, in folders named like the tags
CSV               files beside ``metrics.csv``, in ``media/``
others            nowhere: said once when the run starts to write
================  ==============================================================================
"""

import csv
import io
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import soundfile
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import CSVLogger, Logger, MLFlowLogger, TensorBoardLogger, WandbLogger
from lightning.pytorch.loggers.logger import DummyLogger
from lightning.pytorch.utilities import rank_zero_warn
from matplotlib.figure import Figure
from torch import Tensor


class Media(ABC):
    """One place that figures, audio, text and tables are written to."""

    @abstractmethod
    def figure(self, tag: str, figure: Figure, step: int) -> None:
        """Write a figure."""

    @abstractmethod
    def audio(self, tag: str, samples: Tensor, rate: int, step: int) -> None:
        """Write samples ``(N,)`` in [-1, 1] at ``rate`` Hz."""

    @abstractmethod
    def text(self, tag: str, markdown: str, step: int) -> None:
        """Write a text in Markdown."""

    @abstractmethod
    def table(self, tag: str, header: Sequence[str], rows: Sequence[Sequence[str | float]], step: int) -> None:
        """Write a table."""

    def histogram(self, tag: str, values: np.ndarray, step: int) -> None:
        """Write values ``(N,)`` that matter as a distribution; as a table where there is nothing better."""
        self.table(tag, ["index", "value"], list(enumerate(values.tolist())), step)

    def embedding(
        self, tag: str, vectors: Tensor, labels: Sequence[Sequence[str]], header: Sequence[str], step: int
    ) -> None:
        """Write vectors ``(N, D)`` with their labels under a header; as a table where there is nothing better."""
        dimensions = [f"dimension {number}" for number in range(vectors.shape[1])]
        rows = [[*label, *vector] for label, vector in zip(labels, vectors.tolist(), strict=True)]
        self.table(tag, [*header, *dimensions], rows, step)


class TensorBoardMedia(Media):
    """Writes to TensorBoard."""

    def __init__(self, logger: TensorBoardLogger) -> None:
        self._writer = logger.experiment

    def figure(self, tag: str, figure: Figure, step: int) -> None:
        """Write a figure."""
        self._writer.add_figure(tag, figure, step)

    def audio(self, tag: str, samples: Tensor, rate: int, step: int) -> None:
        """Write samples."""
        self._writer.add_audio(tag, samples.float()[None], step, rate)

    def text(self, tag: str, markdown: str, step: int) -> None:
        """Write a text."""
        self._writer.add_text(tag, markdown, step)

    def table(self, tag: str, header: Sequence[str], rows: Sequence[Sequence[str | float]], step: int) -> None:
        """Write a table in Markdown."""
        lines = [header, ["---"] * len(header), *rows]
        self.text(tag, "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines), step)

    def histogram(self, tag: str, values: np.ndarray, step: int) -> None:
        """Write a histogram."""
        self._writer.add_histogram(tag, values, step)

    def embedding(
        self, tag: str, vectors: Tensor, labels: Sequence[Sequence[str]], header: Sequence[str], step: int
    ) -> None:
        """Write vectors to the projector."""
        self._writer.add_embedding(vectors, labels, metadata_header=list(header), global_step=step, tag=tag)


class WandbMedia(Media):
    """Writes to a run of Weights & Biases."""

    def __init__(self, logger: WandbLogger) -> None:
        self._logger = logger

    def figure(self, tag: str, figure: Figure, step: int) -> None:
        """Write a figure as an image."""
        self._logger.log_image(tag, [_pixels(figure)], step)

    def audio(self, tag: str, samples: Tensor, rate: int, step: int) -> None:
        """Write samples."""
        self._logger.log_audio(tag, [samples.detach().float().cpu().numpy()], step, sample_rate=[rate])

    def text(self, tag: str, markdown: str, step: int) -> None:
        """Write a text as a table of one cell."""
        self._logger.log_text(tag, columns=["text"], data=[[markdown]], step=step)

    def table(self, tag: str, header: Sequence[str], rows: Sequence[Sequence[str | float]], step: int) -> None:
        """Write a table."""
        self._logger.log_table(tag, columns=list(header), data=[list(row) for row in rows], step=step)


class FileMedia(Media):
    """Writes files named ``TAG-STEP`` into a folder.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def _file(self, name: str) -> Iterator[Path]:
        """Give a path to write to; the file stays there."""
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        yield path

    def figure(self, tag: str, figure: Figure, step: int) -> None:
        """Write a PNG."""
        with self._file(f"{tag}-{step}.png") as path:
            figure.savefig(path)

    def audio(self, tag: str, samples: Tensor, rate: int, step: int) -> None:
        """Write a WAV file of 16 bits."""
        with self._file(f"{tag}-{step}.wav") as path:
            soundfile.write(path, samples.detach().float().cpu().numpy(), rate, subtype="PCM_16")

    def text(self, tag: str, markdown: str, step: int) -> None:
        """Write a Markdown file."""
        with self._file(f"{tag}-{step}.md") as path:
            path.write_text(markdown, encoding="utf-8")

    def table(self, tag: str, header: Sequence[str], rows: Sequence[Sequence[str | float]], step: int) -> None:
        """Write a CSV file."""
        with self._file(f"{tag}-{step}.csv") as path, path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([header, *rows])


class MLflowMedia(FileMedia):
    """Writes artifacts of a run of MLflow."""

    def __init__(self, logger: MLFlowLogger) -> None:
        self._client, self._run = logger.experiment, logger.run_id

    @contextmanager
    def _file(self, name: str) -> Iterator[Path]:
        """Give a temporary path, and make an artifact of what was written there."""
        folder, _, file = name.rpartition("/")
        with tempfile.TemporaryDirectory() as temporary:
            path = Path(temporary) / file
            yield path
            self._client.log_artifact(self._run, str(path), folder or None)


class _Several:
    """Passes every call on to several places."""

    def __init__(self, places: Sequence[Media]) -> None:
        self._places = places

    def __getattr__(self, method: str) -> Callable[..., None]:
        def write(*args: Any) -> None:  # noqa: ANN401 - those of the method
            for place in self._places:
                getattr(place, method)(*args)

        return write


def media_of(trainer: Trainer) -> Media | None:
    """Return where this process writes figures, audio, text and tables; None on other ranks and without a logger.

    A logger that is not known takes scalars only, which is said once.
    """
    if not trainer.is_global_zero:
        return None
    places = [place for place in map(_media, trainer.loggers) if place is not None]
    return cast(Media, _Several(places)) if places else None


def _media(logger: Logger) -> Media | None:
    if isinstance(logger, TensorBoardLogger):
        return TensorBoardMedia(logger)
    if isinstance(logger, WandbLogger):
        return WandbMedia(logger)
    if isinstance(logger, MLFlowLogger):
        return MLflowMedia(logger)
    if isinstance(logger, CSVLogger):
        return FileMedia(Path(logger.log_dir) / "media")
    if not isinstance(logger, DummyLogger):  # of fast_dev_run
        _scalars_only(type(logger).__name__)
    return None


@cache
def _scalars_only(name: str) -> None:
    """Say once of a kind of logger what it does not get."""
    rank_zero_warn(
        f"{name} gets scalars only: figures, audio and tables are written for TensorBoardLogger, WandbLogger, "
        "MLFlowLogger and CSVLogger"
    )


def _pixels(figure: Figure) -> np.ndarray:
    """Return a figure as an image, ``(H, W, 4)`` uint8."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="rgba")
    width, height = figure.canvas.get_width_height()
    return np.frombuffer(buffer.getvalue(), np.uint8).reshape(height, width, 4)
