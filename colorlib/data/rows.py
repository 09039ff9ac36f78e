"""Arrays in the cache that take long to make: by all cores, in chunks, going on after a stop."""

import json
import os
import shutil
import signal
import time
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager, suppress
from functools import partial
from io import BytesIO
from multiprocessing import parent_process
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

import joblib
import numpy as np
from filelock import FileLock, Timeout

from colorlib.base.errors import ColorlibError
from colorlib.data.cache import cache_dir, cannot_write

try:
    from joblib.externals.loky import get_reusable_executor
except ImportError:  # a joblib that needs it, but does not carry it
    from loky import get_reusable_executor

Make = Callable[[Any], tuple[np.ndarray, dict[int, str]]]
"""Items -> a row for each, and why some of them have none: position -> sentence."""

Read = Callable[[Sequence[Any]], Any]
"""Items -> what rows are made from."""

Progress = Callable[[Iterable], Iterable]
"""Wraps what is iterated over, such as ``tqdm``; it has a length."""

_PATIENCE = 1.0  # seconds to wait for another process before saying so
_ALONE = 1.0  # seconds of work for one core; for more, starting the others is worth it
_AHEAD = 2  # chunks that are made, or waiting to be, for each process
_IDLE = 300  # seconds after which a process that has nothing to do ends


class Kind(NamedTuple):
    """What an array is filled with.

    Attributes:
        name: of the file.
        shape: of a row.
        dtype: of its numbers, as numpy names it, such as "<f4".
        chunk: how many items are made at a time.
        threads: whether chunks are made by threads of this process; else by processes.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    chunk: int
    threads: bool


def fill(
    folder: Path,
    kind: Kind,
    items: Sequence[Any],
    make: Make,
    progress: Progress = iter,
    read: Read | None = None,
) -> dict[int, str]:
    """Fill ``folder / kind.name`` with a row for each item, unless it is there.

    The folder appears when it is complete. Until then its chunks are in a
    folder beside it, ``.partial``, where another call goes on. Of several processes that
    want the same folder, one fills it and the others wait.

    Args:
        folder: in the cache.
        kind: what it holds.
        items: what rows are made from.
        make: makes the rows of some items. If it is called in other
            processes, it must be a function that they can import, or a
            `functools.partial` of one.
        progress: wraps the items, of which one is counted when it is made.
        read: what `make` is given instead of the items. Other processes then only
            read, ahead of this one, whose thread makes one chunk after the other.

    Returns:
        Why some items have no row: position -> sentence. If there are such, the folder
        does not appear; the others are in `unfinished`, until `discard` removes them.

    Raises:
        ColorlibError: the cache cannot be written.
    """
    path = folder / kind.name
    if path.is_file():
        return {}
    with locked(folder), cannot_write(folder):
        if path.is_file():
            return {}
        folder.parent.mkdir(parents=True, exist_ok=True)
        failed = _fill(_partial(folder), kind, items, make, progress, read)
        if not failed:
            (_partial(folder) / _LOG).unlink()
            _partial(folder).rename(folder)
    return failed


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes and threads from filling the same folder; this one may lock it again.

    Raises:
        ColorlibError: the cache cannot be written.
    """
    locks = cache_dir() / "locks"  # which stay: one that is removed could be taken twice
    with cannot_write(folder):
        locks.mkdir(parents=True, exist_ok=True)
        lock = FileLock(locks / folder.name, is_singleton=True)
        try:
            lock.acquire(timeout=_PATIENCE)
        except Timeout:
            if parent_process() is None:  # of several that were started together, nobody need know
                warnings.warn(f"another process is making {folder}: waiting for it", stacklevel=3)
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


_LOG = "done.jsonl"  # a line for each chunk that is written


def _partial(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.partial")


def discard(folder: Path) -> None:
    """Remove what an unfinished `fill` has left."""
    shutil.rmtree(_partial(folder), ignore_errors=True)


def unfinished(folder: Path, kind: Kind, count: int) -> np.ndarray:
    """What a `fill` with `count` items has made so far, memory-mapped; zero elsewhere."""
    shape = (count, *kind.shape)
    offset = len(_header(kind, count))
    return np.memmap(_partial(folder) / kind.name, kind.dtype, "r", offset, shape)


def _fill(
    partial_folder: Path,
    kind: Kind,
    items: Sequence[Any],
    make: Make,
    progress: Progress,
    read: Read | None,
) -> dict[int, str]:
    partial_folder.mkdir(exist_ok=True)
    path, log = partial_folder / kind.name, partial_folder / _LOG
    chunks = {start: items[start : start + kind.chunk]
              for start in range(0, len(items), kind.chunk)}
    done = _read_log(log, kind.chunk) if path.is_file() else set()
    log.write_text("".join(_line(kind, start, {}) for start in sorted(done)))
    if not done:
        path.write_bytes(_header(kind, len(items)))
    failed: dict[int, str] = {}
    write = partial(_write, path, kind, len(_header(kind, len(items))), make)
    tasks = [(start, some) for start, some in chunks.items() if start not in done]

    def made() -> Generator[int, None, None]:
        """Each item when it is made."""
        yield from (i for start in done for i in range(len(chunks[start])))
        with open(log, "a") as file:
            for start, problems in _each(write, read, tasks, kind):
                found = {start + i: why for i, why in problems.items()}
                file.write(_line(kind, start, found))
                file.flush()
                failed.update(found)
                yield from range(len(chunks[start]))

    with closing(made()) as each:  # so that nothing is at work when this is left
        for _ in progress(_Sized(each, len(items))):
            pass
    return dict(sorted(failed.items()))


class _Sized:
    """An iterator that says how much will come, as progress bars want to know."""

    def __init__(self, items: Iterator[int], count: int):
        self._items, self._count = items, count

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[int]:
        return self._items


def _line(kind: Kind, start: int, problems: dict[int, str]) -> str:
    """What the log says of a chunk that is written."""
    return json.dumps([kind.chunk, start, problems]) + "\n"


def _read_log(log: Path, chunk: int) -> set[int]:
    """Where the chunks start that were written and have all their rows.

    Others are tried again: a file that could not be read may be there by now.
    The last line may have been cut off; another device may have taken chunks of another size.
    """
    done = set()
    for line in log.read_text().splitlines() if log.is_file() else ():
        with suppress(ValueError):
            size, start, problems = json.loads(line)
            if size == chunk and not problems:
                done.add(start)
    return done


def _header(kind: Kind, count: int) -> bytes:
    """That of a .npy file."""
    file = BytesIO()
    header = {"descr": kind.dtype, "fortran_order": False, "shape": (count, *kind.shape)}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue()


def _write(
    path: Path, kind: Kind, offset: int, make: Make, start: int, what: Any
) -> tuple[int, dict[int, str]]:
    """Make a chunk and write it; returns where it starts, and what `make` could not make."""
    rows, problems = make(what)
    content = np.ascontiguousarray(rows, kind.dtype)
    # Not memory-mapped: there, a full disk ends the process (SIGBUS).
    with open(path, "r+b") as file:
        file.seek(offset + start * (content.nbytes // len(content)))
        file.write(content.data)
    return start, problems


def _each(
    write: Callable, read: Read | None, tasks: Sequence[tuple[int, Sequence[Any]]], kind: Kind
) -> Iterator[tuple[int, dict[int, str]]]:
    """The results of all tasks: by this core, or by all if what is left takes it long."""

    def whole(start: int, items: Sequence[Any]) -> tuple[int, dict[int, str]]:
        return write(start, items if read is None else read(items))

    count, begun = _cores(kind), time.monotonic()
    for done, task in enumerate(tasks, start=1):
        yield whole(*task)
        left = (time.monotonic() - begun) / done * (len(tasks) - done)
        if count > 1 and left > _ALONE:
            break
    else:
        return
    rest = tasks[done:]
    if kind.threads:
        with ThreadPoolExecutor(count) as pool:  # which waits for threads that are at work
            yield from pool.map(lambda task: whole(*task), rest)
    elif read is None:
        yield from _by_processes(write, rest, count)
    else:
        found = _by_processes(read, [(items,) for _, items in rest], count)
        with closing(found):
            for (start, _), what in zip(rest, found, strict=True):
                yield write(start, what)


def _by_processes(do: Callable, tasks: Sequence[tuple], count: int) -> Generator[Any, None, None]:
    """What `do` makes of each task, in order, by other processes.

    They are ahead of who takes it, by a few tasks for each: not by more, since what is
    made waits in memory.
    """
    pool = get_reusable_executor(
        count, timeout=_IDLE, initializer=_begin, initargs=(os.getpid(),),
        env={"OPENBLAS_NUM_THREADS": "1"},
    )
    coming: deque[Future] = deque()
    try:
        for task in tasks:
            if len(coming) == _AHEAD * count:
                yield coming.popleft().result()
            coming.append(pool.submit(do, *task))
        while coming:
            yield coming.popleft().result()
    except BrokenExecutor as error:
        raise ColorlibError(
            "a process that read photographs has been killed, perhaps because memory ran out; "
            "the same call goes on where it was"
        ) from error
    finally:
        for future in coming:
            future.cancel()
        wait(coming)  # for those that are being made


def _begin(parent: int) -> None:
    """What a process does first: Ctrl-C is its parent's, and it ends when that has been killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    Thread(target=watch, daemon=True).start()


def _cores(kind: Kind) -> int:
    """How many chunks are made at once."""
    if not kind.threads and parent_process() is not None:
        return 1  # a process that may have none of its own
    return joblib.cpu_count()
