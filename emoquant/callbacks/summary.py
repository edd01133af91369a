"""The parts of a model when a training starts."""

from typing import Any

from lightning.pytorch.callbacks import ModelSummary
from lightning.pytorch.utilities import rank_zero_info

#: Columns that are shown. Lightning's further one counts operations of an example input, which no task has: always 0.
_COLUMNS = ("Name", "Type", "Params", "Mode")


class PartsSummary(ModelSummary):
    """Lists the parts of a model with their classes and parameters, ``max_depth`` levels deep (1 by default)."""

    @staticmethod
    def summarize(
        summary_data: list[tuple[str, list[str]]],
        total_parameters: int,
        trainable_parameters: int,
        model_size: float,
        total_training_modes: dict[str, int],
        total_flops: int,
        **summarize_kwargs: Any,  # noqa: ANN401 - Lightning's hook
    ) -> None:
        """Write the table to the log (Lightning calls it)."""
        shown = [(title, cells) for title, cells in summary_data if title in _COLUMNS]
        widths = [max(map(len, (title, *cells))) for title, cells in shown]
        rows = [tuple(title for title, _ in shown), *zip(*(cells for _, cells in shown), strict=True)]
        lines = ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows]
        frozen = total_parameters - trainable_parameters
        sums = f"{trainable_parameters:,} parameters are trained, {frozen:,} are not ({model_size:.1f} MB)"
        rank_zero_info("\n".join([*lines, sums]))
