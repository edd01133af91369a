"""Trainings of every kind, each of some seconds: the shipped configurations made small."""

from small_runs import config
from voice_batches import TINY

CORPUS = "--data.init_args.corpora.init_args"
ENCODER = ["--data.init_args.encoder=spoken_world.BandEncoder"]
SPEECH = [f"{CORPUS}.sentences=4", f"{CORPUS}.voices=[en-us]", "--trainer.accelerator=cpu"]
CODEC = [
    config("train/codec"), *SPEECH, *ENCODER, "--data.init_args.frames_per_batch=1000", "--trainer.max_epochs=3",
    *[f"--model.init_args.quantizer.init_args.{name}" for name in ("groups=4", "layers=2", "codewords=8")],
    "--model.init_args.codebook_epochs=1", "--model.init_args.gate_epochs=1",
]  # fmt: skip
VOICE = [
    config("train/tts_toy"), *SPEECH, *ENCODER, "--data.init_args.frames_per_batch=500",
    *[f"--model.init_args.architecture.{name}={str(value).lower()}" for name, value in TINY.items()],
    "--model.init_args.cooldown_steps=0", "--model.init_args.schedule.codebooks_from=2",
]  # fmt: skip
JUDGES = "--model.init_args.periods=[2] --model.init_args.resolutions=[512] --model.init_args.channels=2"
VOCODER = [
    config("train/vocoder"), *SPEECH, *JUDGES.split(), "--model.init_args.judges_from=2",
    "--model.init_args.generator.init_args.dim=16", "--model.init_args.generator.init_args.layers=1",
]  # fmt: skip
GE2E = [config("train/ge2e"), *SPEECH, "--model.init_args.encoder.init_args.hidden=16", "--trainer.max_epochs=3"]
CLASSIFIER = [config("train/classifier"), *SPEECH, "--trainer.max_epochs=2", "--data.init_args.seconds_per_batch=20"]
PROBE = [config("train/probe"), *SPEECH, "--trainer.max_epochs=4", "--data.init_args.frames_per_batch=500"]
EPOCHS = ["--trainer.max_epochs=2"]
