"""Filters for messages of other packages that come in every run and need no action, one exact message each."""

import logging
import re
import warnings

#: Pattern of the beginning of each message that is suppressed, and its category if it is a warning; None for a line of
#: Lightning's log.
NOISE: tuple[tuple[str, type[Warning] | None], ...] = (
    # num_workers is in the YAML of every data module; features are read from a memory map.
    (r"The '\w+_dataloader' does not have many workers which may be a bottleneck", UserWarning),
    # Epochs of a small corpus are short; the means of an epoch are logged at its end in any case.
    (r"The number of training batches \(\d+\) is smaller than the logging interval", UserWarning),
    # Lightning calls torch so, for every batch that it moves.
    (r"`isinstance\(treespec, LeafSpec\)` is deprecated", FutureWarning),
    # Of a package that funasr imports; audio is read without it.
    (r"Couldn't find ffmpeg or avconv - defaulting to ffmpeg", RuntimeWarning),
    # Advertises services of Lightning's makers.
    (r"💡 Tip: ", None),
    # configs/trainer.yaml names the summary; that it is the only one is what is wanted.
    (r"Trainer already configured with model summary callbacks", None),
)

_LOG = "lightning.pytorch.utilities.rank_zero"


class _Without(logging.Filter):
    """Leaves lines out of a log."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a line stays."""
        text = record.getMessage()
        return not any(category is None and re.match(message, text) for message, category in NOISE)


_WITHOUT = _Without()


def leave_out_noise() -> None:
    """Suppress :data:`NOISE` in this process; all other messages stay."""
    for message, category in NOISE:
        if category is not None:
            warnings.filterwarnings("ignore", message=message, category=category)
    logging.getLogger(_LOG).addFilter(_WITHOUT)  # a filter is kept once, however often it is added
