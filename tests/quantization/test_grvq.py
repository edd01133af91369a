"""The quantizer: layout, decoding, sizes, transform; against vector-quantize-pytorch; over several processes."""

import subprocess
import sys
import textwrap

import pytest
import torch
from library_quantizer import library_quantizer, load_library_codebooks

from emoquant.quantization import GroupedResidualVQ
from emoquant.quantization.training import initialise, sample, train_step
from emoquant.types import Batch

SIZES = [(12, 3, 128, 192), (1, 24, 2, 32), (1, 32, 2, 32), (1, 8, 64, 32), (1, 24, 1024, 16)]


def speech_like(utterances=6, frames=40, dim=24, seed=0):
    """Correlated dimensions, unequal variances, memory over time; lengths differ."""
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(dim, dim, generator=generator) * torch.linspace(2, 0.2, dim).unsqueeze(1)
    state, out = torch.zeros(utterances, dim), []
    for _ in range(frames):
        state = 0.8 * state + 0.6 * torch.randn(utterances, dim, generator=generator)
        out.append(state @ mixing + 1.0)
    lengths = torch.randint(frames // 2, frames + 1, (utterances,), generator=generator)
    features = torch.stack(out, 1)
    return features * (torch.arange(frames) < lengths.unsqueeze(1)).unsqueeze(-1), lengths


@pytest.mark.parametrize(("groups", "layers", "codewords", "dim"), SIZES)
def test_every_size_of_the_study(groups, layers, codewords, dim):
    features, lengths = speech_like(utterances=4, frames=30, dim=dim)
    quantizer = GroupedResidualVQ(groups, layers, codewords, dim=dim)
    initialise(quantizer, features, lengths, rounds=2)
    seen = train_step(quantizer, features, lengths, torch.Generator())
    assert seen.frames == int(lengths.sum())
    assert seen.perplexity.shape == (groups * layers,)
    quantized = quantizer(features, lengths)
    assert quantized.codes.shape == (4, 30, groups * layers)
    assert int(quantized.codes.max()) <= codewords
    valid = torch.arange(30) < lengths.unsqueeze(1)
    assert (quantized.codes[~valid] == -1).all()
    assert not quantized.features[~valid].any()
    assert torch.equal(quantizer.decode(quantized.codes), quantized.features)
    error = (quantized.features - features)[valid].square().mean()
    assert error < features[valid].var(0).mean()


def test_codes_are_group_major_and_skip_is_zero():
    quantizer = GroupedResidualVQ(2, 2, 3, rotation="none", dim=4)
    quantizer.fine.set(torch.arange(24.0).view(4, 3, 2))
    codes = torch.tensor([[[1, 3, 3, 0], [3, 3, 3, 3], [-1, -1, -1, -1]]])
    expected = torch.tensor([[[2.0, 3, 18, 19], [0, 0, 0, 0], [0, 0, 0, 0]]])
    assert torch.equal(quantizer.decode(codes), expected)


def test_prediction_decodes_over_time():
    quantizer = GroupedResidualVQ(1, 1, 1, rotation="none", prediction=True, dim=2)
    quantizer.fine.set(torch.tensor([[[8.0, 4.0]]]))
    quantizer.predictor.copy_(torch.tensor([0.5, 0.25]))
    decoded = quantizer.decode(torch.tensor([[[0], [1], [0]]]))
    assert torch.equal(decoded, torch.tensor([[[8.0, 4.0], [4.0, 1.0], [10.0, 4.25]]]))


def test_all_skip_is_the_mean_when_rotated_and_zero_when_raw():
    features, lengths = speech_like()
    for rotation, expected in (
        ("klt", features[torch.arange(40) < lengths.unsqueeze(1)].mean(0)),
        ("none", torch.zeros(24)),
    ):
        quantizer = GroupedResidualVQ(3, 2, 8, rotation=rotation, dim=24)
        initialise(quantizer, features, lengths, rounds=2)
        skipped = quantizer.decode(torch.full((1, 1, 6), 8))[0, 0]
        torch.testing.assert_close(skipped, expected, atol=1e-4, rtol=1e-4)


def test_transform_keeps_squared_error_and_deals_out_components():
    features, lengths = speech_like(dim=24)
    frames = features[torch.arange(40) < lengths.unsqueeze(1)]
    quantizer = GroupedResidualVQ(4, 1, 2, dim=24)
    initialise(quantizer, features, lengths, rounds=1)
    components = quantizer.transform(frames)
    torch.testing.assert_close(quantizer.transform.inverse(components), frames, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close((components[0] - components[1]).square().sum(), (frames[0] - frames[1]).square().sum())
    covariance = torch.cov(components.T)
    assert (covariance - covariance.diag().diag()).abs().max() < 1e-3 * covariance.max()
    variance = covariance.diag().view(4, 6)
    assert torch.equal(variance.T.reshape(-1).argsort(descending=True, stable=True), torch.arange(24))


def test_padding_is_never_counted():
    features, lengths = speech_like()
    results = []
    for fill in (0.0, 1e6):
        padded = features.masked_fill((torch.arange(40) >= lengths.unsqueeze(1)).unsqueeze(-1), fill)
        quantizer = GroupedResidualVQ(3, 2, 8, coarse=1, prediction=True, dim=24)
        initialise(quantizer, padded, lengths, rounds=2)
        train_step(quantizer, padded, lengths, torch.Generator())
        results.append(quantizer.state_dict())
    for name, value in results[0].items():
        assert torch.equal(value, results[1][name]), name


def test_hundred_steps_equal_the_library():
    features, lengths = speech_like(utterances=16, dim=24)
    lengths = torch.full_like(lengths, 40)
    features, _ = speech_like(utterances=16, dim=24, seed=3)
    quantizer = GroupedResidualVQ(3, 2, 8, rotation="none", dead_below=0, dim=24)
    initialise(quantizer, features, lengths, rounds=2)
    reference = library_quantizer(quantizer).train()
    for step in range(100):
        batch = features[step % 4 :: 4]
        train_step(quantizer, batch, lengths[:4], torch.Generator())
        reference(batch)
    loaded = GroupedResidualVQ(3, 2, 8, rotation="none", dim=24)
    load_library_codebooks(loaded, reference)
    torch.testing.assert_close(quantizer.fine.vectors, loaded.fine.vectors, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(quantizer.fine.counts, loaded.fine.counts, rtol=1e-4, atol=1e-4)
    reference.eval()
    output, indices, _ = reference(features)
    codes = indices.permute(1, 2, 0, 3).flatten(2)  # (G, B, T, L) -> (B, T, P)
    torch.testing.assert_close(loaded.decode(codes), output, rtol=1e-4, atol=1e-4)
    ours, _ = loaded.assign(features, skip=False)
    assert (ours == codes).float().mean() > 0.999


def test_the_sample_comes_from_all_over_the_batches():
    def batches(count):
        for number in range(count):
            nothing = torch.zeros(10, dtype=torch.int64)
            features = torch.full((10, 20, 4), float(number))
            yield Batch(features, torch.full((10,), 20), *[nothing] * 3, torch.zeros(10, 1))

    features, lengths = sample(batches(5), 5, frames=450)
    assert features.shape[1:] == (20, 4)
    assert 450 <= int(lengths.sum()) <= 600
    assert features[:, 0, 0].unique().tolist() == [0, 1, 2, 3, 4]
    assert int(sample(batches(5), 5, frames=5000)[1].sum()) == 1000  # fewer than wanted: all of them
    assert sample(batches(100), 100, frames=400)[0][:, 0, 0].unique().numel() == 10  # an eighth of a batch at least


def test_codewords_that_a_batch_does_not_choose_stay_where_they_are():
    features, lengths = speech_like(utterances=16)
    quantizer = GroupedResidualVQ(3, 2, 16, dead_below=0, dim=24)
    initialise(quantizer, features, lengths, rounds=2)
    before = quantizer.fine.vectors.clone()
    train_step(quantizer, features[:1, :4], torch.tensor([4]), torch.Generator())
    codes = quantizer.assign(quantizer.transform(features[:1, :4]), skip=False)[0][0]
    kept = torch.ones(before.shape[:2], dtype=torch.bool)
    kept[torch.arange(6), codes] = False
    assert kept.sum() >= 6 * 12
    torch.testing.assert_close(quantizer.fine.vectors[kept], before[kept], rtol=1e-3, atol=1e-4)


def test_dead_codewords_come_back():
    features, lengths = speech_like(utterances=16)
    quantizer = GroupedResidualVQ(3, 1, 8, dim=24)
    initialise(quantizer, features, lengths, rounds=2)
    quantizer.fine.vectors[:, 3] = 1e4
    quantizer.fine.sums[:, 3] = 1e4
    quantizer.fine.counts[:, 3] = 1.0
    seen = train_step(quantizer, features, lengths, torch.Generator())
    assert seen.revived >= 3
    assert int(quantizer.fine.revived) == seen.revived
    assert quantizer.fine.vectors.abs().max() < 1e3
    assert train_step(quantizer, features, lengths, torch.Generator()).usage.min() > 0.8


def test_two_processes_equal_one_with_twice_the_batch(tmp_path):
    program = textwrap.dedent("""
        import sys, torch
        from torch import distributed
        from emoquant.quantization import GroupedResidualVQ
        from emoquant.quantization.training import initialise, sample, train_step
        rank, world, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
        torch.set_num_threads(1)
        quantizer = GroupedResidualVQ(3, 2, 16, coarse=1, prediction=True, dim=12)  # built before the process group
        if world > 1:
            distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=world)
        data = torch.load(f"{folder}/data.pt")
        share = lambda tensor: tensor.chunk(world)[rank]
        initialise(quantizer, share(data["features"]), share(data["lengths"]), rounds=3)
        quantizer.fine.counts[:, 2] = 0.5
        revived = 0
        for step in range(3):
            generator = torch.Generator().manual_seed(step)
            revived += train_step(quantizer, share(data["features"]), share(data["lengths"]), generator).revived
        assert revived
        torch.save(quantizer.state_dict(), f"{folder}/{world}_{rank}.pt")
        if world > 1:
            distributed.destroy_process_group()
    """)
    (tmp_path / "program.py").write_text(program)
    features, lengths = speech_like(utterances=8, dim=12)
    lengths[4:] = lengths[4:] // 2  # processes see different numbers of frames
    torch.save({"features": features, "lengths": lengths}, tmp_path / "data.pt")
    runs = [
        subprocess.Popen([sys.executable, tmp_path / "program.py", str(rank), str(world), tmp_path])
        for world in (1, 2)
        for rank in range(world)
    ]
    assert [run.wait(timeout=120) for run in runs] == [0, 0, 0]
    one, two, other = (torch.load(tmp_path / name) for name in ("1_0.pt", "2_0.pt", "2_1.pt"))
    for name, value in one.items():
        assert torch.equal(two[name], other[name]), name
        torch.testing.assert_close(two[name], value, rtol=1e-4, atol=1e-5, msg=name)


def test_wrong_use_is_named():
    with pytest.raises(ValueError, match="do not divide"):
        GroupedResidualVQ(5, dim=24)
    for wrong in ({"coarse": -1}, {"codewords": 0}, {"codewords": 32_768}):
        with pytest.raises(ValueError, match="".join(wrong) + " must be"):
            GroupedResidualVQ(3, 2, **({"codewords": 8} | wrong))
    quantizer = GroupedResidualVQ(3, 2, 8, dim=24)
    with pytest.raises(ValueError, match="24 dimensions"):
        quantizer.build(32)
    with pytest.raises(ValueError, match="another quantizer"):
        quantizer.decode(torch.full((1, 1, 6), 9))
    with pytest.raises(ValueError, match="vary"):
        initialise(quantizer, torch.zeros(1, 5, 24), torch.tensor([5]))
    with pytest.raises(ValueError, match="rotation"):
        GroupedResidualVQ(rotation="fft", dim=24)
