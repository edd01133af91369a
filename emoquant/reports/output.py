"""Files of reports: written whole or not at all, and the same bytes for the same rows."""

import hashlib
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from emoquant.reports.fonts import other_scripts
from emoquant.reports.style import paper_style
from emoquant.storage.documents import read_json, require_mapping
from emoquant.storage.files import write_whole
from emoquant.storage.results import Row

#: Index of a report folder: every figure and table with its caption.
INDEX = "captions.json"
#: Dots per inch of PNG files.
RESOLUTION = 300


def write_file(path: Path, content: str | bytes) -> Path:
    """Write a file under a temporary name, then rename it.

    Args:
        path: File to write; its folder is made if needed.
        content: Text (written as UTF-8) or bytes.

    Returns:
        The path.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode("utf-8") if isinstance(content, str) else content
    write_whole(path, data)
    return path


def picture(figure: Figure, kind: str, salt: str) -> bytes:
    """Return a figure as the bytes of a PNG or SVG file without dates or random identifiers.

    Args:
        figure: Figure to draw; its layout is fixed by the first call.
        kind: ``"png"`` or ``"svg"``.
        salt: Seeds the identifiers inside an SVG.
    """
    buffer = io.BytesIO()
    drawn = mpl.rc_context({"svg.hashsalt": salt, "svg.fonttype": "path"})
    with paper_style(), drawn, other_scripts(figure):
        if kind == "png":
            FigureCanvasAgg(figure).print_figure(buffer, format="png", dpi=RESOLUTION, metadata={"Software": None})
        elif kind == "svg":
            FigureCanvasSVG(figure).print_figure(buffer, format="svg", metadata={"Date": None, "Creator": None})
        else:
            raise ValueError(f"pictures are written as png or svg, not {kind!r}")
    figure.set_layout_engine("none")  # what the first drawing arranged holds for the next
    return buffer.getvalue()


def read_index(folder: Path) -> list[dict[str, Any]]:
    """Return the entries of a report folder's index whose files still exist, in the order they were written.

    Args:
        folder: Folder that reports were written into.

    Raises:
        ValueError: The index is damaged, or lists files that lie elsewhere.
    """
    path = folder / INDEX
    if not path.is_file():
        return []
    entries = require_mapping(read_json(path), path, "artifacts")["artifacts"]
    if not isinstance(entries, list) or not all(_is_entry(entry) for entry in entries):
        raise ValueError(f"{path} is damaged: it lists what no report writes; delete it, and draw the reports again")
    inside = folder.resolve()
    for entry in entries:
        for name in entry["files"]:
            if not (folder / name).resolve().is_relative_to(inside):
                raise ValueError(f"{path} lists {name}, which leads out of {folder} by a link; remove it")
    return [entry for entry in entries if all((folder / name).is_file() for name in entry["files"])]


def _is_entry(entry: object) -> bool:
    """Return whether an entry of an index has what every report writes, and names files in its folder alone."""
    texts = ("stem", "title", "caption", "alt", "results")
    if not isinstance(entry, dict) or not all(isinstance(entry.get(name), str) for name in texts):
        return False
    files = entry.get("files")
    return isinstance(files, list) and "report" in entry and all(map(_is_plain, [entry["stem"], *files]))


def _is_plain(name: object) -> bool:
    return isinstance(name, str) and bool(name) and not set(name) & set("/\\\0") and name not in (".", "..")


def digest(rows: Sequence[Row]) -> str:
    """Return a short hash of rows: figures of the same rows belong together."""
    return hashlib.sha256(repr(list(rows)).encode("utf-8")).hexdigest()[:16]


def add_to_index(folder: Path, entries: list[dict[str, Any]]) -> Path:
    """Put entries into a report folder's index, each in the place of an older one of the same stem.

    Older entries that were made of other results are dropped, so that figures of different runs never mix.

    Args:
        folder: Folder of the reports.
        entries: Entries of one results file, each with at least the keys ``stem``, ``files`` (names in the folder) and
            ``results`` (see :func:`digest`).

    Returns:
        Path of the index.
    """
    made_of = {entry["results"] for entry in entries}
    merged = {entry["stem"]: entry for entry in read_index(folder) if entry["results"] in made_of}
    merged.update({entry["stem"]: entry for entry in entries})
    text = json.dumps({"artifacts": list(merged.values())}, indent=2, ensure_ascii=False, allow_nan=False)
    return write_file(folder / INDEX, text + "\n")
