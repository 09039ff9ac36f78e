"""The colours of photographs: a grid over ab, and how frequent each of its cells is.

Zhang et al. 2016 (arXiv 1603.08511, sections 2.1 and 2.2): ab is divided into cells of 10 x 10
Lab units. Here a cell belongs to the grid if at least one colour of sRGB falls into it; there
are 261, while the paper keeps 313, some just outside. ``colours.csv`` names each cell's centre,
and how many pixels of the training photographs of the data set places, at 128 x 128, fall
into it; ``benchmarks/colours.py`` writes it.
"""

import csv
from functools import cache
from importlib import resources

import torch
from torch import Tensor

CELL = 10.0
"""The side of a cell in Lab units; centres are whole multiples of it."""

LEAST = 1e-5
"""A cell is taken for no rarer than this, so that weights of 1 / frequency stay finite, and one
pixel of 128 x 128 carries at most a thirtieth of the weight that a photograph has on average."""

_SIGMA = 5.0
_REACH = 13  # cells from gray to the ends of [-128, 128]


@cache
def _table() -> Tensor:
    """(Q, 3): a and b of each cell's centre, and how many pixels fall into it."""
    with resources.files("colorlib").joinpath("colours.csv").open() as file:
        rows = [[float(value) for value in row] for row in list(csv.reader(file))[1:]]
    return torch.tensor(rows, dtype=torch.float64, device="cpu")  # kept for all devices


def centres() -> Tensor:
    """ab of the centres of all cells in Lab units, (Q, 2) float64, by a and then b."""
    return _table()[:, :2].clone()


def lattice(ab: Tensor) -> tuple[Tensor, Tensor]:
    """The row and the column of each pixel's colour in a square lattice that holds the grid.

    Args:
        ab: (B, 2, H, W) in Lab units.

    Returns:
        By a and by b, each (B, H, W) int64 in 0..26; 13 is gray.
    """
    a, b = (ab / CELL).round().long().clamp(-_REACH, _REACH).add_(_REACH).unbind(1)
    return a, b


def cells(ab: Tensor) -> Tensor:
    """The cell that each pixel's colour falls into; outside of the grid, the nearest one.

    Args:
        ab: (B, 2, H, W) in Lab units.

    Returns:
        (B, H, W) int64, rows of `centres`.
    """
    return _nearest(ab.device)[lattice(ab)]


def divided(ab: Tensor) -> tuple[Tensor, Tensor]:
    """Each pixel's colour as a mean of the cells around it.

    Args:
        ab: (B, 2, H, W) in Lab units.

    Returns:
        Four cells, rows of `centres`, (B, 4, H, W) int64; and their shares, which sum to 1. The
        mean of the centres by these shares is the colour itself, unless some of the four lie
        outside of the grid: then the nearest ones take their place.
    """
    most = _REACH - 1e-3  # the cells around it must lie in the lattice
    scaled = (ab / CELL).clamp(-most, most)
    low = scaled.floor()
    above = scaled - low
    a, b = (low.long() + _REACH).unbind(1)
    shares_a, shares_b = (torch.stack((1 - x, x)) for x in above.unbind(1))  # (2, B, H, W) each
    nearest = _nearest(ab.device)
    found = [(nearest[a + i, b + j], shares_a[i] * shares_b[j]) for i in (0, 1) for j in (0, 1)]
    cells, shares = zip(*found, strict=True)
    return torch.stack(cells, dim=1), torch.stack(shares, dim=1)


def smoothed_frequencies() -> Tensor:
    """How frequent the cells' colours are in photographs, (Q,) float64, at least `LEAST`.

    Shares of pixels, smoothed by a Gaussian with a sigma of 5 Lab units (section 2.2), which
    spreads a cell's share over the grid and leaves their sum 1, up to `LEAST`.
    """
    apart = torch.cdist(centres(), centres())
    spread = torch.exp(-(apart**2) / (2 * _SIGMA**2))
    pixels = _table()[:, 2]
    return (spread / spread.sum(dim=0) @ (pixels / pixels.sum())).clamp(min=LEAST)


@cache
def _nearest(device: torch.device) -> Tensor:
    """The cell nearest to each point of a square lattice, (27, 27)."""
    line = torch.arange(-_REACH, _REACH + 1, dtype=torch.float64, device="cpu") * CELL
    apart = torch.cdist(torch.cartesian_prod(line, line), centres())
    return apart.argmin(dim=1).view(len(line), len(line)).to(device)
