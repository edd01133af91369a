"""The command ``manifest``: a table of a folder's recordings with their emotions."""

from pathlib import Path

from emoquant.data.manifest_writer import ManifestSummary, write_manifest


def manifest(
    folder: Path,
    pattern: str | None = None,
    output: Path | None = None,
    emotions: dict[str, str] | None = None,
    overwrite: bool = False,
) -> ManifestSummary:
    """List a folder of recordings with their emotions as a table.

    The table is what --data takes: emoquant fit codec --data FOLDER/utterances.csv.

    Args:
        folder: Folder of the recordings; its subfolders are searched.
        pattern: Where emotion, speaker and other fields stand in the path of a file, such as {speaker}/{emotion}_*.wav;
            without it the emotion is the name of a folder.
        output: The table; utterances.csv in the folder by default.
        emotions: Names of emotions in the paths that are not known, with what they mean: {"W": "angry"}.
        overwrite: Replace a table that is there.

    Returns:
        What was written, and what was left out and why.

    Raises:
        FileNotFoundError: There is no such folder.
        FileExistsError: The table is there already.
        ValueError: No recording can be listed, or the pattern or the emotions are wrong.
    """
    summary = write_manifest(folder, pattern, output, dict(emotions or {}), overwrite)
    print(summary)
    return summary
