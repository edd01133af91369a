"""Audio of some utterances in the logger, to hear what the numbers are about."""

from lightning.pytorch import Callback, LightningModule, Trainer

from emoquant.audio.loading import read_audio
from emoquant.callbacks.media import media_of
from emoquant.interfaces.access import labelled_data_of

SAMPLE_RATE = 16_000
ABOUT = (
    "Recordings, not quantized: codes of an emotion encoder's features are no audio. To hear what a codec leaves of "
    "them, let a voice say it: `emoquant predict lambda`."
)


class AudioSamples(Callback):
    """Writes the first utterances of each emotion of a split to the logger, once, when training or a test starts.

    They are the recordings. What a codec leaves of them cannot be heard here, since features are no audio: a voice says
    it (``emoquant predict`` with a YAML of ``configs/listen``). The text ``<split>/about`` says so beside the audio.

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
        media = media_of(trainer)
        if media is None:
            return
        media.text(f"{split}/about", ABOUT, trainer.global_step)
        written: dict[str, int] = {}
        for utterance in labelled_data_of(trainer).dataset(split).utterances:
            number = written.get(utterance.emotion, 0)
            if number < self.per_emotion:
                samples = read_audio(utterance.path, utterance.start, utterance.end, SAMPLE_RATE)
                tag = f"{split}/{utterance.emotion}/{number}"
                media.audio(tag, samples, SAMPLE_RATE, trainer.global_step)
                written[utterance.emotion] = number + 1
