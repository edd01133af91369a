"""Runs of a trainer on the pretended device."""

import lightning.pytorch as pl
from lightning.pytorch.accelerators import CPUAccelerator
from lightning.pytorch.plugins.precision import MixedPrecision, Precision
from lightning.pytorch.strategies import SingleDeviceStrategy
from pretend import CUDA
from torch.amp import GradScaler


class PretendedAccelerator(CPUAccelerator):
    """Sets nothing up."""

    def setup_device(self, device):
        """Take any device."""


class PretendedDevice(SingleDeviceStrategy):
    """One device, the pretended GPU."""

    def __init__(self, precision):
        plugin = Precision()
        if precision == "bf16-mixed":
            plugin = MixedPrecision(precision, "cuda")
        elif precision == "16-mixed":
            plugin = MixedPrecision(precision, "cuda", GradScaler("cuda", enabled=False))
        super().__init__(CUDA, accelerator=PretendedAccelerator(), precision_plugin=plugin)


def trainer(folder, precision="32-true", **options):
    settings = {"max_epochs": 1, "logger": False, "enable_checkpointing": False, "inference_mode": False} | options
    return pl.Trainer(
        strategy=PretendedDevice(precision), default_root_dir=folder, enable_progress_bar=False,
        enable_model_summary=False, use_distributed_sampler=False, **settings,
    )  # fmt: skip
