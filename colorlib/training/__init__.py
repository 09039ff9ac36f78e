"""Training: batches with augmentation, one loop, and a run folder to go on from."""

from colorlib.base.devices import auto_device, device_name
from colorlib.training.checkpoints import COLUMNS, RunFolder
from colorlib.training.loop import (
    OPTIMIZERS,
    Diverged,
    evaluate,
    fit,
    train_epoch,
    update,
)
from colorlib.training.prepare import network, prior_for
from colorlib.training.previews import PREVIEWS
from colorlib.training.processes import Processes
from colorlib.training.settings import Settings

__all__ = [
    "COLUMNS",
    "OPTIMIZERS",
    "PREVIEWS",
    "Diverged",
    "Processes",
    "RunFolder",
    "Settings",
    "auto_device",
    "device_name",
    "evaluate",
    "fit",
    "network",
    "prior_for",
    "train_epoch",
    "update",
]
