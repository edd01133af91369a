"""Weights of all kinds must be finite; cells of tables keep their values."""

import numpy as np
import pytest
import torch

from emoquant.storage.csv_files import write_csv
from emoquant.storage.rebuilding import require_weights


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, torch.complex64])
def test_weights_that_are_not_finite_are_refused(kind):
    good = torch.ones(3, dtype=kind)
    assert require_weights({"a": good, "n": torch.tensor(3)}, "model") == {"a": good, "n": torch.tensor(3)}
    with pytest.raises(ValueError, match="model holds NaN or infinity in 'a'"):
        require_weights({"a": good * float("nan")}, "model")


def test_cells_keep_what_they_are(tmp_path):
    write_csv(tmp_path / "a.csv", ["cell"], [(True,), (0.75,), (np.float32(0.75),), (3,), ("x",)])
    assert (tmp_path / "a.csv").read_text() == "cell\n1\n0.75\n0.75\n3\nx\n"
