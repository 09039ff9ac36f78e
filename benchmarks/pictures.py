"""Draws the pictures of README and book that need more photographs than install with the library.

    python benchmarks/pictures.py

`contact-sheet.jpg`: of each of landscapes, places and everyday 16 test photographs, at equal
distances in the order of their names, as `colorlib colorize` predicts them (odd rows), above the
photographs themselves (even rows). `first-light.jpg`: of these 48, the two of each data set with
the lowest error relative to gray, as gray, predicted and photograph.
"""

from pathlib import Path

import torch
from PIL import Image

from colorlib import data, metrics
from colorlib.tool.pipeline import Pipeline
from replication.book import figures

DATA = ("landscapes", "places", "everyday")
EACH, SIDE, COLUMNS = 16, 128, 8
STATIC = Path(__file__).parents[1] / "book" / "_static"


def photographs(name: str) -> torch.Tensor:
    """The fixed test photographs of a data set, in Lab: (16, 3, 128, 128)."""
    photos = sorted(data.photos(name, "test"), key=lambda photo: photo.name)
    step = len(photos) // EACH
    return data.pack(photos[step // 2 :: step][:EACH], SIDE).lab()


def pasted(rows: list[list[Image.Image]], gap: int = 4) -> Image.Image:
    """Rows of images of one size, on white."""
    step = SIDE + gap
    sheet = Image.new("RGB", (step * len(rows[0]) - gap, step * len(rows) - gap), "white")
    for i, row in enumerate(rows):
        for j, image in enumerate(row):
            sheet.paste(image, (j * step, i * step))
    return sheet


def main() -> None:
    pipeline, rows, best = Pipeline(), [], [[], [], []]
    for name in DATA:
        true = photographs(name)
        without = figures.gray(true)
        gray, shown = figures.images(without), figures.images(true)
        predicted = [pipeline(image) for image in gray]
        error = metrics.ab_mse(figures.batch(predicted), true)
        ratio = error / metrics.ab_mse(without, true)
        print(name, " ".join(f"{value:.2f}" for value in ratio.tolist()))
        for start in range(0, EACH, COLUMNS):
            some = slice(start, start + COLUMNS)
            rows += [predicted[some], shown[some]]
        for i in ratio.argsort()[:2].tolist():
            for row, image in zip(best, (gray[i], predicted[i], shown[i]), strict=True):
                row.append(image)
    pasted(rows).save(STATIC / "contact-sheet.jpg", quality=85)
    pasted(best).save(STATIC / "first-light.jpg", quality=88)


if __name__ == "__main__":
    main()
