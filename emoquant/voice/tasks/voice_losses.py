"""The losses of a voice by name, and their weights."""

from dataclasses import dataclass

import torch
from torch import Tensor

from emoquant.audio.mel import MelSettings
from emoquant.types import TTSBatch
from emoquant.voice.tts import losses
from emoquant.voice.tts.attention import guided_attention
from emoquant.voice.tts.model import GenerSpeech
from emoquant.voice.tts.outputs import Output


@dataclass(frozen=True)
class LossWeights:
    """Weights of the losses; the defaults are those of the published model.

    Args:
        mel: Absolute difference of mels, as log10 whatever their logarithm.
        ssim: Structural dissimilarity of mels, likewise.
        phone_duration: Squared error of the log duration of phones.
        word_duration: Squared error of the log duration of words.
        sentence_duration: Squared error of the log duration of the whole.
        f0: Absolute error of normalised F0 over voiced frames, whose least is at the median: a flat melody.
        f0_spread: Absolute error of the standard deviation of an utterance's normalised F0, which keeps it lively.
        voicing: Cross-entropy of voicing.
        flow: Minus log density of the mel under the post-net.
        guided: Attention away from the diagonal.
        commitment: Commitment of styles to their codewords.
    """

    mel: float = 0.5
    ssim: float = 0.5
    phone_duration: float = 0.1
    word_duration: float = 1.0
    sentence_duration: float = 1.0
    f0: float = 1.0
    f0_spread: float = 0.0
    voicing: float = 1.0
    flow: float = 1.0
    guided: float = 1.0
    commitment: float = 1.0


def voice_losses(output: Output, batch: TTSBatch, model: GenerSpeech, mel: MelSettings) -> dict[str, Tensor]:
    """Return every loss by the name of its weight; scalars float32 that count no padding.

    Args:
        output: What the model said.
        batch: What it was to say.
        model: The model, for the scale of F0.
        mel: Settings of the mels, for their logarithm.
    """
    made, true = mel.decades(output.mels), mel.decades(batch.mels)
    lengths, styles = batch.mel_lengths, list(output.styles.values())
    whole, f0 = (batch.words > 0).long(), model.normalized(batch.f0, batch.speaker_vectors)
    guided = [guided_attention(style.attended.weights, lengths, style.segments) for style in styles]
    return {
        "mel": losses.mel_l1(made, true, lengths),
        "ssim": losses.mel_dissimilarity(made, true, lengths),
        "phone_duration": losses.phone_duration_error(output.log_durations, batch.durations, batch.phone_lengths),
        "word_duration": losses.group_duration_error(output.log_durations, batch.durations, batch.words),
        "sentence_duration": losses.group_duration_error(output.log_durations, batch.durations, whole),
        "f0": losses.f0_error(output.melody.f0, f0, batch.voiced),
        "f0_spread": losses.f0_spread_error(output.melody.f0, f0, batch.voiced),
        "voicing": losses.voicing_error(output.melody.voicing, batch.voiced, lengths),
        "flow": output.nll,
        "guided": torch.stack(guided).mean(),
        "commitment": torch.stack([style.coded.commitment for style in styles]).mean(),
    }
