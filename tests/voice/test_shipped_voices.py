"""The voices of ``checkpoints/`` speak; no corpus is needed."""

from pathlib import Path

import pytest
import torch

from emoquant.encoders import Emotion2Vec, LogMelEncoder
from emoquant.voice.tts.synthesis import encoder_name, load_synthesizer

CHECKPOINTS = Path(__file__).parents[2] / "checkpoints"

#: A sentence that is in no corpus, a lower and a higher voice.
SPOKEN = {
    "tts-toy": ("A warm wind came over the hills.", "en-us", "en-us+f3"),
    "tts-nemo": ("Wieczorem pójdziemy razem nad rzekę.", "nemoWR0", "nemoEB0"),
}


@pytest.mark.parametrize("name", SPOKEN)
def test_shipped_voices_say_a_new_sentence(name):
    text, low, high = SPOKEN[name]
    synthesizer = load_synthesizer(CHECKPOINTS / name)
    facts, statistics = synthesizer.voice.facts, synthesizer.voice.model.emotion
    frames = statistics.mean.reshape(1, facts.emotion_dim)  # the mean of all emotions
    said = {speaker: synthesizer.synthesize(text, frames, speaker=speaker) for speaker in (low, high)}
    for speech in said.values():
        assert 0.8 < len(speech.waveform) / facts.mel.sample_rate < 5.0
        assert torch.isfinite(speech.waveform).all()
        assert speech.waveform.abs().max() > 0.05
        assert speech.voiced.float().mean() > 0.3
        assert 60 < speech.f0[speech.voiced].mean() < 400
    heights = [float(said[speaker].f0[said[speaker].voiced].mean()) for speaker in (low, high)]
    assert heights[0] < 0.9 * heights[1]
    again = synthesizer.synthesize(text, frames, speaker=low)
    assert torch.equal(again.waveform, said[low].waveform)


@pytest.mark.parametrize("name", SPOKEN)
def test_shipped_voices_know_their_encoder_and_no_other(name):
    encoder = Emotion2Vec(str(CHECKPOINTS / "emotion2vec-tiny"))
    assert load_synthesizer(CHECKPOINTS / name, encoder).voice.facts.encoder == encoder_name(encoder)
    with pytest.raises(ValueError, match="load the one it knows"):
        load_synthesizer(CHECKPOINTS / name, LogMelEncoder())


def test_shipped_weights_are_small():
    voices = [path for kind in ("tts", "vocoder") for path in CHECKPOINTS.glob(f"{kind}-*/*.safetensors")]
    assert sum(path.stat().st_size for path in voices) < 25e6
