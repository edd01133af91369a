"""Checkpoints that ask for more than they bring: refused before the memory is taken, and quickly."""

import time

import pytest
import torch
from test_checkpoint import make_codec

from emoquant.codecs import load_codec, save_codec
from emoquant.codecs.checkpoint import SECTION
from emoquant.entropy import AutoregressiveModel, FactorizedModel, LightModel

pytestmark = pytest.mark.filterwarnings("ignore:.*does not say which encoder")


def changed(tmp_path, model, part, **settings):
    save_codec(make_codec(model), tmp_path / "a.ckpt")
    content = torch.load(tmp_path / "a.ckpt", weights_only=True)
    content[SECTION][part]["init"] |= settings
    torch.save(content, tmp_path / "a.ckpt")
    return tmp_path / "a.ckpt"


@pytest.mark.parametrize(
    "settings",
    [
        {"dim": 10**9},
        {"codewords": 32_767, "dim": 20_000},
        {"groups": 10**9, "dim": 10**9},
        {"layers": 10**6},
        {"layers": 10**30},
        {"coarse": 10**7},
        {"dim": 0},
        {"dim": "8"},
        {"codewords": None},
        {"rotation": 3},
        {"surprise": 3},
    ],
    ids=str,
)
def test_large_quantizers_are_refused(tmp_path, settings):
    refused(changed(tmp_path, FactorizedModel(), "quantizer", **settings))


@pytest.mark.parametrize(
    ("model", "settings"),
    [
        (AutoregressiveModel(1, 8, 2), {"layers": 10**6}),
        (AutoregressiveModel(1, 8, 2), {"width": 10**9}),
        (AutoregressiveModel(1, 8, 2), {"memory": 10**9}),
        (AutoregressiveModel(1, 8, 2), {"heads": 0}),
        (LightModel(8), {"width": 10**9}),
        (LightModel(8), {"memory": 10**9, "width": 10**9}),
        (LightModel(8), {"knots": 10**12}),
        (LightModel(8), {"low": float("nan")}),
        (FactorizedModel(), {"knots": 10**9}),
        (FactorizedModel(), {"knots": -1}),
        (FactorizedModel(), {"knots": True}),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else type(value).__name__,
)
def test_large_entropy_models_are_refused(tmp_path, model, settings):
    refused(changed(tmp_path, model, "entropy", **settings))


def refused(path, message="describes .* wrongly|do not fit their description"):
    began = time.perf_counter()
    with pytest.raises(ValueError, match=message) as told:
        load_codec(path)
    assert str(path) in str(told.value)
    assert time.perf_counter() - began < 2
    assert torch.is_grad_enabled()  # an error on the way out of a context leaves nothing behind


def replaced(tmp_path, name, value):
    save_codec(make_codec(LightModel(8)), tmp_path / "a.ckpt")
    content = torch.load(tmp_path / "a.ckpt", weights_only=True)
    content["state_dict"][name] = value(content["state_dict"].get(name))
    torch.save(content, tmp_path / "a.ckpt")
    return tmp_path / "a.ckpt"


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("name", ["quantizer.fine.vectors", "quantizer.scale", "entropy.blocks.0.embedding"])
def test_weights_that_are_not_finite_are_refused(tmp_path, name, wrong):
    def spoilt(value):
        value.view(-1)[-1] = wrong
        return value

    refused(replaced(tmp_path, name, spoilt), f"holds NaN or infinity in '{name.partition('.')[2]}'")


def test_a_few_bytes_that_claim_to_be_a_large_tensor_are_refused(tmp_path):
    path = changed(tmp_path, FactorizedModel(), "quantizer", dim=100_000, groups=100_000, layers=1, rotation="none")
    content = torch.load(path, weights_only=True)
    shapes = {"fine.vectors": (10**5, 6, 1), "fine.counts": (10**5, 6), "fine.sums": (10**5, 6, 1)}
    shapes |= {"rough.vectors": (0, 6, 10**5), "rough.sums": (0, 6, 10**5), "predictor": (10**5,)}
    shapes |= {"transform.mean": (10**5,), "transform.matrix": (0, 0)}
    content["state_dict"] |= {f"quantizer.{name}": torch.zeros(1).expand(*shape) for name, shape in shapes.items()}
    torch.save(content, path)
    assert path.stat().st_size < 10**5
    refused(path, "cannot be read as a checkpoint")


def test_many_tensors_of_one_storage_are_refused(tmp_path):
    path = changed(tmp_path, FactorizedModel(), "quantizer")
    content, shared = torch.load(path, weights_only=True), torch.zeros(10**5)
    content["state_dict"] |= {f"quantizer.more{number}": shared for number in range(20)}
    torch.save(content, path)
    refused(path, "claim to be larger than the file")


@pytest.mark.parametrize(
    "value",
    [lambda _: 3, lambda _: torch.zeros(4, 6), lambda t: t.to_sparse(), lambda t: t.to("meta"), lambda _: None],
    ids=["number", "shape", "sparse", "meta", "none"],
)
def test_what_is_no_tensor_of_numbers_is_refused(tmp_path, value):
    refused(replaced(tmp_path, "quantizer.fine.vectors", value), "do not fit|cannot be read|no plain")


@pytest.mark.parametrize("wrong", [3, [], {"init": {}}, {"class_path": "emoquant.entropy.LightModel", "init": [8]}])
def test_entries_of_another_kind_are_refused(tmp_path, wrong):
    save_codec(make_codec(LightModel(8)), tmp_path / "a.ckpt")
    content = torch.load(tmp_path / "a.ckpt", weights_only=True)
    for part in ("entropy", "quantizer", "codec"):
        torch.save({**content, SECTION: {**content[SECTION], part: wrong}}, tmp_path / "b.ckpt")
        refused(tmp_path / "b.ckpt", "expected the path of a class|describes LightModel wrongly|is no emoquant")


def test_a_quantizer_without_dimensions_is_refused(tmp_path):
    path = changed(tmp_path, FactorizedModel(), "quantizer", dim=0)
    content = torch.load(path, weights_only=True)
    content["state_dict"] = {name: value for name, value in content["state_dict"].items() if "quantizer" not in name}
    torch.save(content, path)
    refused(path, "before its codebooks were initialised")


def test_names_of_weights_that_are_no_words_are_passed_over(tmp_path):
    path = replaced(tmp_path, "quantizer.fine.vectors", lambda value: value)
    content = torch.load(path, weights_only=True)
    content["state_dict"] |= {3: torch.zeros(2)}
    torch.save(content, path)
    assert load_codec(path).dim == 8
