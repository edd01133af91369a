"""The shipped YAMLs made small, for tests that run them."""

from pathlib import Path

ROOT = Path(__file__).parent.parent
EMOTIONS = ("angry", "happy", "neutral", "sad", "surprise")
SMALL_CORPUS = ["--data.init_args.corpora.init_args.sentences=10", "--trainer.accelerator=cpu"]
SMALL_EPOCHS = 5
SMALL_CODEC = [
    "--model.init_args.quantizer.init_args.groups=4",
    "--model.init_args.quantizer.init_args.layers=2",
    "--model.init_args.quantizer.init_args.codewords=16",
    "--model.init_args.codebook_epochs=2",
    "--model.init_args.gate_epochs=1",
    f"--trainer.max_epochs={SMALL_EPOCHS}",
]


def config(name: str) -> str:
    return f"--config={ROOT / 'configs' / name}.yaml"
