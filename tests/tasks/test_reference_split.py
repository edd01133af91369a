"""What is read of the training split: no more than the spaces need."""

import pytest
import torch
from tiny_world import CentroidHead, TinyData

from emoquant.tasks.reference_split import read_training_split


@pytest.mark.parametrize(("names", "fitted"), [([], False), (["logits"], False), (["logits", "lda"], True)])
def test_a_covariance_is_computed_where_a_space_needs_one(names, fitted):
    references, spaces, _ = read_training_split(TinyData(), torch.device("cpu"), names, CentroidHead())
    assert (references.covariance is not None) == fitted
    assert [space.name for space in spaces] == names
