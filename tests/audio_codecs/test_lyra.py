"""Lyra V2 with its real weights, where they lie beside the repository."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from test_file_codecs import lag

from emoquant.audio_codecs import Lyra

WEIGHTS = Path(__file__).resolve().parents[3] / "shared" / "data" / "extra" / "lyra_v2"
needs_weights = pytest.mark.skipif(not WEIGHTS.is_dir(), reason="Lyra's weights are not beside the repository")


def loudness(waveform):
    """Return the level of stretches of 10 ms, without its mean."""
    level = waveform[: len(waveform) // 160 * 160].view(-1, 160).square().mean(-1).sqrt()
    return level - level.mean()


@needs_weights
def test_speech_comes_back_in_time_at_three_rates(clips):
    pytest.importorskip("ai_edge_litert")
    codec = Lyra(str(WEIGHTS))
    assert codec.points == (3200.0, 6000.0, 9200.0)
    coarse = None
    for point, stages in zip(codec.points, (16, 30, 46), strict=True):
        coded = codec.recode(clips[:2], point)
        for clip, each in zip(clips, coded, strict=False):
            assert each.codes.shape == (-(-len(clip.waveform) // 320), stages)
            assert each.bits == 4 * each.codes.numel()
            assert 0 <= int(each.codes.min()) < int(each.codes.max()) < 16
            assert each.waveform.shape == clip.waveform.shape
            assert abs(lag(loudness(clip.waveform), loudness(each.waveform), 60)) <= 1
        alone = codec.recode(clips[1:2], point)[0]
        assert torch.equal(alone.waveform, coded[1].waveform)
        assert coarse is None or torch.equal(coarse, coded[1].codes[:, :16])  # later stages refine the same codes
        coarse = coded[1].codes[:, :16]
    assert np.isnan(coded[0].file_bits)


def test_bad_input_gives_one_error_each(tmp_path, clips):
    with pytest.raises(ValueError, match="has the rates 3200, 6000 and 9200"):
        Lyra("lyra_v2", [4000])
    with pytest.raises(FileNotFoundError, match=r"has no soundstream_encoder.tflite: expected Lyra V2's files"):
        Lyra(str(tmp_path)).fingerprint()
    pytest.importorskip("ai_edge_litert")
    for name in ("soundstream_encoder", "quantizer", "lyragan"):
        (tmp_path / f"{name}.tflite").write_text(json.dumps({"no": "model"}))
    with pytest.raises(ValueError, match=r"tflite cannot be loaded .*; copy the file again"):
        Lyra(str(tmp_path)).recode(clips[:1], 3200.0)
