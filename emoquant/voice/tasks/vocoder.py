"""Training of vocoders."""

import math
from collections.abc import Sequence
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn

from emoquant.audio.mel import MelSettings
from emoquant.interfaces.access import audio_data_of, has_data_module, spoken_data_of
from emoquant.types import AudioBatch, TTSBatch, length_mask
from emoquant.voice.tasks.vocoder_pairs import Pairs, PredictedMels, recorded_pairs
from emoquant.voice.tts.bigvgan import BigVGANGenerator
from emoquant.voice.tts.discriminators import (
    Judges,
    PeriodJudge,
    ResolutionJudge,
    fooling_loss,
    judge_loss,
    matching_loss,
)
from emoquant.voice.tts.hifigan import HiFiGANGenerator
from emoquant.voice.tts.losses import spectrum_distance
from emoquant.voice.tts.vocoder_checkpoint import SECTION, describe_vocoder, load_vocoder, require_description
from emoquant.voice.tts.vocos import VocosGenerator
from emoquant.voice.tts.voice import load_voice


class VocoderTask(pl.LightningModule):
    """Trains a generator against judges by periods and by spectrograms (HiFi-GAN, Vocos), from nothing or from weights.

    Both sides make their step from the same forward passes: the sum of their losses is differentiated once, with the
    judges' weights fixed where the generator's loss passes them. So every weight has one gradient in every step, which
    is what plain DDP wants.

    Args:
        generator: The generator; that of ``init_from`` by default.
        mel: Mel settings that it reads; those of ``init_from`` by default, else those of new voices.
        init_from: Vocoder whose weights the training begins with: whatever
            :func:`~emoquant.voice.tts.vocoder_checkpoint.load_vocoder` reads, public ones too.
        mels_from: Voice whose predicted mels the generator learns from, in place of those of the recordings; the data
            module is then that of the voice.
        crop_frames: Mel frames of an excerpt where mels are predicted; excerpts of recordings are the data module's.
        learning_rate: Learning rate of both AdamWs at the start; it falls to zero along a cosine.
        steps: Steps until it is zero.
        mel_weight: Weight of the mel distance in the generator's loss. The distance is that of natural logarithms
            whatever the mel settings, so that published weights mean the same.
        spectrum_weight: Weight of the distance of spectrograms at the judges' resolutions; it makes short trainings
            sharper, long ones do without.
        judges_from: Step from which there are judges; before it the distances alone teach, at a third of the cost.
        resolution_weight: Weight of the spectrogram judges beside those by periods.
        periods: Periods, in samples.
        resolutions: Points of the spectrograms' Fourier transforms.
        channels: Channels of the judges' first layers.
        gradient_clip: Greatest norm of the gradients of each side.

    Raises:
        ValueError: Generator, mel settings and ``init_from`` do not fit, or a number is out of range. :meth:`setup`:
            the data module gives another rate than the mels have.
    """

    def __init__(
        self,
        generator: VocosGenerator | HiFiGANGenerator | BigVGANGenerator | None = None,
        mel: MelSettings | None = None,
        init_from: str | None = None,
        mels_from: str | None = None,
        crop_frames: int = 32,
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
        if not learning_rate > 0 or steps < 1 or not gradient_clip > 0 or judges_from < 0 or spectrum_weight < 0:
            raise ValueError(
                "learning_rate and gradient_clip must be above 0, steps at least 1, judges_from and spectrum_weight "
                "not negative"
            )
        if crop_frames < 4:
            raise ValueError(f"crop_frames must be at least 4, not {crop_frames}")
        self.automatic_optimization = False
        self.generator, self.mel = _beginning(generator, mel, init_from)
        self.by_period = Judges([PeriodJudge(period, channels) for period in periods])
        self.by_spectrum = Judges([ResolutionJudge(size, channels) for size in resolutions])
        self.learning_rate, self.steps, self.gradient_clip = learning_rate, steps, gradient_clip
        self.mel_weight, self.spectrum_weight, self.resolution_weight = mel_weight, spectrum_weight, resolution_weight
        self.judges_from, self.resolutions = judges_from, tuple(resolutions)
        self.mels_from, self.crop_frames = mels_from, crop_frames
        self._predicted: PredictedMels | None = None

    def setup(self, stage: str) -> None:
        """Meet the data module and the device.

        Raises:
            DataModuleError: There are no waveforms, or none of speech that the voice of ``mels_from`` could say.
            ValueError: The data are of another rate than the mels, or not those of the voice; or the training is to be
                deterministic on a CUDA device.
        """
        strict = torch.are_deterministic_algorithms_enabled()
        strict &= not torch.is_deterministic_algorithms_warn_only_enabled()
        if stage == "fit" and strict and self.trainer.strategy.root_device.type == "cuda":
            raise ValueError(
                "a vocoder cannot be trained with deterministic: true on a CUDA device, since the reflection padding "
                "of its spectrograms has no deterministic gradient there: use --trainer.deterministic warn"
            )
        if self.mels_from is not None:
            data = spoken_data_of(self.trainer)
            voice = load_voice(self.mels_from)
            voice.facts.mel.require(self.mel, "the vocoder", "the voice of mels_from")
            self._predicted = PredictedMels(voice, data)
            return
        rate = audio_data_of(self.trainer).sample_rate if has_data_module(self.trainer) else self.mel.sample_rate
        if rate != self.mel.sample_rate:
            raise ValueError(
                f"the vocoder reads mels of {self.mel.sample_rate} Hz, the data module gives audio at {rate} Hz: set "
                f"its sample_rate to {self.mel.sample_rate}"
            )

    def pairs(self, batch: AudioBatch | TTSBatch) -> Pairs:
        """Return the recordings of a batch and the mels that the generator reads; excerpts in training."""
        if isinstance(batch, TTSBatch):
            assert self._predicted is not None
            split = "train" if self.training else "validation"
            return self._predicted(batch, split, self.crop_frames if self.training else None)
        return recorded_pairs(batch, self.mel, excerpts=self.training)

    def forward(self, pairs: Pairs) -> Tensor:
        """Return generated waveforms ``(B, T * hop)``, zeros past the end."""
        made: Tensor = self.generator(pairs.mels)
        return made.float() * length_mask(pairs.lengths, pairs.real.shape[1])

    def training_step(self, batch: AudioBatch | TTSBatch, batch_idx: int) -> None:
        """Make a step of both sides."""
        pairs = self.pairs(batch)
        real, fake = pairs.real, self(pairs)
        terms = {"mel": (self.mel(fake) - self.mel(real)).abs().mean() / self.mel.unit}
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
        with torch.autocast(self.device.type, enabled=False):  # else the float32 mels have gradients in half precision
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

    def validation_step(self, batch: AudioBatch | TTSBatch, batch_idx: int) -> None:
        """Log the distance of natural-logarithm mels of copy synthesis, over the real frames."""
        pairs = self.pairs(batch)
        made, true = self.mel(self(pairs)), self.mel(pairs.real)
        frames = (pairs.lengths // self.mel.hop).clamp(max=made.shape[1])
        mask = length_mask(frames, made.shape[1]).unsqueeze(-1)
        error = ((made - true).abs() * mask).sum() / (mask.sum() * made.shape[2]).clamp(1) / self.mel.unit
        self.log("val/loss_mel", error, batch_size=int(mask.sum()) or 1, sync_dist=True, prog_bar=True)

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

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Check that the checkpoint is of the same generator and mel settings.

        Raises:
            ValueError: They differ; every difference is named.
        """
        require_description(checkpoint.get(SECTION), self.generator, self.mel)


def _beginning(
    generator: VocosGenerator | HiFiGANGenerator | BigVGANGenerator | None, mel: MelSettings | None, source: str | None
) -> tuple[nn.Module, MelSettings]:
    """Return the generator that a training begins with, and its mel settings."""
    if (generator is None) == (source is None):
        raise ValueError("expected either a generator or init_from, a vocoder that the training begins with")
    if source is not None:
        loaded = load_vocoder(source)
        if mel is not None:
            loaded.mel.require(mel, "mel", f"the vocoder {source}")
        return loaded.generator.train().requires_grad_(True), loaded.mel
    assert generator is not None
    chosen = mel if mel is not None else MelSettings()
    if generator.hop != chosen.hop or generator.settings["mels"] != chosen.mels:
        raise ValueError(
            f"the generator makes {generator.hop} samples of {generator.settings['mels']} mel bands, the mel settings "
            f"have {chosen.hop} and {chosen.mels}; give both the same"
        )
    return generator, chosen
