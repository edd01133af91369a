"""docs/architecture.md names the subpackages that there are, and no others."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def test_every_subpackage_is_described_and_exists():
    table = PAGE.partition("## What lies where")[2].partition("##")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("|")]
    described = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    there = [
        path.stem for path in (ROOT / "emoquant").iterdir() if path.suffix in ("", ".py") and path.name[0] not in "_."
    ]
    assert sorted(described) == sorted(there)


def test_files_that_the_page_names_exist():
    for name in re.findall(r"`((?:data|metrics|quantization|entropy|site)/[\w/]+\.py)`", PAGE):
        assert (ROOT / "emoquant" / name).is_file(), name
    for name in re.findall(r"(?:docs|tests|configs)/[\w/]+\.(?:md|py)", PAGE):
        assert (ROOT / name).is_file(), name
