from types import SimpleNamespace

import pytest

from emoquant.callbacks import TrainingEmotions


class Data:
    def __init__(self):
        self.calls = []

    def restrict_training(self, shares, utterances, seed):
        self.calls.append((shares, utterances, seed))


def test_training_is_restricted_and_nothing_else_is():
    data = Data()
    callback = TrainingEmotions({"happy": 2, "sad": 1}, utterances=30, seed=4)
    for stage in ("validate", "test", "predict"):
        callback.setup(SimpleNamespace(datamodule=data), None, stage)
    assert data.calls == []
    callback.setup(SimpleNamespace(datamodule=data), None, "fit")
    assert data.calls == [({"happy": 2, "sad": 1}, 30, 4)]


def test_shares_are_printed_as_shares(monkeypatch):
    printed = []
    monkeypatch.setattr("emoquant.callbacks.training_emotions.rank_zero_info", printed.append)
    for shares in ({"angry": 1}, {"happy": 2, "sad": 1}):
        TrainingEmotions(shares).setup(SimpleNamespace(datamodule=Data()), None, "fit")
    assert printed == [
        "training on the emotions angry (100%) only",
        "training on the emotions happy (67%), sad (33%) only",
    ]


def test_data_that_cannot_be_restricted_are_refused():
    with pytest.raises(TypeError, match="object cannot be restricted to emotions: use EmotionDataModule"):
        TrainingEmotions({"sad": 1}).setup(SimpleNamespace(datamodule=object()), None, "fit")
