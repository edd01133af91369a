import pytest
import torch

from emoquant.encoders.pauses import Pauses

RATE = 16_000


@pytest.fixture
def batch():
    torch.manual_seed(0)
    lengths = torch.tensor([16_000, 24_000, 20_000, 9_000])
    waveforms = torch.randn(4, 24_000) * (torch.arange(24_000) < lengths[:, None])
    waveforms[:, 8_000:8_640] *= 0.01  # a quiet place
    return waveforms, lengths


def rms(waveforms):
    return waveforms.square().mean(-1).sqrt()


def test_silence_adds_length_and_keeps_every_sample_in_its_order(batch):
    waveforms, lengths = batch
    changed, longer = Pauses(share=1.0, digital=1.0)(waveforms, lengths)
    assert (longer > lengths).all()
    assert int(longer.max()) == changed.shape[1]
    for before, after in zip(waveforms, changed, strict=True):
        assert torch.equal(before[before != 0], after[after != 0])


def test_pauses_are_before_within_and_after_up_to_their_lengths(batch):
    waveforms, lengths = batch
    pauses, found = Pauses(share=1.0, longest=0.5, within=0.25, digital=1.0), []
    for _ in range(40):
        changed, longer = pauses(waveforms, lengths)
        for row, length in enumerate(longer.tolist()):
            sound = changed[row].nonzero()[:, 0]
            found.append((int(sound[0]), int(sound.diff().max()) - 1, length - 1 - int(sound[-1])))
    before, within, after = torch.tensor(found).T
    for pause, most in ((before, 8_000), (within, 4_000), (after, 8_000)):
        assert 0 <= int(pause.min()) < most / 10 < most * 0.9 < int(pause.max()) <= most


def test_a_pause_within_goes_to_a_quiet_place():
    waveforms = torch.ones(1, 6_400)
    waveforms[:, 3_200:3_520] = 0.5
    changed, _ = Pauses(share=1.0, longest=0.0, digital=1.0)(waveforms, torch.tensor([6_400]))
    silent = (changed[0] == 0).nonzero()[:, 0]
    assert changed[0, silent[0] - 1] == changed[0, silent[-1] + 1] == 0.5


@pytest.mark.parametrize("level", [-60.0, -30.0])
def test_room_tone_has_its_level_before_and_under_the_speech(batch, level):
    waveforms, lengths = batch
    pauses = Pauses(share=1.0, within=0.0, level=(level, level), digital=0.0)
    changed, longer = pauses(waveforms, lengths)
    spoken = waveforms.square().sum(1).div(lengths).sqrt()
    ends = torch.stack([rms(row[length - 100 : length]) for row, length in zip(changed, longer.tolist(), strict=True)])
    assert torch.allclose(ends, spoken * 10 ** (level / 20), rtol=0.5)
    assert not changed[torch.arange(changed.shape[1]) >= longer[:, None]].any(), "past the end is nothing"


def test_the_share_without_pauses_is_left_as_it_is(batch):
    waveforms, lengths = batch
    changed, longer = Pauses(share=0.0)(waveforms, lengths)
    assert torch.equal(changed, waveforms)
    assert torch.equal(longer, lengths)
    many = Pauses(share=0.25)(waveforms[:1].expand(400, -1), lengths[:1].expand(400))[1]
    assert 0.15 < float((many > lengths[0]).float().mean()) < 0.35


def test_a_seed_repeats_the_pauses(batch):
    drawn = []
    for _ in range(2):
        torch.manual_seed(3)
        drawn.append(Pauses()(*batch))
    assert torch.equal(drawn[0][0], drawn[1][0])
    assert torch.equal(drawn[0][1], drawn[1][1])


@pytest.mark.parametrize("wrong", [{"share": 1.5}, {"digital": -0.1}, {"longest": -1.0}, {"level": (-30.0, -60.0)}])
def test_wrong_settings_are_named(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))}="):
        Pauses(**wrong)
