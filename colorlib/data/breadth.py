"""How varied photographs are: their colours, and near-duplicates."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from colorlib.data.packed import NEAR_GRAY, Packed

_WEIGHTS = (0.299, 0.587, 0.114)  # of R, G, B in gray, as in JPEG


def mean_colours(photographs: Packed) -> Tensor:
    """Each photograph's mean a and b, in Lab units, (N, 2)."""
    return torch.cat([some.lab()[:, 1:].mean((2, 3)) for some in photographs.some()])


def spread(points: Tensor) -> float:
    """The root mean squared distance of points (N, D) from their mean, in their units."""
    points = points.double()
    return (points - points.mean(0)).pow(2).sum(1).mean().sqrt().item()


def difference_hash(photographs: Packed) -> Tensor:
    """Whether a photograph gets lighter from left to right, at 8 x 8 places: (N, 64) booleans.

    A perceptual hash: copies that were resized, compressed or slightly recoloured
    differ from each other in few places, most other photographs in about half.
    """
    small = _thumbnails(photographs, (8, 9))
    return (small.diff() > 0.5).flatten(1)  # of 255; in even areas rounding would decide


def near_duplicates(
    photographs: Packed, among: Packed, most: int = 10, least: float = 0.98
) -> dict[int, int]:
    """Photographs that have a near-duplicate among others: position -> its position there.

    The hash proposes, the thumbnails decide: of two skies over two plains the
    hashes differ little, and so do the thumbnails of many, but seldom both.

    Args:
        photographs: those in question.
        among: where near-duplicates are looked for; the most similar counts.
        most: how many of the 64 places of their `difference_hash` may differ.
        least: the correlation of their gray thumbnails of 16 x 16 pixels, at least.
    """
    return _near(_features(photographs), _features(among), most, least)


def _near(
    ours: tuple[Tensor, Tensor], theirs: tuple[Tensor, Tensor], most: int = 10, least: float = 0.98
) -> dict[int, int]:
    """`near_duplicates` of photographs by their `_features`."""
    found = {}
    for start in range(0, len(ours[0]), 256):
        some = slice(start, start + 256)
        differing = (64 - ours[0][some] @ theirs[0].T) / 2
        correlation = (ours[1][some] @ theirs[1].T).masked_fill(differing > most, -1)
        best, where = correlation.max(1)
        for i in (best >= least).nonzero()[:, 0].tolist():
            found[start + i] = int(where[i])
    return found


def _features(photographs: Packed) -> tuple[Tensor, Tensor]:
    """Hashes and thumbnails, so that products compare them.

    Returns:
        (N, 64) of 1 and -1, whose products count equal places less others; and
        (N, 256), whose products are correlations, 0 for a photograph that is even.
    """
    signs = 2 * difference_hash(photographs).float() - 1
    centred = _thumbnails(photographs, (16, 16)).flatten(1)
    centred = centred - centred.mean(1, keepdim=True)
    return signs, centred / centred.norm(dim=1, keepdim=True).clamp_min(1e-3)


def _thumbnails(photographs: Packed, size: tuple[int, int]) -> Tensor:
    """The photographs in gray, (N, *size) in 0..255."""
    weights = torch.tensor(_WEIGHTS).view(3, 1, 1)
    found = []
    for some in photographs.some():
        gray = (some.rgb().float() * weights).sum(1, keepdim=True)
        found.append(F.interpolate(gray, size, mode="bilinear", antialias=True)[:, 0])
    return torch.cat(found)


def summary(parts: Mapping[str, Packed]) -> dict[str, dict[str, Any]]:
    """What can be said of each split without a network.

    Args:
        parts: split -> photographs.

    Returns:
        split -> "photographs"; "chroma", their mean, in Lab units; "near_gray", how
        many are; "mean_colour", a and b; "colour_spread", of the mean colours;
        and for those that are not trained on "near_duplicates", how many have one in "train".
    """
    found: dict[str, dict[str, Any]] = {}
    trained_on = _features(parts["train"]) if "train" in parts else None
    for split, photographs in parts.items():
        colours, chroma = mean_colours(photographs), photographs.chroma()
        found[split] = {
            "photographs": len(photographs),
            "chroma": float(np.mean(chroma)),
            "near_gray": int((chroma < NEAR_GRAY).sum()),
            "mean_colour": colours.double().mean(0).tolist(),
            "colour_spread": spread(colours),
        }
        if split != "train" and trained_on is not None:
            found[split]["near_duplicates"] = len(_near(_features(photographs), trained_on))
    return found
