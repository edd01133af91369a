import math

import pytest
import torch

from emoquant.voice.tts.couplings import ActNorm, InvertibleConv, squeeze, unsqueeze
from emoquant.voice.tts.flow import PostFlow
from emoquant.voice.tts.masking import length_mask
from emoquant.voice.tts.noise import flow_noise


def flow(mels=8, condition=5, blocks=3, seed=0, **options):
    torch.manual_seed(seed)
    built = PostFlow(mels, condition, blocks, channels=8, layers=2, **options)
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return built.eval()


def batch(lengths=(7, 4, 1), mels=8, condition=5, seed=1):
    generator = torch.Generator().manual_seed(seed)
    shape = (len(lengths), max(lengths))
    lengths = torch.tensor(lengths)
    mask = length_mask(lengths, shape[1]).unsqueeze(-1)
    return (
        torch.randn(*shape, mels, generator=generator) * mask,
        lengths,
        torch.randn(*shape, condition, generator=generator) * mask,
    )


@pytest.mark.parametrize("options", [{}, {"shared_blocks": 3}, {"shared_condition": True}])
@pytest.mark.parametrize("lengths", [(8, 4, 2), (7, 4, 1)])
def test_decoding_inverts_encoding(options, lengths):
    model, (mels, lengths, conditions) = flow(**options), batch(lengths)
    with torch.no_grad():
        noise, _, _ = model.encode(mels, lengths, conditions)
        back = model.decode(noise, lengths, conditions)
    assert (back - mels).abs().max() < 1e-4


def test_the_published_depth_inverts_too():
    torch.manual_seed(0)
    model = PostFlow(80, 20, 8, 16, 3, 4).train()
    mels, lengths, conditions = batch((40, 31), 80, 20)
    mels = mels * 1.5 - 4
    model.negative_log_likelihood(mels, lengths, conditions)
    with torch.no_grad():
        for block in model.blocks:
            block.couple.end.weight.normal_(std=0.05)
        noise, _, _ = model.eval().encode(mels, lengths, conditions)
        back = model.decode(noise, lengths, conditions)
    inside = length_mask(lengths, 40)
    assert (back - mels)[inside].abs().max() < 1e-4


def test_log_determinant_is_that_of_autograd():
    model = flow(mels=4, condition=3).double()
    mels, lengths, conditions = batch((6,), 4, 3)
    conditions = conditions.double()

    def noise_of(flat):
        return model.encode(flat.view(1, 6, 4), lengths, conditions)[0].flatten()

    jacobian = torch.autograd.functional.jacobian(noise_of, mels.double().flatten())
    _, log_determinant, _ = model.encode(mels.double(), lengths, conditions)
    torch.testing.assert_close(log_determinant[0], torch.linalg.slogdet(jacobian).logabsdet)


def test_likelihood_counts_every_value_once_and_padding_never():
    model, (mels, lengths, conditions) = flow(), batch((8, 4, 1))
    alone = []
    with torch.no_grad():
        together = model.negative_log_likelihood(mels, lengths, conditions)
        for item, length in enumerate((8, 4, 1)):
            part = model.negative_log_likelihood(
                mels[item : item + 1, :length], lengths[item : item + 1], conditions[item : item + 1, :length]
            )
            alone.append(float(part) * ((length + 1) // 2))
    assert float(together) == pytest.approx(sum(alone) / (4 + 2 + 1), abs=1e-5)


def test_likelihood_of_the_identity_is_that_of_the_normal_distribution():
    torch.manual_seed(0)
    model = PostFlow(4, 3, 1, 4, 1).eval()  # couplings begin as identity, ActNorm too; the mix is a rotation
    mels, lengths, conditions = batch((6, 2), 4, 3)
    expected = (0.5 * mels.square().sum() / (8 * 4)) + 0.5 * math.log(2 * math.pi)
    found = model.negative_log_likelihood(mels, lengths, conditions).detach()
    assert float(found) == pytest.approx(float(expected), abs=1e-5)


def test_squeeze_keeps_every_frame_of_an_odd_sequence():
    frames = torch.arange(1.0, 11.0).view(2, 5, 1)
    pairs, counts = squeeze(frames, torch.tensor([5, 2]))
    assert counts.tolist() == [3, 1]
    assert pairs.tolist() == [[[1, 2], [3, 4], [5, 5]], [[6, 7], [0, 0], [0, 0]]]
    assert unsqueeze(pairs, 5)[0, :, 0].tolist() == [1, 2, 3, 4, 5]


def test_act_norm_normalises_the_first_batch_without_its_padding():
    frames = torch.randn(3, 50, 4) * 5 + 2
    mask = length_mask(torch.tensor([50, 30, 10]), 50)
    norm = ActNorm(4).train()
    out, _ = norm(frames.masked_fill(~mask.unsqueeze(-1), 1e3), mask)
    torch.testing.assert_close(out[mask].mean(0), torch.zeros(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(out[mask].std(0, unbiased=False), torch.ones(4), atol=1e-4, rtol=0)
    before = norm.log_scale.clone()
    norm(frames * 2, mask)
    assert torch.equal(norm.log_scale, before)
    started, norm.started = norm.started, norm.started.to("meta")
    norm(frames, mask)  # would fail if the device were asked at every step
    norm.started = started
    norm.load_state_dict(ActNorm(4).state_dict())
    norm(frames * 3, mask)
    assert bool(norm.started), "weights that had not started do so again"
    assert not torch.equal(norm.log_scale, before)


def test_mixing_mixes_both_halves():
    torch.manual_seed(0)
    mix = InvertibleConv()
    mask = torch.ones(1, 1, dtype=torch.bool)
    columns = torch.stack([mix(torch.eye(8)[row].view(1, 1, 8), mask).frames.flatten() for row in range(8)])
    assert columns[:4, 4:].abs().sum() > 0.1
    assert columns[4:, :4].abs().sum() > 0.1
    determinant = mix(torch.zeros(1, 1, 8), mask).log_determinant
    torch.testing.assert_close(determinant[0], torch.linalg.slogdet(columns).logabsdet, atol=1e-5, rtol=1e-5)


def test_noise_belongs_to_the_item():
    noise = flow_noise(torch.tensor([5, 9]), 9, 4, 0.8, torch.tensor([11, 12]))
    alone = flow_noise(torch.tensor([9]), 9, 4, 0.8, torch.tensor([11]))
    assert noise.shape == (2, 5, 8)
    assert torch.equal(noise[0, :3], alone[0, :3])
    assert not noise[0, 3:].any()
    assert not flow_noise(torch.tensor([5]), 5, 4, 0.0, None).any()


def test_odd_mel_bands_are_refused():
    with pytest.raises(ValueError, match="even number"):
        PostFlow(7, 5, 1, 4, 1)
