"""Chooses how the distributions of a quantized head are made into colours, on validation photos.

    python benchmarks/choose.py weights.safetensors

Temperature and adjustment change no weights, so one network can answer in several ways. The
rule, fixed before the numbers were known, on 50 validation photographs of each of landscapes,
places and everyday, at 256 x 256 through the tool:

- *default*: of the ways whose chroma is at least 0.8 of the true one on the mean of the three
  data sets, the one with the lowest error (in shares of the error of mean colour);
- *vivid*: of those with a chroma between 1.0 and 1.3 that is above the default's, the one that
  closes the largest share of the classifier's gap.

It prints what it finds; the choices are `changes` in the cards `unet.json` and `vivid.json`.
"""

import sys
from dataclasses import dataclass, replace
from itertools import product
from statistics import mean

from cards import SIDE, evenly, relative

from colorlib import data
from colorlib.tool import weights, zoo

DATA = ("landscapes", "places", "everyday")
PHOTOS = 50
TEMPERATURES = (1.0, 0.6, 0.38)
ADJUSTMENTS = (0.0, 0.15, 0.3)


@dataclass(frozen=True)
class Way:
    """One way to answer, and its means over the data sets."""

    temperature: float
    adjustment: float
    error: float
    chroma: float
    gap: float


def choose(ways: list[Way]) -> dict[str, Way | None]:
    """What the rule says; None where no way fulfils its condition."""
    coloured = [way for way in ways if way.chroma >= 0.8]
    default = min(coloured, key=lambda way: way.error, default=None)
    least = max(1.0, default.chroma + 0.01) if default else 1.0
    vivid = [way for way in ways if least <= way.chroma <= 1.3]
    return {"default": default, "vivid": max(vivid, key=lambda way: way.gap, default=None)}


def main(path: str) -> None:
    given = zoo.load(path)
    packed = {}
    for name in DATA:
        train, val = (data.pack(data.photos(name, split), SIDE) for split in ("train", "val"))
        packed[name] = train, evenly(val, PHOTOS)
    print("| temperature | adjustment |" + "".join(f" {name} |" for name in DATA) + " mean |")
    print("| --- | --- |" + " --- |" * (len(DATA) + 1))
    ways = []
    for temperature, adjustment in product(TEMPERATURES, ADJUSTMENTS):
        model = weights.load_weights(
            given.path, temperature=temperature, adjustment=adjustment
        )
        rows = []
        for train, val in packed.values():
            found = relative(train, val, replace(given, model=model))
            rows.append((found["network"] / found["mean colour"], found["chroma"], found["gap"]))
        means = [mean(values) for values in zip(*rows, strict=True)]
        ways.append(Way(temperature, adjustment, *means))
        cells = (f"{error:.0%}, {chroma:.2f}, {gap:.0%}" for error, chroma, gap in (*rows, means))
        print(f"| {temperature} | {adjustment} | {' | '.join(cells)} |", flush=True)
    for name, way in choose(ways).items():
        print(f"{name}: {way}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
