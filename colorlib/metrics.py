"""How far a colorization is from the photograph, and from doing nothing at all."""

import math

import torch
from torch.nn import functional as F

from colorlib import lab
from colorlib.data import Packed


def rmse_in_lab(mse: float) -> float:
    """The typical error of a or b, in Lab units, behind a mean squared error.

    The loss of section 4.2 is the mean over a and b and all pixels of the
    squared error of ab / 128; its root times 128 has the unit of a and b.
    """
    return math.sqrt(mse) * lab.AB_SCALE


def mean_colour(photographs: Packed) -> torch.Tensor:
    """The mean of ab / 128 over all pixels, shape (2,)."""
    total = sum(_ab(photographs, i).mean(dim=(0, 2, 3)) for i in range(len(photographs)))
    return total / len(photographs)


def yardsticks(train: Packed, held_out: Packed) -> dict[str, float]:
    """The held-out loss (section 4.2) of two predictions that look at no photograph.

    Returns:
        "gray": ab = 0 everywhere; "mean colour": the training set's mean ab
        everywhere. A network that has learned anything beats both.
    """
    constants = {"gray": torch.zeros(2), "mean colour": mean_colour(train)}
    return {
        name: sum(
            F.mse_loss(ab[:, None, None].expand_as(true[0]), true[0]).item()
            for true in (_ab(held_out, i) for i in range(len(held_out)))
        )
        / len(held_out)
        for name, ab in constants.items()
    }


def _ab(photographs: Packed, i: int) -> torch.Tensor:
    return lab.normalize(photographs.lab([i]))[1]
