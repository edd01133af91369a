"""Mutated inputs of every format that the project reads: how many are taken, how many refused, and what else happens.

    python benchmarks/fuzz.py [--inputs 200000] [--seed 0] [--slow]

The formats are those of ``tests/faults/formats.py``. An input fails where anything but a result or the documented error
that names the file comes of it, or where it takes longer than 20 seconds; the first of each kind are printed with their
seed and number, and the status is 1.
"""

import argparse
import logging
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "faults")]

from formats import FORMATS, Format  # noqa: E402 - the tests' own table
from mutation import mutated  # noqa: E402 - the tests' own mutations

PATIENCE = 20.0


def fuzz(form: Format, inputs: int, seed: int) -> Counter:
    """Read mutated inputs of a format; return how many were taken, refused, and failed by kind."""
    found: Counter = Counter()
    with tempfile.TemporaryDirectory() as folder:
        path = form.write(Path(folder))
        for number, data in enumerate(mutated([path.read_bytes()], inputs, seed)):
            path.write_bytes(data)
            started = time.monotonic()
            try:
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
                print(f"{form.name}, seed {seed}, input {number}: {kind}", flush=True)
            found[kind] += 1
    return found


def main() -> int:
    """Run the command line and return its status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=200_000, help="inputs of all formats together")
    parser.add_argument("--seed", type=int, default=0, help="of the mutations")
    parser.add_argument("--slow", action="store_true", help="also formats whose reading takes long (voices, encoders)")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    forms = [form for form in FORMATS if options.slow or not form.slow]
    failed = 0
    for form in forms:
        found = fuzz(form, options.inputs // len(forms), options.seed)
        wrong = sum(count for kind, count in found.items() if kind not in ("taken", "refused"))
        failed += wrong
        print(f"{form.name}: {found['taken']} taken, {found['refused']} refused, {wrong} wrong", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
