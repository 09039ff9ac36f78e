"""``colorlib export``: weights as an ONNX file, for programs that have no torch."""

from pathlib import Path
from typing import Annotated

import typer

from colorlib.cli.common import PATH
from colorlib.tool import zoo


def export(
    out: Annotated[Path, typer.Option(help="The file to write, such as network.onnx.", **PATH)],
    weights: Annotated[
        str,
        typer.Option(
            help="The library's own by name (see 'colorlib weights'), a file, or a run folder."
        ),
    ] = zoo.DEFAULT,
) -> None:
    """Write a network as an ONNX file that takes photographs of any size, and check it.

    The network alone: 'colorize' gives it photographs at their working size, takes the mean with
    the mirror image, and upsamples ab.
    """
    from colorlib.tool.export import export_onnx

    given = zoo.load(weights)
    difference = export_onnx(given.model, out, **given.about)
    print(f"{out}: {out.stat().st_size / 1e6:.1f} MB, working size {given.size}")
    print("    input L: (B, 1, H, W) in [-1, 1], H and W from 8 up")
    if length := given.model.config.embedding:
        print(
            f"    input embedding: (B, {length}); the prior that computes it is not in the file, "
            "and 'about' in its metadata says which it is"
        )
    print("    output ab: (B, 2, H, W) in [-1, 1]")
    print(f"    checked: onnxruntime's ab differ from torch's by {difference:.1g} at most")
