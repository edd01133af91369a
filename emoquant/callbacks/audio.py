"""Audio of some utterances in TensorBoard, to hear what the numbers are about."""

from lightning.pytorch import Callback, LightningModule, Trainer

from emoquant.audio import read_audio
from emoquant.callbacks.live import writer_of
from emoquant.data_api import labelled_data_of

SAMPLE_RATE = 16_000


class AudioSamples(Callback):
    """Writes the first utterances of each emotion of a split to TensorBoard, once, when training or a test starts.

    Args:
        per_emotion: Utterances of each emotion.
        split: Split they come from; the test split in a test.

    Raises:
        ValueError: ``per_emotion`` is below 1.
    """

    def __init__(self, per_emotion: int = 2, split: str = "validation") -> None:
        if per_emotion < 1:
            raise ValueError(f"per_emotion must be at least 1, got {per_emotion}")
        self.per_emotion, self.split = per_emotion, split

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the audio of a training's split."""
        self._write(trainer, self.split)

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the audio of the test split."""
        self._write(trainer, "test")

    def _write(self, trainer: Trainer, split: str) -> None:
        writer = writer_of(trainer)
        if writer is None:
            return
        written: dict[str, int] = {}
        for utterance in labelled_data_of(trainer).dataset(split).utterances:
            number = written.get(utterance.emotion, 0)
            if number < self.per_emotion:
                samples = read_audio(utterance.path, utterance.start, utterance.end, SAMPLE_RATE)
                tag = f"{split}/{utterance.emotion}/{number}"
                writer.add_audio(tag, samples[None], trainer.global_step, SAMPLE_RATE)
                written[utterance.emotion] = number + 1
