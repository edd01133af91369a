"""Compress and decompress: exact codes, honest lengths, and one error for everything that is not ours."""

import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch._subclasses.fake_tensor import FakeTensorMode

from emoquant.codecs import ECVQ
from emoquant.codecs.bitstream import BitstreamError, pack, parse
from emoquant.codecs.search import Search, layout_of
from emoquant.entropy import AutoregressiveModel, FactorizedModel, LightModel
from emoquant.quantization import GroupedResidualVQ

DIM = 12


def make_codec(seed=0, entropy=LightModel, quantizer=None, **model):
    torch.manual_seed(seed)
    sizes = {"groups": 3, "layers": 2, "codewords": 7, "rotation": "klt"} | (quantizer or {})
    vq = GroupedResidualVQ(**sizes, dim=DIM)
    vq.fine.set(torch.randn_like(vq.fine.vectors))
    vq.rough.set(torch.randn_like(vq.rough.vectors))
    if vq.rotation != "none":
        vq.transform.fit(torch.randn(DIM), torch.cov(torch.randn(DIM, 4 * DIM)))
    if vq.prediction:
        vq.predictor.uniform_(0, 0.9)
    vq.ready.fill_(True)
    made = entropy(**({"width": 8} | model if entropy is LightModel else model))
    made.build(layout_of(vq))
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return ECVQ(vq, made.requires_grad_(False))


def utterances(lengths, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(length, DIM, generator=generator) * 1.5 for length in lengths]


CODECS = {
    "default": {},
    "coarse": {"quantizer": {"coarse": 1}},
    "prediction": {"quantizer": {"prediction": True}},
    "the study's": {"quantizer": {"rotation": "none"}, "memory": 0, "parallel": False, "knots": 1},
    "two frames back": {"memory": 2},
    "histogram": {"entropy": FactorizedModel},
}


@pytest.mark.parametrize("kind", CODECS)
def test_decompress_gives_the_codes_and_features_of_the_search(kind):
    codec = make_codec(**CODECS[kind])
    features = utterances([1, 40, 7, 130])
    encodings = codec.encode_batch(features, [0.0, 0.3, 1.0, 4.0])
    data = codec.write(encodings)
    assert data == codec.compress_batch(features, [0.0, 0.3, 1.0, 4.0])
    for codes, restored, encoding in zip(codec.read(data), codec.decompress_batch(data), encodings, strict=True):
        assert torch.equal(codes, encoding.codes)
        assert restored.dtype == torch.float32
        assert torch.allclose(restored, encoding.features, atol=1e-5)
    for encoding, each in zip(encodings, data, strict=True):
        estimate = float(encoding.bits.double().sum())
        assert 8 * len(parse(each).payload) <= 1.003 * estimate + 32


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 1000),
    coarse=st.integers(0, 1),
    prediction=st.booleans(),
    memory=st.integers(0, 2),
    parallel=st.booleans(),
    lmbda=st.floats(0, 50, width=32),
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=3),
)
def test_round_trip_of_random_codecs(seed, coarse, prediction, memory, parallel, lmbda, lengths):
    quantizer = {"coarse": coarse, "prediction": prediction}
    codec = make_codec(seed, quantizer=quantizer, memory=memory, parallel=parallel, knots=3)
    encodings = codec.encode_batch(utterances(lengths, seed), lmbda)
    data = codec.write(encodings)
    for codes, encoding, each in zip(codec.read(data), encodings, data, strict=True):
        assert torch.equal(codes, encoding.codes)
        assert 8 * len(parse(each).payload) <= 1.003 * float(encoding.bits.double().sum()) + 32


def test_bytes_and_codes_do_not_depend_on_batch_or_threads():
    codec = make_codec()
    features = utterances(range(1, 12))
    together = codec.compress_batch(features, 1.0)
    threads = torch.get_num_threads()
    torch.set_num_threads(4)
    alone = [codec.compress(each, 1.0) for each in features]
    restored = codec.decompress_batch(together)
    torch.set_num_threads(threads)
    assert alone == together
    for each, data in zip(restored, together, strict=True):
        assert torch.equal(each, codec.decompress(data))


def test_encode_is_what_forward_does():
    codec = make_codec()
    features = utterances([25])[0]
    encoding = codec.encode(features, 2.0)
    coded = codec(features.unsqueeze(0), torch.tensor([25]), [2.0])
    assert torch.equal(encoding.codes, coded.codes[0, 0])
    assert torch.equal(encoding.features, coded.features[0, 0])
    assert torch.equal(encoding.bits, coded.bits[0, 0])


def test_coded_bits_of_a_sweep_are_those_of_its_files():
    codec = make_codec()
    features, points = utterances([25, 9]), [0.0, 2.0, 30.0]
    lengths = torch.tensor([25, 9])
    coded = codec(torch.nn.utils.rnn.pad_sequence(features, batch_first=True), lengths, points)
    found = codec.coded_bits(coded, lengths, points)
    for number, lmbda in enumerate(points):
        data = codec.compress_batch(features, lmbda)
        assert found[number].tolist() == [8 * len(parse(each).payload) for each in data]


def test_numpy_features_and_other_precisions_are_taken():
    codec = make_codec()
    features = utterances([20])[0]
    assert (
        codec.compress(features.numpy(), 1.0) == codec.compress(features, 1.0) == codec.compress(features.double(), 1.0)
    )
    assert codec.decompress(codec.compress(features.numpy().astype(np.float16), 1.0)).shape == (20, DIM)
    assert codec.compress(features, np.float32(1)) == codec.compress(features, 1) == codec.compress(features, 1.0)
    assert codec.compress_batch([features], np.ones(1)) == [codec.compress(features, 1.0)]


def test_a_strong_lambda_costs_almost_nothing():
    codec = make_codec(entropy=FactorizedModel)
    codec.entropy.bias.data[..., 7] = 40.0
    data = codec.compress(torch.randn(500, DIM), 500.0)
    assert len(parse(data).payload) <= 4
    assert torch.allclose(codec.decompress(data)[0], codec.skip_vector(), atol=1e-6)


def test_the_fingerprint_follows_whatever_decoding_depends_on():
    codec, known = make_codec(), {make_codec().fingerprint()}
    assert known == {codec.fingerprint()}
    for change in (
        lambda: codec.entropy.blocks[0].bias[..., 0].add_(0.1),
        lambda: codec.quantizer.fine.vectors.mul_(1.01),
        lambda: codec.quantizer.transform.mean.add_(0.1),
    ):
        with torch.no_grad():
            change()
        assert codec.fingerprint() not in known
        known.add(codec.fingerprint())


def test_another_codecs_bytes_are_refused():
    data = make_codec(seed=1).compress(utterances([9])[0], 1.0)
    with pytest.raises(BitstreamError, match="another codec"):
        make_codec(seed=2).decompress(data)


def test_forged_lengths_are_refused():
    codec = make_codec()
    packet = parse(codec.compress(utterances([9])[0], 1.0))._replace(fingerprint=codec.fingerprint())
    with pytest.raises(BitstreamError, match="more than the 262144 that are allowed"):
        codec.decompress(pack(packet._replace(frames=1 << 27)))
    with pytest.raises(BitstreamError, match="more than 6 codes can take"):
        codec.decompress(pack(packet._replace(frames=1, payload=bytes(1000))))
    codec.most_frames = 5
    with pytest.raises(ValueError, match="set most_frames"):
        codec.compress(utterances([9])[0], 1.0)


def test_fuzz_decompress():
    """Mutated files, half of them with a right checksum: features or BitstreamError, never anything else."""
    codec = make_codec()
    whole = codec.compress(utterances([12])[0], 0.5)
    packet = parse(whole)._replace(fingerprint=codec.fingerprint())
    generator = random.Random(0)
    decoded = 0
    for trial in range(1000):
        payload = bytearray(packet.payload)
        for _ in range(1 + generator.randrange(4)):
            place = generator.randrange(len(payload) + 1)
            if generator.randrange(2) and payload:
                payload[place % len(payload)] ^= 1 << generator.randrange(8)
            elif generator.randrange(2):
                del payload[place:]
            else:
                payload[place:place] = generator.randbytes(3)
        forged = packet._replace(payload=bytes(payload), frames=generator.choice((1, 3, 12, 13)))
        data = pack(forged) if trial % 2 else whole[:5] + bytes(payload)
        try:
            features = codec.decompress(data)
        except BitstreamError:
            continue
        decoded += 1
        assert features.shape[1] == DIM
        assert torch.isfinite(features).all()
    assert decoded > 50


@pytest.mark.parametrize(
    ("features", "lmbda", "message"),
    [
        (torch.zeros(3, DIM + 1), 1.0, rf"must be \(T, {DIM}\)"),
        (torch.zeros(0, DIM), 1.0, "T >= 1"),
        (torch.zeros(DIM), 1.0, rf"must be \(T, {DIM}\)"),
        (torch.full((3, DIM), float("nan")), 1.0, "NaN or infinity"),
        (torch.zeros(3, DIM), -1.0, "at least 0"),
        (torch.zeros(3, DIM), float("inf"), "finite"),
        (torch.zeros(3, DIM), 1e39, "finite"),
    ],
)
def test_bad_input_has_a_clear_error(features, lmbda, message):
    with pytest.raises(ValueError, match=message):
        make_codec().compress(features, lmbda)


def test_one_lambda_for_each_utterance():
    with pytest.raises(ValueError, match="one for each utterance: 2, got 3"):
        make_codec().compress_batch(utterances([4, 5]), [1.0, 2.0, 3.0])


def test_a_transformer_says_that_its_bits_are_estimates():
    codec = make_codec(entropy=AutoregressiveModel, width=16, layers=1, heads=2)
    assert codec.encode(utterances([3])[0], 1.0).bits.shape == (3,)
    with pytest.raises(ValueError, match="estimated bits only"):
        codec.compress(utterances([3])[0], 1.0)


@pytest.mark.parametrize("kind", ["the study's", "histogram"])
def test_lengths_on_the_cpu_serve_features_on_a_gpu(kind, monkeypatch):
    class EndError(Exception):
        """Tensors without data do not tell how many frames become rows."""

    def end(*_, **__):
        raise EndError

    monkeypatch.setattr(torch.Tensor, "nonzero", end)
    codec = make_codec(**CODECS[kind])
    search, lengths = Search(codec.quantizer, codec.entropy), torch.tensor([5, 3])
    assert not search.sequential
    with FakeTensorMode(allow_non_fake_inputs=True), pytest.raises(EndError):  # which checks devices as a GPU does
        search(torch.empty(2, 5, DIM, device="cuda"), lengths, torch.ones(2, device="cuda"))


@pytest.mark.gpu
@pytest.mark.parametrize("kind", CODECS)
def test_codes_from_a_gpu_decode_on_the_cpu_and_back(kind):
    codec = make_codec(**CODECS[kind])
    features = utterances([50, 20, 90])
    cpu = codec.compress_batch(features, 1.0)
    codes = codec.read(cpu)
    moved = codec.to("cuda")
    assert all(torch.equal(a, b) for a, b in zip(moved.read(cpu), codes, strict=True))
    gpu = moved.encode_batch(features, 1.0)
    data = moved.write(gpu)
    home = moved.to("cpu")
    assert all(torch.equal(a, b.codes.cpu()) for a, b in zip(home.read(data), gpu, strict=True))
