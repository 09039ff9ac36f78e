"""Batches of photographs in random order, with data augmentation."""

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from colorlib import lab
from colorlib.data import Packed
from colorlib.settings import Settings
from colorlib.training.processes import ALONE, Processes


def batches(
    train: Packed,
    settings: Settings,
    epoch: int,
    device: str | torch.device = "cpu",
    processes: Processes = ALONE,
) -> Iterator[tuple[tuple[Tensor, Tensor | None, Tensor], float]]:
    """The batches of one epoch, as this process' share of each.

    The order and what is done to a photograph depend on seed and epoch alone.

    Args:
        train: N photographs, each visited `settings.repeats` times.
        settings: how; the side of what is yielded is S = `settings.crop`, or
            else that of the photographs.
        epoch: from 0.
        device: where the batches lie.
        processes: those that share a batch.

    Yields:
        (L, embedding, ab), float32: L (B, 1, S, S) and ab (B, 2, S, S) in
        [-1, 1], the embedding (B, E) or None without a prior. Then the weight
        of this process' mean loss: its B times the number of processes,
        divided by the photographs of the whole batch; 1 for one process.
    """
    random = np.random.default_rng((settings.seed, epoch))
    visits = [random.permutation(len(train)) for _ in range(settings.repeats)]
    order = np.concatenate(visits)
    # Batches of nearly one size: batch normalisation cannot use one of a single photograph.
    for batch in np.array_split(order, steps(len(order), settings)):
        rgb = train.rgb(batch)  # (B, 3, S, S)
        if settings.crop is not None:
            rgb = torch.stack([_crop(photo, settings, random) for photo in rgb])
        mirrored = np.zeros(len(batch), bool)
        if settings.flip:
            mirrored = random.random(len(batch)) < 0.5
            swap = torch.from_numpy(mirrored)[:, None, None, None]
            rgb = torch.where(swap, rgb.flip(-1), rgb)
        most = settings.exposure
        powers = np.exp(random.uniform(-most, most, len(batch)))
        mine = processes.share(np.arange(len(batch)))
        L, ab = lab.normalize(lab.rgb_to_lab(rgb[mine].to(device).float() / 255))
        if settings.exposure:
            power = torch.from_numpy(powers[mine]).to(L)[:, None, None, None]
            L = 2 * ((L + 1) / 2).clamp(0, 1) ** power - 1
        embedding = train.embedding(batch[mine], mirrored[mine], device)
        yield (L, embedding, ab), len(mine) * processes.count / len(batch)


def steps(visits: int, settings: Settings) -> int:
    """How many batches an epoch has."""
    return math.ceil(visits / settings.batch_size)


def _crop(rgb: Tensor, settings: Settings, random: np.random.Generator) -> Tensor:
    """A random square of a photograph (3, S, S), at its own scale or resized."""
    side = settings.crop or rgb.shape[-1]
    if settings.scale is not None:
        side = max(1, round(random.uniform(settings.scale, 1) * rgb.shape[-1]))
    y, x = random.integers(0, rgb.shape[-1] - side + 1, size=2)
    square = rgb[:, y : y + side, x : x + side]
    if side == settings.crop:
        return square
    return F.interpolate(square[None], settings.crop, mode="bilinear", antialias=True)[0]
