"""Filters for messages of other packages that come in every run and need no action, one exact message each."""

import logging
import re
import warnings
from typing import NamedTuple


class Noise(NamedTuple):
    """A message that is suppressed.

    Attributes:
        message: Pattern of its beginning.
        category: Category, if it is a warning; None for a line of Lightning's log.
        reason: Why it is left out.
    """

    message: str
    category: type[Warning] | None
    reason: str


NOISE = (
    Noise(
        r"The '\w+_dataloader' does not have many workers which may be a bottleneck",
        UserWarning,
        "num_workers is in the YAML of every data module; features are read from a memory map",
    ),
    Noise(
        r"The number of training batches \(\d+\) is smaller than the logging interval",
        UserWarning,
        "epochs of a small corpus are short; the means of an epoch are logged at its end in any case",
    ),
    Noise(
        r"`isinstance\(treespec, LeafSpec\)` is deprecated",
        FutureWarning,
        "Lightning calls torch so, for every batch that it moves",
    ),
    Noise(
        r"Couldn't find ffmpeg or avconv - defaulting to ffmpeg",
        RuntimeWarning,
        "of a package that funasr imports; audio is read without it",
    ),
    Noise(r"💡 Tip: ", None, "advertises services of Lightning's makers"),
    Noise(
        r"Trainer already configured with model summary callbacks",
        None,
        "configs/trainer.yaml names the summary; that it is the only one is what is wanted",
    ),
)

_LOG = "lightning.pytorch.utilities.rank_zero"


class _Without(logging.Filter):
    """Leaves lines out of a log."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a line stays."""
        text = record.getMessage()
        return not any(noise.category is None and re.match(noise.message, text) for noise in NOISE)


_WITHOUT = _Without()


def leave_out_noise() -> None:
    """Suppress :data:`NOISE` in this process; all other messages stay."""
    for noise in NOISE:
        if noise.category is not None:
            warnings.filterwarnings("ignore", message=noise.message, category=noise.category)
    logging.getLogger(_LOG).addFilter(_WITHOUT)  # a filter is kept once, however often it is added
