"""Trained models as folders, and by way of a stand-in for the hub's client."""

import shutil
import sys
import types
from pathlib import Path

import pytest
import torch
from packable import make_codec

import emoquant
from emoquant.codecs import load_codec, save_codec, save_pretrained
from emoquant.commands.share import share
from emoquant.encoders import ProbeHead
from emoquant.encoders.heads import Probe
from emoquant.storage.artefacts import read_artefact, write_artefact
from emoquant.voice.tts.vocoder_checkpoint import load_vocoder
from emoquant.voice.tts.voice import load_voice

ROOT = Path(__file__).parents[2]


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A folder that stands in for the hub: models are uploaded into it and fetched from it."""
    place = tmp_path / "hub"

    class Client:
        def create_repo(self, name, private, exist_ok):
            (place / name).mkdir(parents=True, exist_ok=exist_ok)

        def upload_folder(self, repo_id, folder_path):
            shutil.copytree(folder_path, place / repo_id, dirs_exist_ok=True)
            return f"https://hub/{repo_id}"

    def fetch(name, allow_patterns):
        if not (place / name).is_dir():
            raise OSError("no such model")
        assert "README.md" in allow_patterns or "vocoder.json" in allow_patterns, "nothing else is fetched"
        return str(place / name)

    client = types.SimpleNamespace(HfApi=Client, snapshot_download=fetch)
    monkeypatch.setitem(sys.modules, "huggingface_hub", client)
    monkeypatch.chdir(tmp_path)
    return place


def test_a_codec_comes_back_from_the_hub_with_the_same_bytes(hub):
    codec = make_codec()
    save_codec(codec, "mine.ckpt")
    assert share("mine.ckpt", Path("shared"), "me/mine") == "https://hub/me/mine"
    assert {path.name for path in (hub / "me/mine").iterdir()} == {"README.md", "codec.json", "codec.safetensors"}
    again = emoquant.load_codec("me/mine")
    features = 10 * torch.randn(20, codec.dim)
    assert again.compress(features, lmbda=1.0) == load_codec("shared").compress(features, lmbda=1.0)
    assert again.compress(features, lmbda=1.0) == codec.compress(features, lmbda=1.0)
    assert again.name == "mine"
    assert not again.training


def test_a_card_that_is_there_is_kept(tmp_path):
    (tmp_path / "README.md").write_text("mine")
    save_pretrained(make_codec(), tmp_path)
    assert (tmp_path / "README.md").read_text() == "mine"


def test_a_probe_comes_back(hub):
    probe = Probe(6, ["happy", "sad"], hidden=4)
    state = {f"probe.{name}": value for name, value in probe.state_dict().items()}
    origin = {"name": "tiny", "fingerprint": "00ff", "weights": ""}
    described = {"dim": 6, "labels": ["happy", "sad"], "hidden": 4}
    torch.save({"probe": described, "encoder": origin, "state_dict": state}, "probe.ckpt")
    share("probe.ckpt", Path("shared"), "me/probe")
    again, vectors = ProbeHead("me/probe"), torch.randn(3, 6)
    assert torch.equal(again(vectors), probe.eval()(vectors))
    assert again.origin == ProbeHead("probe.ckpt").origin


def test_voices_and_vocoders_are_fetched_by_name(hub):
    for name in ("tts-toy", "vocoder-22k"):
        shutil.copytree(ROOT / "checkpoints" / name, hub / "me" / name)
    assert load_voice("me/tts-toy").facts == load_voice(ROOT / "checkpoints/tts-toy").facts
    assert load_vocoder("me/vocoder-22k").mel == load_vocoder(ROOT / "checkpoints/vocoder-22k").mel


def test_mistakes_are_named(hub):
    save_codec(make_codec(), "mine.ckpt")
    with pytest.raises(ValueError, match="no name on the hub: expected owner/name"):
        share("mine.ckpt", Path("shared"), "mine")
    with pytest.raises(ConnectionError, match=r"cannot fetch 'no/such' from the hub.*no such model"):
        load_codec("no/such")
    torch.save({"weights": torch.zeros(2)}, "other.ckpt")
    with pytest.raises(ValueError, match="no checkpoint of a codec, a probe, a voice or a vocoder"):
        share("other.ckpt", Path("shared"))
    Path("shared/codec.safetensors").write_bytes(b"\x00" * 40)
    with pytest.raises(ValueError, match="damaged codec"):
        load_codec("shared")
    Path("shared/codec.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    with pytest.raises(ValueError, match=r"[Ll][Ff][Ss]"):
        load_codec("shared")
    Path("shared/codec.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"codec\.safetensors"):
        read_artefact(Path("shared"), "codec")


def test_tensors_that_share_memory_are_written_apart(tmp_path):
    one = torch.arange(6.0)
    write_artefact(tmp_path, "thing", {"version": 1}, {"all": one, "part": one[2:]})
    described, weights = read_artefact(tmp_path, "thing")
    assert described == {"version": 1}
    assert torch.equal(weights["part"], one[2:])
