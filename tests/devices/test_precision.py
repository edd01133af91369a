"""Encoders and codecs compute in full float32 whatever the user has set."""

import pytest
import torch

from emoquant.codecs import Nearest
from emoquant.devices.precision import full_float32, running_sums
from emoquant.encoders import UntrainedEmotion2Vec
from emoquant.quantization import GroupedResidualVQ
from emoquant.quantization.training import initialise

SWITCHES = {
    "cuda": lambda: (torch.backends.cuda.matmul, torch.backends.cudnn.conv, torch.backends.cudnn.rnn),
    "cpu": lambda: (torch.backends.mkldnn.matmul, torch.backends.mkldnn.conv, torch.backends.mkldnn.rnn),
}


@pytest.fixture
def advised():
    """What Lightning advises for GPUs, and what cuDNN does by itself."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    yield
    torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize("device", SWITCHES)
def test_every_switch_is_off_inside_and_as_before_outside(device, advised):
    before = [switch.fp32_precision for switch in SWITCHES[device]()]
    assert set(before) & {"tf32", "bf16"}
    with full_float32(torch.device(device)):
        assert {switch.fp32_precision for switch in SWITCHES[device]()} == {"ieee"}
        assert not torch.is_autocast_enabled(device)
    assert [switch.fp32_precision for switch in SWITCHES[device]()] == before
    assert torch.get_float32_matmul_precision() == "medium"


def test_an_encoder_and_a_codec_run_in_it(advised):
    seen = []

    def note(module, *_):
        seen.append(torch.backends.mkldnn.matmul.fp32_precision)
        assert not torch.is_autocast_enabled("cpu")

    encoder = UntrainedEmotion2Vec(dim=16, depth=1, prenet_depth=1, heads=2).eval()
    for part in encoder.load().modules():
        part.register_forward_hook(note)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        features, lengths = encoder(torch.randn(2, 6000), torch.tensor([6000, 4000]))
    quantizer = GroupedResidualVQ(2, 2, 4, dim=16)
    initialise(quantizer, features, lengths, rounds=1)
    quantizer.transform.register_forward_hook(note)
    Nearest(quantizer)(features, lengths)
    assert len(seen) > 20
    assert set(seen) == {"ieee"}


def test_running_sums_are_cumulative():
    values = torch.randn(3, 7)
    assert torch.equal(running_sums(values, 1), values.cumsum(1))
