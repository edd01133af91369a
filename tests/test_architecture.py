"""Rooms import only downward, files and functions stay small."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "emoquant"
#: What both halves stand on, lowest first: each may import those before it.
FOUNDATION = ["types", "labels", "devices", "storage", "audio", "console"]
#: Which rooms a room may import beside the foundation. Codecs know nothing of voices.
CODEC_HALF = {
    "encoders": set(),
    "interfaces": {"encoders"},
    "data": {"encoders", "interfaces"},
    "quantization": set(),
    "entropy": set(),
    "codecs": {"entropy", "quantization"},
    "audio_codecs": {"codecs", "encoders", "entropy"},
    "metrics": {"codecs"},
    "tasks": {"audio_codecs", "codecs", "encoders", "entropy", "interfaces", "metrics", "quantization"},
    "callbacks": {"codecs", "encoders", "interfaces", "metrics", "reports"},
    "reports": set(),
}
ALLOWED = {
    **{room: set(FOUNDATION[:place]) for place, room in enumerate(FOUNDATION)},
    **{room: {*FOUNDATION, *below} for room, below in CODEC_HALF.items()},
    "voice": {*FOUNDATION, *CODEC_HALF},
    "site": {*FOUNDATION, "reports", "voice"},
    "app": {*FOUNDATION, "codecs", "data", "encoders", "reports", "voice"},
    "cli": {*FOUNDATION, "callbacks", "codecs", "commands", "data", "reports", "tasks", "voice"},
    "commands": {
        *FOUNDATION,
        "app",
        "audio_codecs",
        "codecs",
        "data",
        "encoders",
        "metrics",
        "reports",
        "site",
        "study",
        "voice",
    },
    "study": {*FOUNDATION, "cli", "codecs", "commands", "data"},
    "__main__": {*FOUNDATION, "commands"},
    "__init__": set(),
}
FILES = sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    relative = path.relative_to(PACKAGE)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def imported_modules(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module or "")
            if node.module == "emoquant":
                found |= {f"emoquant.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_rooms_import_only_downward(path):
    room = room_of(path)
    rooms = {name.split(".")[1] for name in imported_modules(path) if name.startswith("emoquant.")}
    wrong = rooms - ALLOWED[room] - {room}
    assert not wrong, f"{room} must not import {sorted(wrong)}"


@pytest.mark.parametrize("room", ["reports", "site"])
def test_what_shows_results_needs_neither_torch_nor_lightning(room):
    for path in (PACKAGE / room).rglob("*.py"):
        tops = {name.split(".")[0] for name in imported_modules(path)}
        assert not tops & {"torch", "lightning", "torchmetrics"}, path


@pytest.mark.parametrize(
    "room",
    ["audio", "encoders", "quantization", "entropy", "codecs", "audio_codecs", "metrics", "voice/tts", "voice/text"],
)
def test_modules_know_tensors_not_lightning(room):
    for path in (PACKAGE / room).rglob("*.py"):
        assert "lightning" not in {name.split(".")[0] for name in imported_modules(path)}, path


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_files_and_functions_are_small(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 300
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            doc = node.body[0]
            described = isinstance(doc, ast.Expr) and isinstance(doc.value, ast.Constant)
            lines = node.end_lineno - (doc.end_lineno if described else node.lineno)
            assert lines <= 40, f"{path}:{node.lineno} {node.name} has {lines} lines of code"


def test_no_catch_all_names_or_handlers():
    for path in FILES:
        assert path.stem not in {"utils", "helpers", "common", "constants"}, path
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ExceptHandler):
                broad = node.type is None or (isinstance(node.type, ast.Name) and node.type.id == "Exception")
                assert not broad, f"{path}:{node.lineno} catches everything"
