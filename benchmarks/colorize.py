"""What a photograph costs to colorize, by its size. Prints Markdown tables.

    python benchmarks/colorize.py [--quality]

With `--quality` only what is no matter of time: mirror images, a moving camera, upsampling.
"""

import multiprocessing
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from timing import peak, where
from torch.nn import functional as F

from colorlib import data, files, lab
from colorlib.tool import zoo
from colorlib.tool.pipeline import GUIDED, Pipeline, predict, upsample
from replication.book import figures

VALIDATION = ("landscapes", "places", "everyday")
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
    for job in files.plan([folder / "in"], folder / "out")[0]:
        start = time.perf_counter()
        files.save(pipeline(files.read(job.photo)), job.out)
        times.append(time.perf_counter() - start)
    print(f"\nA folder of {count} photographs of 0.25 megapixels: {count / sum(times):.1f} a "
          f"second, median {statistics.median(times):.2f} s, slowest {max(times):.2f} s")


def mirror(count: int = 200) -> None:
    """What the mean with the mirror image gains, on validation photographs."""
    print("\n### The mean with the mirror image\n")
    print(f"Error on {count} validation photographs at the working size, relative to that without "
          "it.\n")
    print("| weights | " + " | ".join(VALIDATION) + " |\n| --- |" + " --- |" * len(VALIDATION))
    for name in zoo.names():
        given, cells = zoo.load(name), []
        for data_set in VALIDATION:
            packed = data.pack(data.photos(data_set, "val"), given.size).select(range(count))
            alone, both = torch.zeros(2).double()
            for some in packed.some():
                L, ab = lab.normalize(some.lab())
                with torch.no_grad():
                    alone += (given.model(L) - ab).square().sum()
                both += (predict(given.model, L, given.size) - ab).square().sum()
            cells.append(f"{both / alone:.3f}")
        print(f"| {name} | {' | '.join(cells)} |")


def moving(frames: int = 12, step: int = 2, width: int = 512, height: int = 384) -> None:
    """A camera that moves to the right: do the colours of what it sees stay?"""
    print(f"\n### {frames} frames of {width} x {height}, each {step} pixels further right\n")
    print("By how many Lab units a and b of the same point change from one frame to the next, the "
          "mean over\nthe test photographs of `samples`; and relative to their mean chroma.\n")
    print("| weights | change | relative |")
    print("| --- | --- | --- |")
    for name in zoo.names():
        pipeline, changes, chromas = Pipeline(name), [], []
        for photo in data.photos("samples", "test"):
            image = files.upright(files.read(photo.path))
            image = ImageOps.fit(image, (width + step * (frames - 1), height))
            crops = [image.crop((x, 0, x + width, height))
                     for x in range(0, step * frames, step)]
            ab = figures.batch([pipeline(crop) for crop in crops])[:, 1:]
            changes.append((ab[1:, :, :, :-step] - ab[:-1, :, :, step:]).abs().mean().item())
            chromas.append(ab.norm(dim=1).mean().item())
        change, chroma = statistics.mean(changes), statistics.mean(chromas)
        print(f"| {name} | {change:.2f} | {change / chroma:.1%} |")


def upsampling(side: int = 512) -> None:
    """Does joint bilateral upsampling bleed less than plain interpolation?"""
    given = zoo.load()
    packed = data.pack(data.photos("samples", "test"), side)
    found: dict[str, dict[str, list]] = {"true colours": {}, "predicted colours": {}}
    for i in range(len(packed)):
        L, ab = lab.normalize(packed.lab([i]))
        true = F.interpolate(ab, given.size, mode="area")
        small = F.interpolate(L, given.size, mode="bicubic", antialias=True).clamp(-1, 1)
        predicted = predict(given.model, small, given.size)  # not enlarged yet
        smooth = F.avg_pool2d(ab, 9, 1, 4, count_include_pad=False)
        contrast = torch.hypot(*(ab - smooth).unbind(1))
        edge = contrast > contrast.quantile(0.9)
        for small, rows in zip((true, predicted), found.values(), strict=True):
            for name, large in enlargements(small, L).items():
                error = ((large - ab) ** 2).sum(dim=1)
                both = error.mean().item(), error[edge].mean().item()
                rows.setdefault(name, []).append(both)
    print(f"\n### Enlarging {given.size} x {given.size} colours to {side} x {side}\n")
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
    areas = enlargements(F.interpolate(ab, given.size, mode="area"), L)
    for name in areas:
        cells = []
        for rows in found.values():
            ratios = np.array(rows[name]) / np.array(rows["bilinear"])
            cells += [f"{ratio:.3f}" for ratio in ratios.mean(axis=0)]
        off = ((areas[name] - ab).abs() > 0.04).float().mean()
        print(f"| {name} | {' | '.join(cells)} | {off:.2%} |")


def enlargements(small: torch.Tensor, L: torch.Tensor) -> dict[str, torch.Tensor]:
    side = L.shape[-1]
    guide = F.interpolate(L, GUIDED, mode="bicubic", antialias=True).clamp(-1, 1)
    return {
        "bilinear": F.interpolate(small, side, mode="bilinear"),
        "bicubic": F.interpolate(small, side, mode="bicubic"),
        "joint bilateral": F.interpolate(upsample(small, guide), side, mode="bilinear"),
    }


def main() -> None:
    print(f"{where()}; shipped weights\n")
    if "--quality" not in sys.argv:
        with tempfile.TemporaryDirectory() as folder:
            sizes(Path(folder))
            album(Path(folder))
    mirror()
    moving()
    upsampling()


if __name__ == "__main__":
    main()
