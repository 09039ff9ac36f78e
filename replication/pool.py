"""Many runs of the experiment matrix, one after the other or several at once."""

import os
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, TimeoutError, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import active_children, get_context, parent_process
from pathlib import Path
from threading import Thread

import torch

from colorlib import data
from colorlib.base.devices import find
from colorlib.base.errors import ColorlibError
from replication.matrix import Run
from replication.runner import Shared, perform

_PATIENCE = 30.0  # seconds that a process has to end by itself
_shared: Shared


def work_through(
    runs: list[Run],
    results: Path | str,
    work: Path | str,
    devices: list[str],
    commit: str | None = None,
    report: Callable[[Run, str | None], None] = lambda *_: None,
    until: float | None = None,
    progress: data.Progress = iter,
) -> None:
    """Perform the runs that are not done yet, in order; a process for each device if several.

    Args:
        runs: from `matrix`.
        results: the folder of all results.
        work: a folder for checkpoints.
        devices: such as ["cuda:0", "cuda:1"]; one that is there twice does two runs at
            once, as in ["cpu", "cpu"], two processes of one thread.
        commit: what ``runs.jsonl`` should name.
        report: called with each run that has ended, and its error, if any, in a sentence.
        until: when to end, by `time.monotonic`: what is not done by then is stopped, and another
            call goes on from its last epoch. None for all the time it takes.
        progress: wraps what is packed and embedded, where one process does everything.

    Raises:
        ColorlibError: a process was killed.
    """
    waiting = [run for run in runs if not run.done(results)]
    if until is None and (len(devices) == 1 or len(waiting) < 2):
        shared = Shared(devices[0], progress)
        for run in waiting:
            report(run, _attempt(run, results, work, commit, shared))
        return
    left = None if until is None else until - time.monotonic()
    if not waiting or (left is not None and left <= 0):
        return
    context, others = get_context("spawn"), set(active_children())
    slots = context.Queue()
    for device in devices:
        slots.put(device)
    pool = ProcessPoolExecutor(min(len(devices), len(waiting)), context, _begin, (slots,))
    try:
        ended = {pool.submit(_in_worker, run, results, work, commit): run for run in waiting}
        for future in as_completed(ended, left):
            report(ended[future], future.result())
    except TimeoutError:
        pass
    except BrokenProcessPool:
        raise ColorlibError(
            "a process that did a run has been killed, perhaps because memory ran out; "
            "the same command goes on where it stopped"
        ) from None
    finally:  # files are whole at any time, so nothing is lost but the epoch begun
        workers = set(active_children()) - others
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.join(_PATIENCE)
            worker.kill()
        pool.shutdown(cancel_futures=True)


def _begin(slots) -> None:
    """Make a process ready for runs on a device of its own; it ends with its parent."""
    global _shared  # what it loads for its runs
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of which the parent tells
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # which removes files half written
    Thread(target=lambda: (parent_process().join(), os._exit(1)), daemon=True).start()  # type: ignore[union-attr]
    _shared = Shared(slots.get())


def _in_worker(run: Run, results: Path | str, work: Path | str, commit: str | None) -> str | None:
    try:
        return _attempt(run, results, work, commit, _shared)
    except SystemExit:
        os._exit(1)  # else it would begin another


def _attempt(
    run: Run, results: Path | str, work: Path | str, commit: str | None, shared: Shared
) -> str | None:
    """Perform a run; its error in a sentence."""
    try:
        perform(run, results, work, shared.device, commit, shared)
    except ColorlibError as error:
        return str(error)
    except Exception as error:  # such as too little memory; the other runs go on
        return f"{type(error).__name__}: {error}"
    return None


def all_of(name: str) -> list[str]:
    """A device for each run that is done at a time: every GPU, or one for each core of a CPU.

    Args:
        name: as for `devices.find`; a GPU with its number, such as "cuda:1", is taken alone.

    Raises:
        ColorlibError: there is no such device here.
    """
    device = find(name)
    if device == "cpu":
        return ["cpu"] * (os.cpu_count() or 1)
    if name in ("auto", "cuda") and device.startswith("cuda"):
        return [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    return [device]
