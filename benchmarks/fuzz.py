"""Mutated inputs of every format that the project reads: how many are taken, how many refused, and what else happens.

    python benchmarks/fuzz.py [--inputs 200000] [--seed 0] [--jobs 2] [--formats codec "voice.json"]

The formats are those of ``tests/faults/formats.py``. An input fails where anything but a result or the documented error
that names the file comes of it, or where it takes longer than 20 seconds; the first of each kind are printed with their
seed and number, and the status is 1.
"""

import argparse
import logging
import os
import sys
import tempfile
import time
import warnings
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "faults")]

from formats import FORMATS  # noqa: E402 - the tests' own table
from mutation import mutated  # noqa: E402 - the tests' own mutations

PATIENCE = 20.0
#: A folder in memory, where there is one.
PLACE = "/dev/shm" if Path("/dev/shm").is_dir() else None


def fuzz(name: str, inputs: int, seed: int) -> tuple[Counter, list[str], float]:
    """Read mutated inputs of a format.

    Returns:
        How many were taken, refused, and failed by kind; the first of each kind; the seconds.
    """
    form = next(each for each in FORMATS if each.name == name)
    found: Counter = Counter()
    first = []
    begun = time.monotonic()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory(dir=PLACE) as folder, open(os.devnull, "w") as nothing:
        path = form.write(Path(folder))
        for number, data in enumerate(mutated([path.read_bytes()], inputs, seed)):
            path.write_bytes(data)
            started = time.monotonic()
            try:
                with redirect_stdout(nothing), redirect_stderr(nothing):
                    form.read(path)
                kind = "taken"
            except (ValueError, FileNotFoundError) as error:
                named = path.name in str(error) or path.parent.name in str(error)
                kind = "refused" if named else f"no name in {type(error).__name__}: {str(error)[:80]}"
            except Exception as error:  # what no reader should raise is what this program looks for
                kind = f"{type(error).__name__}: {str(error)[:80]}"
            if time.monotonic() - started > PATIENCE:
                kind = "too long"
            if kind not in ("taken", "refused", *found):
                first.append(f"{name}, seed {seed}, input {number}: {kind}")
            found[kind] += 1
    return found, first, time.monotonic() - begun


def silence() -> None:
    """Leave out what libraries of C say of damaged audio."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def main() -> int:
    """Run the command line and return its status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=200_000, help="inputs of all formats together")
    parser.add_argument("--seed", type=int, default=0, help="of the mutations")
    parser.add_argument("--jobs", type=int, default=1, help="formats at a time")
    parser.add_argument("--formats", nargs="*", default=[], help="their names; all by default")
    options = parser.parse_args()
    names = [form.name for form in FORMATS if not options.formats or form.name in options.formats]
    total: Counter = Counter()
    print("| format | taken | refused | wrong | seconds |\n|---|---|---|---|---|", flush=True)
    with ProcessPoolExecutor(options.jobs, initializer=silence) as pool:
        job = partial(fuzz, inputs=-(-options.inputs // len(names)), seed=options.seed)
        for name, (found, first, seconds) in zip(names, pool.map(job, names), strict=True):
            wrong = sum(count for kind, count in found.items() if kind not in ("taken", "refused"))
            total.update(taken=found["taken"], refused=found["refused"], wrong=wrong)
            print(f"| {name} | {found['taken']} | {found['refused']} | {wrong} | {seconds:.0f} |", flush=True)
            print("\n".join(first), flush=True) if first else None
    print(f"| all | {total['taken']} | {total['refused']} | {total['wrong']} | |")
    return int(total["wrong"] > 0)


if __name__ == "__main__":
    sys.exit(main())
