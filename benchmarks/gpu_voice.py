"""Training steps and synthesis of a voice on one device, for gpu.py."""

import copy
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any, NamedTuple

import torch
from device import Machine, checked, relative
from random_speech import spoken
from torch import Tensor

from emoquant.audio.mel import MelSettings
from emoquant.types import TTSBatch
from emoquant.voice.tasks.voice_losses import LossWeights, voice_losses
from emoquant.voice.tts.architecture import Architecture
from emoquant.voice.tts.masking import masked_mean
from emoquant.voice.tts.model import GenerSpeech


class Sizes(NamedTuple):
    """How much is computed."""

    dim: int = 768
    groups: int = 12
    layers: int = 3
    codewords: int = 128
    utterances: int = 64
    frames: int = 150
    steps: int = 20
    spoken: int = 16
    phones: int = 80
    product: int = 8192
    voice: Architecture = Architecture()


QUICK = Sizes(
    48, 4, 2, 16, 4, 30, 3, 2, 12, 512,
    Architecture(hidden=16, encoder_layers=1, decoder_layers=1, kernel=3, style_wave_layers=1, style_blocks=1,
                 style_sublayers=1, codewords=4, attention_layers=1, attention_ffn=32, flow_blocks=2, flow_channels=8,
                 flow_layers=1, flow_shared_blocks=2),
)  # fmt: skip


def moved(value: Any, device: torch.device) -> Any:  # noqa: ANN401 - a batch or what it holds
    """Return a batch on a device."""
    if isinstance(value, Tensor):
        return value.to(device)
    return type(value)(*(moved(each, device) for each in value))


def precisions(device: torch.device) -> Iterator[tuple[str, str, Any]]:
    """Yield names of precisions with the context that they need."""
    yield "float32", "tf32", nullcontext()  # the precision of convolutions by default
    yield "bf16-mixed", "bfloat16", torch.autocast(device.type, torch.bfloat16)


def voice(machine: Machine, sizes: Sizes, compile_it: bool) -> None:
    """Training steps of a voice in both precisions, and synthesis."""
    here = GenerSpeech(sizes.voice, 60, 80, 768, 256, 150.0, 30.0)
    there, batch = copy.deepcopy(here).to(machine.device), spoken(sizes.spoken, sizes.phones)
    far, weights = moved(batch, machine.device), vars(LossWeights())
    optimizer = torch.optim.AdamW(there.parameters(), 1e-5)

    def loss(model: GenerSpeech, data: TTSBatch) -> Tensor:
        output = model(data, masked_mean(data.emotion_frames, data.emotion_lengths), None, 0.0, True)
        terms = voice_losses(output, data, model, MelSettings())
        return torch.stack([weights[name] * term for name, term in terms.items() if name in weights]).sum()

    count = int(batch.mel_lengths.sum())
    agree = {}
    with torch.no_grad():
        exact = float(loss(here.eval(), batch))
        for name, kind, context in precisions(machine.device):
            with context:
                found = float(loss(there.eval(), far))
            agree[name] = checked(abs(found / exact - 1), 1e-3 if kind == "tf32" else 2e-2, "loss")
    there.train()

    def stepper(context: Any) -> Callable[[], None]:  # noqa: ANN401 - autocast or nothing
        def step() -> None:
            optimizer.zero_grad()
            with context:
                value = loss(there, far)
            value.backward()
            optimizer.step()

        return step

    for name, kind, context in precisions(machine.device):
        machine.row(f"voice step, {name}", stepper(context), count, "mel frames/s", kind, agree[name])
    if compile_it:
        there.compile(dynamic=True)
        machine.row("voice step, float32, compiled", stepper(nullcontext()), count, "mel frames/s", "tf32", "")
    say(machine, here.eval(), batch)


def say(machine: Machine, here: GenerSpeech, batch: TTSBatch) -> None:
    """Synthesis with given durations, against the CPU."""
    there, far = copy.deepcopy(here).to(machine.device), moved(batch, machine.device)

    @torch.no_grad()
    def speak(model: GenerSpeech, data: TTSBatch) -> Tensor:
        vectors = masked_mean(data.emotion_frames, data.emotion_lengths)
        seeds = torch.zeros(len(vectors), dtype=torch.int64, device=vectors.device)
        out = model.infer(data.phones, data.phone_lengths, vectors, data.speaker_vectors, data.style,
                          durations=data.durations, f0=data.f0, voiced=data.voiced, noise=0.3, seeds=seeds)  # fmt: skip
        return out.mels

    agree = checked(relative(speak(there, far), speak(here, batch)), 1e-2, "mels")
    seconds = float(batch.mel_lengths.sum()) / 62.5
    machine.row("synthesis of mels", lambda: speak(there, far), seconds, "x real time", "tf32", agree)
