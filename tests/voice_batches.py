"""Random batches for the tests of the voice model."""

import torch

from emoquant.types import StyleReference, TTSBatch

TINY = {
    "hidden": 16,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "kernel": 3,
    "style_wave_layers": 1,
    "style_blocks": 1,
    "style_sublayers": 1,
    "codewords": 4,
    "codebook_decay": 0.9,
    "attention_layers": 1,
    "attention_ffn": 32,
    "flow_blocks": 2,
    "flow_channels": 8,
    "flow_layers": 1,
    "flow_shared_blocks": 2,
    "flow_shared_condition": True,
}


def segments(sizes):
    return torch.repeat_interleave(torch.arange(1, len(sizes) + 1), torch.tensor(sizes))


def style_reference(lengths, mels=8, seed=0):
    generator = torch.Generator().manual_seed(seed)
    size = max(lengths)
    frames, phones, words = torch.zeros(len(lengths), size, mels), torch.zeros(len(lengths), size), None
    words = torch.zeros(len(lengths), size)
    for item, length in enumerate(lengths):
        frames[item, :length] = torch.randn(length, mels, generator=generator) - 3
        phones[item, :length] = torch.arange(length) // 3 + 1
        words[item, :length] = torch.arange(length) // 9 + 1
    return StyleReference(frames, torch.tensor(lengths), phones.long(), words.long())


def voice_batch(counts=(5, 7, 4), phones=10, mels=8, dim=6, speaker_dim=5, seed=0):
    """Return a batch of utterances with these numbers of phones."""
    generator = torch.Generator().manual_seed(seed)
    size = len(counts)
    durations = torch.zeros(size, max(counts), dtype=torch.int64)
    ids, words = torch.zeros_like(durations), torch.zeros_like(durations)
    for item, count in enumerate(counts):
        durations[item, :count] = torch.randint(1, 6, (count,), generator=generator)
        ids[item, :count] = torch.randint(1, phones + 1, (count,), generator=generator)
        words[item, :count] = torch.arange(count) // 3 + 1
    lengths = durations.sum(1)
    frames = int(lengths.max())
    mask = torch.arange(frames) < lengths.unsqueeze(1)
    style = style_reference([int(length) for length in lengths], mels, seed)
    emotion_lengths = torch.tensor([4 + item for item in range(size)])
    emotion_mask = torch.arange(int(emotion_lengths.max())) < emotion_lengths.unsqueeze(1)
    return TTSBatch(
        phones=ids,
        phone_lengths=torch.tensor(counts),
        durations=durations,
        words=words,
        mels=style.mels,
        mel_lengths=lengths,
        f0=(120 + 40 * torch.rand(size, frames, generator=generator)) * mask,
        voiced=(torch.rand(size, frames, generator=generator) < 0.6) & mask,
        style=style,
        emotion_frames=torch.randn(size, emotion_mask.shape[1], dim, generator=generator) * emotion_mask.unsqueeze(-1),
        emotion_lengths=emotion_lengths,
        speaker_vectors=torch.nn.functional.normalize(torch.randn(size, speaker_dim, generator=generator), dim=1),
        emotions=torch.arange(size) % 5,
        speakers=torch.zeros(size, dtype=torch.int64),
        utterances=torch.arange(size),
    )


def pad(tensor, size, value=0.0):
    """Return a tensor ``(B, T, ...)`` with ``size`` more positions of a value."""
    shape = (tensor.shape[0], size, *tensor.shape[2:])
    return torch.cat([tensor, torch.full(shape, value, dtype=tensor.dtype)], 1)


def padded_batch(batch, size=5, junk=0.0):
    """Return the batch with more padding; real-valued padding holds ``junk``."""
    style = StyleReference(
        pad(batch.style.mels, size, junk),
        batch.style.lengths,
        pad(batch.style.phones, size),
        pad(batch.style.words, size),
    )
    return batch._replace(
        phones=pad(batch.phones, size),
        durations=pad(batch.durations, size),
        words=pad(batch.words, size),
        mels=pad(batch.mels, size, junk),
        f0=pad(batch.f0, size, junk),
        voiced=pad(batch.voiced, size),
        style=style,
        emotion_frames=pad(batch.emotion_frames, size, junk),
    )


def items(batch, rows):
    """Return some utterances of a batch, cut to their own padding."""
    rows = torch.tensor(rows)
    chosen = {name: value[rows] for name, value in batch._asdict().items() if name != "style"}
    style = StyleReference(*(value[rows] for value in batch.style))
    longest, phones = int(chosen["mel_lengths"].max()), int(chosen["phone_lengths"].max())
    for name in ("phones", "durations", "words"):
        chosen[name] = chosen[name][:, :phones]
    for name in ("mels", "f0", "voiced"):
        chosen[name] = chosen[name][:, :longest]
    chosen["emotion_frames"] = chosen["emotion_frames"][:, : int(chosen["emotion_lengths"].max())]
    reference = int(style.lengths.max())
    style = StyleReference(
        style.mels[:, :reference], style.lengths, style.phones[:, :reference], style.words[:, :reference]
    )
    return TTSBatch(style=style, **chosen)
