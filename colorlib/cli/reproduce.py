"""``colorlib reproduce``: the runs of the experiment matrix."""

import sys
import time
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from colorlib.base import provenance
from colorlib.base.errors import ColorlibError
from colorlib.base.tables import table
from colorlib.cli.common import PATH, Device, can_go_on, counted
from colorlib.cli.options import one_of


def reproduce(
    scale: Annotated[
        str,
        typer.Option(
            metavar=one_of(table("replication/matrix.toml")["scales"]), help="Which runs."
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
        bool,
        typer.Option("--dry-run", help="Only list the runs, which are done, and what they cost."),
    ] = False,
    rate: Annotated[
        float, typer.Option(help="TFLOP a second, from which --dry-run tells the time.")
    ] = 100.0,
    minutes: Annotated[
        float | None,
        typer.Option(min=0, help="End in time; the same command goes on where this one stopped."),
    ] = None,
    workers_per_device: Annotated[
        int, typer.Option(min=1, help="Runs that share a GPU, or a core.")
    ] = 1,
    device: Device = "auto",
) -> None:
    """Run the experiment matrix, as far as its results are not there yet.

    Delete a run's line in results/SCALE/runs.jsonl to have it run again. On a CPU there
    is one process a core, on GPUs one a GPU.
    """
    until = None if minutes is None else time.monotonic() + 60 * minutes

    from tqdm import tqdm

    import replication

    if not rate > 0:
        raise ColorlibError(f"--rate must be positive, not {rate:g}")
    runs = replication.matrix(scale, only)
    costs = {run: replication.cost.of(run) for run in runs}
    if dry_run:
        _list(costs, results, rate)
        return
    if work.resolve() == results.resolve():
        raise ColorlibError("--work and --results must be two folders: work is removed when done")
    slots = [one for one in replication.all_of(device) for _ in range(workers_per_device)]
    failed = 0
    # The bar counts operations, by which it tells the time left; a trivial baseline counts too.
    tflop = {run: cost.flop / 1e12 + 1e-6 for run, cost in costs.items()}
    bar = tqdm(
        total=sum(tflop.values()),
        initial=sum(tflop[run] for run in runs if run.done(results)),
        bar_format="{percentage:3.0f}% |{bar}| {n:.3g}/{total:.3g} TFLOP "
        "[{elapsed}<{remaining}{postfix}]",
    )
    with can_go_on(), bar:

        def tell(run: replication.Run, error: str | None) -> None:
            nonlocal failed
            failed += error is not None
            bar.update(tflop[run])
            bar.set_postfix_str(str(run))
            if error:
                bar.write(f"colorlib: {run}: {error}", file=sys.stderr)

        replication.work_through(
            runs, results, work, slots, provenance.commit(), tell, until, partial(tqdm, leave=False)
        )
    done = sum(run.done(results) for run in runs)
    more = "; time is up, and the same command goes on" if done + failed < len(runs) else ""
    print(f"{results}: {done} of {len(runs)} runs of {scale} are there{more}")
    if failed:
        raise typer.Exit(1)


def _list(costs: dict, results: Path, rate: float) -> None:
    """Print each run and its `replication.Cost`, and the sums."""
    width = max(len(str(run)) for run in costs)
    for run, (visits, flop) in costs.items():
        state = "done" if run.done(results) else "to do"
        print(f"{run!s:{width}}  {state:5}  {visits:11,} visits  {flop / 1e12:10,.1f} TFLOP")
    to_do = [run for run in costs if not run.done(results)]
    for what, some in (("all", list(costs)), ("to do", to_do)):
        visits, flop = (sum(costs[run][i] for run in some) for i in range(2))
        hours = flop / 1e12 / rate / 3600
        print(
            f"{what}: {counted(len(some), 'run')}, {visits:,} visits of photographs, "
            f"{flop / 1e15:,.1f} PFLOP: {hours:,.2f} h at {rate:g} TFLOP/s"
        )
    print("That is training alone: starting, reading, validation and metrics come on top.")
