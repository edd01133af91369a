"""What the rate-distortion benchmark computes with: sources, bounds, BD-rate."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from emoquant.types import Batch

sys.path.insert(0, str(Path(__file__).parent.parent.parent / "benchmarks"))
import rate_distortion
import rivals
import sources


def test_synthetic_source_has_unit_variance_and_memory():
    source = sources.GaussianSource(160, 0.8, (0.35, 0.06, 0.06), (0.92, 0.5), 0.85)
    frames = torch.stack(source.sample(150, 20, 1))
    assert frames.flatten(0, 1).var(0).mean() == pytest.approx(1, abs=0.1)
    assert (frames[:, 1:] * frames[:, :-1]).mean() > 0.6


def test_bounds():
    variance = torch.tensor([4.0, 1.0])
    rate, error = sources.water_filling(variance.diag()).T
    assert np.interp(1.0, rate[::-1], error[::-1]) == pytest.approx(1.0, abs=0.02)  # level 1: one bit on the first
    source = sources.GaussianSource(768, 0.8, (0.35, 0.06, 0.06), (0.92, 0.5), 0.85)
    rate, error = source.bound().T
    assert 10 * np.log10(np.interp(100, rate[::-1], error[::-1])) == pytest.approx(-6.06, abs=0.01)


def test_bd_rate_of_a_curve_that_needs_a_fifth_more():
    rate, db = np.array([200.0, 100, 50, 10, 0]), np.array([-8.0, -5, -3, -1, 0])
    assert rate_distortion.bd_rate((1.2 * rate, db), (rate, db)) == pytest.approx(20, abs=0.5)
    assert rate_distortion.bits_at(rate, db, -4.0) == pytest.approx(75)
    assert np.isnan(rate_distortion.bits_at(rate, db, -9.0))


def test_counted_bits_of_uniform_codes():
    codes = np.arange(4096).reshape(-1, 1) % 16
    assert rivals.counted_bits(codes, codes, 16) == pytest.approx(4, abs=1e-3)
    packed = np.packbits(np.array([[1, 0, 1, 0, 1, 1, 0, 0]], np.uint8), axis=1, bitorder="little")
    assert rivals.unpack(packed, 2, 3).tolist() == [[5, 6]]


def test_measured_utterances_are_of_every_length(monkeypatch, tmp_path):
    class Module:
        def prepare_data(self):
            pass

        def setup(self, stage):
            pass

        def train_dataloader(self):
            return [batch_of([5] * 16), batch_of([9] * 16)]

        def test_dataloader(self):
            return [batch_of([40, 39, 38, 37]), batch_of([4, 3, 2, 1])]  # longest first

    def batch_of(lengths):
        return Batch(torch.zeros(len(lengths), 40, 3), torch.tensor(lengths), *[torch.zeros(len(lengths))] * 4)

    class Parser(sources.ArgumentParser):
        def instantiate_classes(self, *_):
            return SimpleNamespace(data=Module())

        def parse_args(self, *_):
            return None

    monkeypatch.setattr(sources, "ArgumentParser", Parser)
    train, test = sources._of_data_module(tmp_path, 16)
    assert [len(each) for each in train] == [5] * 8 + [9] * 8
    assert [len(each) for each in test] == [40, 38, 4, 2]
