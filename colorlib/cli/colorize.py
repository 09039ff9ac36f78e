"""``colorlib colorize``: photographs, and folders of them, in colour."""

import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from colorlib.base.errors import ColorlibError
from colorlib.cli.common import PATH, Device, as_json, note
from colorlib.tool import zoo

if TYPE_CHECKING:
    from colorlib.files import Job, LeftOut
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
        bool, typer.Option("--dry-run", help="Only say what would be written, also in --json.")
    ] = False,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", help="Write what became of each photograph here.", **PATH),
    ] = None,
    device: Device = "auto",
) -> None:
    """Colorize photographs; their lightness, size, transparency and EXIF are kept.

    Ends with status 0 if every photograph was written, and else with 1.
    """
    from colorlib import files
    from colorlib.base import devices
    from colorlib.tool.pipeline import Pipeline, check_options

    check_options(working_size, strength)
    jobs, left_out = files.plan(photos, out, overwrite)
    _check_report(json_file, jobs, overwrite)
    pipeline = None
    if any(job.error is None for job in jobs):
        device = devices.find(device)
        if dry_run:
            zoo.load(weights)
        else:
            pipeline = Pipeline(weights, device)

    def one(job: "Job") -> dict[str, Any]:
        if pipeline is None:
            return {"dry_run": True}
        return _colorize_file(job, pipeline, working_size, strength, overwrite)

    report, interrupted = _colorize_each(jobs, one, dry_run)
    if json_file is not None:
        files.write_text(json_file, as_json(report), overwrite)
    failed = sum(row["error"] is not None for row in report)
    if len(jobs) > 1:
        what = "would be written" if dry_run else "written"
        rest = len(jobs) - len(report) + failed
        missing = f", {rest} not" if rest else ""
        print(f"{out}: {len(report) - failed} of {len(jobs)} photos {what}{missing}")
    elif pipeline is not None and not failed and not interrupted:
        print(f"{jobs[0].out}: {report[0]['width']} x {report[0]['height']} pixels")
    _say_what_is_missing(report, left_out)
    if failed or interrupted:
        raise typer.Exit(130 if interrupted else 1)


def _check_report(json_file: Path | None, jobs: Sequence["Job"], overwrite: bool) -> None:
    """Refuse a report that would replace a file, above all a photograph."""
    if json_file is None:
        return
    if json_file.exists() and not overwrite:
        raise ColorlibError(f"{json_file} exists already and is not overwritten")
    taken = {path.resolve() for job in jobs for path in (job.photo, job.out) if path}
    if json_file.resolve() in taken:
        raise ColorlibError(f"{json_file} is one of the photographs: give --json another name")


def _colorize_each(
    jobs: Sequence["Job"], one: Callable[["Job"], dict[str, Any]], dry_run: bool
) -> tuple[list[dict[str, Any]], bool]:
    """What became of each photograph, and whether the user interrupted."""
    from tqdm import tqdm

    report = []
    bar = tqdm(jobs, unit="photo", leave=False, disable=None if len(jobs) > 1 else True)
    try:
        for job in bar:
            row: dict[str, Any] = {
                "photo": str(job.photo), "out": job.out and str(job.out), "error": job.error
            }
            if job.error is None:
                row |= one(job)
            if row["error"]:
                bar.write(f"colorlib: {row['error']}", file=sys.stderr)
            elif dry_run:
                bar.write(f"{job.photo} -> {job.out}", file=sys.stdout)
            report.append(row)
    except KeyboardInterrupt:
        bar.close()
        note("interrupted; what is written is whole")
        return report, True
    return report, False


def _colorize_file(
    job: "Job", pipeline: "Pipeline", working_size: int | None, strength: float, overwrite: bool
) -> dict[str, Any]:
    """Colorize one photograph: what to report of it, or its error in a sentence."""
    from colorlib import files

    assert job.out, "a job without an error has a place to write to"
    start = time.perf_counter()
    try:
        colorized = pipeline(job.photo, working_size, strength)
        not_carried = files.save(colorized, job.out, overwrite)
    except ColorlibError as error:
        return {"error": str(error)}
    except Exception as error:  # such as too little memory: the others go on
        lines = str(error).strip().splitlines() or [type(error).__name__]
        return {"error": f"{job.photo} cannot be colorized: {lines[0]}"}
    return {
        "width": colorized.width,
        "height": colorized.height,
        "not_carried": not_carried,
        "seconds": round(time.perf_counter() - start, 3),
    }


def _say_what_is_missing(report: Sequence[dict], left_out: Sequence["LeftOut"]) -> None:
    """A line on files that are no photographs, and one on what formats cannot hold."""
    from colorlib import files

    if text := files.describe(left_out):
        note(text)
    lost = Counter(name for row in report for name in row.get("not_carried", ()))
    if lost:
        what = ", ".join(
            f"{name} of {count} photo{'s' * (count > 1)}" for name, count in lost.most_common()
        )
        note(f"not carried, since the format of the new file cannot hold it: {what}")
