"""The command ``leaderboard``: codecs of several evaluations in one table."""

from pathlib import Path

from emoquant.reports.leaderboard import entries_of, merged, read_leaderboard, write_leaderboard
from emoquant.storage.runs import RUNS, evaluated


def leaderboard(runs: list[Path] | None = None, out: Path = Path(RUNS) / "leaderboard.json") -> Path:
    """Add the codecs of finished evaluations to a table of all that were measured.

    Args:
        runs: Folders of evaluations: of a run, whose newest version counts, or of a version.
        out: The table as JSON; one in Markdown is written beside it. What is there is kept, but for the same codec at
            the same point on the same corpus and encoder.

    Returns:
        The JSON file.

    Raises:
        FileNotFoundError: A run has no results.
        ValueError: No run is named, results lack bits a second, or the table that is there is damaged.
    """
    if not runs:
        raise ValueError("no run is named: expected folders of evaluations, such as runs/codecs")
    found = []
    for place in runs:
        found += entries_of(evaluated(Path(place)))
    before = read_leaderboard(out) if out.is_file() else []
    for path in write_leaderboard(out, merged(before, found)):
        print(path)
    return out
