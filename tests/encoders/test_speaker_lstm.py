"""The shipped speaker LSTM against a plain rendering of Resemblyzer's forward pass, front end included."""

import hashlib

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from emoquant.encoders import LSTMEncoder
from emoquant.encoders.naming import open_encoder
from emoquant.storage.shipped import shipped_path

FOLDER = "checkpoints/speaker-lstm"


@pytest.fixture(scope="module")
def weights():
    found = load_file(shipped_path(FOLDER) / "encoder.safetensors")
    return {name: value.astype(np.float64) for name, value in found.items()}


def speech(samples, seed=0):
    random = np.random.default_rng(seed)
    time = np.arange(samples) / 16_000
    tone = sum(np.sin(2 * np.pi * 130 * k * time + k) / k for k in range(1, 20))
    return (0.02 * tone * (1 + np.sin(7 * time)) + 0.001 * random.standard_normal(samples)).astype(np.float32)


def hertz(mel):
    """Slaney's mel scale: linear to 1 kHz, logarithmic above."""
    return np.where(mel < 15, 200 / 3 * mel, 1000 * np.exp(np.log(6.4) / 27 * (mel - 15)))


def mel_powers(samples):
    """What librosa's melspectrogram gives at 16 kHz with n_fft=400, hop_length=160, n_mels=40: ``(T, 40)``."""
    padded = np.pad(samples.astype(np.float64), 200)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    frames = np.stack([padded[start : start + 400] * window for start in range(0, len(padded) - 399, 160)])
    powers = np.abs(np.fft.rfft(frames)) ** 2
    top = 15 + 27 * np.log(8.0) / np.log(6.4)
    edges, bins = hertz(np.linspace(0, top, 42)), np.linspace(0, 8000, 201)
    bands = []
    for low, mid, high in zip(edges[:-2], edges[1:-1], edges[2:], strict=True):
        rise, fall = (bins - low) / (mid - low), (high - bins) / (high - mid)
        bands.append(np.maximum(0, np.minimum(rise, fall)) * 2 / (high - low))
    return powers @ np.array(bands).T


def lstm(weights, inputs):
    """States of the last of three layers after every mel frame, ``(T, 256)``."""
    for layer in range(3):
        w_in, w_state = weights[f"lstm.weight_ih_l{layer}"], weights[f"lstm.weight_hh_l{layer}"]
        bias = weights[f"lstm.bias_ih_l{layer}"] + weights[f"lstm.bias_hh_l{layer}"]
        state, cell, outputs = np.zeros(256), np.zeros(256), []
        for x in inputs:
            i, f, g, o = np.split(w_in @ x + w_state @ state + bias, 4)
            sigmoid = lambda v: 1 / (1 + np.exp(-v))  # noqa: E731 - the four gates
            cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(g)
            state = sigmoid(o) * np.tanh(cell)
            outputs.append(state)
        inputs = np.array(outputs)
    return inputs


def raised(samples):
    """Speech at no less than -30 dB of full scale."""
    level = np.sqrt(np.mean(np.square(samples, dtype=np.float64)))
    return samples * max(1.0, 10 ** (-30 / 20) / level)


def test_states_are_those_of_a_plain_rendering(weights):
    samples = speech(9_000)
    states = lstm(weights, mel_powers(raised(samples)))
    expected = 15 * states[: len(states) // 2 * 2].reshape(-1, 2, 256).mean(1)
    with torch.no_grad():
        features, counts = open_encoder(FOLDER)(torch.from_numpy(samples)[None], torch.tensor([9_000]))
    assert counts.tolist() == [28]
    np.testing.assert_allclose(features[0].numpy(), expected, atol=2e-3)


def test_embeddings_are_those_of_resemblyzer(weights):
    samples = raised(speech(25_600)).astype(np.float32)
    last = lstm(weights, mel_powers(samples)[:160])[-1]
    expected = np.maximum(weights["linear.weight"] @ last + weights["linear.bias"], 0)
    encoder = LSTMEncoder(FOLDER, output="embedding").eval()
    with torch.no_grad():
        found, _ = encoder(torch.from_numpy(samples)[None], torch.tensor([25_600]))
    np.testing.assert_allclose(found[0, 0].numpy(), expected / np.linalg.norm(expected), atol=1e-4)


def test_padding_changes_nothing_and_frames_are_50_a_second():
    encoder = open_encoder(FOLDER)
    waveforms = torch.zeros(3, 8_000)
    lengths = torch.tensor([8_000, 4_100, 160])
    for row, length in enumerate(lengths.tolist()):
        waveforms[row, :length] = torch.from_numpy(speech(length, row))
    noisy = waveforms + 3.0 * (torch.arange(8_000) >= lengths[:, None])
    with torch.no_grad():
        features, counts = encoder(noisy, lengths)
        assert counts.tolist() == encoder.frame_lengths(lengths).tolist() == [25, 13, 1]
        for row, (length, count) in enumerate(zip(lengths.tolist(), counts.tolist(), strict=True)):
            alone, _ = encoder(waveforms[row : row + 1, :length], lengths[row : row + 1])
            torch.testing.assert_close(features[row, :count], alone[0], atol=1e-4, rtol=1e-4)
            assert not features[row, count:].any()
    assert encoder.frame_rate == 50.0
    assert (encoder.dim, encoder.output) == (256, "states")


def test_a_saved_encoder_is_opened_as_it_was(tmp_path):
    torch.manual_seed(0)
    encoder = LSTMEncoder(output="states", hidden=8, layers=1, scale=2.0).eval()
    encoder.load_state_dict({n: v.half() if v.is_floating_point() else v for n, v in encoder.state_dict().items()})
    encoder.save(tmp_path / "mine")
    assert open_encoder(str(tmp_path / "mine")).fingerprint() == encoder.fingerprint()
    assert LSTMEncoder(output="states", hidden=8, layers=1, scale=3.0).fingerprint() != encoder.fingerprint()


def test_what_is_shipped_is_what_the_card_says():
    folder = shipped_path(FOLDER)
    assert (folder / "LICENSE").read_text().startswith("Apache License 2.0, Copyright 2019 Resemble.AI")
    digest = hashlib.sha256((folder / "encoder.safetensors").read_bytes()).hexdigest()
    assert digest[:16] in (folder / "README.md").read_text()


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="scale is 2"):
        LSTMEncoder(output="hidden", hidden=8, layers=1, scale=2.0)
    with pytest.raises(ValueError, match=r"has 150 samples: at least 160 \(10 ms"):
        LSTMEncoder(output="states", hidden=8, layers=1)(torch.zeros(1, 200), torch.tensor([150]))
