"""Pretraining of an encoder's front end on acoustic targets, without labels."""

from pathlib import Path

import lightning.pytorch as pl
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn

from emoquant.encoders import Emotion2Vec
from emoquant.encoders.acoustics import AcousticTargets
from emoquant.encoders.filterbank import start_as_filterbank
from emoquant.encoders.frames import normalize_waveforms
from emoquant.tasks.recognition import scheduled
from emoquant.types import AudioBatch, length_mask


class AcousticTask(pl.LightningModule):
    """Trains the convolutions over the samples to tell log-mel spectrum, pitch and level of every frame.

    A few hours of speech are too little for raw waveforms to be understood from labels alone; here every frame is an
    example. The rest of the encoder is left as it is.

    Args:
        encoder: The encoder; its front end is trained.
        filterbank: Start as a filterbank instead of random filters
            (:func:`emoquant.encoders.filterbank.start_as_filterbank`).
        learning_rate: Peak learning rate (Adam, warm-up, then cosine to zero at the last step).
    """

    def __init__(self, encoder: Emotion2Vec, filterbank: bool = True, learning_rate: float = 3e-3) -> None:
        super().__init__()
        self.encoder, self.filterbank, self.learning_rate = encoder, filterbank, learning_rate
        self.targets = AcousticTargets()
        self.readout: nn.Linear | None = None

    def configure_model(self) -> None:
        """Load the encoder and freeze what is not trained."""
        if self.readout is not None:
            return
        network = self.encoder.load()
        network.requires_grad_(False)
        audio = network.modality_encoders["AUDIO"]
        audio.local_encoder.requires_grad_(True)
        audio.project_features.requires_grad_(True)
        if self.filterbank:
            start_as_filterbank(network)
        self.readout = nn.Linear(self.encoder.dim, self.targets.size)

    def _explained(self, batch: AudioBatch) -> tuple[Tensor, Tensor]:
        """Return the mean squared error and the share of variance explained of every target."""
        assert self.readout is not None
        local, counts = self.encoder.local_features(batch.waveforms, batch.lengths)
        waveforms = normalize_waveforms(batch.waveforms, batch.lengths)
        target = self.targets(waveforms, local.shape[1], self.encoder.hop, self.encoder.receptive_field)
        inside = length_mask(counts, local.shape[1])
        with torch.autocast(local.device.type, enabled=False):
            error = (self.readout(local.float()) - target)[inside].square()
        variance = target[inside].var(0, correction=0)
        return error.mean(), 1 - error.detach().mean(0) / variance

    def training_step(self, batch: AudioBatch, batch_idx: int) -> Tensor:
        """Return the loss of a batch."""
        loss, explained = self._explained(batch)
        mels, size = self.targets.mels, len(batch.lengths)
        self.log("train/loss", loss, prog_bar=True, batch_size=size)
        self.log("train/mel_explained", explained[:mels].mean(), prog_bar=True, batch_size=size)
        self.log("train/pitch_explained", explained[mels:-1].mean(), prog_bar=True, batch_size=size)
        return loss

    def validation_step(self, batch: AudioBatch, batch_idx: int) -> None:
        """Log the loss."""
        self.log("val/loss", self._explained(batch)[0], prog_bar=True, batch_size=len(batch.lengths), sync_dist=True)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return Adam, warm-up and cosine."""
        weights = [weight for weight in self.parameters() if weight.requires_grad]
        optimizer = torch.optim.Adam(weights, lr=self.learning_rate, betas=(0.9, 0.98))
        return scheduled(self.trainer, optimizer, 50)

    def export(self, directory: Path, factor: float = 1.0) -> None:
        """Write the encoder in funasr's format; the factor is for trained encoders and must be 1 here."""
        if factor != 1.0:
            raise ValueError("the features of an untrained encoder have no scale to set: leave variance out")
        self.encoder.export(directory, dtype=torch.float32)
