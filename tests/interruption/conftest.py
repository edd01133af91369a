"""Working folders of the commands that are broken off."""

import pytest
from commands import ROOT


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("killed")
    (place / "checkpoints").symlink_to(ROOT / "checkpoints")
    return place
