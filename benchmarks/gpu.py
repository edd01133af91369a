"""Everything on one device in one call: training steps, sweep, synthesis; results against the CPU, speed, roofline.

``python benchmarks/gpu.py`` takes the first CUDA device; ``--device cpu --quick`` runs the same program in a minute
anywhere. Weights and data are random and of the full size (768 dimensions, 36 positions of 128 codewords, 14 lambdas;
the published voice), so nothing is downloaded. The share of the roofline is the work that torch's counter finds in a
step (products of matrices and convolutions alone), divided by its time and by what one large product reaches on the
same device in the same precision: a bound for work that is arithmetic; a search that looks up tables stays far below.

Two ranks with gloo share the device, which shows whether they agree though its sums come in orders of their own; the
extraction runs after ``torch.set_float32_matmul_precision("high")``, which must change nothing. ``--compile`` measures
what ``torch.compile`` makes of the gradient steps, and that alone, as it may take long.

It needs torch, lightning, torchmetrics, transformers, numpy and the wheels of vector-quantize-pytorch (with einops,
einx), constriction, safetensors, soundfile, soxr, tqdm, pyyaml, scipy, numba, and of funasr for the encoder (with
librosa, kaldiio, omegaconf, sentencepiece). It was not run on a GPU yet; it was tested on a CPU with ``--quick``.
"""

import argparse
import copy
import warnings
from collections.abc import Callable

import torch
from device import FAILED, Machine, Operations, checked, relative
from gpu_parts import extraction, rows_apart, training, two_ranks
from gpu_voice import QUICK, Sizes, voice
from random_speech import speech_like
from torch import Tensor, nn

from emoquant.codecs import ECVQ, STUDY_LAMBDAS, frame_step
from emoquant.codecs.search import layout_of
from emoquant.entropy import LightModel
from emoquant.entropy.base import frames_before
from emoquant.quantization import GroupedResidualVQ
from emoquant.quantization.training import initialise, train_step


def features_of(sizes: Sizes, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return random frames with memory and their lengths."""
    return speech_like(sizes.utterances, sizes.frames, sizes.dim, seed)


def quantizer(sizes: Sizes, features: Tensor, lengths: Tensor) -> GroupedResidualVQ:
    """Return codebooks that fit random frames."""
    made = GroupedResidualVQ(sizes.groups, sizes.layers, sizes.codewords, coarse=1, prediction=True, dim=sizes.dim)
    initialise(made, features, lengths, rounds=2)
    return made


def codebooks(machine: Machine, sizes: Sizes) -> GroupedResidualVQ:
    """Steps of the codebooks; returns codebooks on the CPU."""
    features, lengths = features_of(sizes)
    base = quantizer(sizes, features, lengths)
    there, here = copy.deepcopy(base).to(machine.device), copy.deepcopy(base)
    far = features.to(machine.device), lengths.to(machine.device)
    for step in range(2):
        for each, data in ((there, far), (here, (features, lengths))):
            train_step(each, *data, torch.Generator().manual_seed(step))
    agree = checked(relative(there.fine.vectors, here.fine.vectors), 1e-2, "codebooks")
    generator = torch.Generator().manual_seed(9)
    count = sizes.utterances * sizes.frames
    machine.row("codebook step", lambda: train_step(there, *far, generator), count, "frames/s", "float32", agree)
    return here


def entropy(machine: Machine, sizes: Sizes, books: GroupedResidualVQ, compile_it: bool) -> LightModel:
    """Gradient steps of the entropy model, eager and compiled; returns a model on the CPU."""
    model = LightModel(64)
    model.build(layout_of(books))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.01 * torch.randn_like(parameter))
    features, lengths = features_of(sizes, 1)
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
    machine.row("entropy step", stepper(loss), count, "frames/s", "float32", agree)
    if compile_it:
        machine.row("entropy step, compiled", stepper(torch.compile(loss)), count, "frames/s", "float32", agree)
    return model


def sweep(machine: Machine, sizes: Sizes, books: GroupedResidualVQ, model: LightModel) -> None:
    """The search at 14 lambdas, of few and of many utterances, replayed as a CUDA graph and launched one by one."""
    codec = ECVQ(books, model, STUDY_LAMBDAS)
    there = copy.deepcopy(codec).to(machine.device)
    features, lengths = features_of(sizes, 2)
    few = max(1, sizes.utterances // 16)
    here = codec(features[:few], lengths[:few])
    found = there(features[:few].to(machine.device), lengths[:few].to(machine.device))
    differ = float((here.codes != found.codes.cpu()).float().mean())
    agree = checked(differ, 1e-3, "other codes") + ", " + checked(relative(found.bits, here.bits), 1e-3, "bits")
    agree += f", {operations_a_frame(there, features[:few].to(machine.device)):.0f} operations a frame"
    agree += ", " + checked(rows_apart(codec, there, features[:few], lengths[:few]), 1e-3, "rows")
    kinds = {"": frame_step.LEAST_FRAMES} | ({", launched": 10**9} if machine.device.type == "cuda" else {})
    for times in (1, 4, 16) if machine.device.type == "cuda" else (1,):
        far = features.repeat(times, 1, 1).to(machine.device), lengths.repeat(times).to(machine.device)
        count = len(far[1]) * sizes.frames * len(STUDY_LAMBDAS)
        for kind, least in kinds.items():
            frame_step.LEAST_FRAMES = least
            name = f"sweep of 14 lambdas, {len(far[1])} utterances{kind}"
            machine.row(name, lambda far=far: there(*far), count, "frame-lambdas/s", "float32", agree)
        frame_step.LEAST_FRAMES, agree = kinds[""], ""


def operations_a_frame(codec: ECVQ, features: Tensor) -> float:
    """Return how many operations the search of one more frame dispatches."""
    counts = []
    for frames in (4, 8):
        with Operations() as operations:
            codec(features[:, :frames], torch.full((len(features),), frames, device=features.device))
        counts.append(operations.count)
    return (counts[1] - counts[0]) / 4


def main() -> None:
    """Measure all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it runs")
    parser.add_argument("--compile", action="store_true", help="gradient steps with torch.compile alone (minutes)")
    options = parser.parse_args()
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        raise SystemExit(f"{options.device}: torch finds no CUDA device here; --device cpu --quick runs anywhere")
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    sizes = QUICK if options.quick else Sizes()
    machine = Machine(options.device, sizes.product)
    name = torch.cuda.get_device_name(machine.device) if machine.device.type == "cuda" else "CPU"
    peaks = ", ".join(f"{kind} {peak / 1e12:.2f} TFLOP/s" for kind, peak in machine.peaks.items())
    print(f"{name}, torch {torch.__version__}; a product of {sizes.product}: {peaks}\n")
    print("| work | ms | speed | operations | share of roofline | peak MiB | against the CPU |\n" + "|---" * 7 + "|")
    books = codebooks(machine, sizes)
    model = entropy(machine, sizes, books, options.compile)
    voice(machine, sizes, options.compile)
    if not options.compile:
        sweep(machine, sizes, books, model)
        extraction(machine, sizes, 1.0 if options.quick else 5.0)
        two_ranks(machine)
        training(machine, sizes)
    if FAILED:
        raise SystemExit("off the CPU's results: " + "; ".join(FAILED))


if __name__ == "__main__":
    main()
