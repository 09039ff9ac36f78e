"""The trivial baselines that a colorization has to beat."""

import math
from collections.abc import Callable, Iterator

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


NEIGHBOURS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
"""The numbers that `nearest_colour` chooses from."""


def nearest_colour(
    train: Packed, validation: Packed, device: str | torch.device = "cpu"
) -> tuple[Callable[[Packed], Tensor], int]:
    """One colour a photograph: the mean of the training photographs with the nearest embeddings.

    It asks how far a prior takes one without a network: by embeddings' Euclidean
    distance, the k nearest training photographs. Of `NEIGHBOURS`, k is the one with the
    smallest error on the validation photographs.

    Args:
        train, validation: with embeddings.
        device: where distances are computed.

    Returns:
        What predicts, as `constant` returns it, and k.

    Raises:
        ValueError: no embeddings.
    """
    means, known = _means(train, device), train.embedding(device=device)
    if known is None:
        raise ValueError("the nearest photographs are found by embeddings, which are not there")
    counts = [k for k in NEIGHBOURS if k <= len(train)]

    def colours(some: Packed) -> Tensor:
        """Of each photograph the prediction by each count: (B, K, 2)."""
        own = some.embedding(device=device)
        assert own is not None
        order = torch.cdist(own, known).topk(counts[-1], largest=False)
        sums = means[order.indices].cumsum(dim=1)  # (B, k, 2)
        return torch.stack([sums[:, k - 1] / k for k in counts], dim=1)

    # Within a photograph no constant colour can do anything about the error around the mean.
    off = (colours(validation) - _means(validation, device)[:, None]).square().mean(dim=(0, 2))
    best = int(off.argmin())

    def predict(some: Packed) -> Tensor:
        ab = colours(some)[:, best, :, None, None]
        return ab.expand(-1, -1, some.size, some.size)

    return predict, counts[best]


def _means(photographs: Packed, device: str | torch.device) -> Tensor:
    """The mean of ab / 128 of each photograph, (N, 2)."""
    return torch.cat([means for means, _ in _within(photographs, device)]).float()


def _within(photographs: Packed, device: str | torch.device) -> Iterator[Tensor]:
    """Some photographs at a time: the means of ab / 128 and of its square in each, (2, B, 2)."""
    for some in photographs.some(at_once(device)):
        ab = precise(lab.normalize(some.lab(device=device))[1])
        yield torch.stack((ab, ab.square())).mean(dim=(3, 4))


_found: dict[str, Tensor] = {}
"""`Packed.pixels_key` -> `_moments`."""


def _moments(photographs: Packed, device: str | torch.device) -> Tensor:
    """The means of ab / 128 and of its square over all pixels, (2, 2) float64, on the CPU."""
    key = photographs.pixels_key
    if key not in _found:
        sums = [both.sum(dim=1) for both in _within(photographs, device)]
        _found[key] = torch.stack(sums).cpu().double().sum(dim=0) / len(photographs)
    return _found[key]
