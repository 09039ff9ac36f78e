"""What every metric begins with: which batches, in which precision, and as which colours."""

import torch
from torch import Tensor

from colorlib import lab


def at_once(device: str | torch.device) -> int:
    """How many pixels at a time: as a processor's cache likes, or as keep a GPU busy."""
    return 2**16 if torch.device(device).type == "cpu" else 2**21


def checked(predicted: Tensor, true: Tensor) -> tuple[Tensor, Tensor]:
    """Two batches of Lab photographs, (B, 3, H, W), as `precise`.

    Raises:
        ValueError: they are of another shape, or of different ones.
    """
    for photos in (predicted, true):
        if photos.ndim != 4 or photos.shape[1] != 3:
            raise ValueError(
                f"photographs must have shape (B, 3, H, W), not {tuple(photos.shape)}"
            )
    if predicted.shape != true.shape:
        raise ValueError(
            f"what is predicted has shape {tuple(predicted.shape)}, the photographs "
            f"{tuple(true.shape)}"
        )
    return precise(predicted), precise(true)


def precise(values: Tensor) -> Tensor:
    """float64, or float32 on Apple's GPUs ("mps"), which have no more."""
    return values.float() if values.device.type == "mps" else values.double()


def shown(photos: Tensor) -> Tensor:
    """sRGB in [0, 1] of Lab photographs, (B, 3, H, W), clipped to what a screen shows."""
    return lab.lab_to_rgb(precise(photos))
