"""One thread for every test and what it starts: results do not depend on the cores, which tests share."""

import os
import sys

import pytest
import torch

torch.set_num_threads(1)
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True, scope="session")
def _own_command_line():
    """Hide pytest's arguments from commands that are called with arguments of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["train.py"])
        yield
