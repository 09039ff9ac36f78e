"""Counts the colours of training photographs, for ``colorlib/colours.csv``.

    python benchmarks/colours.py

It needs the data set places. A cell of the grid is in the table if a colour of sRGB falls
into it. Seen along L, the colours inside the cube of R, G and B hide behind those of its
faces, so these are enough.
"""

from pathlib import Path

import torch
from torch import Tensor

from colorlib import colours, data, lab

GRAY = 13  # its row and its column of the lattice


def count(rgb: Tensor) -> Tensor:
    """How many pixels (B, 3, H, W), uint8, fall into each cell of the square lattice, (27, 27)."""
    a, b = colours.lattice(lab.rgb_to_lab(rgb.double() / 255)[:, 1:])
    side = 2 * GRAY + 1
    return torch.bincount((a * side + b).flatten(), minlength=side**2).view(side, side)


def faces() -> Tensor:
    """The colours on the faces of the cube of R, G and B, (6, 3, 256, 256) uint8."""
    levels = torch.arange(256)
    one, other = torch.meshgrid(levels, levels, indexing="ij")
    found = []
    for channel in range(3):
        for level in (0, 255):
            face = [one, other]
            face.insert(channel, torch.full_like(one, level))
            found.append(torch.stack(face))
    return torch.stack(found).byte()


def main() -> None:
    photographs = data.pack(data.photos("places", "train"), 128)
    pixels = sum(count(some.rgb()) for some in photographs.some())
    inside = count(faces()).nonzero()
    rows = [
        f"{colours.CELL * (a - GRAY):.0f},{colours.CELL * (b - GRAY):.0f},{pixels[a, b]}"
        for a, b in inside.tolist()
    ]
    path = Path(colours.__file__).with_suffix(".csv")
    path.write_text("\n".join(("a,b,pixels", *rows)) + "\n")
    print(path, len(rows), "cells,", int(pixels.sum()), "pixels")


if __name__ == "__main__":
    main()
