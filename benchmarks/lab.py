"""How much faster than scikit-image is colorlib.lab on a batch? Prints a Markdown table."""

import numpy as np
import skimage
from skimage.color import lab2rgb, rgb2lab
from timing import ratios, seconds, where

from colorlib import data, lab

REPEATS = 9


def main() -> None:
    bytes_ = data.pack(data.photos("samples", "train"), 256).rgb()
    bytes_last = np.ascontiguousarray(bytes_.permute(0, 2, 3, 1).numpy())
    rgb = bytes_.float() / 255
    rgb_last = np.ascontiguousarray(rgb.permute(0, 2, 3, 1).numpy())
    converted, converted_last = lab.rgb_to_lab(rgb), rgb2lab(rgb_last)
    print(
        f"{len(rgb)} photographs of 256 x 256, {REPEATS} repeats in turns; {where()}, "
        f"scikit-image {skimage.__version__}\n"
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
        fast, slow = seconds(ours, theirs, repeats=REPEATS)
        print(f"| {name} | {ratios(slow, fast)} |")


if __name__ == "__main__":
    main()
