"""Everything on one device in one call: training steps, sweep, synthesis; results against the CPU, speed, roofline.

``python benchmarks/gpu.py`` takes the first CUDA device; ``--device cpu --quick`` runs the same program in a minute
anywhere. Weights and data are random and of the full size (768 dimensions, 36 positions of 128 codewords, 14 lambdas;
the published voice), so nothing is downloaded. The share of the roofline is the work that torch's counter finds in a
step (products of matrices and convolutions alone), divided by its time and by what one large product reaches on the
same device in the same precision: a bound for work that is arithmetic; a search that looks up tables stays far below.

This script was not run on a GPU yet; it was tested on a CPU with ``--quick``.
"""

import argparse
import copy
import resource
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from emoquant.codecs import ECVQ, STUDY_LAMBDAS
from emoquant.codecs.search import layout_of
from emoquant.entropy import LightModel
from emoquant.entropy.base import frames_before
from emoquant.quantization import GroupedResidualVQ
from emoquant.quantization.training import initialise, train_step
from emoquant.tasks.voice_losses import LossWeights, voice_losses
from emoquant.tts.architecture import Architecture
from emoquant.tts.masking import masked_mean
from emoquant.tts.model import GenerSpeech
from emoquant.types import StyleReference, TTSBatch


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


class Machine:
    """The device, its clock and its bounds."""

    def __init__(self, device: str, product: int) -> None:
        self.device = torch.device(device)
        self.peaks = {kind: self._peak(product, kind) for kind in (torch.float32, torch.bfloat16)}

    def wait(self) -> None:
        """Wait until the device is idle."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def seconds(self, run: Callable[[], object], times: int = 3) -> float:
        """Return the least time of some runs, after one that does not count."""
        run()
        taken = []
        for _ in range(times):
            self.wait()
            begun = time.perf_counter()
            run()
            self.wait()
            taken.append(time.perf_counter() - begun)
        return min(taken)

    def _peak(self, size: int, kind: torch.dtype) -> float:
        left, right = (torch.randn(size, size, device=self.device, dtype=kind) for _ in range(2))
        return 2 * size**3 / self.seconds(lambda: left @ right)

    def memory(self) -> float:
        """Return the peak of memory since the last call in MiB; on a CPU that of the process."""
        if self.device.type != "cuda":
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        peak = torch.cuda.max_memory_allocated(self.device) / 2**20
        torch.cuda.reset_peak_memory_stats(self.device)
        return peak

    def row(self, name: str, run: Callable[[], object], units: float, unit: str, kind: torch.dtype, agree: str) -> None:
        """Measure something and print its line."""
        with FlopCounterMode(display=False) as counter:
            run()
        taken = self.seconds(run)
        share = counter.get_total_flops() / taken / self.peaks[kind]
        speed = f"{units / taken:,.0f} {unit}"
        print(f"| {name} | {1000 * taken:,.1f} | {speed} | {share:.1%} | {self.memory():,.0f} | {agree} |", flush=True)


def quantizer(sizes: Sizes, features: Tensor, lengths: Tensor) -> GroupedResidualVQ:
    """Return codebooks that fit random frames."""
    made = GroupedResidualVQ(sizes.groups, sizes.layers, sizes.codewords, coarse=1, prediction=True, dim=sizes.dim)
    initialise(made, features, lengths, rounds=2)
    return made


def speech_like(sizes: Sizes, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return frames with memory, as the encoder's have."""
    generator = torch.Generator().manual_seed(seed)
    state, frames = torch.zeros(sizes.utterances, sizes.dim), []
    scale = torch.linspace(3, 0.1, sizes.dim)
    for _ in range(sizes.frames):
        state = 0.9 * state + 0.44 * torch.randn(sizes.utterances, sizes.dim, generator=generator)
        frames.append(state * scale)
    return torch.stack(frames, 1), torch.full((sizes.utterances,), sizes.frames)


def relative(one: Tensor, other: Tensor) -> float:
    """Return the distance of two results relative to the second."""
    other = other.double().cpu()
    return float((one.double().cpu() - other).norm() / other.norm().clamp_min(1e-30))


def checked(found: float, bound: float, what: str) -> str:
    """Return a cell of the table; a result that is off is marked and counted."""
    if found <= bound:
        return f"{what} {found:.1e}"
    FAILED.append(f"{what}: {found:.2e} where at most {bound:.0e} is allowed")
    return f"**{what} {found:.1e}**"


FAILED: list[str] = []


def codebooks(machine: Machine, sizes: Sizes) -> GroupedResidualVQ:
    """Steps of the codebooks; returns codebooks on the CPU."""
    features, lengths = speech_like(sizes)
    base = quantizer(sizes, features, lengths)
    there, here = copy.deepcopy(base).to(machine.device), copy.deepcopy(base)
    far = features.to(machine.device), lengths.to(machine.device)
    for step in range(2):
        for each, data in ((there, far), (here, (features, lengths))):
            train_step(each, *data, torch.Generator().manual_seed(step))
    agree = checked(relative(there.fine.vectors, here.fine.vectors), 1e-2, "codebooks")
    generator = torch.Generator().manual_seed(9)
    count = sizes.utterances * sizes.frames
    machine.row("codebook step", lambda: train_step(there, *far, generator), count, "frames/s", torch.float32, agree)
    return here


def entropy(machine: Machine, sizes: Sizes, books: GroupedResidualVQ, compile_it: bool) -> LightModel:
    """Gradient steps of the entropy model, eager and compiled; returns a model on the CPU."""
    model = LightModel(64)
    model.build(layout_of(books))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.01 * torch.randn_like(parameter))
    features, lengths = speech_like(sizes, 1)
    codes = books(features, lengths).codes
    rows = codes.flatten(0, 1), frames_before(codes, model.memory).flatten(0, 1)
    lmbda = torch.rand(len(rows[0])) * 10
    there = copy.deepcopy(model).to(machine.device)
    far = [each.to(machine.device) for each in (*rows, lmbda)]

    def loss(of: nn.Module, data: list[Tensor]) -> Tensor:
        return of.bits(*data).sum(-1).mean()

    agree = checked(abs(float(loss(there, far) / loss(model, [*rows, lmbda])) - 1), 1e-4, "bits")
    optimizer = torch.optim.Adam(there.parameters(), 1e-4)

    def stepper(function: Callable[..., Tensor]) -> Callable[[], None]:
        def step() -> None:
            optimizer.zero_grad()
            function(there, far).backward()
            optimizer.step()

        return step

    count = len(rows[0])
    machine.row("entropy step", stepper(loss), count, "frames/s", torch.float32, agree)
    if compile_it:
        fast = torch.compile(loss)
        machine.row("entropy step, compiled", stepper(fast), count, "frames/s", torch.float32, agree)
    return model


def sweep(machine: Machine, sizes: Sizes, books: GroupedResidualVQ, model: LightModel) -> None:
    """The search at 14 lambdas."""
    codec = ECVQ(books, model, STUDY_LAMBDAS)
    there = copy.deepcopy(codec).to(machine.device)
    features, lengths = speech_like(sizes, 2)
    far = features.to(machine.device), lengths.to(machine.device)
    few = max(1, sizes.utterances // 16)
    here, found = codec(features[:few], lengths[:few]), there(far[0][:few], far[1][:few])
    differ = float((here.codes != found.codes.cpu()).float().mean())
    agree = checked(differ, 1e-3, "other codes") + ", " + checked(relative(found.bits, here.bits), 1e-3, "bits")
    count = sizes.utterances * sizes.frames * len(STUDY_LAMBDAS)
    machine.row("sweep of 14 lambdas", lambda: there(*far), count, "frame-lambdas/s", torch.float32, agree)


def spoken(sizes: Sizes, mels: int = 80, dim: int = 768, seed: int = 0) -> TTSBatch:
    """Return a batch of random utterances."""
    generator = torch.Generator().manual_seed(seed)
    shape = sizes.spoken, sizes.phones
    durations = torch.randint(2, 9, shape, generator=generator)
    lengths = durations.sum(1)
    longest = int(lengths.max())
    inside = torch.arange(longest) < lengths.unsqueeze(1)
    frames = (torch.randn(sizes.spoken, longest, mels, generator=generator) - 3) * inside.unsqueeze(-1)
    place = torch.arange(longest).expand(sizes.spoken, -1)
    style = StyleReference(frames, lengths, (place // 5 + 1) * inside, (place // 20 + 1) * inside)
    emotion = torch.randn(sizes.spoken, 60, dim, generator=generator)
    return TTSBatch(
        phones=torch.randint(1, 60, shape, generator=generator),
        phone_lengths=torch.full((sizes.spoken,), sizes.phones),
        durations=durations,
        words=(torch.arange(sizes.phones) // 4 + 1).expand(shape).contiguous(),
        mels=frames,
        mel_lengths=lengths,
        f0=(120 + 40 * torch.rand(sizes.spoken, longest, generator=generator)) * inside,
        voiced=inside & (place % 3 > 0),
        style=style,
        emotion_frames=emotion,
        emotion_lengths=torch.full((sizes.spoken,), 60),
        speaker_vectors=nn.functional.normalize(torch.randn(sizes.spoken, 256, generator=generator), dim=1),
        emotions=torch.zeros(sizes.spoken, dtype=torch.int64),
        speakers=torch.zeros(sizes.spoken, dtype=torch.int64),
        utterances=torch.arange(sizes.spoken),
    )


def moved(value: Any, device: torch.device) -> Any:  # noqa: ANN401 - a batch or what it holds
    """Return a batch on a device."""
    if isinstance(value, Tensor):
        return value.to(device)
    return type(value)(*(moved(each, device) for each in value))


def precisions(device: torch.device) -> Iterator[tuple[str, torch.dtype, Any]]:
    """Yield names of precisions with the context that they need."""
    yield "float32", torch.float32, nullcontext()
    yield "bf16-mixed", torch.bfloat16, torch.autocast(device.type, torch.bfloat16)


def voice(machine: Machine, sizes: Sizes, compile_it: bool) -> None:
    """Training steps of a voice in both precisions, and synthesis."""
    here = GenerSpeech(sizes.voice, 60, 80, 768, 256, 150.0, 30.0)
    there, batch = copy.deepcopy(here).to(machine.device), spoken(sizes)
    far, weights = (
        moved(batch, machine.device),
        LossWeights()._asdict() if hasattr(LossWeights, "_asdict") else vars(LossWeights()),
    )
    optimizer = torch.optim.AdamW(there.parameters(), 1e-5)

    def loss(model: GenerSpeech, data: TTSBatch) -> Tensor:
        output = model(data, masked_mean(data.emotion_frames, data.emotion_lengths), None, 0.0, True)
        terms = voice_losses(output, data, model)
        return torch.stack([weights[name] * term for name, term in terms.items() if name in weights]).sum()

    count = int(batch.mel_lengths.sum())
    agree = {}
    with torch.no_grad():
        exact = float(loss(here.eval(), batch))
        for name, kind, context in precisions(machine.device):
            with context:
                found = float(loss(there.eval(), far))
            agree[name] = checked(abs(found / exact - 1), 1e-3 if kind == torch.float32 else 2e-2, "loss")
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
        machine.row("voice step, float32, compiled", stepper(nullcontext()), count, "mel frames/s", torch.float32, "")
    say(machine, sizes, here.eval(), batch)


def say(machine: Machine, sizes: Sizes, here: GenerSpeech, batch: TTSBatch) -> None:
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
    machine.row("synthesis of mels", lambda: speak(there, far), seconds, "x real time", torch.float32, agree)


def main() -> None:
    """Measure all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it runs")
    parser.add_argument("--compile", action="store_true", help="also with torch.compile (minutes to compile)")
    options = parser.parse_args()
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        raise SystemExit(f"{options.device}: torch finds no CUDA device here; --device cpu --quick runs anywhere")
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    sizes = QUICK if options.quick else Sizes()
    machine = Machine(options.device, sizes.product)
    name = torch.cuda.get_device_name(machine.device) if machine.device.type == "cuda" else "CPU"
    peaks = ", ".join(f"{str(kind).split('.')[1]} {peak / 1e12:.2f} TFLOP/s" for kind, peak in machine.peaks.items())
    print(f"{name}, torch {torch.__version__}; a product of {sizes.product}: {peaks}\n")
    print(
        "| work | ms | speed | share of roofline | peak MiB | against the CPU |\n|---|---|---|---|---|---|", flush=True
    )
    books = codebooks(machine, sizes)
    sweep(machine, sizes, books, entropy(machine, sizes, books, options.compile))
    voice(machine, sizes, options.compile)
    if FAILED:
        raise SystemExit("off the CPU's results: " + "; ".join(FAILED))


if __name__ == "__main__":
    main()
