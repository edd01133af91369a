"""What of a codec's rate is redundant: found where it was planted, and none where there is none."""

import pytest
import torch

from emoquant.audio_codecs.code_entropy import CodeEntropy


def chain(utterances, stay, codewords=8, frames=120, seed=0):
    """Return codes of a Markov chain, beside them a copy of it: the second position says nothing new."""
    random = torch.Generator().manual_seed(seed)
    found = []
    for _ in range(utterances):
        codes = torch.randint(codewords, (frames,), generator=random)
        kept = torch.rand(frames, generator=random) < stay
        for frame in range(1, frames):
            if kept[frame]:
                codes[frame] = codes[frame - 1]
        found.append(torch.stack([codes, codes], -1))
    return found


def test_redundancy_is_found():
    stay, codewords = 0.8, 8
    model = CodeEntropy(codewords, 2, width=32, steps=300)
    model.fit(chain(40, stay))
    same = stay + (1 - stay) / codewords
    other = (1 - stay) / codewords
    entropy = -(same * torch.tensor(same).log2() + 7 * other * torch.tensor(other).log2())
    test = chain(10, stay, seed=1)
    bits = sum(model.bits(codes) for codes in test) / sum(len(codes) for codes in test)
    assert float(entropy) < bits < 1.12 * float(entropy) + 0.05  # of 6 bits nominal


def test_codes_without_redundancy_cost_what_they_cost():
    random = torch.Generator().manual_seed(0)
    codes = [torch.randint(16, (100, 3), generator=random) for _ in range(30)]
    model = CodeEntropy(16, 3, width=16, steps=100)
    model.fit(codes[:25])
    bits = sum(model.bits(each) for each in codes[25:]) / (5 * 300)
    assert 3.98 < bits < 4.15


def test_one_utterance_is_too_few():
    with pytest.raises(ValueError, match="at least 2 training utterances, got 1"):
        CodeEntropy(4, 1).fit([torch.zeros(9, 1, dtype=torch.int64)])
