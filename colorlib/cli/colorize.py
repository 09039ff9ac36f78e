"""``colorlib colorize``: photographs, and folders of them, in colour."""

import sys
from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from colorlib.base.errors import ColorlibError
from colorlib.cli.common import Device, note
from colorlib.tool import zoo

if TYPE_CHECKING:
    from colorlib.files import Job
    from colorlib.tool.pipeline import Pipeline


def colorize(
    photos: Annotated[list[str], typer.Argument(help="Photographs, and folders of them.")],
    out: Annotated[
        str,
        typer.Option(
            metavar="PATH",
            help="A file for one photograph, or a folder, made if need be; with a / at its end "
            "always a folder.",
        ),
    ],
    weights: Annotated[
        str,
        typer.Option(
            help="The library's own by name (see 'colorlib weights'), a file, or a run folder."
        ),
    ] = zoo.DEFAULT,
    working_size: Annotated[
        int | None,
        typer.Option(help="Shorter side the network is given; by default as it was trained."),
    ] = None,
    strength: Annotated[
        float, typer.Option(help="Factor on the colours: 0 is gray, 1 as predicted.")
    ] = 1.0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files of an earlier call.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be written.")
    ] = False,
    device: Device = "auto",
) -> None:
    """Colorize photographs; their lightness, size, transparency and EXIF are kept.

    Ends with status 0 if every photograph was written, and else with 1.
    """
    from tqdm import tqdm

    from colorlib import files
    from colorlib.base import devices
    from colorlib.tool.pipeline import Pipeline, check_options

    check_options(working_size, strength)
    jobs, left_out = files.plan(photos, out, overwrite)
    pipeline = None
    if any(job.error is None for job in jobs):
        device = devices.find(device)
        if dry_run:
            zoo.load(weights)
        else:
            pipeline = Pipeline(weights, device)
    written, interrupted, lost = 0, False, Counter[str]()
    bar = tqdm(jobs, unit="photo", leave=False, disable=None if len(jobs) > 1 else True)
    try:
        for job in bar:
            try:
                text = _colorize_file(job, pipeline, working_size, strength, overwrite, lost)
                written += 1
                if dry_run or len(jobs) == 1:
                    bar.write(text, file=sys.stdout)
            except ColorlibError as error:
                bar.write(f"colorlib: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        interrupted = True
        bar.close()
        note("interrupted; what is written is whole")
    if len(jobs) > 1:
        what = "would be written" if dry_run else "written"
        missing = f", {len(jobs) - written} not" if written < len(jobs) else ""
        print(f"{out}: {written} of {len(jobs)} photos {what}{missing}")
    if others := files.describe(left_out):
        note(others)
    if lost:
        what = ", ".join(f"{name} of {n} photo{'s' * (n > 1)}" for name, n in lost.most_common())
        note(f"not carried into the new files: {what}")
    if written < len(jobs):
        raise typer.Exit(130 if interrupted else 1)


def _colorize_file(
    job: "Job",
    pipeline: "Pipeline | None",
    working_size: int | None,
    strength: float,
    overwrite: bool,
    lost: Counter[str],
) -> str:
    """Colorize one photograph, unless there is no pipeline; returns a line on it.

    Args:
        lost: counts what its new file does not carry.

    Raises:
        ColorlibError: whatever the reason is, so that the others go on.
    """
    from colorlib import files

    if job.error is not None:
        raise ColorlibError(job.error)
    assert job.out, "a job without an error has a place to write to"
    if pipeline is None:
        return f"{job.photo} -> {job.out}"
    try:
        colorized = pipeline(job.photo, working_size, strength)
        lost.update(files.save(colorized, job.out, overwrite))
    except ColorlibError:
        raise
    except Exception as error:  # such as too little memory
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise ColorlibError(f"{job.photo} cannot be colorized: {lines[0]}") from error
    return f"{job.out}: {colorized.width} x {colorized.height} pixels"
