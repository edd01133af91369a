"""Training: ``python train.py fit --config configs/train/codec.yaml``."""

from emoquant.cli import train

if __name__ == "__main__":
    train()
