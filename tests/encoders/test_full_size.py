"""The size of the public base model, with random weights: what a user with the hub will run."""

import resource
import time

import pytest
import torch

from emoquant.encoders import Emotion2Vec, EncoderHead, UntrainedEmotion2Vec


@pytest.mark.slow
@torch.no_grad()
def test_the_base_size_goes_through_export_loading_and_extraction(tmp_path):
    UntrainedEmotion2Vec().export(tmp_path, dtype=torch.float32)
    encoder = Emotion2Vec(str(tmp_path)).eval()
    assert encoder.dim == 768
    weights = sum(weight.numel() for weight in encoder.load().parameters())
    assert 92e6 < weights < 95e6
    lengths = torch.tensor([48_000, 80_000, 32_000, 64_000])
    waveforms = torch.randn(4, 80_000)
    begin = time.perf_counter()
    features, counts = encoder(waveforms, lengths)
    seconds = time.perf_counter() - begin
    alone, _ = encoder(waveforms[2:3, :32_000], lengths[2:3])
    torch.testing.assert_close(features[2, : counts[2]], alone[0], rtol=1e-3, atol=1e-3)
    logits = EncoderHead(str(tmp_path))(features.sum(1) / counts[:, None])
    assert logits.shape == (4, 9)
    audio = float(lengths.sum()) / 16_000
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"base size: {audio:.0f} s of audio in {seconds:.1f} s ({audio / seconds:.1f}x real time), peak {peak:.1f} GiB"
    )
    assert peak < 8
