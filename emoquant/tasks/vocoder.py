"""Training of vocoders."""

import math
from collections.abc import Sequence
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn

from emoquant.speech.mel import MelSpec
from emoquant.tts.discriminators import (
    Judges,
    PeriodJudge,
    ResolutionJudge,
    fooling_loss,
    judge_loss,
    matching_loss,
)
from emoquant.tts.hifigan import HiFiGANGenerator
from emoquant.tts.losses import spectrum_distance
from emoquant.tts.vocoder_checkpoint import SECTION, describe_vocoder
from emoquant.tts.vocos import VocosGenerator
from emoquant.types import AudioBatch


class VocoderTask(pl.LightningModule):
    """Trains a generator against judges by periods and by spectrograms (HiFi-GAN, Vocos).

    Both sides make their step from the same forward passes: the sum of their losses is differentiated once, with the
    judges' weights fixed where the generator's loss passes them. So every weight has one gradient in every step, which
    is what plain DDP wants.

    Args:
        generator: The generator.
        mel: Mel specification that it reads; that of the voices by default.
        learning_rate: Learning rate of both AdamWs at the start; it falls to zero along a cosine.
        steps: Steps until it is zero.
        mel_weight: Weight of the mel distance in the generator's loss.
        spectrum_weight: Weight of the distance of spectrograms at the judges' resolutions; it makes short trainings
            sharper, long ones do without.
        judges_from: Step from which there are judges; before it the distances alone teach, at a third of the cost.
        resolution_weight: Weight of the spectrogram judges beside those by periods.
        periods: Periods, in samples.
        resolutions: Points of the spectrograms' Fourier transforms.
        channels: Channels of the judges' first layers.
        gradient_clip: Greatest norm of the gradients of each side.

    Raises:
        ValueError: Generator and mel specification do not fit, the mel is not of 16 kHz, or a number is out of range.
    """

    def __init__(
        self,
        generator: VocosGenerator | HiFiGANGenerator,
        mel: MelSpec | None = None,
        learning_rate: float = 5e-4,
        steps: int = 300_000,
        mel_weight: float = 45.0,
        spectrum_weight: float = 0.0,
        judges_from: int = 0,
        resolution_weight: float = 0.1,
        periods: Sequence[int] = (2, 3, 5, 7, 11),
        resolutions: Sequence[int] = (512, 1024, 2048),
        channels: int = 32,
        gradient_clip: float = 1.0,
    ) -> None:
        super().__init__()
        self.mel = mel if mel is not None else MelSpec()
        self.mel.require_rate("audio of the data modules")
        if generator.hop != self.mel.hop or generator.settings["mels"] != self.mel.mels:
            raise ValueError(
                f"the generator makes {generator.hop} samples of {generator.settings['mels']} mel bands, the mel "
                f"specification has {self.mel.hop} and {self.mel.mels}; give both the same"
            )
        if not learning_rate > 0 or steps < 1 or not gradient_clip > 0 or judges_from < 0 or spectrum_weight < 0:
            raise ValueError(
                "learning_rate and gradient_clip must be above 0, steps at least 1, judges_from and spectrum_weight "
                "not negative"
            )
        self.automatic_optimization = False
        self.generator = generator
        self.by_period = Judges([PeriodJudge(period, channels) for period in periods])
        self.by_spectrum = Judges([ResolutionJudge(size, channels) for size in resolutions])
        self.learning_rate, self.steps, self.gradient_clip = learning_rate, steps, gradient_clip
        self.mel_weight, self.spectrum_weight, self.resolution_weight = mel_weight, spectrum_weight, resolution_weight
        self.judges_from, self.resolutions = judges_from, tuple(resolutions)

    def forward(self, batch: AudioBatch) -> tuple[Tensor, Tensor, Tensor]:
        """Return real and generated waveforms ``(B, N)``, zeros past the end, and the real mels ``(B, T, M)``."""
        frames = batch.waveforms.shape[1] // self.mel.hop
        real = batch.waveforms[:, : frames * self.mel.hop]
        mels = self.mel(real)[:, :frames]
        inside = torch.arange(real.shape[1], device=real.device) < batch.lengths.unsqueeze(1)
        return real, self.generator(mels).float() * inside, mels

    def training_step(self, batch: AudioBatch, batch_idx: int) -> None:
        """Make a step of both sides."""
        real, fake, mels = self(batch)
        terms = {"mel": (self.mel(fake)[:, : mels.shape[1]] - mels).abs().mean()}
        generated = self.mel_weight * terms["mel"]
        if self.spectrum_weight:
            terms["spectrum"] = spectrum_distance(fake, real, self.resolutions)
            generated = generated + self.spectrum_weight * terms["spectrum"]
        if self.global_step // 2 >= self.judges_from:
            terms["judges"], terms["fooling"], terms["matching"] = self._judge(real, fake)
            generated = generated + terms["fooling"] + terms["matching"]
        else:  # a gradient of zero, for plain DDP
            weights = [*self.by_period.parameters(), *self.by_spectrum.parameters()]
            terms["judges"] = 0.0 * torch.stack([weight.sum() for weight in weights]).sum()
        self._step(generated + terms["judges"])
        for name, term in {"generator": generated, **terms}.items():
            self.log(f"train/loss_{name}", term.detach(), batch_size=len(real), prog_bar=name == "mel")

    def _step(self, loss: Tensor) -> None:
        """Make a step of both optimizers; each counts in the trainer's ``max_steps``."""
        optimizers: Any = self.optimizers()
        for optimizer in optimizers:
            optimizer.zero_grad()
        self.manual_backward(loss)
        for optimizer in optimizers:
            optimizer.step()
        schedulers: Any = self.lr_schedulers()
        for scheduler in schedulers:
            scheduler.step()

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Bound the norm of the gradients of a side, here where the loss scaling of fp16 is undone."""
        self.clip_gradients(optimizer, self.gradient_clip, "norm")

    def _judge(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the judges' loss, and the generator's losses of fooling and of matching activations."""
        judged, fooled, matched = [], [], []
        for judges in (self.by_period, self.by_spectrum):
            truth = judges(real)
            judged.append(judge_loss(truth, judges(fake.detach())))
            judges.requires_grad_(False)
            opinion = judges(fake)
            judges.requires_grad_(True)
            fooled.append(fooling_loss(opinion))
            matched.append(matching_loss(truth, opinion))
        weight = self.resolution_weight
        return judged[0] + weight * judged[1], fooled[0] + weight * fooled[1], matched[0] + weight * matched[1]

    def validation_step(self, batch: AudioBatch, batch_idx: int) -> None:
        """Log the mel distance of copy synthesis, over the real frames."""
        _, fake, mels = self(batch)
        frames = (batch.lengths // self.mel.hop).clamp(max=mels.shape[1])
        mask = (torch.arange(mels.shape[1], device=mels.device) < frames.unsqueeze(1)).unsqueeze(-1)
        error = ((self.mel(fake)[:, : mels.shape[1]] - mels).abs() * mask).sum() / (mask.sum() * mels.shape[2]).clamp(1)
        self.log("val/loss_mel", error, batch_size=int(mask.sum()) or 1, sync_dist=True, prog_bar=True)

    def setup(self, stage: str) -> None:
        """Check that the training can be deterministic where that is asked for.

        Raises:
            ValueError: It is to be deterministic on a CUDA device.
        """
        strict = torch.are_deterministic_algorithms_enabled()
        strict &= not torch.is_deterministic_algorithms_warn_only_enabled()
        if stage == "fit" and strict and self.trainer.strategy.root_device.type == "cuda":
            raise ValueError(
                "a vocoder cannot be trained with deterministic: true on a CUDA device, since the reflection padding "
                "of its spectrograms has no deterministic gradient there: use --trainer.deterministic warn"
            )

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return AdamW for each side, both along a cosine to zero."""
        sides: list[list[nn.Parameter]] = [
            list(self.generator.parameters()),
            [*self.by_period.parameters(), *self.by_spectrum.parameters()],
        ]
        optimizers = [torch.optim.AdamW(side, lr=self.learning_rate, betas=(0.8, 0.9)) for side in sides]
        schedulers = [torch.optim.lr_scheduler.LambdaLR(optimizer, self._rate) for optimizer in optimizers]
        return list(optimizers), list(schedulers)

    def _rate(self, step: int) -> float:
        return 0.5 * (1 + math.cos(math.pi * min(step / self.steps, 1.0)))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Store what makes a vocoder of the checkpoint."""
        checkpoint[SECTION] = describe_vocoder(self.generator, self.mel)
