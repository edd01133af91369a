"""Trains on one of two processes whose sums come in orders of their own, for ``test_agreement.py``.

``index_add_`` and ``scatter_add_`` of floats on a GPU add in an order that changes. Saves the buffers and weights of
each task, and which collective calls of which sizes were made.
"""

import lightning.pytorch as pl
import torch
from forked import as_rank
from lightning.pytorch.strategies import DDPStrategy
from plain_data import PlainData
from tiny_world import TinyData
from tone_data import ToneData
from torch import distributed
from torch.utils.data import DataLoader
from voice_batches import TINY
from voice_data import VoiceData

from emoquant.encoders import UntrainedEmotion2Vec
from emoquant.entropy import LightModel
from emoquant.quantization import GroupedResidualVQ
from emoquant.tasks import ClassificationTask, CodecTask, ProbeTask, TransformTask, UtteranceTask
from emoquant.types import AudioBatch, Batch
from emoquant.voice.tasks import EmotionTTS, Schedule
from emoquant.voice.tasks.vocoder import VocoderTask
from emoquant.voice.tts.architecture import Architecture
from emoquant.voice.tts.vocos import VocosGenerator

DIM, EMOTIONS = 16, ["angry", "happy", "neutral", "sad"]


def shuffle_sums(rank):
    """Make sums by index add in an order that differs by process and call."""
    generator = torch.Generator().manual_seed(1234 + rank)
    plain, scattered = torch.Tensor.index_add_, torch.Tensor.scatter_add_

    def index_add_(self, dim, index, source, **options):
        order = torch.randperm(len(index), generator=generator)
        return plain(self, dim, index[order], source.index_select(dim, order), **options)

    def scatter_add_(self, dim, index, source):
        order = torch.randperm(index.shape[dim], generator=generator)
        return scattered(self, dim, index.index_select(dim, order), source.index_select(dim, order))

    torch.Tensor.index_add_, torch.Tensor.scatter_add_ = index_add_, scatter_add_


def note_collectives():
    """Return a list that grows with every collective call: name, dtype and shape of what is sent."""
    found = []
    for name in ("all_reduce", "all_gather", "broadcast"):
        call = getattr(distributed, name)

        def noted(first, *rest, call=call, name=name, **options):
            tensor = first[0] if isinstance(first, list) else first
            found.append((name, str(tensor.dtype), tuple(tensor.shape)))
            return call(first, *rest, **options)

        setattr(distributed, name, noted)
    return found


class Features(PlainData):
    """Random walks; every process has its own, and not as many frames as the others."""

    name, dim, emotions = "walks", DIM, EMOTIONS

    def _loader(self, seed, count):
        generator = torch.Generator().manual_seed(seed + self.trainer.global_rank)
        spread = torch.randn(DIM, DIM, generator=torch.Generator().manual_seed(0)) * torch.logspace(0, -2, DIM)
        batches = []
        for _ in range(count):
            features = 0.3 * torch.randn(8, 20, DIM, generator=generator).cumsum(1) @ spread
            lengths = torch.full((8,), 20 - 3 * self.trainer.global_rank)
            kinds = torch.arange(8) % 4
            batches.append(Batch(features, lengths, kinds, kinds, torch.arange(8), torch.zeros(8, 4)))
        return DataLoader(batches, batch_size=None)

    def train_dataloader(self):
        return self._loader(100, 18)

    def val_dataloader(self):
        return self._loader(200, 1)


def speech():
    """Return a loader of noise."""
    zeros = torch.zeros(2, dtype=torch.int64)
    generator = torch.Generator().manual_seed(distributed.get_rank() if distributed.is_initialized() else 0)
    batches = [
        AudioBatch(0.1 * torch.randn(2, 2048, generator=generator), torch.tensor([2048, 1500]), zeros, zeros, zeros)
        for _ in range(2)
    ]
    return DataLoader(batches, batch_size=None)


def codec():
    quantizer = GroupedResidualVQ(4, 2, 48, coarse=1, prediction=True)
    return CodecTask(quantizer, LightModel(4, knots=2), 3, 0, sample_frames=600, splits=1), Features(), 3


def voice():
    return EmotionTTS(Architecture(**TINY), schedule=Schedule(0, 0, 0, 0), warmup_steps=1), VoiceData(), 2


def probe():
    return ProbeTask(measured=tuple(EMOTIONS)), TinyData(count=24), 1


def vocoder():
    judges = {"periods": (2,), "resolutions": (512,), "channels": 2}
    return VocoderTask(VocosGenerator(dim=8, layers=1), **judges), None, 1


def classifier():
    encoder = UntrainedEmotion2Vec(dim=16, depth=1, prenet_depth=1, heads=2, positional_width=9, positional_depth=1,
                                   front_end="[(32, 640, 160)] + [(24, 1, 1)] + [(24, 3, 2)]")  # fmt: skip
    return ClassificationTask(encoder, warmup_steps=1, balanced=True), ToneData(), 1


def transform():
    return TransformTask(splits=2), TinyData(count=24), 2


def utterance():
    return UtteranceTask(2, 4), TinyData(count=24), 1


TASKS = {"codec": codec, "voice": voice, "probe": probe, "vocoder": vocoder, "classifier": classifier,
         "transform": transform, "utterance": utterance}  # fmt: skip


def work(rank, folder, port, names):
    as_rank(rank, 2, port)
    shuffle_sums(rank)
    calls, found = note_collectives(), {}
    for name in names:
        pl.seed_everything(0, verbose=False)
        task, data, epochs = TASKS[name]()
        trainer = pl.Trainer(
            accelerator="cpu", devices=2, strategy=DDPStrategy(process_group_backend="gloo"), logger=False,
            enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False, max_epochs=epochs,
            use_distributed_sampler=False, num_sanity_val_steps=1, default_root_dir=folder,
        )  # fmt: skip
        calls.clear()
        trainer.fit(task, *((speech(), speech()) if data is None else (data,)))
        found[name] = {"state": task.state_dict(), "calls": list(calls), "steps": trainer.global_step}
    torch.save(found, folder / f"{rank}.pt")
    distributed.destroy_process_group()
