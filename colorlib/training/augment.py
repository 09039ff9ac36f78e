"""Batches of photographs in random order, with data augmentation.

What happens to a photograph is drawn on the processor, for a whole epoch at once, and
done where the photographs are: on a GPU it waits for nobody.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from colorlib import lab
from colorlib.data import Packed
from colorlib.networks import Inputs
from colorlib.training.processes import ALONE, Processes
from colorlib.training.settings import Settings


@dataclass(frozen=True)
class Visits:
    """The V visits of an epoch, in order.

    Attributes:
        positions: (V,) int64, which photograph.
        mirrored: (V,) bool.
        powers: (V,), to which power lightness is raised.
        windows: (V, 3) int64, top, left and side in pixels of the square that is cut
            out; None if photographs are whole.
    """

    positions: Tensor
    mirrored: Tensor
    powers: Tensor
    windows: Tensor | None

    def to(self, device: str | torch.device) -> "Visits":
        """The same on a device."""
        return self._each(lambda tensor: tensor.to(device))

    def __getitem__(self, which: slice | Tensor) -> "Visits":
        return self._each(lambda tensor: tensor[which])

    def _each(self, change) -> "Visits":
        windows = None if self.windows is None else change(self.windows)
        return Visits(change(self.positions), change(self.mirrored), change(self.powers), windows)


def draw(photographs: int, size: int, settings: Settings, epoch: int) -> Visits:
    """The visits of an epoch. They depend on seed and epoch alone.

    Args:
        photographs: how many there are; each is visited `settings.repeats` times.
        size: their side in pixels.
        settings: how.
        epoch: from 0.
    """
    random = np.random.default_rng((settings.seed, epoch))
    order = [random.permutation(photographs) for _ in range(settings.repeats)]
    visits = photographs * settings.repeats
    mirrored, powers = np.zeros(visits, bool), np.ones(visits, np.float32)
    windows = np.zeros((visits, 3), np.int64)
    most = settings.exposure
    for start, stop in batch_bounds(visits, settings.batch_size):
        if settings.crop is not None:
            windows[start:stop] = [_window(size, settings, random) for _ in range(start, stop)]
        if settings.flip:
            mirrored[start:stop] = random.random(stop - start) < 0.5
        powers[start:stop] = np.exp(random.uniform(-most, most, stop - start))
    return Visits(
        torch.from_numpy(np.concatenate(order)),
        torch.from_numpy(mirrored),
        torch.from_numpy(powers),
        None if settings.crop is None else torch.from_numpy(windows),
    )


def batches(
    train: Packed,
    settings: Settings,
    epoch: int,
    device: str | torch.device = "cpu",
    processes: Processes = ALONE,
) -> Iterator[tuple[Inputs, Tensor, float]]:
    """The batches of one epoch, as this process' share of each.

    They have one size, or two that differ by one.

    Args:
        train: N photographs, each visited `settings.repeats` times.
        settings: how; the side of what is yielded is S = `settings.crop`, or
            else that of the photographs.
        epoch: from 0.
        device: where the batches lie.
        processes: those that share a batch.

    Yields:
        What the network is given of B photographs of side S, their ab, (B, 2, S, S) in
        [-1, 1], and the weight of this process' mean loss: its B times the number of
        processes, divided by the photographs of the whole batch; 1 for one process.
    """
    bounds = batch_bounds(len(train) * settings.repeats, settings.batch_size)
    shares = [processes.share(np.arange(*batch)) for batch in bounds]
    weights = [
        len(share) * processes.count / (stop - start)
        for share, (start, stop) in zip(shares, bounds, strict=True)
    ]
    mine = torch.from_numpy(np.concatenate(shares))
    # Moved once an epoch: a copy to a GPU waits for it.
    visits = draw(len(train), train.size, settings, epoch)[mine].to(device)
    # On a GPU many photographs at a time cost hardly more than a few; a CPU's cache is small.
    at_once = 1 if torch.device(device).type == "cpu" else 2**21 // train.size**2
    ahead = max(1, at_once // settings.batch_size)  # batches
    stop = 0
    for i in range(0, len(bounds), ahead):
        sizes = [len(share) for share in shares[i : i + ahead]]
        start, stop = stop, stop + sum(sizes)
        inputs, ab = _prepared(train, visits[start:stop], settings, device)
        yield from zip(inputs.split(sizes), ab.split(sizes), weights[i : i + ahead], strict=True)


def batch_bounds(count: int, most: int) -> list[tuple[int, int]]:
    """Where each of the fewest batches of at most `most` starts and stops.

    They are of nearly one size: batch normalisation cannot use one of a single photograph.
    """
    batches = math.ceil(count / most)
    size, larger = divmod(count, batches)
    stops = [(i + 1) * size + min(i + 1, larger) for i in range(batches)]
    return list(zip([0, *stops[:-1]], stops, strict=True))


def _window(size: int, settings: Settings, random: np.random.Generator) -> tuple[int, int, int]:
    """Top, left and side of a random square of a photograph."""
    side = settings.crop or size
    if settings.scale is not None:
        side = max(1, round(random.uniform(settings.scale, 1) * size))
    top, left = random.integers(0, size - side + 1, size=2)
    return top, left, side


def _prepared(
    train: Packed, visits: Visits, settings: Settings, device: str | torch.device
) -> tuple[Inputs, Tensor]:
    """What a network is given for some visits, and the ab that it should predict."""
    rgb = train.rgb(visits.positions).to(device)  # (B, 3, S, S)
    if visits.windows is not None:
        cut = _cut if settings.scale is None else _resized
        rgb = cut(rgb, visits.windows, settings.crop or train.size)
    if settings.flip:
        rgb = torch.where(visits.mirrored[:, None, None, None], rgb.flip(-1), rgb)
    L, ab = lab.normalize(lab.rgb_to_lab(rgb.float() / 255))
    if settings.exposure:
        power = visits.powers[:, None, None, None]
        L = 2 * ((L + 1) / 2).clamp(0, 1) ** power - 1
    mirrored = visits.mirrored if settings.flip else False
    return train.given(L, visits.positions, mirrored), ab


def _cut(rgb: Tensor, windows: Tensor, side: int) -> Tensor:
    """Squares of photographs at their own scale: (B, 3, S, S) -> (B, 3, side, side)."""
    along = torch.arange(side, device=rgb.device)
    photo = torch.arange(len(rgb), device=rgb.device)[:, None, None]
    rows = (windows[:, 0, None] + along)[:, :, None]  # (B, side, 1)
    columns = (windows[:, 1, None] + along)[:, None, :]  # (B, 1, side)
    return rgb.permute(0, 2, 3, 1)[photo, rows, columns].permute(0, 3, 1, 2)


def _resized(rgb: Tensor, windows: Tensor, side: int) -> Tensor:
    """Squares of photographs, bilinear with antialiasing: (B, 3, S, S) -> (B, 3, side, side).

    Each has a size of its own, so each is multiplied by two matrices of its own.
    """
    top, left, sides = windows.float().unbind(1)
    down, across = (_resizing(start, sides, rgb.shape[-1], side) for start in (top, left))
    return (down[:, None] @ rgb.float() @ across[:, None].transpose(-1, -2)).round()


def _resizing(start: Tensor, sides: Tensor, size: int, side: int) -> Tensor:
    """The weights of every pixel of a line of `size` in each of `side` new ones: (B, side, size).

    A triangle around the new pixel's place, two new pixels wide, and at least two old ones.
    """
    scale = (sides / side)[:, None, None]
    old = torch.arange(size, device=start.device) + 0.5
    new = start[:, None, None] + scale * (torch.arange(side, device=start.device)[:, None] + 0.5)
    weights = (1 - (old - new).abs() / scale.clamp(min=1)).clamp(min=0)
    first = start[:, None, None]
    weights = weights * ((old > first) & (old < first + sides[:, None, None]))
    return weights / weights.sum(-1, keepdim=True)
