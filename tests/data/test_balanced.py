from pathlib import Path

import numpy as np
import pytest
import soundfile

from emoquant.data.balanced import BalancedAudioDataModule, BalancedSampler
from emoquant.data.base import Corpus, Utterance


class ToneCorpus(Corpus):
    """Short tones; utterance counts per emotion differ widely."""

    def __init__(self, folder: Path, name: str, counts: dict[str, int]) -> None:
        self.name, self.folder, self.counts = name, folder, counts

    def utterances(self):
        path = self.folder / "tone.wav"
        if not path.exists():
            soundfile.write(path, 0.1 * np.sin(np.arange(8_000) / 7), 16_000)
        found = []
        for emotion, count in self.counts.items():
            for i in range(count):
                split = "validation" if i == 0 else "test" if i == 1 else "train"
                found.append(Utterance(f"{self.name}{emotion}{i}", path, emotion, f"s{i % 3}", split))
        return found


@pytest.fixture
def corpora(tmp_path):
    return [
        ToneCorpus(tmp_path, "big", {"happy": 42, "sad": 12}),
        ToneCorpus(tmp_path, "small", {"happy": 5, "sad": 4}),
    ]


def drawn_shares(module):
    """Return the share of each corpus and emotion in an epoch."""
    data = module.dataset("train")
    names = [module.speakers[speaker].split("/")[0] for speaker in data.speakers]
    cells: dict[tuple[str, str], float] = {}
    rows = np.concatenate([batch.rows for batch in module.train_dataloader().sampler])
    for row in rows:
        cell = names[row], module.emotions[data.emotions[row]]
        cells[cell] = cells.get(cell, 0) + 1 / len(rows)
    return cells


def test_corpora_and_emotions_are_drawn_by_their_shares(corpora):
    module = BalancedAudioDataModule(
        corpora, batch_size=50, batches_per_epoch=100, corpus_shares={"big": 1, "small": 3}, emotion_shares={"sad": 0.5}
    )
    module.setup()
    shares = drawn_shares(module)
    expected = {("big", "happy"): 1 / 6, ("big", "sad"): 1 / 12, ("small", "happy"): 1 / 2, ("small", "sad"): 1 / 4}
    assert shares == pytest.approx(expected, abs=0.02)


def test_batches_are_waveforms_with_labels(corpora):
    module = BalancedAudioDataModule(corpora, batch_size=6, batches_per_epoch=2, crop_seconds=0.25)
    module.setup()
    batches = list(module.train_dataloader())
    assert len(batches) == 2
    assert batches[0].waveforms.shape == (6, 4_000)
    assert {len(part) for part in batches[0]} == {6}


def test_validation_can_be_trained_on(corpora):
    sizes = []
    for train_on in (["train"], ["train", "validation"]):
        module = BalancedAudioDataModule(corpora, train_on=train_on)
        module.setup()
        sizes.append(len(module.dataset("train")))
        assert len(module.dataset("validation")) == 4
    assert sizes == [55, 59]


def test_ranks_draw_different_rows_of_one_epoch_and_repeat_with_the_seed():
    weights = np.arange(1, 101.0)
    samplers = [BalancedSampler(weights, 8, 5, 3, rank, 2) for rank in (0, 1)]
    first, second = ([batch.rows.tolist() for batch in sampler] for sampler in samplers)
    assert len(first) == len(second) == 4
    assert first != second
    assert first == [batch.rows.tolist() for batch in samplers[0]]
    samplers[0].set_epoch(1)
    assert first != [batch.rows.tolist() for batch in samplers[0]]


def test_an_interrupted_epoch_goes_on_with_the_next_batch():
    sampler = BalancedSampler(np.arange(1, 101.0), 8, 5, 3)
    sampler.set_epoch(2)
    whole = [batch.rows.tolist() for batch in sampler]
    again = BalancedSampler(np.arange(1, 101.0), 8, 5, 3)
    again.go_on(2, 5)
    again.set_epoch(2)
    assert [batch.rows.tolist() for batch in again] == whole[5:]
    again.set_epoch(3)
    assert len(list(again)) == 8


def test_the_place_in_an_epoch_is_part_of_the_checkpoint(corpora):
    module = BalancedAudioDataModule(corpora, batch_size=6, batches_per_epoch=4, crop_seconds=0.25)
    module.setup()
    whole = [batch.utterances.tolist() for batch in module.train_dataloader()]
    rest = module.train_dataloader()
    rest.load_state_dict({"epoch": 0, "batches": 3})
    assert [batch.utterances.tolist() for batch in rest] == whole[3:]


@pytest.mark.parametrize(
    "wrong", [{"corpus_shares": {"huge": 1}}, {"emotion_shares": {"fear": 1}}, {"train_on": ["test"]}, {"train_on": []}]
)
def test_unknown_names_are_refused(corpora, wrong):
    with pytest.raises(ValueError, match="which are not there, or train_on"):
        BalancedAudioDataModule(corpora, **wrong)
    with pytest.raises(ValueError, match="negative"):
        BalancedAudioDataModule(corpora, corpus_shares={"big": -1})


def test_a_batch_has_its_size_on_every_process(corpora):
    with pytest.raises(ValueError, match="batch_size is that of every process"):
        BalancedAudioDataModule(corpora, batch_per_process=True)
    with pytest.raises(TypeError, match="positional argument"):
        BalancedAudioDataModule(corpora, 24)
