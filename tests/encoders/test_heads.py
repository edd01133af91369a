import pytest
import torch
from small_models import small_encoder, write_small_model

from emoquant.encoders import EncoderHead, LinearHead, Probe, ProbeHead


def test_the_head_alone_equals_that_of_the_model(tmp_path):
    encoder = write_small_model(tmp_path)
    vectors = torch.randn(5, 48)
    head = EncoderHead(str(tmp_path))
    torch.testing.assert_close(head(vectors), encoder.head()(vectors))
    assert (head.labels, head.dim) == (encoder.labels, 48)
    assert not any(weight.requires_grad for weight in head.parameters())


def test_unused_classes_are_left_out():
    head = LinearHead(torch.eye(3), torch.arange(3.0), ["a", "unuse_0", "c"])
    assert head.labels == ["a", "c"]
    assert head(torch.zeros(3)).tolist() == [0.0, 2.0]


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"2 labels needs weight \(2, D\)"):
        LinearHead(torch.eye(3), torch.zeros(3), ["a", "b"])


def test_heads_stay_in_single_precision():
    head = small_encoder().head()
    vectors = torch.randn(4, 48)
    with torch.autocast("cpu", torch.bfloat16):
        logits = head(vectors)
    torch.testing.assert_close(logits, head(vectors), rtol=0, atol=0)


@pytest.mark.parametrize("hidden", [0, 5])
def test_a_probe_goes_through_a_checkpoint(tmp_path, hidden):
    probe = Probe(8, ["happy", "sad"], hidden, dropout=0.3).eval()
    probe.standardize(torch.arange(8.0), torch.tensor(2.0))
    state = {f"probe.{name}": value for name, value in probe.state_dict().items()}
    description = {"dim": 8, "labels": ["happy", "sad"], "hidden": hidden}
    torch.save({"probe": description, "state_dict": state}, tmp_path / "probe.ckpt")
    vectors = torch.randn(3, 8)
    head = ProbeHead(str(tmp_path / "probe.ckpt"))
    torch.testing.assert_close(head(vectors), probe(vectors))
    assert (head.labels, head.dim) == (["happy", "sad"], 8)


def test_what_is_no_probe_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no probe at .*none\.ckpt: train one with emoquant fit probe"):
        ProbeHead(str(tmp_path / "none.ckpt"))
    torch.save({"state_dict": {}}, tmp_path / "other.ckpt")
    with pytest.raises(ValueError, match="no checkpoint of a probe"):
        ProbeHead(str(tmp_path / "other.ckpt"))
