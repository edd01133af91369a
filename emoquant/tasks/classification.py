"""Training an emotion2vec encoder with its head, from scratch or further."""

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor

from emoquant.encoders import Emotion2Vec, scale_features
from emoquant.encoders.augmentation import FrameMasking, WaveformAugmentation
from emoquant.encoders.pauses import Pauses
from emoquant.interfaces.access import audio_data_of
from emoquant.labels import STUDY_EMOTIONS
from emoquant.tasks.recognition import RecognitionTask, scheduled
from emoquant.types import AudioBatch


class ClassificationTask(RecognitionTask):
    """Trains an encoder of emotion2vec's format and its head to recognise emotions from waveforms.

    The loss is the cross entropy of the head on the time mean of the frame features, which is how emotion2vec's own
    head is used. With a teacher, that mean is also drawn to what the teacher makes of the unchanged waveforms
    (distillation of features, Romero et al. 2015), so that an encoder learns to ignore something and keeps the rest.
    Data comes from an :class:`emoquant.data.AudioDataModule` or one like it.

    Args:
        encoder: Encoder with a head whose classes include the data's emotions; its weights are the start.
        augmentation: What is done to training waveforms; None for nothing.
        masking: What is hidden of the local features in training; None for nothing.
        learning_rate: Peak learning rate (AdamW, linear warm-up, then cosine to zero at the last step).
        front_end: Learning rate of the convolutions over the samples relative to the others; 0 freezes them, which
            also saves their backward pass.
        weight_decay: Decay of the weight matrices.
        warmup_steps: Steps of the warm-up.
        label_smoothing: Share of the target that is spread over all classes.
        balanced: Weight classes inversely to how often they occur in training.
        dropout: Dropout in front of the head.
        measured: Emotions that recall is averaged over.
        pauses: Pauses that training waveforms get before the augmentation; None for none.
        teacher: Encoder with features of the same space; None for none.
        fidelity: Weight of the squared distance to the teacher's means, as a share of their variance in the batch.

    Raises:
        ValueError: A number is out of range.
    """

    def __init__(
        self,
        encoder: Emotion2Vec,
        augmentation: WaveformAugmentation | None = None,
        masking: FrameMasking | None = None,
        learning_rate: float = 1e-3,
        front_end: float = 0.1,
        weight_decay: float = 0.05,
        warmup_steps: int = 150,
        label_smoothing: float = 0.1,
        balanced: bool = False,
        dropout: float = 0.2,
        measured: tuple[str, ...] = STUDY_EMOTIONS,
        pauses: Pauses | None = None,
        teacher: Emotion2Vec | None = None,
        fidelity: float = 1.0,
    ) -> None:
        super().__init__(measured)
        shares = label_smoothing, dropout
        if learning_rate <= 0 or min(front_end, fidelity) < 0 or not all(0 <= share < 1 for share in shares):
            raise ValueError(
                "learning_rate must be positive, front_end and fidelity at least 0, label_smoothing and dropout in "
                f"[0, 1), got {learning_rate}, {front_end}, {fidelity}, {label_smoothing}, {dropout}"
            )
        self.encoder, self.augmentation, self.masking, self.pauses = encoder, augmentation, masking, pauses
        self.learning_rate, self.front_end, self.weight_decay = learning_rate, front_end, weight_decay
        self.warmup_steps, self.label_smoothing, self.balanced = warmup_steps, label_smoothing, balanced
        self.dropout, self.fidelity = dropout, fidelity
        self._teachers = [] if teacher is None else [teacher.eval()]  # a list: neither trained nor in checkpoints

    def setup(self, stage: str) -> None:
        """Map the data's emotions to classes; see :class:`~emoquant.tasks.recognition.RecognitionTask`."""
        audio_data_of(self.trainer)  # frame features are refused here, before anything is trained
        super().setup(stage)

    def configure_model(self) -> None:
        """Load the encoder."""
        network = self.encoder.load()
        if network.proj is None:
            raise ValueError(f"{self.encoder.model} has no head to train: choose one with a head, or train a probe")
        self._front_end_of(network).requires_grad_(self.front_end > 0)
        if self.encoder.model_conf["modalities"]["audio"]["use_alibi_encoder"]:
            network.modality_encoders["AUDIO"].alibi_scale.requires_grad_(False)

    @property
    def labels(self) -> list[str]:  # type: ignore[override]  # a property where the base has an attribute
        """Classes in the order of the logits."""
        return self.encoder.labels

    @staticmethod
    def _front_end_of(network: Any) -> torch.nn.ModuleList:  # noqa: ANN401 - funasr's class
        audio = network.modality_encoders["AUDIO"]
        return torch.nn.ModuleList([audio.local_encoder, audio.project_features])

    def on_fit_start(self) -> None:
        """Turn training on, and count the classes of the training split."""
        self.encoder.train()
        self.weights = self.class_weights(self.balanced)

    def forward(self, waveforms: Tensor, lengths: Tensor) -> Tensor:
        """Return logits ``(B, C)`` of waveforms ``(B, N)`` with lengths ``(B,)`` in samples."""
        return self._classify(self._vectors(waveforms, lengths))

    def _vectors(self, waveforms: Tensor, lengths: Tensor) -> Tensor:
        """Return the time means of the frame features, ``(B, D)``."""
        with torch.set_grad_enabled(self.front_end > 0 and torch.is_grad_enabled()):
            local, counts = self.encoder.local_features(waveforms, lengths)
        if self.training and self.masking is not None:
            local = self.masking(local, counts)
        return self.encoder.context_features(local, counts).sum(1) / counts[:, None]

    def _classify(self, vectors: Tensor) -> Tensor:
        vectors = torch.nn.functional.dropout(vectors, self.dropout, self.training)
        with torch.autocast(vectors.device.type, enabled=False):
            return self.encoder.load().proj(vectors.float())

    def training_step(self, batch: AudioBatch, batch_idx: int) -> Tensor:
        """Return the loss of a batch."""
        waveforms, lengths = batch.waveforms, batch.lengths
        with torch.no_grad():
            for change in (self.pauses, self.augmentation):
                if change is not None:
                    waveforms, lengths = change(waveforms, lengths)
        vectors, target = self._vectors(waveforms, lengths), self.classes(batch.emotions)
        logits = self._classify(vectors)
        loss, size = self.loss(logits, target), len(target)
        for teacher in self._teachers:
            distance = self._distance(teacher, vectors, batch)
            self.log("train/distance", distance, batch_size=size)
            loss = loss + self.fidelity * distance
        self.log("train/loss", loss, prog_bar=True, batch_size=size)
        self.log("train/accuracy", (logits.argmax(-1) == target).float().mean(), prog_bar=True, batch_size=size)
        return loss

    @staticmethod
    def _distance(teacher: Emotion2Vec, vectors: Tensor, batch: AudioBatch) -> Tensor:
        """Return the squared distance of vectors ``(B, D)`` to a teacher's, as a share of the variance of those."""
        with torch.no_grad():
            features, counts = teacher(batch.waveforms, batch.lengths)
            wanted = features.sum(1) / counts[:, None]
            spread = (wanted - wanted.mean(0)).square().sum()
        return (vectors - wanted).square().sum() / spread.clamp_min(1e-9)

    def logits(self, batch: AudioBatch) -> Tensor:
        """Return the logits of a batch, ``(B, C)``."""
        logits: Tensor = self(batch.waveforms, batch.lengths)
        return logits

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return AdamW, warm-up and cosine."""
        front = {id(weight) for weight in self._front_end_of(self.encoder.load()).parameters()}
        weights = [weight for weight in self.parameters() if weight.requires_grad]
        rest = [weight for weight in weights if id(weight) not in front]
        groups = [
            {"params": [weight for weight in rest if weight.ndim > 1], "weight_decay": self.weight_decay},
            {"params": [weight for weight in rest if weight.ndim <= 1], "weight_decay": 0.0},
        ]
        if self.front_end > 0:
            slow = [weight for weight in weights if id(weight) in front]
            groups.append({"params": slow, "weight_decay": 0.0, "lr": self.learning_rate * self.front_end})
        optimizer = torch.optim.AdamW(groups, lr=self.learning_rate, betas=(0.9, 0.98))
        return scheduled(self.trainer, optimizer, self.warmup_steps)

    def export(self, directory: Path, factor: float = 1.0) -> None:
        """Write encoder and head in funasr's format, with the features multiplied by a factor (the classes stay)."""
        scale_features(self.encoder, factor)
        self.encoder.export(directory)
        scale_features(self.encoder, 1 / factor)
