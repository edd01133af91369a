"""The transform codec: exact round trips, honest bits, a search that pays, a stream that does not look ahead."""

import random
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transform_world import DIM, make_codec, utterances

from emoquant.codecs import TransformCodec, load_codec, save_codec
from emoquant.codecs.bitstream import BitstreamError, parse
from emoquant.codecs.rate_control import encode_by_curve
from emoquant.codecs.rate_curves import Target, sweep
from emoquant.codecs.specs import Place, open_codecs
from emoquant.codecs.transform import coder

sys.path.insert(0, str(Path(__file__).parent.parent.parent / "benchmarks"))
from rate_ways import encode_by_bisection, encode_by_sweep, encode_corpus

LAMBDAS = [0.0, 0.02, 0.5, 4.0, 60.0, 4000.0]


def check_round_trip(seed, states, form, lmbda, lengths, scale=1.0):
    codec = make_codec(states, form, seed or None)
    features = [scale * each for each in utterances(lengths, seed)]
    encodings = codec.encode_batch(features, lmbda)
    data = codec.write(encodings)
    for codes, encoding in zip(codec.read(data), encodings, strict=True):
        assert torch.equal(codes, encoding.codes)
    for each, encoding in zip(codec.decompress_batch(data), encodings, strict=True):
        assert torch.equal(each, encoding.features)
    for each, encoding in zip(data, encodings, strict=True):
        assert 8 * len(parse(each).payload) <= 1.003 * float(encoding.bits.double().sum()) + 16


CONFIGURATIONS = {
    "seed": st.integers(0, 10_000),
    "states": st.sampled_from([1, 4, 8]),
    "form": st.sampled_from(["whole", "stream"]),
    "lmbda": st.floats(0, 5000, width=32),
    "lengths": st.lists(st.integers(1, 70), min_size=1, max_size=2),
    "scale": st.sampled_from([1.0, 0.01, 300.0]),
}


@settings(max_examples=40, deadline=None, derandomize=True)
@given(**CONFIGURATIONS)
def test_round_trip_of_random_codecs(seed, states, form, lmbda, lengths, scale):
    check_round_trip(seed, states, form, lmbda, lengths, scale)


@pytest.mark.slow
@settings(max_examples=1000, deadline=None)
@given(**CONFIGURATIONS)
def test_round_trip_of_a_thousand_random_codecs(seed, states, form, lmbda, lengths, scale):
    check_round_trip(seed, states, form, lmbda, lengths, scale)


def test_an_utterance_of_several_stretches_comes_back():
    check_round_trip(0, 8, "whole", 2.0, [4500])
    check_round_trip(0, 4, "stream", 2.0, [4500])


@pytest.mark.parametrize("form", ["whole", "stream"])
@pytest.mark.parametrize("states", [1, 8])
def test_the_search_beats_rounding(form, states):
    codec = make_codec(states, form)
    for lmbda in LAMBDAS[1:]:
        level, costs = codec.level(lmbda), np.zeros(2)
        for each in utterances([60, 90], 5):
            values = codec.transform(each, form).numpy()
            for rounded in (0, 1):
                found = coder.quantize(codec.tables(), values, level, lmbda, rounded=bool(rounded))
                error = np.square(found.decoded * coder.step_size(level) - values).sum()
                costs[rounded] += error + lmbda * found.bits.sum()
        assert costs[0] <= costs[1]


@pytest.mark.parametrize("form", ["whole", "stream"])
def test_more_states_save_more_and_at_high_rates_nearly_what_theory_says(form):
    features, lmbdas = torch.stack(utterances([80] * 64, 7)), torch.tensor([0.001, 0.01, 0.02])
    spent = {}
    for states in (1, 4, 8):
        coded = make_codec(states, form)(features, torch.full((64,), 80), lmbdas.tolist())
        error = (coded.features - features).square().sum((2, 3)) / lmbdas[:, None]
        spent[states] = (error + coded.bits.sum(2)) / features[0].numel()  # at equal error
    gains = [6.02 * (spent[1] - spent[states]) for states in (4, 8)]  # decibels at equal bits, of every utterance
    four, eight = (gain[:, :16].mean(1) for gain in gains)
    assert (four > 0.35).all()
    assert (gains[1].mean(1) > gains[0].mean(1)).all(), "of 0.99 and 1.09 dB on a flat source"
    assert four[0] > 0.6
    assert eight[0] > four[0] + 0.06


def test_rate_falls_and_distortion_rises_with_lambda():
    codec = make_codec()
    features = torch.stack(utterances([100] * 6, 3))
    coded = codec(features, torch.full((6,), 100), LAMBDAS)
    bits = coded.bits.sum((1, 2))
    error = (coded.features - features).square().sum((1, 2, 3))
    assert (bits.diff() < 0).all()
    assert (error.diff() > 0).all()
    assert bits[-1] < 6 * 100 * 0.05
    assert error[0] / features.numel() < 2**-10 * codec.variance


def test_results_depend_neither_on_the_batch_nor_on_threads():
    codec = make_codec()
    features = utterances([30, 1, 77, 12])
    lengths = torch.tensor([len(each) for each in features])
    padded = torch.nn.utils.rnn.pad_sequence(features, batch_first=True, padding_value=9.0)
    threads = torch.get_num_threads()
    coded = codec(padded, lengths, LAMBDAS)
    torch.set_num_threads(3)
    again = codec(padded, lengths, LAMBDAS)
    data = codec.compress_batch(features, 0.5)
    torch.set_num_threads(threads)
    assert all(torch.equal(a, b) for a, b in zip(coded, again, strict=True))
    assert data == [codec.compress(each, 0.5) for each in features]
    written = codec.coded_bits(coded, lengths, LAMBDAS)
    assert written[2].tolist() == [8 * len(parse(each).payload) for each in data]
    for row, each in enumerate(features):
        encoding = codec.encode(each, 0.5)
        assert torch.equal(encoding.features, coded.features[2, row, : len(each)])
        assert torch.equal(encoding.bits, coded.bits[2, row, : len(each)])
        assert torch.equal(codec.decompress(data[row]), encoding.features)
        assert not coded.features[:, row, len(each) :].any()
        assert not coded.bits[:, row, len(each) :].any()
    assert float(codec.encode(features[0], 0.5).bits.sum()) == pytest.approx(float(coded.bits[2, 0].sum()))


def test_bytes_of_short_utterances_are_well_filled():
    codec, frames = make_codec(), utterances([60] * 40, 11)
    encodings = codec.encode_batch(frames, 20.0)
    coded = np.array([8 * len(parse(each).payload) for each in codec.write(encodings)])
    estimate = np.array([float(each.bits.sum()) for each in encodings])
    assert 12 < estimate.mean() < 200
    assert (coded - estimate).mean() < 2.5


@pytest.mark.parametrize("states", [1, 8])
def test_a_stream_codes_a_prefix_as_it_codes_the_whole(states):
    codec, features = make_codec(states, "stream"), utterances([83])[0]
    whole = codec.encode(features, 0.3)
    for end in (8, 40, 80):
        part = codec.encode(features[:end], 0.3)
        assert torch.equal(part.codes, whole.codes[:end])
        assert torch.equal(part.features, whole.features[:end])


def test_a_saved_codec_codes_alike_and_other_settings_are_refused(tmp_path):
    codec, features = make_codec(), utterances([50])[0]
    save_codec(codec, tmp_path / "c.ckpt")
    loaded = load_codec(tmp_path / "c.ckpt", points=[0, 2.5])
    assert isinstance(loaded, TransformCodec)
    assert (loaded.name, loaded.points, loaded.dim) == ("c", (0.0, 2.5), DIM)
    data = codec.compress(features, 0.5)
    assert loaded.compress(features, 0.5) == data
    assert torch.equal(loaded.decompress(data), codec.decompress(data))
    stream = load_codec(tmp_path / "c.ckpt", options={"form": "stream"})
    with pytest.raises(BitstreamError, match="written by another codec"):
        stream.decompress(data)
    with pytest.raises(ValueError, match="states must be 1, 4 or 8"):
        load_codec(tmp_path / "c.ckpt", options={"states": 5})
    content = torch.load(tmp_path / "c.ckpt", weights_only=True)
    del content["state_dict"]["codec.transform.levels"]
    torch.save(content, tmp_path / "bad.ckpt")
    with pytest.raises(ValueError, match="do not fit"):
        load_codec(tmp_path / "bad.ckpt")


def test_a_spec_names_a_run_and_options(tmp_path):
    folder = tmp_path / "transform" / "version_0" / "checkpoints"
    folder.mkdir(parents=True)
    save_codec(make_codec(), folder / "last.ckpt")
    specs = [
        {"run": "transform"},
        {"run": "transform", "as": "live", "options": {"states": 4, "form": "stream"}, "points": [2]},
    ]
    whole, live = open_codecs(specs, [], Place(str(tmp_path), points=[0, 3]))
    assert (whole.name, whole.states, whole.form, whole.points) == ("transform", 8, "whole", (0.0, 3.0))
    assert (live.name, live.states, live.form, live.points) == ("live", 4, "stream", (2.0,))
    for options, message in (
        ({"stats": 4}, "without an option 'stats', expected one of dim, states, form; did you mean states"),
        ({"states": 5}, "states must be 1, 4 or 8"),
        ({"dim": 3}, "do not fit"),
    ):
        with pytest.raises(ValueError, match=message):
            open_codecs([{"run": "transform", "options": options}], [], Place(str(tmp_path)))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("transform.levels", 2**31 - 1),
        ("transform.levels", -(2**31)),
        ("transform.memory", 1e30),
        ("transform.variance", 0.0),
        ("transform.ready", False),
        ("contexts.expected", -1),
        ("contexts.expected", 2**60),
        ("contexts.probabilities", -1.0),
        ("contexts.probabilities", 1.0),
        ("contexts.offsets", 1e30),
        ("contexts.hidden.weight", 1e30),
        ("contexts.output.weight", float("nan")),
    ],
)
def test_tables_that_no_training_makes_are_refused(name, value, tmp_path):
    save_codec(make_codec(), tmp_path / "c.ckpt")
    content = torch.load(tmp_path / "c.ckpt", weights_only=True)
    content["state_dict"][f"codec.{name}"].fill_(value)
    torch.save(content, tmp_path / "c.ckpt")
    with pytest.raises(ValueError, match=r"c\.ckpt.*(out of range|too large|NaN|before its transform was fitted)"):
        load_codec(tmp_path / "c.ckpt")


@pytest.mark.parametrize("dim", [10**9, -3, 0, "8", None])
def test_dimensions_that_the_weights_do_not_have_are_refused(dim, tmp_path):
    save_codec(make_codec(), tmp_path / "c.ckpt")
    content = torch.load(tmp_path / "c.ckpt", weights_only=True)
    content["emoquant_codec"]["codec"]["init"]["dim"] = dim
    torch.save(content, tmp_path / "c.ckpt")
    with pytest.raises(ValueError, match=r"describes TransformCodec wrongly|do not fit their description"):
        load_codec(tmp_path / "c.ckpt")


def test_rate_control_reaches_a_rate():
    codec, features = make_codec(), utterances([70, 110, 90], 4)
    target = Target(10.0, tolerance=0.6)
    curves = sweep(codec, utterances([80] * 3, 8))
    for found in (
        encode_by_sweep(codec, features, target),
        encode_by_curve(codec, features, target, curves),
        encode_by_bisection(codec, features, target),
        encode_corpus(codec, features, target),
    ):
        assert all(found.reached)


@pytest.mark.parametrize(
    ("features", "lmbda", "message"),
    [
        (torch.zeros(3, DIM + 1), 1.0, rf"must be \(T, {DIM}\)"),
        (torch.zeros(0, DIM), 1.0, "T >= 1"),
        (torch.full((3, DIM), float("nan")), 1.0, "NaN or infinity"),
        (torch.zeros(3, DIM), -1.0, "at least 0"),
        (torch.zeros(3, DIM), float("inf"), "finite"),
    ],
)
def test_bad_input_has_a_clear_error(features, lmbda, message):
    with pytest.raises(ValueError, match=message):
        make_codec().compress(features, lmbda)
    with pytest.raises(ValueError, match=r"form 'whole' or 'stream'"):
        make_codec(form="causal")


def test_extreme_features_come_back_finite():
    codec = make_codec()
    for each in (torch.full((20, DIM), 1e30), torch.zeros(5, DIM), 1e4 * utterances([30])[0]):
        encoding = codec.encode(each, 0.0)
        assert torch.isfinite(encoding.features).all()
        assert torch.equal(codec.decompress(codec.compress(each, 0.0)), encoding.features)


def test_damaged_bytes_give_features_or_the_one_error():
    codec, generator, decoded = make_codec(), random.Random(0), 0
    whole = codec.compress(utterances([40])[0], 0.05)
    packet = parse(whole)._replace(fingerprint=codec.fingerprint())
    for _ in range(300):
        payload = bytearray(packet.payload)
        for _ in range(1 + generator.randrange(4)):
            payload[generator.randrange(len(payload))] ^= 1 << generator.randrange(8)
        forged = packet._replace(payload=bytes(payload[: generator.randrange(len(payload) + 1)]))
        try:
            features = codec.restore([forged._replace(frames=generator.choice((1, 40, 41)))])[0]
        except BitstreamError:
            continue
        decoded += 1
        assert torch.isfinite(features).all()
    assert decoded > 50
    with pytest.raises(BitstreamError, match="than 1 frames can take"):
        codec.restore([packet._replace(frames=1, payload=bytes(5000))])
