"""``colorlib reproduce``: the runs of the experiment matrix."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from colorlib import provenance
from colorlib.cli.common import PATH, Device, can_go_on
from colorlib.errors import ColorlibError
from colorlib.options import one_of
from colorlib.tables import table


def reproduce(
    scale: Annotated[
        str,
        typer.Option(
            metavar=one_of(table("experiments/matrix.toml")["scales"]), help="Which runs."
        ),
    ] = "seconds",
    only: Annotated[
        str | None,
        typer.Option(help="Runs whose name contains this, such as coast/attention or fusion/0."),
    ] = None,
    results: Annotated[
        Path, typer.Option(help="Where finished runs leave their files.", **PATH)
    ] = Path("results"),
    work: Annotated[Path, typer.Option(help="Where stopped runs wait to go on.", **PATH)] = Path(
        "runs/reproduce"
    ),
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only list the runs, and which are done.")
    ] = False,
    device: Device = "auto",
) -> None:
    """Run the experiment matrix, as far as its results are not there yet.

    Delete a run's folder under results to have it run again. On a CPU there
    is one process a core, on GPUs one a GPU.
    """
    from tqdm import tqdm

    from colorlib import devices, experiments

    runs = experiments.matrix(scale, only)
    if dry_run:
        for run in runs:
            print(f"{run}  {'done' if run.done(results) else 'to do'}")
        return
    if work.resolve() == results.resolve():
        raise ColorlibError("--work and --results must be two folders: work is removed when done")
    failed = 0
    done = sum(run.done(results) for run in runs)
    with can_go_on(), tqdm(total=len(runs), initial=done, unit="run") as bar:

        def tell(run: experiments.Run, error: str | None) -> None:
            nonlocal failed
            failed += error is not None
            bar.update()
            bar.set_postfix_str(str(run))
            if error:
                bar.write(f"colorlib: {run}: {error}", file=sys.stderr)

        experiments.work_through(
            runs, results, work, devices.all_of(device), provenance.commit(), tell
        )
    print(f"{results}: {len(runs) - failed} of {len(runs)} runs of {scale} are there")
    if failed:
        raise typer.Exit(1)
