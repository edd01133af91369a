"""Training of the transform codec: transforms in closed form, then contexts on coefficients of its own search."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from emoquant.codecs.transform.bands import Moments, no_moments
from emoquant.codecs.transform.codec import TransformCodec
from emoquant.codecs.transform.learning import Counts, draw_jobs, no_counts, run_jobs, take_counts
from emoquant.devices.precision import full_float32
from emoquant.interfaces.access import frames_of
from emoquant.quantization.codebooks import share_buffers
from emoquant.tasks.codec_run import CodecRun, rate_at
from emoquant.tasks.head_weight import HeadWeight
from emoquant.tasks.lambda_grid import RATIOS, grid_figures
from emoquant.types import Batch

#: Coefficients of a gradient step.
STEP_SAMPLES = 8192
#: Learning rate of the tables, relative to that of the network.
TABLE_PACE = 3.0


class TransformTask(CodecRun):
    """Trains a :class:`~emoquant.codecs.transform.codec.TransformCodec` for all rates at once.

    Mean, rotations, deviations and predictors are set in closed form from the training split before the first epoch.
    Every epoch codes every utterance at three random lambdas with the present tables, takes gradient steps of the
    context network on these coefficients, counts them, and ends by setting the tables to what it has counted.

    Args:
        learning_rate: Peak learning rate of the network (Adam, warm-up, then cosine to 1 % at the last epoch).
        splits: Gradient steps a batch.
        seed: Seed of lambdas, forms and the order of coefficients.
        weight: What an error counts other than its square; rotations, contexts and search then go by it.

    Attributes:
        codec: The codec of the present weights; None before the data say its dimensions.

    Raises:
        ValueError: A number is out of range.
    """

    def __init__(
        self, learning_rate: float = 0.01, splits: int = 24, seed: int = 0, weight: HeadWeight | None = None
    ) -> None:
        super().__init__()
        if splits < 1 or not learning_rate > 0:
            raise ValueError(f"splits must be at least 1 and learning_rate above 0, got {splits} and {learning_rate}")
        self.learning_rate, self.splits, self.seed, self.weight = learning_rate, splits, seed, weight
        self.automatic_optimization = False
        self.codec: TransformCodec | None = None
        for name, count in no_counts()._asdict().items():
            self.register_buffer(f"counted_{name}", count)
        self._sums = torch.zeros(len(RATIOS), 3)

    def phase(self) -> str:
        """Return what every epoch trains."""
        return "contexts"

    @property
    def counts(self) -> Counts:
        """What the epoch has counted so far on this process."""
        return Counts(*(getattr(self, f"counted_{name}") for name in Counts._fields))

    def setup(self, stage: str) -> None:
        """Check that the training has an end in epochs, which the learning rate goes by.

        Raises:
            ValueError: It counts steps only.
        """
        if stage == "fit":
            self.require_epochs("the learning rate goes")

    def configure_model(self) -> None:
        """Make the codec for the data module's feature dimension."""
        if self.codec is None:
            self.codec = TransformCodec(frames_of(self.trainer).dim, weighted=self.weight is not None)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return Adam over the network and the learnt tables."""
        contexts = self._made().contexts
        network = [*contexts.hidden.parameters(), *contexts.output.parameters()]
        groups = [{"params": network, "pace": 1.0}, {"params": [contexts.logits], "pace": TABLE_PACE}]
        return torch.optim.Adam(groups, lr=self.learning_rate)

    def _made(self) -> TransformCodec:
        assert self.codec is not None
        return self.codec

    @torch.no_grad()
    def on_train_start(self) -> None:
        """Fit the transform to the training split, unless a checkpoint brought it."""
        transform = self._made().transform
        if bool(transform.ready):
            return
        sums, vectors = torch.zeros(transform.dim + 1, dtype=torch.float64), []
        for frames in self._training_frames():
            wide = frames.double().cpu()
            sums += torch.cat([wide.sum(0), torch.tensor([float(len(wide))])])
            vectors.append(wide.mean(0).float())
        sums = self._over_processes(sums)
        transform.mean.copy_(sums[:-1] / sums[-1])
        if transform.weighting is not None and self.weight is not None:
            with torch.enable_grad():
                metrics = self.weight.metrics(torch.stack(vectors))
            transform.weighting.set(self._over_processes(metrics) / self.trainer.world_size)
        moments = no_moments(transform.dim)
        for frames in self._training_frames():
            transform.add(frames, moments)
        transform.fit(Moments(*map(self._over_processes, moments)))
        share_buffers(transform)

    def _training_frames(self) -> Any:  # noqa: ANN401 - an iterator of tensors
        loader = self.trainer.train_dataloader
        assert loader is not None
        for batch in loader:
            yield from _utterances(batch._replace(features=batch.features.to(self.device)))

    def _over_processes(self, tensor: Tensor) -> Tensor:
        found: Tensor = self.trainer.strategy.reduce(tensor.to(self.device), reduce_op="sum")
        return found.cpu()

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """Code a batch, count its coefficients and learn from them."""
        codec = self._made()
        random = np.random.default_rng([self.seed, self.current_epoch, batch_idx, self.global_rank])
        with full_float32(self.device):
            counts = Counts(*(count.cpu() for count in self.counts))
            samples = run_jobs(draw_jobs(codec, list(_utterances(batch)), random), counts)
            for kept, count in zip(self.counts, counts, strict=True):
                kept.copy_(count)
            order = torch.from_numpy(random.permutation(len(samples.symbols))[: self.splits * STEP_SAMPLES])
            spent = torch.zeros((), device=self.device)
            optimizer: Any = self.optimizers()
            for part in order.tensor_split(self.splits):
                bits = codec.contexts.bits(*(each[part].to(self.device) for each in samples))
                spent += bits.detach().sum()
                for group in optimizer.param_groups:
                    group["lr"] = self._rate(batch_idx) * group["pace"]
                optimizer.zero_grad()
                self.manual_backward(bits.sum() / max(len(part), 1))
                optimizer.step()
        self.log("train/bits_per_coefficient", spent / max(len(order), 1), prog_bar=True, batch_size=len(order))

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Bound the norm of the gradients, here where the loss scaling of fp16 is undone."""
        self.clip_gradients(optimizer, 10.0, "norm")

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:  # noqa: ANN401 - Lightning's hook
        """After the last batch of an epoch, set the tables of the coder to what all processes have counted."""
        if batch_idx + 1 == self.trainer.num_training_batches:
            take_counts(self._made().contexts, Counts(*map(self._over_processes, self.counts)))
            share_buffers(self._made().contexts)
            for count in self.counts:
                count.zero_()

    def _rate(self, batch_idx: int) -> float:
        """Learning rate: a short warm-up, then cosine to 1 % at the end of the last epoch."""
        steps = max(1, int(self.trainer.num_training_batches))
        done = (self.current_epoch * steps + batch_idx + 1) / max(1, (self.trainer.max_epochs or 1) * steps)
        return self.learning_rate * rate_at(done, 0.05)

    def on_validation_epoch_start(self) -> None:
        """Empty the sums."""
        self._sums = torch.zeros(len(RATIOS), 3)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Add up bits and distortion over a grid of lambdas; nothing before the transform is fitted."""
        codec = self._made()
        if not bool(codec.transform.ready):
            return
        coded = codec(batch.features, batch.lengths, [ratio * codec.variance for ratio in RATIOS])
        error = torch.zeros(len(RATIOS))
        for before, after in zip(_utterances(batch), coded.features.unbind(1), strict=True):
            error += codec.transform.errors(before, after[:, : len(before)], codec.form).cpu()
        frames = batch.lengths.sum().expand(len(RATIOS))
        self._sums += torch.stack([coded.bits.sum((1, 2)).cpu(), error, frames.cpu()], 1)

    def on_validation_epoch_end(self) -> None:
        """Log rate, distortion and Lagrangian; distortion and lambda relative to the variance, all weighted."""
        bits, error, frames = self._over_processes(self._sums).double().T
        for name, value in grid_figures(bits, error, frames, self._made().dim, self._made().variance).items():
            self.log(name, value, prog_bar=name == "val/lagrangian")


def _utterances(batch: Batch) -> list[Tensor]:
    """Return the frames of each utterance of a batch, ``(T, D)``."""
    return [frames[:length] for frames, length in zip(batch.features, batch.lengths.tolist(), strict=True)]
