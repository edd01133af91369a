"""Every file format that the project reads: how a sound one is written, and what reads it."""

import corpus_formats  # noqa: F401 - fills the table
import model_formats  # noqa: F401 - fills the table
import store_formats  # noqa: F401 - fills the table
import text_formats  # noqa: F401 - fills the table
from format_table import FORMATS, Format

__all__ = ["FORMATS", "Format"]
