"""The pretended GPU as a fixture."""

import guard as device_guard
import pretend
import pytest
import torch


@pytest.fixture(scope="session")
def guard():
    missing = device_guard.compile_guard()
    if missing:
        pytest.skip(f"needs {missing}")


@pytest.fixture
def gpu(guard, monkeypatch):
    """Counts of what runs on ``cuda``, which is a pretended device while the test runs."""
    with pretend.pretended_gpu(monkeypatch) as counts:
        yield counts
    torch.use_deterministic_algorithms(False)
