"""The recorded step of a search does what the step itself does.

A CUDA graph is a list of operations with fixed inputs and outputs: nothing of Python runs when it is replayed. Here
such a list is recorded from the operations that torch dispatches on a CPU.
"""

import pytest
import torch
from test_search import make_model, make_quantizer
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from emoquant.codecs import frame_step
from emoquant.codecs.frame_step import LEAST_FRAMES, Recording, ReplayedStep
from emoquant.codecs.search import Search
from emoquant.entropy import AutoregressiveModel, FactorizedModel, LightModel

#: Operations whose value the host waits for, which a CUDA graph cannot hold.
REFUSED = {"_local_scalar_dense", "is_nonzero", "equal", "nonzero", "_unique2", "bincount", "masked_select"}


class Recorder(TorchDispatchMode):
    """Notes every operation with the tensors that it reads and writes."""

    def __init__(self):
        super().__init__()
        self.steps = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func._schema.name.split("::")[-1]
        assert name not in REFUSED, f"the host waits in {name}"
        out = func(*args, **(kwargs or {}))
        self.steps.append((func, args, kwargs or {}, out))
        return out

    def replay(self):
        for func, args, kwargs, out in self.steps:
            again = func(*args, **kwargs)
            for old, new in zip(tree_flatten(out)[0], tree_flatten(again)[0], strict=True):
                if isinstance(old, torch.Tensor) and old.data_ptr() != new.data_ptr():
                    old.copy_(new)


def record(body):
    """Record a function; unlike a CUDA graph it also runs it, so what it changes is put back by its first replay."""
    recorder, before = Recorder(), []
    held = [each for each in body.__closure__ if isinstance(each.cell_contents, list)]
    for cell in held:
        before += [(each, each.clone()) for each in cell.cell_contents]
    with recorder:
        result = body()
    for tensor, value in before:
        tensor.copy_(value)
    return Recording(recorder.replay, result)


MODELS = {
    "light": (LightModel, {"width": 16, "memory": 1}),
    "light two frames back": (LightModel, {"width": 16, "memory": 2}),
    "factorized": (FactorizedModel, {}),
    "transformer": (AutoregressiveModel, {"layers": 2, "width": 16, "heads": 2, "memory": 1, "knots": 3}),
}


@pytest.mark.parametrize(("beam", "survivors"), [(1, 1), (2, 1), (1, 3)])
@pytest.mark.parametrize("kind", MODELS)
def test_a_replayed_search_is_the_search_itself(kind, beam, survivors, monkeypatch):
    quantizer = make_quantizer(coarse=1, prediction=True)
    model = make_model(quantizer, MODELS[kind][0], **MODELS[kind][1])
    frames = LEAST_FRAMES + 4
    lengths = torch.tensor([frames] * 9 + [11, 11, 10, 8, 7, 7, 6, 5, 4, 3, 2, 1])
    components = torch.randn(len(lengths), frames, quantizer.dim, generator=torch.Generator().manual_seed(0))
    lmbda = torch.tensor([0.0, 0.3, 2.0] * 7)
    expected = Search(quantizer, model, beam, survivors)(components, lengths, lmbda)
    steps = []

    def replayed(search, lmbda, frames):
        steps.append(ReplayedStep(frame_step.FrameStep(search, lmbda), record))
        return steps[-1]

    monkeypatch.setattr("emoquant.codecs.search.frame_step", replayed)
    found = Search(quantizer, model, beam, survivors)(components, lengths, lmbda)
    assert steps
    assert steps[0].rows < len(lengths), "recorded anew once half of the rows had ended"
    assert torch.equal(found.codes, expected.codes)
    assert torch.equal(found.components, expected.components)
    torch.testing.assert_close(found.bits, expected.bits, rtol=1e-6, atol=1e-6)  # rows that ended are computed on


def test_a_device_that_refuses_to_record_runs_the_step_as_it_is(monkeypatch):
    quantizer = make_quantizer(coarse=1, prediction=True)
    model = make_model(quantizer, LightModel, width=16, memory=1)
    components, lengths = torch.randn(9, 6, quantizer.dim), torch.tensor([6] * 5 + [4, 3, 2, 1])
    expected = Search(quantizer, model)(components, lengths, torch.ones(9))

    def refuse(body):
        body()
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr("emoquant.codecs.search.frame_step", lambda search, lmbda, _: ReplayedStep(
        frame_step.FrameStep(search, lmbda), refuse))  # fmt: skip
    with pytest.warns(UserWarning, match="runs unrecorded: operation not permitted"):
        found = Search(quantizer, model)(components, lengths, torch.ones(9))
    assert torch.equal(found.codes, expected.codes)
    assert torch.equal(found.components, expected.components)
