"""What the training runs of codecs share: phases, codebook steps, entropy steps on codes of the search, validation."""

from abc import abstractmethod
from typing import Any, Literal

import torch
from torch import Tensor

from emoquant.codecs.base import Codec
from emoquant.codecs.checkpoint import SECTION, describe
from emoquant.codecs.ecvq import ECVQ
from emoquant.codecs.nearest import Nearest
from emoquant.codecs.search import Search, layout_of, rows_that_fit
from emoquant.codecs.storable import require_loadable, require_storable
from emoquant.devices.precision import full_float32
from emoquant.entropy.base import EntropyModel, frames_before
from emoquant.entropy.factorized import gate
from emoquant.interfaces.access import frames_of
from emoquant.quantization import training
from emoquant.quantization.grvq import GroupedResidualVQ
from emoquant.tasks.codec_run import CodecRun, rate_at
from emoquant.tasks.lambda_grid import LambdaGrid, draw_lambdas
from emoquant.tasks.position_use import PositionUse
from emoquant.tasks.smoothing import fit_smoothing
from emoquant.types import Batch, length_mask

Phase = Literal["codebooks", "gate", "search"]

#: Learning rate of the biases of an entropy model, relative to that of its other parameters.
BIAS_PACE = 5.0

#: Frames of one backward pass of an entropy model on CPUs, where larger tensors cost page faults.
ROWS_AT_ONCE = 512


class CodecTraining(CodecRun):
    """Base of the tasks that train codebooks, entropy models or both.

    An epoch belongs to a phase (:meth:`phase`): in ``"codebooks"`` the codebooks follow the frames by moving averages;
    in ``"gate"`` the entropy model learns codes that skip what gains too little; in ``"search"`` it learns the codes of
    its own search. Every utterance of a batch is searched at a lambda of its own (:func:`draw_lambdas`), so that the
    model knows the whole range and reaches rate 0 at its end.

    Args:
        quantizer: The quantizer; its feature dimension comes from the data.
        entropy: The entropy model; None to train codebooks only.
        learning_rate: Peak learning rate of the entropy model (Adam, warm-up, then cosine to 1 % at the last epoch).
        splits: Gradient steps that the frames of one searched batch are dealt out to.
        sample_frames: Frames that codebooks are initialised from, over all processes.
        seed: Seed of the initialisation, of the lambdas and of the order of frames.
        survivors: Look-ahead of the search whose codes are learnt (:class:`Search`); 1 for frame by frame.
        beam: Paths that this search keeps in a frame; 1 for greedy search.
        weight_decay: Of the entropy model but for its biases (AdamW).
    """

    def __init__(
        self,
        quantizer: GroupedResidualVQ | None,
        entropy: EntropyModel | None,
        learning_rate: float,
        splits: int,
        sample_frames: int,
        seed: int,
        survivors: int = 1,
        beam: int = 1,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__()
        if splits < 1 or sample_frames < 2 or not learning_rate > 0 or not weight_decay >= 0:
            names = "splits must be at least 1, sample_frames at least 2, learning_rate above 0"
            raise ValueError(f"{names} and weight_decay at least 0")
        if min(survivors, beam) < 1:
            raise ValueError(f"survivors and beam must be at least 1, not {survivors} and {beam}")
        self.quantizer, self.entropy, self.survivors, self.beam = quantizer, entropy, survivors, beam
        self.weight_decay = weight_decay
        self.learning_rate, self.splits, self.sample_frames, self.seed = learning_rate, splits, sample_frames, seed
        self.automatic_optimization = False
        self.anchor = torch.nn.Parameter(torch.zeros(())) if entropy is None else None  # DDP wants a parameter
        self._counter = torch.zeros(())
        self._grid, self._use = LambdaGrid(), PositionUse()

    @property
    def codec(self) -> Codec | None:
        """Codec of the present weights, nearest codewords without an entropy model; None while codebooks are fitted."""
        if self.quantizer is None or not self.quantizer.dim or not bool(self.quantizer.ready):
            return None
        if self.entropy is None:
            return Nearest(self.quantizer)
        return ECVQ(self.quantizer, self.entropy) if self.phase() != "codebooks" or not self._fits() else None

    def _fits(self) -> bool:
        """Whether a training runs: only then do epochs, and with them phases, tell of the weights."""
        return self._trainer is None or self._trainer.state.fn == "fit"

    @abstractmethod
    def phase(self) -> Phase:
        """Return the phase of the current epoch."""

    @abstractmethod
    def entropy_epochs(self) -> tuple[int, int]:
        """Return the first epoch that trains the entropy model and the one after the last."""

    def joint_until(self) -> int:
        """Return the epoch before which the codebooks follow the codes that the entropy model learns."""
        return 0

    def setup(self, stage: str) -> None:
        """Check that the training has an end in epochs, which phases and learning rate go by, and can be loaded after.

        Raises:
            ValueError: It counts steps only, or a checkpoint could not make quantizer or entropy model again.
        """
        if stage != "fit":
            return
        require_storable(self.quantizer, self.entropy)
        self.require_epochs("a codec's phases and learning rate go")

    def configure_model(self) -> None:
        """Build quantizer and entropy model for the data module's feature dimension."""
        quantizer = self._made()
        quantizer.build(frames_of(self.trainer).dim)
        quantizer.requires_grad_(False)
        if self.entropy is not None:
            self.entropy.build(layout_of(quantizer))
        if self._fits():
            require_loadable(quantizer, self.entropy)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return AdamW over the entropy model, and over a counter: steps of codebooks have no gradient but count."""
        self._counter = torch.zeros((), device=self.device, requires_grad=True)
        if self.entropy is None:
            return torch.optim.SGD([self._counter], lr=0.0)
        named = dict(self.entropy.named_parameters())
        # At large lambda SKIP must become all but certain, which takes large biases: their tables may move faster.
        tables = {name for name, parameter in named.items() if name.endswith("bias") and parameter.ndim > 1}
        biases = [parameter for name, parameter in named.items() if name in tables]
        others = [parameter for name, parameter in named.items() if name not in tables]
        kinds = ((others, 1.0, self.weight_decay), (biases, BIAS_PACE, 0.0), ([self._counter], 0.0, 0.0))
        groups = [{"params": each, "pace": pace, "weight_decay": decay} for each, pace, decay in kinds if each]
        return torch.optim.AdamW(groups, lr=self.learning_rate, betas=(0.9, 0.98))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Store what ``load_codec`` needs beside the weights."""
        checkpoint[SECTION] = describe(self._made(), self.entropy, self.origin, self.history())

    def on_train_start(self) -> None:
        """Initialise the codebooks from training frames, unless a checkpoint brought them."""
        quantizer = self._made()
        if not bool(quantizer.ready):
            features, lengths = self._sample()
            training.initialise(quantizer, features, lengths, self.seed)
        if self.entropy is not None:
            self.entropy.basis.scale.copy_(quantizer.scale)

    def _sample(self) -> tuple[Tensor, Tensor]:
        """Return this process's share of the frames that codebooks are initialised from."""
        loader = self.trainer.train_dataloader
        assert loader is not None
        wanted = self.sample_frames / self.trainer.world_size
        features, lengths = training.sample(loader, len(loader), wanted, self.seed)
        return features.to(self.device), lengths.to(self.device)

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """Train what the phase says."""
        with full_float32(self.device):
            if self.phase() == "codebooks":
                self._codebook_step(batch)
            else:
                self._entropy_step(batch, batch_idx)

    def _codebook_step(self, batch: Batch) -> None:
        quantizer = self._made()
        generator = torch.Generator().manual_seed(self.seed + 1 + self.global_step)
        seen = training.train_step(quantizer, batch.features, batch.lengths, generator)
        # The loss scaling of fp16 refuses a step without any gradient.
        self._counter.grad = self.trainer.precision_plugin.pre_backward(torch.zeros_like(self._counter), self)
        self._optimizer().step()
        distortion = seen.distortion / (quantizer.dim * quantizer.scale)
        self.log("train/distortion", distortion, prog_bar=True, batch_size=seen.frames)
        self.log("train/codewords_revived", float(seen.revived), batch_size=seen.frames)
        for name, values in {"perplexity": seen.perplexity, "usage": seen.usage}.items():
            self.log(f"train/codebook_{name}", values.mean(), prog_bar=name == "perplexity", batch_size=seen.frames)
        self._use.add(seen.perplexity, seen.usage, seen.frames)

    def position_use(self) -> tuple[Tensor, Tensor] | None:
        """Return perplexity and usage of every code position, ``(P,)`` each, as means over the epoch's codebook steps.

        None where the epoch had no such step; :class:`emoquant.callbacks.CodebookMonitor` draws them.
        """
        return self._use.means()

    def on_train_epoch_start(self) -> None:
        """Begin the means of the code positions anew."""
        self._use = PositionUse()

    def _entropy_step(self, batch: Batch, batch_idx: int) -> None:
        assert self.entropy is not None
        generator = torch.Generator().manual_seed(hash((self.seed, self.current_epoch, batch_idx, self.global_rank)))
        codes, lmbda, distortion = self._drawn(batch, generator)
        if self.current_epoch < self.joint_until():
            self._follow(batch, codes)
        valid = length_mask(batch.lengths, codes.shape[1])
        order = torch.randperm(int(valid.sum()), generator=generator).to(self.device)
        rows = codes[valid][order], frames_before(codes, self.entropy.memory)[valid][order]
        multipliers = lmbda.unsqueeze(1).expand_as(valid)[valid][order]
        optimizer, spent = self._optimizer(), torch.zeros((), device=self.device)
        for group in optimizer.param_groups:
            group["lr"] = self._rate(batch_idx) * group.get("pace", 1.0)
        for part in torch.arange(len(order), device=self.device).tensor_split(self.splits):
            optimizer.zero_grad()
            pieces = part.split(ROWS_AT_ONCE) if self.device.type == "cpu" else (part,)
            for piece in pieces:
                loss = self.entropy.bits(rows[0][piece], rows[1][piece], multipliers[piece]).sum()
                spent += loss.detach()
                with optimizer.toggle_model(sync_grad=piece is pieces[-1]):
                    self.manual_backward(loss / max(len(part), 1))
            optimizer.step()
        self.log("train/bits_per_frame", spent / len(order), prog_bar=True, batch_size=len(order))
        self.log("train/distortion", distortion / len(order), prog_bar=True, batch_size=len(order))

    @torch.no_grad()
    def _follow(self, batch: Batch, codes: Tensor) -> None:
        """Move the codebooks towards the vectors that codes of the search stand for; dead codewords stay dead."""
        quantizer = self._made()
        components, valid = quantizer.transform(batch.features), codes[..., 0] >= 0
        inputs = training.inputs_of(quantizer, components, codes.clamp(min=0))
        training.update(quantizer, codes[valid], (inputs[0][valid], inputs[1][valid]), None)

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Bound the norm of the gradients, here where the loss scaling of fp16 is undone."""
        self.clip_gradients(optimizer, 10.0, "norm")

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:  # noqa: ANN401 - Lightning's hook
        """After the last batch of the training, fit the decoder's smoothing to codes of the search."""
        last = self.trainer.current_epoch + 1 == self.trainer.max_epochs
        if not last or batch_idx + 1 < self.trainer.num_training_batches or self.phase() == "codebooks":
            return
        generator = torch.Generator().manual_seed(hash((self.seed, self.global_rank)))
        with full_float32(self.device):
            fit_smoothing(self.trainer, self._made(), lambda each: self._drawn(each, generator)[0])

    def _made(self) -> GroupedResidualVQ:
        assert self.quantizer is not None
        return self.quantizer

    def _optimizer(self) -> Any:  # noqa: ANN401 - Lightning's wrapper
        return self.optimizers()

    def _drawn(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Search a batch at drawn lambdas; return the codes, the lambdas and what :meth:`_search` says."""
        assert self.entropy is not None
        lmbda = draw_lambdas(self.entropy.basis, self._made().scale, len(batch.lengths), generator)
        codes, distortion = self._search(batch, lmbda, self.phase())
        return codes, lmbda, distortion

    @torch.no_grad()
    def _search(self, batch: Batch, lmbda: Tensor, phase: Phase) -> tuple[Tensor, Tensor]:
        """Codes ``(B, T, P)`` of a batch, -1 at padding, and the summed distortion relative to the variance."""
        quantizer = self._made()
        assert self.entropy is not None
        if phase == "search":
            model, beam, survivors = self.entropy, self.beam, self.survivors
        else:
            model, beam, survivors = gate(layout_of(quantizer)).to(self.device), 1, 1
        rows = rows_that_fit(quantizer, model, self.device, batch.features.shape[1])
        search = Search(quantizer, model, beam, survivors, rows)
        components = quantizer.transform(batch.features)
        order = batch.lengths.argsort(descending=True, stable=True)
        found = search(components[order], batch.lengths[order], lmbda[order])
        codes = torch.empty_like(found.codes, dtype=torch.int64)
        codes[order] = found.codes.long()
        valid = codes[..., :1].index_select(0, order) >= 0
        error = ((found.components - components[order]).square() * valid).sum()
        return codes, error / (quantizer.dim * quantizer.scale)

    def _rate(self, batch_idx: int) -> float:
        """Learning rate: a short warm-up, then cosine to 1 % over the epochs that train the entropy model."""
        first, last = self.entropy_epochs()
        steps = max(1, int(self.trainer.num_training_batches))
        done = ((self.current_epoch - first) * steps + batch_idx + 1) / max(1, (last - first) * steps)
        return self.learning_rate * rate_at(done, 0.03)

    def on_validation_epoch_start(self) -> None:
        """Empty the sums."""
        self._grid = LambdaGrid()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Add up bits and distortion over a grid of lambdas; nothing before the codebooks are initialised."""
        quantizer = self._made()
        if not bool(quantizer.ready):
            return
        learnt = self.entropy if self.phase() == "search" or not self._fits() else None
        model = gate(layout_of(quantizer)).to(self.device) if learnt is None else learnt
        with full_float32(self.device):
            self._grid.add(quantizer, model, batch)

    def on_validation_epoch_end(self) -> None:
        """Log rate, distortion and Lagrangian; distortion and lambda relative to the variance of the features."""
        for name, value in self._grid.figures(self._made(), self.device).items():
            self.log(name, value, prog_bar=name == "val/lagrangian")
