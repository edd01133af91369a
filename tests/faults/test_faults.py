"""Every case of the table gives its error or its right result, and the document says what the table says."""

import os
from pathlib import Path

import audio_cases  # noqa: F401 - fills the table
import audio_codec_cases  # noqa: F401 - fills the table
import checkpoint_cases  # noqa: F401 - fills the table
import configuration_cases  # noqa: F401 - fills the table
import corpus_cases  # noqa: F401 - fills the table
import disk_cases  # noqa: F401 - fills the table
import esd_cases  # noqa: F401 - fills the table
import feature_cases  # noqa: F401 - fills the table
import folder_cases  # noqa: F401 - fills the table
import hostile_cases  # noqa: F401 - fills the table
import name_cases  # noqa: F401 - fills the table
import packet_cases  # noqa: F401 - fills the table
import pytest
import resuming_cases  # noqa: F401 - fills the table
import text_cases  # noqa: F401 - fills the table
from cases import CASES
from formats import FORMATS

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "faults.md"
ROOMS = (
    "Audio", "Corpora", "Texts", "Features", "Checkpoints", "Compressed files", "Configurations", "Names", "Runs",
    "Disks", "Codecs of audio, encoders of transformers",
)  # fmt: skip
HEAD = """# What comes of bad input

Every line is a test (`tests/faults/*_cases.py`; this page is made from it). Nothing is skipped in silence: there is one
error that names the thing, what was expected and what to do, or the right result. No file is executed: checkpoints are
read with `weights_only`, numpy files without pickles, configurations of runs for this project's own reports alone.
"""
FORMATS_HEAD = """

## Formats

Each of these is also read cut off, mutated, of another kind, not in UTF-8, as a pointer of Git LFS, with classes of
Python or code in it and as a bomb (`tests/faults/test_formats.py`): one error that names the file, or the right result.
`benchmarks/fuzz.py` mutates them by the hundred thousand, `tests/faults/test_fuzz.py` also `.emq` files whose checksums
are right. What an interruption leaves is tried by `benchmarks/kill.py` and `tests/interruption/`.

| file | kind |
|---|---|"""
KINDS = {
    "binary": "binary", "text": "text", "csv": "CSV", "json": "JSON", "yaml": "YAML", "archive": "archive of torch",
    "cache": "cache: what is damaged is made again",
}  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=[f"{case.room}: {case.given}" for case in CASES])
@pytest.mark.filterwarnings("ignore")
def test_bad_input_gives_what_the_table_says(case, tmp_path, capsys):
    if case.error is None:
        case.act(tmp_path)
    else:
        with pytest.raises(case.error) as caught:
            case.act(tmp_path)
        message = str(caught.value) + capsys.readouterr().err
        assert case.says in message or case.says in " ".join(message.split()), message  # lines are wrapped
        assert case.names in message, message
    assert not (tmp_path / "ran").exists(), "code of a file was run"


def test_the_table_is_long_and_the_document_is_its_copy():
    assert len(CASES) >= 40
    assert {case.room for case in CASES} == set(ROOMS)
    lines = [HEAD]
    for room in ROOMS:
        lines += [f"\n## {room}\n", "| given | what comes of it |", "|---|---|"]
        for case in CASES:
            if case.room == room:
                result = case.says if case.error is None else f"`{case.error.__name__}`: ... {case.says}"
                lines.append(f"| {case.given} | {result} |".replace("\n", " "))
    named = sorted(FORMATS, key=lambda form: form.name.casefold())  # which file fills the table first hangs on the run
    lines += [FORMATS_HEAD, *(f"| {form.name} | {KINDS[form.kind]} |" for form in named)]
    text = "\n".join(lines) + "\n"
    if os.environ.get("GENERATE_EXPECTED") == "1":
        DOCUMENT.write_text(text, encoding="utf-8")
    assert DOCUMENT.read_text(encoding="utf-8") == text, "make it again: GENERATE_EXPECTED=1 pytest tests/faults"
