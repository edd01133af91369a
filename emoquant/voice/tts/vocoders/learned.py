"""Vocoders with a trained generator."""

from torch import Tensor, nn

from emoquant.audio.mel import MelSettings
from emoquant.voice.tts.vocoders.base import Vocoder


class Learned(Vocoder):
    """Use a trained generator as a vocoder.

    Args:
        generator: Turns logarithmic mel spectrograms ``(B, T, M)`` into waveforms ``(B, T * hop)``.
        mel: Settings of the mel spectrograms that it was trained on.
    """

    def __init__(self, generator: nn.Module, mel: MelSettings) -> None:
        super().__init__()
        self.generator, self.mel = generator.eval().requires_grad_(False), mel

    def render(self, mels: Tensor, f0: Tensor, voiced: Tensor) -> Tensor:
        """Return the waveform of one utterance; see the base class.

        Raises:
            ValueError: The generator gives another number of samples than frames times hop.
        """
        waveform: Tensor = self.generator(mels[None])[0]
        if waveform.shape != (len(mels) * self.mel.hop,):
            raise ValueError(
                f"the generator made {tuple(waveform.shape)} samples of {len(mels)} frames, expected "
                f"{len(mels) * self.mel.hop}; it was made for another hop"
            )
        return waveform
