import numpy as np
import pytest
import torch
from packable import DIM, make_codec
from safetensors.torch import save_file

from emoquant.codecs import save_codec


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("codec") / "codec.ckpt"
    save_codec(make_codec(), path)
    return path


@pytest.fixture
def features(tmp_path):
    folder = tmp_path / "features"
    (folder / "speaker 1" / "Ärger").mkdir(parents=True)
    generator = np.random.default_rng(0)
    arrays = {f"utt {i}": generator.normal(size=(20 + 7 * i, DIM)).astype(np.float32) for i in range(5)}
    for name in ("utt 0", "utt 1"):
        np.save(folder / f"{name}.npy", arrays[name])
    np.save(folder / "speaker 1" / "Ärger" / "utt 2.npy", arrays["utt 2"])
    save_file({name: torch.from_numpy(arrays[name]) for name in ("utt 3", "utt 4")}, folder / "shard.safetensors")
    return folder
