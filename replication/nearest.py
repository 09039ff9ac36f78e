"""The trivial baseline that asks how far a prior takes one without a network."""

from collections.abc import Callable

import torch
from torch import Tensor

from colorlib import lab
from colorlib.data import Packed
from colorlib.metrics.batches import at_once, precise

NEIGHBOURS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
"""The numbers that `nearest_colour` chooses from."""


def nearest_colour(
    train: Packed, validation: Packed, device: str = "cpu"
) -> tuple[Callable[[Packed], Tensor], int]:
    """One colour a photograph: the mean of the k training photographs with the nearest embeddings.

    By Euclidean distance; of `NEIGHBOURS`, k has the smallest error on the validation photographs.

    Returns:
        What predicts, as `metrics.constant` returns it, and k.

    Raises:
        ValueError: photographs without embeddings.
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


def _means(photographs: Packed, device: str) -> Tensor:
    """The mean of ab / 128 of each photograph, (N, 2)."""
    return torch.cat([
        precise(lab.normalize(some.lab(device=device))[1]).mean(dim=(2, 3))
        for some in photographs.some(at_once(device))
    ]).float()
