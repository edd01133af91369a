"""Codes of whole utterances: every frame becomes the coded time mean, for as many bits as are sent."""

import pytest
import torch
from tiny_world import joined, planted_batches

from emoquant.codecs import UtteranceVQ, load_codec, save_codec
from emoquant.tasks.probe import means


@pytest.fixture(scope="module")
def batch():
    return joined(planted_batches())


@pytest.fixture(scope="module")
def codec(batch):
    made = UtteranceVQ(batch.features.shape[-1], stages=3, codewords=4)
    made.fit(means(batch), batch.features.sum((0, 1)) / batch.lengths.sum())
    return made


def test_frames_become_sums_of_codewords(codec, batch):
    coded = codec(batch.features, batch.lengths)
    assert codec.points == (2.0, 4.0, 6.0)
    for place, bits in enumerate(codec.points):
        torch.testing.assert_close(coded.bits[place].sum(-1), torch.full((len(batch.lengths),), bits))
        assert (coded.codes[place, :, 0, place + 1 :] == 4).all()
        for row, length in enumerate(batch.lengths.tolist()):
            chosen = coded.codes[place, row, 0, : place + 1].long()
            vector = codec.mean + codec.books[torch.arange(place + 1), chosen].sum(0)
            torch.testing.assert_close(coded.features[place, row, :length], vector.expand(length, -1))
            assert (coded.features[place, row, length:] == 0).all()
            assert (coded.codes[place, row, length:] == -1).all()


def test_each_stage_comes_nearer_and_planted_emotions_need_two_bits(codec, batch):
    coded = codec(batch.features, batch.lengths, [0.0, 2.0, 4.0, 6.0])
    errors = (coded.features[:, :, 0] - means(batch)).square().sum((1, 2))
    assert errors.diff().max() < 0
    torch.testing.assert_close(coded.features[0, :, 0], codec.skip_vector().expand(len(batch.lengths), -1))
    first = coded.codes[1, :, 0, 0]
    kinds = {(int(code), int(emotion)) for code, emotion in zip(first, batch.emotions, strict=True)}
    assert len({emotion for _, emotion in kinds}) == len({code for code, _ in kinds}) == len(kinds) == 4


def test_an_utterance_is_coded_as_it_is_alone(codec, batch):
    coded = codec(batch.features, batch.lengths)
    for row in (0, 7):
        length = int(batch.lengths[row])
        alone = codec(batch.features[row : row + 1, :length], batch.lengths[row : row + 1])
        assert torch.equal(alone.codes[:, 0], coded.codes[:, row, :length])
        torch.testing.assert_close(alone.features[:, 0], coded.features[:, row, :length])


def test_it_comes_out_of_a_file(codec, batch, tmp_path):
    save_codec(codec, tmp_path / "u.ckpt")
    loaded = load_codec(tmp_path / "u.ckpt", points=[4.0])
    assert loaded.points == (4.0,)
    assert torch.equal(loaded(batch.features, batch.lengths).codes[0], codec(batch.features, batch.lengths).codes[1])
    save_codec(UtteranceVQ(8), tmp_path / "early.ckpt")
    with pytest.raises(ValueError, match=r"early.ckpt: saved before its codebooks were fitted"):
        load_codec(tmp_path / "early.ckpt")


def test_wrong_numbers_are_named(codec, batch):
    with pytest.raises(ValueError, match="in 3 bits: expected multiples of 2 up to 6"):
        codec(batch.features, batch.lengths, [3.0])
    with pytest.raises(ValueError, match="codewords a power of two from 2, got 8, 1, 6"):
        UtteranceVQ(8, 1, 6)
    with pytest.raises(ValueError, match="at least 2 training utterances with finite features, got 1"):
        UtteranceVQ(2, 1, 2).fit(torch.ones(1, 2), torch.ones(2))
