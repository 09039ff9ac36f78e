"""The trivial baselines that a colorization has to beat."""

import math

import torch
from torch import Tensor

from colorlib import lab
from colorlib.data import Packed
from colorlib.metrics.batches import at_once, precise


def rmse_in_lab(mse: float) -> float:
    """The root mean squared error of a and b in Lab units, from the loss of section 4.2.

    Args:
        mse: the mean over a, b and all pixels of the squared error of ab / 128.
    """
    return math.sqrt(mse) * lab.AB_SCALE


def mean_colour(photographs: Packed, device: str | torch.device = "cpu") -> Tensor:
    """The mean of ab / 128 over all pixels, shape (2,), in [-1, 1].

    Computed once a process for the same photographs, with any prior or none; on
    `device`, but it lies on the CPU.
    """
    return _moments(photographs, device)[0].float()


def trivial_baselines(
    train: Packed, photographs: Packed, device: str | torch.device = "cpu"
) -> dict[str, float]:
    """The loss (section 4.2) of the two predictions that look at no photograph.

    A network that has learned anything beats both. Computed once a process for
    the same photographs, with any prior or none.

    Args:
        train: the training photographs.
        photographs: those to predict, such as the validation photographs.
        device: where they are computed.

    Returns:
        "gray": with ab = 0 everywhere; "mean colour": with the training
        photographs' mean ab everywhere.
    """
    mean, square = _moments(photographs, device)
    constants = {"gray": torch.zeros(2), "mean colour": mean_colour(train, device)}
    # The mean of (ab - c)^2.
    return {
        name: (square - 2 * c * mean + c.double() ** 2).mean().item()
        for name, c in constants.items()
    }


_found: dict[str, Tensor] = {}
"""`Packed.pixels_key` -> `_moments`."""


def _moments(photographs: Packed, device: str | torch.device) -> Tensor:
    """The means of ab / 128 and of its square over all pixels, (2, 2) float64, on the CPU."""
    key = photographs.pixels_key
    if key not in _found:
        sums = []
        for some in photographs.some(at_once(device)):
            ab = precise(lab.normalize(some.lab(device=device))[1])
            sums.append(torch.stack((ab, ab.square())).mean(dim=(3, 4)).sum(dim=1))
        _found[key] = torch.stack(sums).cpu().double().sum(dim=0) / len(photographs)
    return _found[key]
