"""The shipped model through plain funasr, as a user of funasr would load it."""

import logging

import numpy as np
import pytest
import torch

from emoquant.audio._torchaudio import ensure_torchaudio
from emoquant.encoders import Emotion2Vec

MODEL = "checkpoints/emotion2vec-tiny"


@pytest.fixture(scope="module")
def generate():
    """funasr's own one-by-one extraction; what it does to random state, logging and threads is undone."""
    ensure_torchaudio()
    root, threads, states = logging.getLogger(), torch.get_num_threads(), (torch.get_rng_state(), np.random.get_state())
    level, handlers = root.level, list(root.handlers)
    from funasr import AutoModel

    path = str(Emotion2Vec(MODEL).directory.path)
    model = AutoModel(model=path, disable_update=True, disable_pbar=True, device="cpu", ncpu=threads)
    yield lambda wave: model.generate(wave, granularity="frame", extract_embedding=True, disable_pbar=True)[0]
    root.setLevel(level)
    root.handlers[:] = handlers
    torch.set_num_threads(threads)
    torch.set_rng_state(states[0])
    np.random.set_state(states[1])


@pytest.mark.filterwarnings("ignore")
@torch.no_grad()
def test_a_padded_batch_equals_generate_one_by_one(generate):
    random = np.random.default_rng(0)
    waves = [0.1 * random.standard_normal(n).astype(np.float32).cumsum() for n in (16_000, 50_001, 8_000, 32_336)]
    waves = [wave - wave.mean() for wave in waves]
    encoder = Emotion2Vec(MODEL).eval()
    padded = torch.nn.utils.rnn.pad_sequence([torch.from_numpy(wave) for wave in waves], batch_first=True)
    features, counts = encoder(padded, torch.tensor([len(wave) for wave in waves]))
    scores = encoder.head()(features.sum(1) / counts[:, None]).softmax(-1)
    for i, wave in enumerate(waves):
        expected = generate(wave)
        own = features[i, : counts[i]].numpy()
        assert own.shape == expected["feats"].shape
        np.testing.assert_allclose(own, expected["feats"], rtol=1e-4, atol=1e-4 * np.abs(expected["feats"]).max())
        np.testing.assert_allclose(scores[i].numpy(), expected["scores"], atol=1e-4)
        assert encoder.labels == expected["labels"]
