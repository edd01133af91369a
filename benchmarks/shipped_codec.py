"""Makes ``checkpoints/codec``: the default codec, trained on every corpus of the development data.

    python benchmarks/shipped_codec.py

Run it again whenever the shipped encoder or ``configs/train/codec.yaml`` changes. A training that was interrupted goes
on.
"""

from pathlib import Path

from emoquant.cli import run
from emoquant.codecs import load_codec, save_codec

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "runs" / "shipped"


def main() -> None:
    """Train and write the codec."""
    run(["fit", "codec", "--data", "development", "--folder", str(FOLDER), "--ckpt_path", "last"])
    place = ROOT / "checkpoints" / "codec"
    place.mkdir(exist_ok=True)
    save_codec(load_codec(FOLDER / "codec"), place / "codec.ckpt")
    print(place / "codec.ckpt")


if __name__ == "__main__":
    main()
