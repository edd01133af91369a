"""Reads the TextGrids that the Montreal Forced Aligner writes."""

from pathlib import Path

from emoquant.speech.alignment import SILENCES, Alignment, Span


def read_textgrid(path: Path) -> Alignment:
    """Return the alignment in a TextGrid with the tiers ``phones`` and ``words`` (MFA may put a speaker before them).

    Silences may be written ``sil``, ``sp`` or as empty intervals (MFA from version 2 on). Stress digits
    of ARPAbet are kept.

    Args:
        path: The file, long or short format.

    Raises:
        FileNotFoundError: There is no such file.
        ImportError: praatio is not installed.
        ValueError: It is no TextGrid or lacks a tier.
    """
    try:
        from praatio import textgrid
        from praatio.utilities.errors import PraatioException
    except ImportError as error:
        raise ImportError(
            f"reading TextGrids needs praatio ({error}); install it: pip install 'emoquant[align]'"
        ) from error
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such TextGrid; run the aligner on this utterance")
    try:
        grid = textgrid.openTextgrid(str(path), includeEmptyIntervals=True)
    except (PraatioException, ValueError, LookupError, AttributeError, TypeError, AssertionError) as error:
        raise ValueError(f"{path}: not a TextGrid ({error}); expected one with the tiers phones and words") from error
    tiers = {}
    for kind in ("phones", "words"):
        names = [name for name in grid.tierNames if name == kind or name.endswith(f" - {kind}")]
        if len(names) != 1:
            raise ValueError(f"{path}: expected one tier {kind!r}, the file has {list(grid.tierNames)}")
        tiers[kind] = [Span(entry.label.strip(), entry.start, entry.end) for entry in grid.getTier(names[0]).entries]
    return Alignment(tiers["phones"], [word for word in tiers["words"] if word.label not in SILENCES])
