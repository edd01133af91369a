import lightning.pytorch as pl
import pytest
import torch
from torch.utils.data import DataLoader

from emoquant.encoders.lstm import LSTMEncoder
from emoquant.tasks.ge2e import GE2ETask, ge2e_similarities
from emoquant.types import AudioBatch


def plain_similarities(embeddings, classes):
    """Return cosines with class centroids by explicit loops."""
    names = sorted(set(classes))
    rows = []
    for i, vector in enumerate(embeddings):
        row = []
        for name in names:
            members = [
                e for j, e in enumerate(embeddings) if classes[j] == name and not (classes[i] == name and i == j)
            ]
            centroid = sum(members) if members else torch.zeros_like(vector)
            row.append(torch.nn.functional.cosine_similarity(vector, centroid, dim=0))
        rows.append(torch.stack(row))
    return torch.stack(rows)


def test_similarities_leave_the_own_item_out():
    torch.manual_seed(0)
    embeddings = torch.nn.functional.normalize(torch.randn(7, 5), dim=1)
    classes = [4, 1, 1, 4, 9, 4, 1]
    cosines, column, counted = ge2e_similarities(embeddings, torch.tensor(classes))
    torch.testing.assert_close(cosines, plain_similarities(embeddings, classes), atol=1e-6, rtol=1e-5)
    assert column.tolist() == [1, 0, 0, 1, 2, 1, 0]
    assert counted.tolist() == [True, True, True, True, False, True, True]


def tones(seed, count=15):
    """Return a batch whose emotion is the pitch of a tone in noise."""
    generator = torch.Generator().manual_seed(seed)
    emotions = torch.arange(count) % 3
    time = torch.arange(17_600) / 16_000
    phase = 6.28 * torch.rand(count, 1, generator=generator)
    waveforms = 0.1 * torch.sin(6.283 * (300 + 900 * emotions.unsqueeze(1)) * time + phase)
    waveforms = waveforms + 0.01 * torch.randn(waveforms.shape, generator=generator)
    lengths = torch.full((count,), 17_600)
    return AudioBatch(waveforms, lengths, emotions, torch.zeros_like(emotions), torch.arange(count))


def test_training_tells_classes_apart_and_the_checkpoint_makes_an_encoder(tmp_path):
    torch.manual_seed(0)
    task = GE2ETask(LSTMEncoder(hidden=16, layers=1), learning_rate=2e-2)
    trainer = pl.Trainer(
        accelerator="cpu", max_steps=25, gradient_clip_val=3.0, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    loaders = [
        DataLoader([tones(seed) for seed in range(first, last)], batch_size=None) for first, last in ((0, 25), (50, 52))
    ]
    trainer.fit(task, *loaders)
    assert trainer.callback_metrics["val/accuracy"] > 0.9
    trainer.save_checkpoint(tmp_path / "ge2e.ckpt")
    encoder = LSTMEncoder(str(tmp_path / "ge2e.ckpt"), hidden=16, layers=1)
    assert encoder.fingerprint() == task.encoder.fingerprint()


def test_scale_and_shift_learn_slowly_and_every_parameter_learns():
    torch.manual_seed(0)
    task = GE2ETask(LSTMEncoder(hidden=8, layers=1))
    task.log = lambda *args, **kwargs: None
    task.training_step(tones(0), 0).backward()
    assert all(parameter.grad is not None for parameter in task.parameters())
    free = GE2ETask(LSTMEncoder(hidden=8, layers=1))
    free.load_state_dict(task.state_dict())
    assert free.similarity_weight.item() == 10
    assert free.similarity_bias.item() == -5
    with torch.random.fork_rng():
        torch.manual_seed(1)
        cosines, column, _ = ge2e_similarities(task.eval()(tones(0)), tones(0).emotions)
    scale = torch.tensor(10.0, requires_grad=True)
    torch.nn.functional.cross_entropy(scale * cosines.detach() - 5, column).backward()
    task.similarity_weight.grad = None
    task.training_step(tones(0), 0).backward()
    assert float(task.similarity_weight.grad) == pytest.approx(0.01 * float(scale.grad), rel=1e-3)


def test_wrong_settings_are_named():
    with pytest.raises(ValueError, match="'emotion' or 'speaker'"):
        GE2ETask(LSTMEncoder(hidden=8, layers=1), classes="text")
