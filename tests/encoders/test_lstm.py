import pytest
import torch

from emoquant.encoders.lstm import LSTMEncoder, raise_level, window_starts


@pytest.fixture(scope="module")
def encoder():
    torch.manual_seed(0)
    return LSTMEncoder(hidden=8, layers=1).eval()


def waves(*lengths):
    generator = torch.Generator().manual_seed(0)
    waveforms = torch.zeros(len(lengths), max(lengths))
    for row, length in enumerate(lengths):
        waveforms[row, :length] = 0.01 * torch.randn(length, generator=generator)
    return waveforms, torch.tensor(lengths)


def test_windows_overlap_by_half_and_the_last_ends_with_the_utterance():
    assert window_starts(161) == [0, 1]
    assert window_starts(240) == [0, 80]
    assert window_starts(401) == [0, 80, 160, 240, 241]


def test_frames_are_windows_and_padding_changes_nothing(encoder):
    waveforms, lengths = waves(48_000, 9_000, 30_000)
    with torch.no_grad():
        frames, counts = encoder(waveforms, lengths)
        assert counts.tolist() == encoder.frame_lengths(lengths).tolist() == [3, 1, 2]
        assert frames.shape == (3, 3, 8)
        for row, (length, count) in enumerate(zip(lengths.tolist(), counts.tolist(), strict=True)):
            alone, _ = encoder(waveforms[row : row + 1, :length], lengths[row : row + 1])
            torch.testing.assert_close(frames[row, :count], alone[0], atol=1e-6, rtol=1e-5)
            assert not frames[row, count:].any()


def test_a_window_is_the_last_state_of_the_network(encoder):
    waveforms, lengths = waves(48_000)
    with torch.no_grad():
        frames, _ = encoder(waveforms, lengths)
        spectra = encoder.spectra(waveforms, lengths)
        _, (hidden, _) = encoder.lstm(spectra[:, 80:240])
    torch.testing.assert_close(frames[:, 1], hidden[-1])


def test_embeddings_are_unit_vectors_without_negative_parts():
    torch.manual_seed(0)
    encoder = LSTMEncoder(output="embedding", hidden=8, layers=1)
    frames, _ = encoder(*waves(20_000))
    assert float(frames.detach().norm(dim=-1)) == pytest.approx(1, abs=1e-5)
    assert (frames >= 0).all()


def test_quiet_speech_is_raised_and_loud_speech_kept():
    waveforms, lengths = waves(16_000, 8_000)
    level = raise_level(waveforms, lengths)[1, :8_000].square().mean().sqrt()
    assert float(level) == pytest.approx(10 ** (-30 / 20), rel=1e-4)
    assert torch.equal(raise_level(20 * waveforms, lengths), 20 * waveforms)


def test_weights_of_files(encoder, tmp_path):
    torch.save({"state_dict": {f"encoder.{k}": v for k, v in encoder.state_dict().items()}}, tmp_path / "ge2e.ckpt")
    again = LSTMEncoder(str(tmp_path / "ge2e.ckpt"), hidden=8, layers=1)
    assert again.fingerprint() == encoder.fingerprint()
    assert LSTMEncoder(hidden=8, layers=1).fingerprint() != encoder.fingerprint()
    (tmp_path / "junk.pt").write_bytes(b"junk")
    with pytest.raises(ValueError, match=r"junk.pt cannot be read as a checkpoint"):
        LSTMEncoder(str(tmp_path / "junk.pt"))
    with pytest.raises(ValueError, match="no weights of this encoder"):
        LSTMEncoder(str(tmp_path / "ge2e.ckpt"))
    with pytest.raises(FileNotFoundError, match="no weights at"):
        LSTMEncoder(str(tmp_path / "none.pt"))


def test_weights_for_logarithms_are_not_used_for_powers(tmp_path):
    encoder = LSTMEncoder(hidden=8, layers=1, logarithm=True)
    waveforms, lengths = waves(16_000)
    powers = LSTMEncoder(hidden=8, layers=1).spectra(waveforms, lengths)
    torch.testing.assert_close(encoder.spectra(waveforms, lengths), powers.clamp(min=1e-6).log10() + 3)
    torch.save(encoder.state_dict(), tmp_path / "weights.pt")
    again = LSTMEncoder(str(tmp_path / "weights.pt"), hidden=8, layers=1, logarithm=True)
    assert again.fingerprint() == encoder.fingerprint()
    with pytest.raises(ValueError, match="logarithm: true"):
        LSTMEncoder(str(tmp_path / "weights.pt"), hidden=8, layers=1)


def test_size_and_frame_rate_are_the_published_ones():
    encoder = LSTMEncoder()
    assert sum(parameter.numel() for parameter in encoder.parameters()) == 1_423_616
    assert encoder.dim == 256
    assert encoder.frame_rate == 1.25


def test_mistakes_are_named(encoder):
    with pytest.raises(ValueError, match="'hidden', 'embedding' or 'states'"):
        LSTMEncoder(output="mean")
    with pytest.raises(ValueError, match="lengths must be"):
        encoder(torch.zeros(1, 10), torch.tensor([11]))
    with pytest.raises(ValueError, match=r"has 0 samples: at least 1 \(0.0625 ms"):
        encoder(torch.zeros(2, 10), torch.tensor([9, 0]))
    states = LSTMEncoder(output="states", hidden=8, layers=1)
    with pytest.raises(ValueError, match="lengths must be at most 10"):
        states(torch.zeros(1, 10), torch.tensor([11]))
    with pytest.raises(ValueError, match=r"utterance 1 .* has 0 samples: at least 160 \(10 ms"):
        states(torch.zeros(2, 200), torch.tensor([200, 0]))
    with pytest.raises(ValueError, match="no classification head"):
        encoder.head()
