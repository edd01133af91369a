"""One thread for every test: results do not hang on the machine's cores."""

import sys

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def _own_command_line():
    """Hide pytest's arguments from commands that are called with arguments of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["train.py"])
        yield
