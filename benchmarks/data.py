"""Packing many photographs, and what memory an epoch of them holds.

python benchmarks/data.py imagenet64    # a data set or folder
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import joblib
import numpy as np
from PIL import Image, ImageOps
from timing import ratios, where

from colorlib import data


def in_empty_cache(call: Callable[[], object]) -> float:
    """Seconds that a call takes with an empty cache."""
    before = os.environ.get("COLORLIB_CACHE")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["COLORLIB_CACHE"] = folder
        start = time.perf_counter()
        call()
        found = time.perf_counter() - start
    if before is None:
        del os.environ["COLORLIB_CACHE"]
    else:
        os.environ["COLORLIB_CACHE"] = before
    return found


def decode(task: tuple[Sequence[str], int]) -> int:
    """What packing does, with Pillow alone."""
    paths, size = task
    pixels = np.empty((len(paths), size, size, 3), np.uint8)
    for i, path in enumerate(paths):
        with Image.open(path) as image:
            rgb = image.convert("RGB")
        pixels[i] = ImageOps.fit(rgb, (size, size), Image.Resampling.BICUBIC)
    return len(paths)


def plain(paths: Sequence[str], size: int) -> None:
    tasks = [(paths[i : i + 250], size) for i in range(0, len(paths), 250)]
    with ProcessPoolExecutor(joblib.cpu_count()) as pool:
        list(pool.map(decode, tasks))


def packing(photos: list[data.Photo], sizes: Sequence[int], repeats: int) -> None:
    print("\n## Packing against decoding by Pillow alone, in as many processes\n")
    print("| size | photos | packed a second | ratio, median | lowest | highest |")
    print("| --- | --- | --- | --- | --- | --- |")
    paths = [str(photo.path) for photo in photos]
    for size in sizes:
        ours, theirs = [], []
        for _ in range(repeats):
            theirs.append(in_empty_cache(lambda size=size: plain(paths, size)))
            ours.append(in_empty_cache(lambda size=size: data.pack(photos, size)))
        rate = len(photos) / statistics.median(ours)
        print(f"| {size} | {len(photos):,} | {rate:,.0f} | {ratios(theirs, ours)} |", flush=True)


EPOCH = """
import re, sys, threading, time
from pathlib import Path
import numpy as np
import torch
from colorlib import data, networks, training
file, count = sys.argv[1], int(sys.argv[2])
pixels = torch.from_numpy(np.load(file, mmap_mode="c"))[:count]
names = tuple(map(str, range(count)))
photos = data.Packed(pixels, names, "key")
own = lambda: int(re.search(r"RssAnon:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
most = [0]
def watch():
    while True:
        most[0] = max(most[0], own())
        time.sleep(0.05)
threading.Thread(target=watch, daemon=True).start()
settings = training.Settings(epochs=1, batch_size=16, flip=True)
training.fit(networks.build("baseline", width=0.125), photos, photos.select(range(50)), settings)
print(most[0] / 2**10)
"""


def memory(file: Path, counts: Sequence[int]) -> None:
    print("\n## Memory of an epoch, without what is mapped from files, MiB\n")
    for count in counts:
        call = [sys.executable, "-c", EPOCH, str(file), str(count)]
        found = subprocess.run(call, capture_output=True, text=True, check=True).stdout
        print(f"{count:6,} photographs: {float(found):.0f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", help="a data set or folder")
    parser.add_argument("--sizes", type=int, nargs="+", default=[64])
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    photos = data.photos(options.data, "train")
    print(f"{options.data}: {len(photos):,} photographs; {where()}")
    packing(photos, options.sizes, options.repeats)
    if Path("/proc/self/status").exists():
        with tempfile.TemporaryDirectory() as folder:
            os.environ["COLORLIB_CACHE"] = folder
            data.pack(photos, options.sizes[0])
            (file,) = Path(folder).glob("packed-2/*/pixels.npy")
            memory(file, (min(300, len(photos)), len(photos)))


if __name__ == "__main__":
    main()
