"""The compiled range coder against constriction's, and the integer tables."""

import constriction
import numpy as np
import pytest

from emoquant.entropy.coefficients import model, range_coder
from emoquant.entropy.coefficients.contexts import low_of, price
from emoquant.entropy.coefficients.network import ContextNetwork

CLASSES, SIZES = model.CLASSES, model.SIZES


def symbols(count, seed):
    """Indices of random classes, escapes and low bits among them, in one row."""
    random = np.random.default_rng(seed)
    tables = random.integers(0, 3 * CLASSES, (1, count)).astype(np.int16)
    scale = 2.0 ** ((tables % CLASSES - model.CENTRE) / 4)
    return np.minimum(random.laplace(0, 1.5 * scale), 30_000).astype(np.int16), tables


def by_constriction(indices, tables, cumulative):
    """The same by constriction's range coder, of indices without escapes and low bits."""
    coder, last = constriction.stream.queue.RangeEncoder(), SIZES + 1
    for table, index in zip(tables[0].tolist(), indices[0].tolist(), strict=True):

        def below(x, ends=cumulative[table]):  # constriction adds 1 to the frequency of each symbol itself
            place = min(max(int(np.floor(x + 0.5)), 0), last)
            return float(ends[place] - place + 1e-3) / (2**24 - last)

        coder.encode(abs(index), constriction.stream.model.CustomModel(below, lambda _: 0.0, 0, SIZES))
        if index:
            coder.encode(int(index < 0), constriction.stream.model.Uniform(2))
    return coder.get_compressed().astype(">u4").tobytes()


def test_the_bytes_are_those_of_constriction():
    tables = ContextNetwork().integers()
    random = np.random.default_rng(0)
    chosen = random.integers(0, model.LOW_BITS_FROM, (1, 500)).astype(np.int16)
    indices = np.clip(random.laplace(0, 3, (1, 500)), -SIZES + 1, SIZES - 1).astype(np.int16)
    data = range_coder.encode(tables, indices, chosen, np.array([500], np.int32))
    theirs = by_constriction(indices, chosen, tables.cumulative)
    assert len(data) <= len(theirs)
    assert data[:-8] == theirs[: len(data) - 8]


def test_what_is_written_is_read():
    tables = ContextNetwork().integers()
    for seed in range(5):
        indices, chosen = symbols(3000, seed)
        data = range_coder.encode(tables, indices, chosen, np.array([3000], np.int32))
        decoder = range_coder.new_decoder(data)
        for table, index in zip(chosen[0], indices[0], strict=True):
            size = range_coder.read_size(decoder, tables, table)
            assert size == abs(int(index))
            assert size == 0 or range_coder.read_sign(decoder) == int(index < 0)
        assert decoder.place[1] == 0


def test_prices_are_what_is_written():
    tables = ContextNetwork().integers()
    indices, chosen = symbols(20_000, 1)
    data = range_coder.encode(tables, indices, chosen, np.array([20_000], np.int32))
    paid = sum(
        price(tables, int(table), low_of(int(table) % CLASSES), abs(int(index)))
        for table, index in zip(chosen[0], indices[0], strict=True)
    )
    assert 8 * len(data) == pytest.approx(paid, rel=1e-3)


def test_carries_run_through_many_words():
    tables = ContextNetwork().integers()
    cumulative = np.tile(np.array([0, (1 << 24) - SIZES, *range((1 << 24) - SIZES + 1, (1 << 24) + 1)]), (216, 1))
    tables = tables._replace(cumulative=cumulative)
    for tail in (0, 1, 5):
        indices = np.zeros((1, 400), np.int16)
        indices[0, -1] = tail
        indices[0, ::7] = 1
        chosen = np.zeros((1, 400), np.int16)
        data = range_coder.encode(tables, indices, chosen, np.array([400], np.int32))
        decoder = range_coder.new_decoder(data)
        for index in indices[0]:
            assert range_coder.read_size(decoder, tables, 0) == index
            if index:
                range_coder.read_sign(decoder)


def test_frequencies_are_whole_and_leave_no_symbol_out():
    made = model.frequencies(model.laplace_tables())
    assert (made[..., 0] == 0).all()
    assert (made[..., -1] == 1 << model.PRECISION).all()
    assert (np.diff(made, axis=-1) >= 1).all()


def test_logarithms_are_exact():
    found = model.log_table()
    for number in (1, 2, 3, 7, 100, 1000, 16_384, 32_768):
        assert found[number - 1] == model.log_units(number)


def test_weights_too_large_for_exact_sums_are_refused():
    network = ContextNetwork()
    network.hidden.weight.data.fill_(1e4)
    with pytest.raises(ValueError, match="too large for exact sums"):
        network.integers()
