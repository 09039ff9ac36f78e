"""Many runs of the experiment matrix, one after the other or several at once."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import parent_process
from pathlib import Path
from queue import Empty
from threading import Thread

import torch

from colorlib.errors import ColorlibError
from colorlib.experiments.matrix import Run
from colorlib.experiments.runner import perform


def work_through(
    runs: list[Run],
    results: Path | str,
    work: Path | str,
    devices: list[str],
    commit: str | None = None,
    report: Callable[[Run, str | None], None] = lambda *_: None,
) -> None:
    """Perform the runs that are not done yet, one process for each device if there are several.

    Args:
        runs: from `matrix`.
        results: the folder of all results.
        work: a folder for checkpoints.
        devices: such as ["cuda:0", "cuda:1"], or ["cpu", "cpu"] for two processes of one thread.
        commit: what `run.json` should name.
        report: called with each run that has ended, and its error, if any, in a sentence.
    """
    waiting = [run for run in runs if not run.done(results)]
    if len(devices) == 1 or len(waiting) < 2:
        for run in waiting:
            report(run, _attempt(run, results, work, devices[0], commit))
        return
    context = torch.multiprocessing.get_context("spawn")
    tasks, ended = context.Queue(), context.Queue()
    for run in waiting:
        tasks.put(run)
    workers = [
        context.Process(target=_worker, args=(tasks, ended, results, work, device, commit))
        for device in devices[: len(waiting)]
    ]
    try:
        with _interrupts_later():
            for worker in workers:
                tasks.put(None)  # each worker ends at one
                worker.daemon = True  # ends with this process
                worker.start()
        for _ in waiting:
            report(*_next(ended, workers))
    finally:
        tasks.cancel_join_thread()  # else this process would wait for somebody to take them
        for worker in workers:
            if worker.pid is not None:
                worker.terminate()


@contextmanager
def _interrupts_later() -> Iterator[None]:
    """Hold Ctrl-C back for a while; processes that are started in it never notice it.

    It reaches all processes of a terminal, and the parent ends the others. Where
    systems cannot do this (Windows), only a worker that is at work ignores it.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _next(ended, workers: list) -> tuple[Run, str | None]:
    """What ends next, unless all workers have."""
    while True:
        alive = any(worker.is_alive() for worker in workers)
        try:
            return ended.get(timeout=2)
        except Empty:
            if not alive:
                raise ColorlibError(
                    "the processes that did the runs have been killed, perhaps because memory "
                    "ran out; the same command goes on where they stopped"
                ) from None


def _worker(
    tasks, ended, results: Path | str, work: Path | str, device: str, commit: str | None
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()
    while (run := tasks.get()) is not None:
        ended.put((run, _attempt(run, results, work, device, commit)))


def _end_with_parent() -> None:
    """End a worker whose parent has been killed: nobody would read its results."""
    if parent := parent_process():
        parent.join()
    os._exit(1)


def _attempt(
    run: Run, results: Path | str, work: Path | str, device: str, commit: str | None
) -> str | None:
    try:
        perform(run, results, work, device, commit)
    except ColorlibError as error:
        return str(error)
    except Exception as error:  # such as too little memory; the other runs go on
        return f"{type(error).__name__}: {error}"
    return None
