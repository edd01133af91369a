"""Eight utterances are learned by heart: their mel follows from their phones, their melody from their emotion."""

import pytest
import torch
from voice_batches import TINY, voice_batch

from emoquant.audio.mel import MelSettings
from emoquant.voice.tasks.voice_losses import LossWeights, voice_losses
from emoquant.voice.tts.architecture import Architecture
from emoquant.voice.tts.durations import phone_of_frame
from emoquant.voice.tts.masking import length_mask, masked_mean
from emoquant.voice.tts.model import GenerSpeech
from emoquant.voice.tts.outputs import Dropped
from emoquant.voice.tts.style import LEVELS


def lesson():
    """Return eight utterances: a mel for each phone, 110 Hz for one emotion and 190 Hz for the other."""
    batch = voice_batch(counts=(6, 5, 7, 6, 8, 5, 6, 7))
    generator = torch.Generator().manual_seed(1)
    table = torch.randn(11, 8, generator=generator) - 3
    mask = length_mask(batch.mel_lengths, batch.mels.shape[1])
    of_frame = torch.nn.functional.pad(batch.phones, (1, 0)).gather(1, phone_of_frame(batch.durations))
    mels = table[of_frame] * mask.unsqueeze(-1)
    emotions = torch.arange(8) % 2
    f0 = torch.where(emotions == 0, 110.0, 190.0).unsqueeze(1) * mask
    frames = batch.emotion_frames + 3.0 * (2 * emotions - 1).view(-1, 1, 1)
    frames = frames * length_mask(batch.emotion_lengths, frames.shape[1]).unsqueeze(-1)
    style = batch.style._replace(mels=mels)
    return batch._replace(mels=mels, f0=f0, voiced=mask, emotions=emotions, emotion_frames=frames, style=style)


@pytest.fixture(scope="module")
def learned():
    torch.manual_seed(0)
    batch = lesson()
    sizes = {**TINY, "hidden": 32, "dropout": 0.0, "predictor_dropout": 0.0, "mixstyle_probability": 0.2}
    model = GenerSpeech(Architecture(**sizes), 10, 8, 6, 5, 150.0, 40.0).train()
    optimizer = torch.optim.Adam(model.parameters(), 4e-3)
    weights, history = vars(LossWeights()), []
    for step in range(200):
        dropped = Dropped(torch.rand(8) < 0.1, torch.rand(8) < 0.1, torch.rand(8) < 0.4)
        output = model(batch, dropped=dropped, forcing=float(step < 30), quantize=step >= 40)
        terms = voice_losses(output, batch, model, MelSettings.generspeech())
        optimizer.zero_grad()
        sum(weight * terms[name] for name, weight in weights.items()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        history.append({name: float(term.detach()) for name, term in terms.items()})
    return model.eval(), batch, history


def test_every_loss_falls(learned):
    _, _, history = learned
    first, last = history[0], history[-1]
    assert last["mel"] < 0.25 * first["mel"]
    assert last["phone_duration"] < 0.2 * first["phone_duration"]
    assert last["f0"] < 0.3 * first["f0"]
    assert last["flow"] < first["flow"] - 0.5
    assert all(torch.isfinite(torch.tensor(list(terms.values()))).all() for terms in history)


def test_codebooks_are_in_use_at_every_level(learned):
    model, batch, _ = learned
    output = model(batch)
    assert all(float(output.styles[level].coded.perplexity) > 0.3 * TINY["codewords"] for level in LEVELS)


def test_durations_come_out_as_heard(learned):
    model, batch, _ = learned
    vectors = masked_mean(batch.emotion_frames, batch.emotion_lengths)
    said = model.infer(batch.phones, batch.phone_lengths, vectors, batch.speaker_vectors, batch.style, postnet=False)
    assert ((said.mel_lengths - batch.mel_lengths).abs() <= 2).all()


def test_another_emotion_moves_the_melody_to_its_own(learned):
    model, batch, _ = learned
    vectors = masked_mean(batch.emotion_frames, batch.emotion_lengths)
    rest = (batch.speaker_vectors, None)
    own = model.infer(batch.phones, batch.phone_lengths, vectors, *rest, postnet=False)
    swapped = model.infer(batch.phones, batch.phone_lengths, vectors.roll(1, 0), *rest, postnet=False)
    mean = [(said.f0.sum(1) / said.mel_lengths) for said in (own, swapped)]
    low, high = batch.emotions == 0, batch.emotions == 1
    assert (mean[0][low] < 140).all()
    assert (mean[0][high] > 160).all()
    assert (mean[1][low] > mean[0][low] + 20).all()
    assert (mean[1][high] < mean[0][high] - 20).all()
