"""Many runs of the experiment matrix, one after the other or several at once."""

import math
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from multiprocessing import parent_process
from pathlib import Path
from queue import Empty
from threading import Thread

import torch

from colorlib import data
from colorlib.base.errors import ColorlibError
from colorlib.training.checkpoints import METRICS
from replication import cost
from replication.matrix import Run
from replication.runner import Shared, perform

_PATIENCE = 30.0  # seconds that a process has to end by itself


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
    """Perform the runs that are not done yet, one process for each device if there are several.

    Their photographs are packed and embedded in the same order, beside the runs that have
    theirs: by this process, which may have children, so with all cores. Runs begin in the
    order in which they are given.

    Args:
        runs: from `matrix`.
        results: the folder of all results.
        work: a folder for checkpoints.
        devices: such as ["cuda:0", "cuda:1"]; one that is there twice does two runs at
            once, as in ["cpu", "cpu"], two processes of one thread.
        commit: what `run.json` should name.
        report: called with each run that has ended, and its error, if any, in a sentence.
        until: when to end, by `time.monotonic`. Nothing begins that is not expected to be
            done by then, and what is not done is stopped: another call goes on from its
            last epoch. None for all the time it takes.
        progress: wraps what is packed and embedded.
    """
    waiting = [run for run in runs if not run.done(results)]
    schedule = _Schedule([], work, until)  # of those that are prepared
    prepared = _prepared(waiting, devices[0], schedule, progress)
    if until is None and (len(devices) == 1 or len(waiting) < 2):
        shared = Shared(devices[0])
        for run in prepared:
            report(run, _attempt(run, results, work, devices[0], commit, shared))
        return
    context = torch.multiprocessing.get_context("spawn")
    tasks, ended = context.Queue(), context.Queue()
    workers = [
        context.Process(target=_worker, args=(tasks, ended, results, work, device, commit))
        for device in devices[: len(waiting)]
    ]
    preparing = Thread(target=_tell, args=(prepared, ended), daemon=True)
    coming, idle, busy = len(waiting), len(workers), 0

    def hand_out() -> None:
        """Something to do for idle workers; None for them to end, if nothing more will come."""
        nonlocal idle, busy
        while idle and ((run := schedule.next()) or not coming):
            idle -= 1
            busy += run is not None
            tasks.put(run)

    try:
        with _interrupts_later():
            preparing.start()
            for worker in workers:
                worker.daemon = True  # ends with this process
                worker.start()
        while (busy or coming) and (found := _next(ended, workers, schedule)):
            if isinstance(found, Run):
                coming -= 1
                schedule.waiting.append(found)
            else:
                busy, idle = busy - 1, idle + 1
                schedule.note(*found)
                report(*found)
            hand_out()
    finally:
        schedule.until = -math.inf  # which ends what is being prepared
        for queue in (tasks, ended):
            queue.cancel_join_thread()  # else this process would wait for somebody to read them
        _end(workers)
        preparing.join(_PATIENCE)


def _prepared(
    waiting: list[Run], device: str, schedule: "_Schedule", progress: data.Progress
) -> Iterator[Run]:
    """Each run when its packs and embeddings are made, until time is up; what is made is kept."""

    def watched(items: Iterable) -> Iterator:
        for item in progress(items):
            if schedule.is_over():
                raise _TimeIsUp
            yield item

    shared = Shared(device, watched)
    for run in waiting:
        try:
            if schedule.is_over():
                return
            shared.load(run)
        except _TimeIsUp:
            return
        except Exception:  # of which the run itself will tell
            pass
        yield run
    if torch.device(device).type == "cuda":
        torch.cuda.empty_cache()  # the memory is the workers'


def _tell(prepared: Iterator[Run], ended) -> None:
    for run in prepared:
        ended.put(run)


class _TimeIsUp(BaseException):
    """No error, so nothing that catches all of them stops it."""


class _Schedule:
    """Which run begins next, as long as there is time for it.

    Args:
        waiting: runs in order.
        work: the folder of checkpoints.
        until: when time is up; None for never.
    """

    def __init__(self, waiting: list[Run], work: Path | str, until: float | None):
        self.waiting, self.work, self.until = list(waiting), work, until
        self.begun: dict[Run, tuple[float, float]] = {}  # when, and what was left to do
        self.seconds: dict[str, list[float]] = {}  # data set -> for a FLOP, of runs that ended

    def left(self) -> float:
        """Seconds until time is up."""
        return math.inf if self.until is None else self.until - time.monotonic()

    def is_over(self) -> bool:
        """Whether time is up."""
        return self.left() <= 0

    def next(self) -> Run | None:
        """The first one that is expected to end in time."""
        if self.until is None:
            return self.waiting.pop(0) if self.waiting else None
        for run in self.waiting:
            flop = self._flop_left(run)
            if self.left() > flop * max(self.seconds.get(run.data, [0.0])):
                self.waiting.remove(run)
                self.begun[run] = (time.monotonic(), flop)
                return run
        return None

    def note(self, run: Run, error: str | None) -> None:
        """A run has ended: others of its data set take about as long for each FLOP."""
        begun, flop = self.begun.get(run, (0.0, 0.0))
        if flop and error is None:
            self.seconds.setdefault(run.data, []).append((time.monotonic() - begun) / flop)

    def _flop_left(self, run: Run) -> float:
        """What its training costs from where it was stopped."""
        settings, losses = run.plan.settings, run.folder(self.work) / METRICS
        if settings is None:
            return 0.0
        done = len(losses.read_text().splitlines()) - 1 if losses.is_file() else 0
        return cost.of(run).flop * (1 - done / settings.epochs)


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


def _next(ended, workers: list, schedule: _Schedule) -> Run | tuple[Run, str | None] | None:
    """What is prepared or ends next, unless all workers have ended; None if time is up."""
    while True:
        alive = any(worker.is_alive() for worker in workers)
        try:
            return ended.get(timeout=max(0, min(2, schedule.left())))
        except Empty:
            if schedule.is_over():
                return None
            if not alive:
                raise ColorlibError(
                    "the processes that did the runs have been killed, perhaps because memory "
                    "ran out; the same command goes on where they stopped"
                ) from None


def _worker(
    tasks, ended, results: Path | str, work: Path | str, device: str, commit: str | None
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # which removes files half written
    Thread(target=_end_with_parent, daemon=True).start()
    shared = Shared(device)
    while (run := tasks.get()) is not None:
        ended.put((run, _attempt(run, results, work, device, commit, shared)))


def _end(workers: list) -> None:
    """End the processes that have been started, and wait until they have."""
    started = [worker for worker in workers if worker.pid is not None]
    for worker in started:
        worker.terminate()
    for worker in started:
        worker.join(_PATIENCE)
        if worker.is_alive():
            worker.kill()
            worker.join()


def _end_with_parent() -> None:
    """End a worker whose parent has been killed: nobody would read its results."""
    if parent := parent_process():
        parent.join()
    os._exit(1)


def _attempt(
    run: Run, results: Path | str, work: Path | str, device: str, commit: str | None,
    shared: Shared,
) -> str | None:
    try:
        perform(run, results, work, device, commit, shared)
    except ColorlibError as error:
        return str(error)
    except Exception as error:  # such as too little memory; the other runs go on
        return f"{type(error).__name__}: {error}"
    return None
