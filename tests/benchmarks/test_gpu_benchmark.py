"""The benchmark of a GPU runs anywhere on small sizes, and agrees with itself on a CPU."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WORKS = (
    "codebook step",
    "entropy step",
    "voice step, float32",
    "voice step, bf16-mixed",
    "synthesis of mels",
    "sweep of 14 lambdas, 4 utterances",
    "extraction",
    "two ranks, gloo",
    "fit: an epoch of each phase",
)


@pytest.mark.slow
def test_it_runs_on_a_cpu():
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(ROOT / "benchmarks/gpu.py"), "--device", "cpu", "--quick"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    table = [line for line in done.stdout.splitlines() if line.startswith("|")][2:]
    assert [next((work for work in WORKS if line.startswith(f"| {work}")), line) for line in table] == list(WORKS)
    assert {len(line.split("|")) for line in table} == {9}
    assert "**" not in done.stdout
