"""Training of voices."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn

from emoquant.audio.mel import MelSettings
from emoquant.codecs.base import Codec
from emoquant.interfaces.access import voice_data_of
from emoquant.storage.origin import require_origin
from emoquant.types import TTSBatch
from emoquant.voice.tasks.schedules import ConditionDropout, Schedule
from emoquant.voice.tasks.voice_losses import LossWeights, voice_losses
from emoquant.voice.tts import losses
from emoquant.voice.tts.architecture import Architecture
from emoquant.voice.tts.bottleneck import count_codes
from emoquant.voice.tts.masking import masked_mean
from emoquant.voice.tts.model import GenerSpeech
from emoquant.voice.tts.outputs import Dropped, Output
from emoquant.voice.tts.style import LEVELS
from emoquant.voice.tts.voice import SECTION, Voice, VoiceFacts, describe_voice, load_voice, read_facts


class EmotionTTS(pl.LightningModule):
    """Trains :class:`~emoquant.voice.tts.model.GenerSpeech` on a TTS data module.

    Everything that depends on the corpus (phones, mel settings, dimensions and statistics) comes from the data
    module and is stored in the checkpoint, from which :func:`~emoquant.voice.tts.voice.load_voice` makes a voice.

    Args:
        architecture: Sizes; presets lie in ``configs/model/tts``.
        weights: Weights of the losses.
        dropout: Shares of items that are trained without a condition.
        schedule: Steps at which forcing ends and guiding, codebooks and flow begin.
        learning_rate: Factor on the learning rate ``min(n / w, 1) * max(n, w)^-0.5 * hidden^-0.5`` at step ``n``.
        warmup_steps: Steps ``w`` of the warm-up.
        cooldown_steps: Last steps before the trainer's ``max_steps`` over which the rate falls to zero in a line.
        codec: Codec that emotion frames may pass before their time mean is taken; frozen.
        lmbdas: Its operating points; each quantized item draws one.
        quantized: Share of training items whose emotion frames pass the codec.
        postnet: Whether voices of this training take their mel from the post-net by default, where there is one.
        init_from: Voice whose weights the training begins with (a folder, a run, a name on Hugging Face): to train it
            longer, or on other speakers and emotions with the same phones.

    Raises:
        ValueError: A number is out of range, or ``quantized`` is above 0 without a codec and ``lmbdas``.
            :meth:`on_fit_start`: ``init_from`` is of other phones, mels, sizes or another encoder than the data.
    """

    model: GenerSpeech
    speaker_centroids: Tensor

    def __init__(
        self,
        architecture: Architecture = Architecture(),  # noqa: B008 - frozen
        weights: LossWeights = LossWeights(),  # noqa: B008 - frozen
        dropout: ConditionDropout = ConditionDropout(),  # noqa: B008 - frozen
        schedule: Schedule = Schedule(),  # noqa: B008 - frozen
        learning_rate: float = 1.0,
        warmup_steps: int = 2000,
        cooldown_steps: int = 0,
        codec: Codec | None = None,
        lmbdas: Sequence[float] = (),
        quantized: float = 0.0,
        postnet: bool = True,
        init_from: str | None = None,
    ) -> None:
        super().__init__()
        if not learning_rate > 0 or warmup_steps < 1 or cooldown_steps < 0:
            raise ValueError(
                "expected learning_rate > 0, warmup_steps >= 1 and cooldown_steps >= 0, not "
                f"{learning_rate}, {warmup_steps} and {cooldown_steps}"
            )
        if not 0 <= quantized <= 1 or (quantized > 0 and (codec is None or not lmbdas)):
            raise ValueError(f"quantized is {quantized}: expected 0, or up to 1 together with a codec and lmbdas")
        self.architecture, self.weights, self.dropout, self.schedule = architecture, weights, dropout, schedule
        self.learning_rate, self.warmup_steps, self.cooldown_steps = learning_rate, warmup_steps, cooldown_steps
        self.codec = None if codec is None else codec.requires_grad_(False).eval()
        self.lmbdas, self.quantized, self.postnet = tuple(lmbdas), quantized, postnet
        self.init_from = init_from
        self.facts: VoiceFacts | None = None
        self._codes: dict[str, Tensor] = {}

    def configure_model(self) -> None:
        """Build the model for the data module's corpus; processes know of each other by now, as codebooks need."""
        if self.facts is not None:
            return
        data = voice_data_of(self.trainer)
        if self.codec is not None:
            require_origin(f"codec {self.codec.name!r}", self.codec.origin, data.origin)
        self.facts = VoiceFacts(
            architecture=self.architecture,
            phones=tuple(data.phones),
            front_end=data.front_end,
            mel=data.mel,
            emotion_dim=data.dim,
            speaker_dim=data.speaker_dim,
            encoder=data.encoder_name,
            emotions=tuple(data.emotions),
            speakers=tuple(data.speakers),
            f0_mean=float(data.speaker_log_f0.mean() if self.architecture.log_f0 else data.f0_mean),
            f0_deviation=float(data.log_f0_std if self.architecture.log_f0 else data.f0_std),
            postnet=self.postnet and self.architecture.flow_blocks > 0,
        )
        self.model = self.facts.build()
        self._set_statistics()
        self.register_buffer("speaker_centroids", data.speaker_centroids.float())

    def _set_statistics(self) -> None:
        data = voice_data_of(self.trainer)
        self.model.emotion.set_statistics(data.emotion_mean.float(), data.emotion_std.float())
        self.model.set_speaker_f0(data.speaker_centroids.float(), data.speaker_log_f0.float())

    def on_fit_start(self) -> None:
        """Take the weights of ``init_from``, unless the run goes on from a checkpoint of its own.

        F0 keeps the unit of that voice, in which its predictor was trained; statistics of emotions and speakers are
        those of the data.
        """
        if self.init_from is None or self.trainer.ckpt_path:
            return
        assert self.facts is not None  # since configure_model
        start = load_voice(self.init_from)
        begun = start.facts
        begun.require(replace(self.facts, speakers=begun.speakers, emotions=begun.emotions))
        self.facts = replace(self.facts, f0_mean=begun.f0_mean, f0_deviation=begun.f0_deviation)
        self.model.load_state_dict(start.model.state_dict())
        self._set_statistics()

    @property
    def _mel(self) -> MelSettings:
        assert self.facts is not None
        return self.facts.mel

    def voice(self) -> Voice:
        """Return the voice as it is now; it shares the model with the task."""
        assert self.facts is not None
        return Voice(self.model, self.facts, self.speaker_centroids)

    def train(self, mode: bool = True) -> "EmotionTTS":
        """Switch training mode; the codec stays in evaluation."""
        super().train(mode)
        if self.codec is not None:
            self.codec.eval()
        return self

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return AdamW with the warm-up and inverse square root of Vaswani et al. (2017), and the cool-down.

        Raises:
            ValueError: There is to be a cool-down, but no ``max_steps`` that it could end at.
        """
        if self.cooldown_steps and self.trainer.max_steps < self.cooldown_steps:
            raise ValueError(f"a cool-down of {self.cooldown_steps} steps needs a max_steps of the trainer above that")
        parameters = [parameter for parameter in self.parameters() if parameter.requires_grad]
        optimizer = torch.optim.AdamW(parameters, lr=self.learning_rate, betas=(0.9, 0.98), weight_decay=0.0)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, self._rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def _rate(self, step: int) -> float:
        step, warmup = step + 1, self.warmup_steps
        rate = min(step / warmup, 1.0) * max(step, warmup) ** -0.5 * self.architecture.hidden**-0.5
        if not self.cooldown_steps:
            return rate
        return rate * min(1.0, max(0.0, (self.trainer.max_steps + 1 - step) / self.cooldown_steps))

    def emotion_vectors(self, batch: TTSBatch) -> Tensor:
        """Return a batch's emotion vectors, ``(B, D)``: time means, for some training items of quantized frames."""
        frames = batch.emotion_frames
        if self.training and self.codec is not None and self.quantized > 0:
            frames = self._coded(batch)
        return masked_mean(frames, batch.emotion_lengths)

    @torch.no_grad()
    def _coded(self, batch: TTSBatch) -> Tensor:
        assert self.codec is not None
        chosen = torch.rand(len(batch.emotion_frames), device=self.device) < self.quantized
        point = torch.randint(len(self.lmbdas), chosen.shape, device=self.device)
        frames = batch.emotion_frames.clone()
        with torch.autocast(self.device.type, enabled=False):
            for index in point[chosen].unique().tolist():
                rows = chosen & (point == index)
                lengths = batch.emotion_lengths[rows]
                longest = int(lengths.max())
                coded = self.codec(batch.emotion_frames[rows, :longest], lengths, [self.lmbdas[index]])
                frames[rows, :longest] = coded.features[0].to(frames.dtype)
        return frames

    def forward(self, batch: TTSBatch) -> Output:
        """Say a batch with its own durations and melody, as the schedule has it at this step."""
        step, shares = self.global_step, self.dropout
        dropped = None
        if self.training:
            draw = torch.rand(3, len(batch.phones), device=batch.phones.device)
            limits = torch.tensor([shares.emotion, shares.speaker, shares.style], device=draw.device)
            dropped = Dropped(*(draw < limits.unsqueeze(1)))
        forcing = float(self.training and step < self.schedule.forcing_until)
        quantize = step >= self.schedule.codebooks_from
        output: Output = self.model(batch, self.emotion_vectors(batch), dropped, forcing, quantize)
        return output

    def training_step(self, batch: TTSBatch, batch_idx: int) -> Tensor:
        """Return the weighted sum of the losses."""
        output = self(batch)
        terms = voice_losses(output, batch, self.model, self._mel)
        total = torch.stack([weight * terms[name] for name, weight in self._weights_now().items()]).sum()
        size = len(batch.mel_lengths)
        for name, term in terms.items():
            self.log(f"train/loss_{name}", term.detach(), batch_size=size)
        self.log("train/loss", total.detach(), prog_bar=True, batch_size=size)
        self.log("train/frames", batch.mel_lengths.sum().float(), batch_size=1)
        for level in LEVELS:
            self.log(f"train/perplexity_{level}", output.styles[level].coded.perplexity, batch_size=size)
        return total

    def _weights_now(self) -> dict[str, float]:
        """Return the weights of the losses at this step; those that wait have weight 0 and stay in the graph."""
        step, weights = self.global_step, asdict(self.weights)
        waiting = {"flow": self.schedule.flow_from, "guided": self.schedule.guided_from}
        waiting["commitment"] = self.schedule.codebooks_from
        return {name: weight if step >= waiting.get(name, 0) else 0.0 for name, weight in weights.items()}

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Log the norm of the gradients, before clipping."""
        gradients = [parameter.grad for parameter in self.model.parameters() if parameter.grad is not None]
        self.log("train/gradient_norm", nn.utils.get_total_norm(gradients))

    def on_validation_epoch_start(self) -> None:
        """Empty the histograms of codes."""
        words = self.architecture.codewords
        self._codes = {level: torch.zeros(words, device=self.device) for level in LEVELS}

    def validation_step(self, batch: TTSBatch, batch_idx: int) -> None:
        """Log the losses with true durations and melody, and count codes."""
        output = self(batch)
        frames = int(batch.mel_lengths.sum())
        for name, term in voice_losses(output, batch, self.model, self._mel).items():
            self.log(f"val/loss_{name}", term, batch_size=frames, sync_dist=True, prog_bar=name == "mel")
        hertz = losses.f0_error(self.model.hertz(output.melody.f0, batch.speaker_vectors), batch.f0, batch.voiced)
        self.log("val/f0_error_hz", hertz, batch_size=int(batch.voiced.sum()) or 1, sync_dist=True, prog_bar=True)
        for level, counts in self._codes.items():
            counts += count_codes(output.styles[level].coded.codes, len(counts))

    def on_validation_epoch_end(self) -> None:
        """Log the perplexity of each level's codes over the whole split."""
        for level, counts in self._codes.items():
            total = self.trainer.strategy.reduce(counts, reduce_op="sum")
            share = total / total.sum().clamp(min=1)
            self.log(f"val/perplexity_{level}", torch.exp(torch.special.entr(share).sum()), rank_zero_only=False)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Store what ``load_voice`` needs beside the weights."""
        assert self.facts is not None
        checkpoint[SECTION] = describe_voice(self.facts)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Check that the data are those of the checkpoint.

        Raises:
            ValueError: Phones, mel settings or sizes differ.
        """
        assert self.facts is not None
        stored = read_facts(checkpoint.get(SECTION), "the checkpoint")
        stored.require(self.facts)
        self.facts = replace(self.facts, f0_mean=stored.f0_mean, f0_deviation=stored.f0_deviation)
