import pytest
import torch
from voice_batches import TINY, style_reference

from emoquant.voice.tts.architecture import Architecture
from emoquant.voice.tts.attention import StyleToContentAttention, diagonal_band, guided_attention
from emoquant.voice.tts.bottleneck import SegmentNorm, StyleCodebook, code_perplexity
from emoquant.voice.tts.masking import length_mask
from emoquant.voice.tts.mixstyle import MixStyleLayerNorm
from emoquant.voice.tts.style import LEVELS, LocalStyleEncoder


@pytest.mark.parametrize("level", LEVELS)
def test_levels_have_a_style_for_each_of_their_segments(level):
    torch.manual_seed(0)
    encoder = LocalStyleEncoder(Architecture(**TINY), 8, level)
    reference = style_reference([20, 11])
    coded, counts = encoder(reference, quantize=False)
    assert counts.tolist() == {"frame": [20, 11], "phone": [7, 4], "word": [3, 2]}[level]
    assert coded.styles.shape == (2, int(counts[0]), 16)
    assert not coded.styles[1, int(counts[1]) :].any()
    assert (coded.codes == -1).all()


def test_other_channels_than_mel_bands():
    encoder = LocalStyleEncoder(Architecture(**{**TINY, "style_channels": 4}), 8, "word")
    assert encoder.output.conv.in_channels == 4
    assert encoder(style_reference([9]))[0].styles.shape == (1, 1, 16)


def test_unknown_level_is_named():
    with pytest.raises(ValueError, match="level is 'utterance'"):
        LocalStyleEncoder(Architecture(**TINY), 8, "utterance")


def test_codebook_stays_in_use_over_200_steps():
    torch.manual_seed(0)
    codebook = StyleCodebook(8, 16, 0.99).train()
    centres = torch.randn(24, 8) * 3
    mask = length_mask(torch.tensor([20, 12, 16]), 20)
    for step in range(200):
        drift = 0.01 * step
        styles = centres[torch.randint(24, (3, 20))] + drift + 0.3 * torch.randn(3, 20, 8)
        found = codebook(styles.masked_fill(~mask.unsqueeze(-1), 1e3), mask)
        assert (found.codes[~mask] == -1).all()
    codes = codebook.eval()(centres.view(1, 24, 8) + 2, torch.ones(1, 24, dtype=torch.bool)).codes
    assert code_perplexity(codes, 16) > 0.3 * 16
    assert codebook.codebook.codebook.abs().max() < 50, "padding must not reach the codewords"


def test_norm_keeps_styles_apart_that_shrink_to_a_point():
    torch.manual_seed(0)
    mask = length_mask(torch.tensor([20, 12, 16]), 20)
    used = {}
    for norm in (False, True):
        codebook = StyleCodebook(8, 16, 0.9, norm=norm).train()
        for step in range(60):
            shrunk = 5 + torch.randn(3, 20, 8) * 0.8**step
            found = codebook(shrunk.masked_fill(~mask.unsqueeze(-1), 1e3), mask)
        used[norm] = float(code_perplexity(found.codes, 16)), float(found.commitment)
        assert not found.styles[~mask].any()
    assert used[True][0] > 0.3 * 16
    assert used[True][1] > 100 * used[False][1], "without it there is next to nothing left to quantize"


def test_norm_counts_real_segments_only_and_remembers():
    torch.manual_seed(0)
    norm = SegmentNorm(4, momentum=0.5).train()
    mask = length_mask(torch.tensor([6, 3]), 6)
    for _ in range(30):
        styles = (3 + 2 * torch.randn(2, 6, 4)).masked_fill(~mask.unsqueeze(-1), 1e3)
        out = norm(styles, mask)[mask]
        torch.testing.assert_close(out.mean(0), torch.zeros(4), atol=1e-4, rtol=0)
        torch.testing.assert_close(out.var(0, unbiased=False), torch.ones(4), atol=1e-3, rtol=0)
    assert 1 < float(norm.mean.mean()) < 5
    assert torch.equal(norm.eval()(styles, mask)[1], norm(styles[1:], mask[1:])[0]), "evaluation knows no batch"


def test_codebook_starts_when_it_is_told_to_and_not_in_evaluation():
    codebook = StyleCodebook(4, 4, 0.9)
    styles, mask = torch.randn(2, 9, 4), torch.ones(2, 9, dtype=torch.bool)
    assert torch.equal(codebook.eval()(styles, mask).styles, styles)
    assert torch.equal(codebook.train()(styles, mask, quantize=False).styles, styles)
    assert not codebook.started
    coded = codebook.train()(styles, mask)
    assert codebook.started
    assert not torch.equal(coded.styles, styles)
    assert coded.commitment > 0
    again = StyleCodebook(4, 4, 0.9)
    again.load_state_dict(codebook.state_dict())
    torch.testing.assert_close(again.eval()(styles, mask).styles, codebook.eval()(styles, mask).styles)


def test_dead_codewords_become_vectors_of_the_batch_each_another():
    torch.manual_seed(0)
    codebook = StyleCodebook(4, 8, 0.9).train()
    book = codebook.codebook._codebook
    mask = length_mask(torch.tensor([5, 3]), 6)
    codebook(torch.randn(2, 6, 4), mask)
    styles = torch.randn(2, 6, 4)
    dead = torch.tensor([True, False, True, True, False, True, True, False])
    book.cluster_size[0] = torch.where(dead, 0.0, 1e6)
    book.embed_avg[0], before = 1e6 * book.embed[0], book.embed[0].clone()
    codebook(styles, mask)
    real, found = styles[mask], book.embed[0]
    torch.testing.assert_close(found[~dead], before[~dead], rtol=1e-2, atol=1e-2)
    places = [int((real - each).abs().sum(-1).argmin()) for each in found[dead]]
    assert torch.equal(found[dead], real[places])
    assert len(set(places)) == 5
    assert (book.cluster_size[0, dead] == 2).all()
    codebook(styles[:, :1], mask[:, :1])  # two vectors for five dead codewords: the others wait
    assert int((book.cluster_size[0] < 2).sum()) == 3


def test_perplexity_of_known_codes():
    assert float(code_perplexity(torch.tensor([0, 1, 2, 3, -1, -1]), 8)) == pytest.approx(4)
    assert float(code_perplexity(torch.tensor([5, 5, 5]), 8)) == pytest.approx(1)


def test_forced_diagonal_uses_each_items_own_length():
    band = diagonal_band(torch.tensor([4, 8]), torch.tensor([2, 6]), (8, 6))
    assert torch.allclose(band.sum(2), torch.ones(2, 8))
    assert not band[0, :, 2:].any()
    assert band[1, 0].tolist() == pytest.approx([0.5, 0.5, 0, 0, 0, 0])
    assert band[1, 4].nonzero().flatten().tolist() == [2, 3, 4]
    assert band[1, 7].nonzero().flatten().tolist() == [4, 5]


def test_guided_attention_likes_the_diagonal_and_ignores_padding():
    frames, segments = torch.tensor([30, 10]), torch.tensor([6, 4])
    diagonal = diagonal_band(frames, segments, (30, 6)).unsqueeze(1)
    uniform = torch.where(length_mask(segments, 6)[:, None, None], 1 / segments[:, None, None, None], 0.0)
    uniform = uniform.expand(2, 1, 30, 6)
    assert guided_attention(diagonal, frames, segments) < 0.4 * guided_attention(uniform, frames, segments)
    junk = diagonal.clone()
    junk[1, :, 10:] = 7.0
    torch.testing.assert_close(guided_attention(junk, frames, segments), guided_attention(diagonal, frames, segments))


def test_attention_is_a_distribution_over_real_segments():
    torch.manual_seed(0)
    align = StyleToContentAttention(16, 2, 2, 32, 0.1).eval()
    content, styles = torch.randn(2, 9, 16), torch.randn(2, 5, 16)
    frames, segments = torch.tensor([9, 4]), torch.tensor([5, 2])
    found = align(content, frames, styles, segments)
    assert found.weights.shape == (2, 2, 9, 5)
    torch.testing.assert_close(found.weights.sum(3), torch.ones(2, 2, 9))
    assert not found.weights[1, :, :, 2:].any()


def test_forcing_gives_the_diagonal_and_then_lets_go():
    torch.manual_seed(0)
    align = StyleToContentAttention(16, 1, 2, 32, 0.0).eval()
    content, styles = torch.randn(1, 12, 16), torch.randn(1, 4, 16)
    lengths = (torch.tensor([12]), torch.tensor([4]))
    forced = align(content, lengths[0], styles, lengths[1], forcing=1.0).styles
    free = align(content, lengths[0], styles, lengths[1], forcing=0.0).styles
    half = align(content, lengths[0], styles, lengths[1], forcing=0.5).styles
    assert torch.equal(align(content + 1, lengths[0], styles, lengths[1], forcing=1.0).styles, forced)
    torch.testing.assert_close(half, 0.5 * (forced + free))


def test_a_prior_keeps_attention_at_the_diagonal_of_any_reference():
    torch.manual_seed(0)
    align = StyleToContentAttention(16, 1, 2, 32, 0.0, band=0.5).eval()
    content, styles = torch.randn(2, 24, 16), torch.randn(2, 8, 16)
    weights = align(content, torch.tensor([24, 12]), styles, torch.tensor([8, 4])).weights[:, 0]
    assert weights[0].argmax(1).tolist() == [frame // 3 for frame in range(24)]
    assert weights[1, :12].argmax(1).tolist() == [frame // 3 for frame in range(12)]
    assert not weights[1, :, 4:].any()


def test_mix_style_gives_content_the_scale_and_shift_of_a_style():
    torch.manual_seed(0)
    mix = MixStyleLayerNorm(8, probability=1.0, alpha=0.1).train()
    content, style = 3 * torch.randn(2, 400, 8) + 5, torch.randn(1, 1, 8).expand(2, 1, 8)  # one style: mixing is idle
    out = mix(content, style)
    shift, scale = mix.affine(style[:1]).chunk(2, -1)
    normal = (out - shift) / scale
    torch.testing.assert_close(normal.mean(-1), torch.zeros(2, 400), atol=1e-4, rtol=0)
    torch.testing.assert_close(normal.var(-1, unbiased=False), torch.ones(2, 400), atol=1e-2, rtol=0)


def test_mix_style_treats_items_apart_and_evaluation_not_at_all():
    torch.manual_seed(0)
    content, style = torch.randn(64, 3, 8), torch.randn(64, 1, 8)
    mix = MixStyleLayerNorm(8, probability=0.5, alpha=0.1)
    untouched = (mix.train()(content, style) == content).all(2).all(1)
    assert 16 < int(untouched.sum()) < 48
    assert torch.equal(mix.eval()(content, style), content)
    own = MixStyleLayerNorm(8, probability=0.0, alpha=0.1, evaluation="own").eval()
    assert not torch.allclose(own(content, style), content)
