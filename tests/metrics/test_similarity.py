import numpy as np
import pytest
import torch

from emoquant.metrics import cosine, distortion, frame_similarity, utterance_similarity, utterance_vectors
from emoquant.metrics.similarity import frame_fidelity, frame_mask


@pytest.fixture
def speech():
    random = torch.Generator().manual_seed(3)
    features, noise = (torch.randn(3, 7, 5, generator=random) for _ in range(2))
    coded = torch.stack([features, features + 0.3 * noise, -features])
    return features, coded, torch.tensor([7, 1, 4])


def numpy_cosine(a, b):
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_every_measure_equals_numpy_utterance_by_utterance(speech):
    features, coded, lengths = speech
    found = utterance_similarity(features, coded, lengths), frame_similarity(features, coded, lengths)
    errors, vectors = distortion(features, coded, lengths), utterance_vectors(coded, lengths)
    for o in range(3):
        for b, length in enumerate(lengths.tolist()):
            x, y = features[b, :length].numpy(), coded[o, b, :length].numpy()
            np.testing.assert_allclose(vectors[o, b], y.mean(0), rtol=1e-5, atol=1e-6)
            assert float(found[0][o, b]) == pytest.approx(numpy_cosine(x.mean(0), y.mean(0)), abs=1e-6)
            frames = np.mean([numpy_cosine(*pair) for pair in zip(x, y, strict=True)])
            assert float(found[1][o, b]) == pytest.approx(frames, abs=1e-6)
            assert float(errors[o, b]) == pytest.approx(((x - y) ** 2).sum(1).mean(), rel=1e-5)


def test_padding_changes_nothing(speech):
    features, coded, lengths = speech
    more = torch.full((3, 4, 5), 9.0)
    longer = torch.cat([features, more], 1), torch.cat([coded, more.expand(3, 3, 4, 5)], 2)
    for measure in (utterance_similarity, frame_similarity, distortion):
        torch.testing.assert_close(measure(*longer, lengths), measure(features, coded, lengths))


def test_small_errors_are_not_lost_in_rounding():
    features = torch.full((1, 4, 512), 100.0)
    coded = features + 1e-3
    assert float(distortion(features, coded, torch.tensor([4]))) == pytest.approx(512 * 1e-6, rel=0.05)


def test_blocks_of_frames_do_not_change_the_result(monkeypatch, speech):
    whole = frame_fidelity(*speech)
    monkeypatch.setattr("emoquant.metrics.similarity._BLOCK_VALUES", 11)
    for a, b in zip(whole, frame_fidelity(*speech), strict=True):
        torch.testing.assert_close(a, b)


def test_zero_vectors_have_similarity_zero_and_bounds_hold():
    assert cosine(torch.zeros(2, 3), torch.ones(3)).tolist() == [0.0, 0.0]
    features = torch.randn(4, 6, 3, generator=torch.Generator().manual_seed(0))
    lengths = torch.full((4,), 6)
    assert float(utterance_similarity(features, features, lengths).max()) <= 1.0
    assert torch.isfinite(frame_similarity(features, torch.zeros_like(features), lengths)).all()


def test_bf16_autocast_does_not_reach_the_measures(speech):
    plain = frame_similarity(*speech), utterance_vectors(speech[1], speech[2])
    with torch.autocast("cpu", torch.bfloat16):
        mixed = frame_similarity(*speech), utterance_vectors(speech[1], speech[2])
    assert torch.equal(plain[0], mixed[0])
    assert torch.equal(plain[1], mixed[1])


@pytest.mark.parametrize(
    ("lengths", "message"),
    [([], "at least one utterance"), ([0], r"must lie in \[1, 4\]"), ([5], r"must lie in \[1, 4\]")],
)
def test_wrong_lengths_raise(lengths, message):
    with pytest.raises(ValueError, match=message):
        frame_mask(torch.tensor(lengths, dtype=torch.int64), 4)


def test_shapes_that_do_not_fit_raise():
    with pytest.raises(ValueError, match="B = 3"):
        utterance_vectors(torch.zeros(2, 4, 5), torch.tensor([4, 4, 4]))
    with pytest.raises(ValueError, match="shape"):
        distortion(torch.zeros(2, 4, 5), torch.zeros(2, 4, 6), torch.tensor([4, 4]))


def test_what_is_unknown_is_not_unlike():
    unknown = torch.tensor([[torch.nan, 1.0, 1.0], [1.0, 1.0, 1.0]])
    assert cosine(unknown, torch.ones(3)).isnan().tolist() == [True, False]
    assert frame_similarity(torch.ones(1, 2, 3), unknown[None], torch.tensor([2])).isnan().all()
