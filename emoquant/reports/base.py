"""What every report offers: rows of results in, files out; nothing is computed again."""

import inspect
import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from matplotlib.figure import Figure

from emoquant.reports.captions import sentences
from emoquant.reports.chance import classifier_doubt, heard_note
from emoquant.reports.output import add_to_index, digest, picture, write_file
from emoquant.reports.quantities import axis_name
from emoquant.reports.rows import ALL, Results
from emoquant.reports.trust import speaker_text, triplet_text
from emoquant.reports.writing import latex_text, markdown_text
from emoquant.storage.results import Row, write_results

#: Bytes of the longest part of a file's name.
_LONGEST = 100


class Artifact(NamedTuple):
    """One figure or table.

    Attributes:
        stem: File name without suffix.
        title: Heading, a few words.
        caption: What is shown, n and intervals, as a paper's caption says it.
        alt: The picture in words, for those who do not see it.
        rows: The rows that are shown; written beside the picture as CSV.
        figure: Picture, or None for text alone.
        texts: Other forms by file suffix (``".md"``, ``".tex"``).
    """

    stem: str
    title: str
    caption: str
    alt: str
    rows: Sequence[Row]
    figure: Figure | None
    texts: Mapping[str, str]


class Report(ABC):
    """Something that is made of the rows of ``results.csv`` alone.

    Options are primitives, each kept as an attribute of the same name, so that a configuration can name them.
    """

    def options(self) -> dict[str, Any]:
        """Return the class and the options that make this report again, as a configuration names them."""
        names = [name for name in inspect.signature(type(self).__init__).parameters if name != "self"]
        kind = type(self)
        module = "emoquant.reports" if kind.__module__.startswith("emoquant.reports.") else kind.__module__
        return {
            "class_path": f"{module}.{kind.__qualname__}",
            "init_args": {name: _plain(getattr(self, name)) for name in names},
        }

    @abstractmethod
    def write(self, rows: Sequence[Row], folder: Path) -> list[Path]:
        """Write the report's files; each is written whole or not at all.

        Args:
            rows: Rows of a results file.
            folder: Folder of the files; made if needed.

        Returns:
            Paths of the files written.

        Raises:
            MissingRowsError: The rows do not hold what the report shows; nothing is written.
        """


@dataclass(kw_only=True)
class Drawing(Report):
    """A report of figures and tables: one set for every corpus in the rows.

    Each figure is written as PNG and SVG with the rows it shows as CSV, and is listed with its caption in
    ``captions.json``.

    Args:
        stratum: Part of the corpus that is shown.
        name: Stem of the file names; each class has its own by default.

    Attributes:
        stem: Stem of the file names where no name is given; options are filled in.
    """

    stem: ClassVar[str]
    stratum: str = ALL
    name: str = ""

    def __post_init__(self) -> None:
        plain = {key: str(value).strip("/").replace("/", "_") for key, value in vars(self).items()}
        self.name = plain_name(self.name or self.stem.format(**plain | {"x": axis_name(plain.get("x", ""))}))

    @abstractmethod
    def draw(self, results: Results) -> list[Artifact]:
        """Return the figures and tables of one corpus.

        Args:
            results: Rows of one corpus.

        Raises:
            MissingRowsError: The rows do not hold what is shown.
        """

    def draw_rows(self, rows: Sequence[Row]) -> list[Artifact]:
        """Return the figures and tables of every corpus in the rows; nothing is written.

        Args:
            rows: Rows of a results file.

        Raises:
            MissingRowsError: The rows do not hold what is shown.
        """
        results = Results(rows)
        corpora = results.corpora
        artifacts = []
        for corpus in corpora:
            suffix = f"_{file_name(corpus)}" if len(corpora) > 1 else ""
            own = results.of_corpus(corpus)
            doubt = sentences(classifier_doubt(own), heard_note(own))
            for artifact in self.draw(own):
                notes = sentences(triplet_text(own, artifact.rows), speaker_text(artifact.rows))
                artifacts.append(_annotated(artifact._replace(stem=artifact.stem + suffix), doubt, notes))
        return _apart(artifacts)

    def write(self, rows: Sequence[Row], folder: Path) -> list[Path]:
        """Write the figures, their rows and the index; see :meth:`Report.write`."""
        artifacts = self.draw_rows(rows)
        paths = [path for artifact in artifacts for path in _write_artifact(artifact, folder)]
        return [
            *paths,
            add_to_index(folder, [_entry(artifact, self.options(), digest(rows)) for artifact in artifacts]),
        ]


def _annotated(artifact: Artifact, doubt: str, notes: str) -> Artifact:
    """Return an artifact whose caption, in every form, begins with a doubt and ends with notes; either may be empty."""
    texts = dict(artifact.texts)
    if ".md" in texts:
        head = f"**{markdown_text(doubt)}**\n\n" if doubt else ""
        texts[".md"] = head + (f"{texts['.md'].rstrip()} {markdown_text(notes)}\n" if notes else texts[".md"])
    if ".tex" in texts and doubt:
        texts[".tex"] = texts[".tex"].replace(r"\caption{", rf"\caption{{{latex_text(doubt)} ", 1)
    if ".tex" in texts and notes:
        texts[".tex"] = texts[".tex"].replace("}\n\\label{", f" {latex_text(notes)}}}\n\\label{{", 1)
    return artifact._replace(caption=sentences(doubt, artifact.caption, notes), texts=texts)


def file_name(text: str) -> str:
    """Return a name with everything that file systems dislike replaced.

    Example:
        >>> file_name("emodb+ravdess / test")
        'emodb-ravdess-test'
    """
    kept = "".join(c if c.isalnum() or c in "._" else " " for c in text)
    name = "-".join(kept.split()).lstrip(".") or "unnamed"
    while len(name.encode()) > _LONGEST:
        name = name[:-1]
    return name


def plain_name(name: object) -> str:
    """Return the stem of a report's files, if it is one: no folder, nothing hidden, nothing that is not printed.

    Raises:
        ValueError: It is none.
    """
    plain = isinstance(name, str) and name.isprintable() and not set(name) & set("/\\:") and name.strip() == name
    if not plain or not name or str(name).startswith(".") or len(str(name).encode()) > _LONGEST:
        raise ValueError(f"name must be a plain file name without folders, not {str(name)[:80]!r}")
    return str(name)


def _apart(artifacts: Sequence[Artifact]) -> list[Artifact]:
    """Return figures whose names were alike with a number behind the later ones."""
    used: Counter[str] = Counter()
    found = []
    for artifact in artifacts:
        used[artifact.stem] += 1
        number = used[artifact.stem]
        found.append(artifact._replace(stem=f"{artifact.stem}_{number}") if number > 1 else artifact)
    return found


def _suffixes(artifact: Artifact) -> list[str]:
    return [*([".png", ".svg"] if artifact.figure else []), *artifact.texts, *([".csv"] if artifact.rows else [])]


def _write_artifact(artifact: Artifact, folder: Path) -> list[Path]:
    paths = []
    for suffix in _suffixes(artifact):
        path = folder / f"{artifact.stem}{suffix}"
        if suffix == ".csv":
            write_results(path, artifact.rows)
        elif suffix in artifact.texts:
            write_file(path, artifact.texts[suffix])
        elif artifact.figure:
            write_file(path, picture(artifact.figure, suffix[1:], artifact.stem))
        paths.append(path)
    return paths


def _entry(artifact: Artifact, options: dict[str, Any], results: str) -> dict[str, Any]:
    counts = [row.n for row in artifact.rows]
    return {
        "stem": artifact.stem,
        "title": artifact.title,
        "caption": artifact.caption,
        "alt": artifact.alt,
        "files": [f"{artifact.stem}{suffix}" for suffix in _suffixes(artifact)],
        "n": [min(counts), max(counts)] if counts else [],
        "interval": sorted({row.interval for row in artifact.rows if row.interval}),
        "report": _strict(options),
        "results": results,
    }


def _strict(value: Any) -> Any:  # noqa: ANN401 - an option of any kind
    """Return options as JSON knows them: NaN becomes null."""
    if isinstance(value, Mapping):
        return {key: _strict(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_strict(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _plain(value: Any) -> Any:  # noqa: ANN401 - an option of any kind
    if isinstance(value, Report):
        return value.options()
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
