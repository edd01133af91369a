"""Folders of tokens: three formats, cut out of whole files, and refused where they do not fit."""

import json
import math

import numpy as np
import pytest
import torch
from pretrained_models import save_encoder

from emoquant.audio_codecs import TokenFolder
from emoquant.encoders import TransformersEncoder

#: Levels of a scalar quantizer, whose product is the size of a codebook.
LEVELS = (3, 3, 3)


def s3_like(folder, clips):
    """Return tokens as S3 tokenizers make them: Whisper's encoder, every second frame, finite scalar quantization."""
    encoder = TransformersEncoder(str(save_encoder("whisper", folder / "whisper")))
    found = {}
    for clip in clips:
        with torch.no_grad():
            frames, _ = encoder(clip.waveform[None], torch.tensor([len(clip.waveform)]))
        digits = (torch.tanh(frames[0, ::2, : len(LEVELS)]) + 1) / 2 * torch.tensor([n - 1e-3 for n in LEVELS])
        places = torch.tensor([math.prod(LEVELS[:index]) for index in range(len(LEVELS))])
        found[clip.name] = (digits.long() * places).sum(-1)
    return found


def tokenizer(folder, codewords=27, frame_rate=25):
    return TokenFolder(str(folder), codewords, frame_rate)


def test_tokens_of_three_formats_are_those_that_were_made(clips, tmp_path):
    made = s3_like(tmp_path, clips)
    folder = tmp_path / "s3"
    folder.mkdir()
    first, second, *rest = clips
    np.save(folder / f"{first.name}.npy", made[first.name].numpy().astype(np.int32))
    (folder / f"{second.name}.txt").write_text("\n".join(map(str, made[second.name].tolist())) + "\n")
    lines = [json.dumps({"key": clip.name, "code": made[clip.name].tolist()}) for clip in rest]
    (folder / "part_1_of_1").write_text("\n".join(lines))
    (folder / "notes.md").write_text("passed over")
    read = tokenizer(folder)
    assert (read.name, read.bits_per_frame) == ("s3", math.log2(27))
    for clip, tokens in zip(clips, read.tokens(clips), strict=True):
        assert torch.equal(tokens[:, 0], made[clip.name])
        assert tokens.dtype == torch.int64
    assert len(torch.cat(list(made.values())).unique()) > 1
    before = read.fingerprint()
    assert tokenizer(folder).fingerprint() == before
    np.save(folder / f"{first.name}.npy", np.zeros(3, np.int64))
    assert tokenizer(folder).fingerprint() != before


def test_several_codes_a_frame_and_parts_of_whole_files(clips, tmp_path):
    clip = clips[1]
    frames = round(len(clip.waveform) / 16_000 * 50)
    whole = np.stack([np.arange(frames) % 7, np.arange(frames) % 3], 1)
    (tmp_path / f"{clip.path.stem}.txt").write_text("\n".join(f"{a} {b}" for a, b in whole))
    read = tokenizer(tmp_path, [7, 3], 50)
    assert torch.equal(read.tokens([clip])[0], torch.from_numpy(whole))
    part = clip._replace(name="other", waveform=clip.waveform[4000:12_000], start=0.25)
    assert torch.equal(read.tokens([part])[0], torch.from_numpy(whole[12:37]))
    assert read.bits_per_frame == pytest.approx(math.log2(21))


def refused(kind, text, read, clips):
    with pytest.raises(kind, match=text):
        read.tokens(clips)


def test_bad_folders_give_one_error_each(clips, tmp_path):
    refused(FileNotFoundError, r"no folder .*none: expected tokens", tokenizer(tmp_path / "none"), clips)
    refused(FileNotFoundError, "holds no tokens: expected", tokenizer(tmp_path), clips)
    name = clips[0].name
    count = round(len(clips[0].waveform) / 16_000 * 25)
    for content, codewords, text in (
        (np.zeros(count, np.int64), 27, None),
        (np.zeros((2, count), np.int64), 27, rf"shape \(2, {count}\), expected \(frames, 1\): 1 codes a frame"),
        (np.zeros(count), 27, "type float64, expected integers"),
        (np.full(count, 27), 27, "token 27 in frame 0, expected 0 to 26: check codewords"),
        (np.full(count, -1), 27, "token -1 in frame 0"),
        (np.zeros(2 * count, np.int64), 27, r"check frame_rate \(25\)"),
        (np.zeros(count, np.int64), [3, 3], "2 codes a frame"),
    ):
        np.save(tmp_path / f"{name}.npy", content)
        if text is None:
            assert tokenizer(tmp_path, codewords).tokens(clips[:1])[0].shape == (count, 1)
        else:
            refused(ValueError, text, tokenizer(tmp_path, codewords), clips[:1])
    np.save(tmp_path / f"{name}.npy", np.zeros(count, np.int64))
    refused(FileNotFoundError, f"lacks the tokens of 3 utterances, the first is '{clips[1].name}'",
            tokenizer(tmp_path), clips)  # fmt: skip
    (tmp_path / f"{name}.txt").write_text("1\n")
    refused(ValueError, f"both have tokens of '{name}'", tokenizer(tmp_path), clips[:1])
    (tmp_path / f"{name}.npy").unlink()
    for content in ("1 2\n3\n", "a\n", "1.5\n"):
        (tmp_path / f"{name}.txt").write_text(content)
        refused(ValueError, f"{name}.txt: tokens are no integers", tokenizer(tmp_path), clips[:1])
    (tmp_path / f"{name}.txt").rename(tmp_path / "all.jsonl")
    refused(ValueError, "all.jsonl, line 1", tokenizer(tmp_path), clips[:1])
    with pytest.raises(ValueError, match="codewords must be at least 2"):
        tokenizer(tmp_path, 1)
