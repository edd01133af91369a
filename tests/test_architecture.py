"""Rooms import only downward, files and functions stay small."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "emoquant"
FOUNDATION = {
    "_torchaudio",
    "audio",
    "clips",
    "containers",
    "csv_files",
    "decoding",
    "documents",
    "errors",
    "files",
    "folders",
    "labels",
    "memory",
    "origin",
    "precision",
    "progress",
    "ranks",
    "rebuilding",
    "runs",
    "sharding",
    "shipped",
    "trainer_flags",
    "trimming",
    "types",
    "words",
}
ALLOWED = {
    "encoders": {"speech"},
    "quantization": set(),
    "entropy": set(),
    "speech": set(),
    "data_protocols": {"encoders", "speech"},
    "data_api": {"data_protocols"},
    "data": {"data_protocols", "encoders", "speech"},
    "tts": {"speech", "codecs", "encoders"},
    "codecs": {"quantization", "entropy"},
    "audio_codecs": {"codecs", "encoders", "entropy"},
    "metrics": {"codecs", "results", "speech"},
    "tasks": {
        "audio_codecs",
        "codecs",
        "data_api",
        "data_protocols",
        "encoders",
        "entropy",
        "metrics",
        "quantization",
        "results",
        "speech",
        "tts",
    },
    "callbacks": {"data_api", "metrics", "codecs", "encoders", "reports", "results", "tts"},
    "reports": {"results"},
    "site": {"reports", "results"},
    "app": {"codecs", "data", "encoders", "reports", "tts"},
    "results": set(),
    "labels": set(),
    "types": set(),
    "audio": set(),
    "containers": set(),
    "decoding": set(),
    "clips": set(),
    "csv_files": set(),
    "documents": set(),
    "rebuilding": set(),
    "folders": set(),
    "files": set(),
    "memory": set(),
    "origin": set(),
    "precision": set(),
    "ranks": set(),
    "sharding": set(),
    "trainer_flags": set(),
    "progress": set(),
    "quiet": set(),
    "_torchaudio": set(),
    "trimming": set(),
    "runs": set(),
    "shipped": set(),
    "errors": set(),
    "words": set(),
    "cli": {"quiet", "callbacks", "tasks", "data", "codecs", "commands"},
    "commands": {"quiet", "codecs", "data", "encoders", "reports", "results", "site", "app", "study", "tts"},
    "study": {"cli", "codecs", "commands", "data", "results"},
    "__main__": {"commands"},
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
    wrong = rooms - ALLOWED[room] - FOUNDATION - {room}
    assert not wrong, f"{room} must not import {sorted(wrong)}"


@pytest.mark.parametrize("room", ["reports", "site"])
def test_what_shows_results_needs_neither_torch_nor_lightning(room):
    for path in (PACKAGE / room).rglob("*.py"):
        tops = {name.split(".")[0] for name in imported_modules(path)}
        assert not tops & {"torch", "lightning", "torchmetrics"}, path


@pytest.mark.parametrize("room", ["encoders", "quantization", "entropy", "codecs", "audio_codecs", "metrics", "speech", "tts"])
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
            assert lines <= 45, f"{path}:{node.lineno} {node.name} has {lines} lines of code"


def test_no_catch_all_names_or_handlers():
    for path in FILES:
        assert path.stem not in {"utils", "helpers", "common", "constants"}, path
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ExceptHandler):
                broad = node.type is None or (isinstance(node.type, ast.Name) and node.type.id == "Exception")
                assert not broad, f"{path}:{node.lineno} catches everything"
