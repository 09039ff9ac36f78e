"""What a photograph costs to colorize, by its size. Prints Markdown tables.

    python benchmarks/colorize.py
"""

import multiprocessing
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from timing import peak, where
from torch.nn import functional as F

from colorlib import data, files, lab, networks, zoo
from colorlib.pipeline import Pipeline, upsample

SIDES = ((612, 408), (1224, 816), (4242, 2828), (8660, 5774))  # 0.25, 1, 12, 50 megapixels


def enlarged(side: tuple[int, int], path: Path) -> None:
    """A photograph of the samples at any size."""
    photo = data.photos("samples", "test")[5]
    files.upright(files.read(photo.path)).resize(side).save(path, quality=90)


def one(path: Path, out: Path, result) -> None:
    """In a process of its own: seconds to read, predict and write; the memory."""
    pipeline = Pipeline()
    pipeline(Image.new("L", (99, 99)))  # warm up
    begun = time.perf_counter()
    image = files.read(path)
    read = time.perf_counter()
    colorized = pipeline(image)
    done = time.perf_counter()
    files.save(colorized, out)
    written = time.perf_counter()
    result.put((read - begun, done - read, written - done, peak()))


def sizes(folder: Path) -> None:
    print("| megapixels | read, s | predict, s | write, s | s a megapixel | peak memory, MiB |")
    print("| --- | --- | --- | --- | --- | --- |")
    context = multiprocessing.get_context("spawn")
    for i, side in enumerate(SIDES):
        enlarged(side, folder / f"{i}.jpg")
        result = context.Queue()
        process = context.Process(
            target=one, args=(folder / f"{i}.jpg", folder / f"out-{i}.jpg", result)
        )
        process.start()
        read, predict, write, memory = result.get()
        process.join()
        pixels = side[0] * side[1] / 1e6
        total = (read + predict + write) / pixels
        print(f"| {pixels:.2f} | {read:.2f} | {predict:.2f} | {write:.2f} | {total:.2f} "
              f"| {memory:.0f} |")


def album(folder: Path, count: int = 100) -> None:
    pipeline = Pipeline()
    (folder / "in").mkdir()
    for i in range(count):
        enlarged((612, 408), folder / "in" / f"{i}.jpg")
    times = []
    for job in files.jobs([folder / "in"], folder / "out"):
        start = time.perf_counter()
        files.save(pipeline(files.read(job.photo)), job.out)
        times.append(time.perf_counter() - start)
    print(f"\nA folder of {count} photographs of 0.25 megapixels: {count / sum(times):.1f} a "
          f"second, median {statistics.median(times):.2f} s, slowest {max(times):.2f} s")


def upsampling(side: int = 512) -> None:
    """Does joint bilateral upsampling bleed less than plain interpolation?"""
    model = networks.load_weights(zoo.find(zoo.DEFAULT))
    packed = data.pack(data.photos("samples", "test"), side)
    found: dict[str, dict[str, list]] = {"true colours": {}, "predicted colours": {}}
    for i in range(len(packed)):
        L, ab = lab.normalize(packed.lab([i]))
        true = F.interpolate(ab, 64, mode="area")
        with torch.no_grad():
            predicted = model(F.interpolate(L, 64, mode="bilinear", antialias=True))
        smooth = F.avg_pool2d(ab, 9, 1, 4, count_include_pad=False)
        contrast = torch.hypot(*(ab - smooth).unbind(1))
        edge = contrast > contrast.quantile(0.9)
        for small, rows in zip((true, predicted), found.values(), strict=True):
            for name, large in enlargements(small, L).items():
                error = ((large - ab) ** 2).sum(dim=1)
                both = error.mean().item(), error[edge].mean().item()
                rows.setdefault(name, []).append(both)
    print(f"\n### Enlarging 64 x 64 colours to {side} x {side}\n")
    print("Errors relative to bilinear, over the test photographs of `samples`: everywhere, and "
          "in the tenth\nof the pixels where colours change most. `true colours` are the "
          "photographs' own, reduced first.\nThe last column has two areas of one colour each "
          "and of different lightness: the share of pixels\nthat are off by more than a tenth of "
          "the contrast.\n")
    print("| | true colours | at edges | predicted colours | at edges | two areas |")
    print("| --- | --- | --- | --- | --- | --- |")
    L = torch.zeros(1, 1, side, side)
    L[..., side // 2 + 5 :] = 0.8  # an edge within a pixel of the small map
    ab = torch.cat((L, -L), dim=1) / 2
    areas = enlargements(F.interpolate(ab, 64, mode="area"), L)
    for name in areas:
        cells = []
        for rows in found.values():
            ratios = np.array(rows[name]) / np.array(rows["bilinear"])
            cells += [f"{ratio:.3f}" for ratio in ratios.mean(axis=0)]
        off = ((areas[name] - ab).abs() > 0.04).float().mean()
        print(f"| {name} | {' | '.join(cells)} | {off:.2%} |")


def enlargements(small: torch.Tensor, L: torch.Tensor) -> dict[str, torch.Tensor]:
    side = L.shape[-1]
    guide = F.interpolate(L, 256, mode="bicubic", antialias=True).clamp(-1, 1)
    return {
        "bilinear": F.interpolate(small, side, mode="bilinear"),
        "bicubic": F.interpolate(small, side, mode="bicubic"),
        "joint bilateral": F.interpolate(upsample(small, guide), side, mode="bilinear"),
    }


def main() -> None:
    print(f"{where()}; shipped weights\n")
    if "--upsampling" not in sys.argv:
        with tempfile.TemporaryDirectory() as folder:
            sizes(Path(folder))
            album(Path(folder))
    upsampling()


if __name__ == "__main__":
    main()
