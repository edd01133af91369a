"""Checkpoints of codecs: the same codec again, and clear words about files that are none."""

import pickle

import pytest
import torch

from emoquant.codecs import ECVQ, Identity, Nearest, load_codec, save_codec
from emoquant.codecs.checkpoint import SECTION, describe
from emoquant.codecs.search import layout_of
from emoquant.entropy import AutoregressiveModel, FactorizedModel, LightModel
from emoquant.quantization import GroupedResidualVQ

MODELS = [LightModel(8), LightModel(8, 0, False, 1), FactorizedModel(), AutoregressiveModel(1, 8, 2)]


def make_codec(model, **settings):
    torch.manual_seed(0)
    quantizer = GroupedResidualVQ(2, 2, 6, dim=8, **settings)
    quantizer.fine.set(torch.randn_like(quantizer.fine.vectors))
    quantizer.ready.fill_(True)
    model.build(layout_of(quantizer))
    return ECVQ(quantizer, model)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_a_saved_codec_codes_alike(model, tmp_path):
    codec = make_codec(model)
    save_codec(codec, tmp_path / "happy.ckpt")
    loaded = load_codec(str(tmp_path / "happy.ckpt"), points=[0, 2.5])
    assert (loaded.name, loaded.points, loaded.dim, loaded.positions, loaded.codewords) == (
        "happy",
        (0.0, 2.5),
        8,
        4,
        6,
    )
    features, lengths = torch.randn(2, 5, 8), torch.tensor([5, 3])
    for ours, theirs in zip(loaded(features, lengths), codec(features, lengths, [0, 2.5]), strict=True):
        assert torch.equal(ours, theirs)
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    assert list(tmp_path.iterdir()) == [tmp_path / "happy.ckpt"]
    assert torch.equal(loaded.skip_vector(), loaded.mean)


def test_files_that_are_no_codec_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no checkpoint at"):
        load_codec(tmp_path / "missing.ckpt")
    save_codec(make_codec(LightModel(8)), tmp_path / "whole.ckpt")
    data = (tmp_path / "whole.ckpt").read_bytes()
    for name, content in {"cut": data[: len(data) // 2], "empty": b"", "text": b"hello" * 100}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match="cannot be read"):
            load_codec(tmp_path / name)
    torch.save({"state_dict": {}}, tmp_path / "other")
    with pytest.raises(ValueError, match="no checkpoint of a codec"):
        load_codec(tmp_path / "other")


def test_no_code_of_a_file_is_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    (tmp_path / "evil").write_bytes(pickle.dumps(Evil()))
    torch.save({SECTION: Evil()}, tmp_path / "evil2")
    for name in ("evil", "evil2"):
        with pytest.raises(ValueError, match="cannot be read"):
            load_codec(tmp_path / name)
    assert not (tmp_path / "ran").exists()


def test_wrong_descriptions_are_named(tmp_path):
    codec = make_codec(LightModel(8))
    save_codec(codec, tmp_path / "good")
    content = torch.load(tmp_path / "good", weights_only=True)

    def refused(message, **changes):
        torch.save({**content, SECTION: {**content[SECTION], **changes}}, tmp_path / "bad")
        with pytest.raises(ValueError, match=message):
            load_codec(tmp_path / "bad")

    refused("names the class 'system'", entropy={"class": "system", "init": {}})
    refused("describes LightModel wrongly", entropy={"class": "LightModel", "init": {"size": 3}})
    refused("without an entropy model", entropy=None)
    refused("codec format 2", version=2)
    refused("do not fit", entropy={"class": "LightModel", "init": {"width": 9}})
    codec.quantizer.ready.fill_(False)
    save_codec(codec, tmp_path / "early")
    with pytest.raises(ValueError, match="before its codebooks"):
        load_codec(tmp_path / "early")
    assert describe(codec.quantizer, None)["entropy"] is None


def test_checkpoints_of_earlier_versions_are_read(tmp_path):
    codec = make_codec(LightModel(8))
    save_codec(codec, tmp_path / "new.ckpt")
    content = torch.load(tmp_path / "new.ckpt", weights_only=True)
    for part, name in (("quantizer", "GroupedResidualVQ"), ("entropy", "LightModel")):
        content[SECTION][part] = {"class": name, "init": content[SECTION][part]["init"]}
    torch.save(content, tmp_path / "old.ckpt")
    features, lengths = torch.randn(2, 5, 8), torch.tensor([5, 3])
    old, new = (load_codec(tmp_path / f"{age}.ckpt")(features, lengths) for age in ("old", "new"))
    assert torch.equal(old.codes, new.codes)


def test_nearest_and_identity():
    codec = make_codec(LightModel(8), rotation="none")
    features, lengths = torch.randn(2, 4, 8), torch.tensor([4, 2])
    plain = Nearest(codec.quantizer)(features, lengths)
    assert torch.equal(plain.codes, codec(features, lengths, [0.0]).codes)
    assert plain.bits[0, 1].tolist() == pytest.approx([4 * 2.807355] * 2 + [0, 0])
    same = Identity()(features, lengths)
    assert same.codes.shape == (1, 2, 4, 0)
    assert torch.equal(same.features[0, 0], features[0])
    assert not same.features[0, 1, 2:].any()
