"""How much faster than scikit-image is colorlib.lab on a batch? Prints a Markdown table."""

import platform
import statistics
import time
from collections.abc import Callable

import numpy as np
import skimage
import torch
from skimage.color import lab2rgb, rgb2lab

from colorlib import data, lab

REPEATS = 9


def seconds(*calls: Callable[[], object]) -> list[list[float]]:
    """Times of each call, taken in turns, so that a busy moment hits all of them."""
    times: list[list[float]] = [[] for _ in calls]
    for call in calls:
        call()  # warm up
    for _ in range(REPEATS):
        for call, found in zip(calls, times, strict=True):
            start = time.perf_counter()
            call()
            found.append(time.perf_counter() - start)
    return times


def main() -> None:
    bytes_ = data.pack(data.photos("samples", "train"), 256).rgb()
    bytes_last = np.ascontiguousarray(bytes_.permute(0, 2, 3, 1).numpy())
    rgb = bytes_.float() / 255
    rgb_last = np.ascontiguousarray(rgb.permute(0, 2, 3, 1).numpy())
    converted, converted_last = lab.rgb_to_lab(rgb), rgb2lab(rgb_last)
    print(
        f"{len(rgb)} photographs of 256 x 256, {REPEATS} repeats in turns; "
        f"{platform.machine()} CPU, {torch.get_num_threads()} threads; "
        f"torch {torch.__version__}, scikit-image {skimage.__version__}\n"
    )
    print("| | scikit-image / colorlib, median | lowest | highest |")
    print("| --- | --- | --- | --- |")
    for name, ours, theirs in (
        ("sRGB to Lab, float32", lambda: lab.rgb_to_lab(rgb), lambda: rgb2lab(rgb_last)),
        (
            "sRGB to Lab from 8 bits",
            lambda: lab.rgb_to_lab(bytes_.float() / 255),
            lambda: rgb2lab(bytes_last),  # computes in float64, for want of a choice
        ),
        (
            "Lab to sRGB, float32",
            lambda: lab.lab_to_rgb(converted),
            lambda: lab2rgb(converted_last),
        ),
    ):
        times = seconds(ours, theirs)
        ratios = [slow / fast for fast, slow in zip(*times, strict=True)]
        print(
            f"| {name} | {statistics.median(ratios):.1f} "
            f"| {min(ratios):.1f} | {max(ratios):.1f} |"
        )


if __name__ == "__main__":
    main()
