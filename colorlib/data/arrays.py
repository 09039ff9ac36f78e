"""Arrays in the cache that take long to make: made once, by all cores; whole, or not there."""

import errno
import json
import os
import shutil
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import torch
from filelock import FileLock, Timeout
from torch import Tensor

from colorlib.data.cache import atomic_folder, cache_dir, cannot_write

Progress = Callable[[Iterable], Iterable]
"""Wraps what is iterated over, such as ``tqdm``; it has a length."""

Make = Callable[[Any], tuple[np.ndarray, dict[int, str]]]
"""Items -> a row for each, and why some of them have none: position -> sentence."""

_PATIENCE = 1.0  # seconds to wait for another process before saying so
_PROBLEMS = "problems.json"


def cached(
    file: Path,
    row: np.dtype,
    items: Sequence[Any],
    make: Make,
    chunk: int,
    progress: Progress = iter,
    then: Callable[[np.ndarray], np.ndarray] = lambda rows: rows,
    notes: Mapping[str, str] | None = None,
) -> tuple[Tensor, dict[int, str]]:
    """An array with a row for each item; made if it is not in the cache, or damaged there.

    Threads make some items at a time each. What is stopped leaves nothing. Of several
    processes that want the same file, one makes it and the others wait.

    Args:
        file: in a folder of its own in the cache.
        row: shape and kind of a row, such as ``np.dtype(("<f4", (1000,)))``.
        items: what rows are made from.
        make: makes the rows of some items.
        chunk: how many items at a time.
        progress: wraps the items, of which one is counted when it is made.
        then: what this thread makes of the rows that the others have made.
        notes: other small files beside it: name -> text.

    Returns:
        The array, of which only what is touched is read, and why some items have no row:
        position -> sentence; those are tried again in every call.

    Raises:
        ColorlibError: the cache cannot be written.
    """
    shape, dtype = (len(items), *row.shape), row.base
    found = _read(file, shape, dtype)
    if found is None or _fewer_problems(found[1], items, make):
        with _locked(file.parent):
            found = _read(file, shape, dtype)  # another process may have made it by now
            if found is None or _fewer_problems(found[1], items, make):
                with cannot_write(file.parent):
                    shutil.rmtree(file.parent, ignore_errors=True)
                with atomic_folder(file.parent) as folder:
                    path = folder / file.name
                    problems = _fill(path, shape, dtype, items, make, chunk, progress, then)
                    texts = {_PROBLEMS: json.dumps(problems)} if problems else {}
                    for name, text in {**texts, **(notes or {})}.items():
                        (folder / name).write_text(text, encoding="utf-8")
                found = _read(file, shape, dtype)
    assert found is not None, f"{file} has just been written"
    return found


def _read(
    file: Path, shape: tuple[int, ...], dtype: np.dtype
) -> tuple[Tensor, dict[int, str]] | None:
    """The array and its problems; None if it is not there, or damaged."""
    notes = file.with_name(_PROBLEMS)
    try:
        array = np.load(file, mmap_mode="c")
        problems = json.loads(notes.read_text()) if notes.is_file() else {}
    except (OSError, ValueError, EOFError):
        return None
    if array.shape != shape or array.dtype != dtype:
        return None
    return torch.from_numpy(array), {int(i): why for i, why in problems.items()}


def _fewer_problems(problems: dict[int, str], items: Sequence[Any], make: Make) -> bool:
    """Whether items that had no row have one by now."""
    return bool(problems) and len(make([items[i] for i in problems])[1]) < len(problems)


def _fill(
    path: Path,
    shape: tuple[int, ...],
    dtype: np.dtype,
    items: Sequence[Any],
    make: Make,
    chunk: int,
    progress: Progress,
    then: Callable[[np.ndarray], np.ndarray],
) -> dict[int, str]:
    size = int(np.prod(shape)) * dtype.itemsize
    if shutil.disk_usage(path.parent).free < size:  # else writing into the map ends the process
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    array = np.lib.format.open_memmap(path, "w+", dtype, shape)
    starts = range(0, len(items), chunk)
    made = joblib.Parallel(-1, prefer="threads", return_as="generator")(
        joblib.delayed(make)(items[start : start + chunk]) for start in starts
    )
    problems, counted = {}, iter(progress(range(len(items))))
    for start, (rows, failed) in zip(starts, made, strict=True):
        array[start : start + len(rows)] = then(rows)
        problems.update({start + i: why for i, why in failed.items()})
        for _ in rows:
            next(counted)
    next(counted, None)  # by which a bar ends
    array.flush()
    return problems


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep other processes and threads from making the same; the lock ends with the process."""
    locks = cache_dir() / "locks"  # which stay: one that is removed could be taken twice
    with cannot_write(folder):
        locks.mkdir(parents=True, exist_ok=True)
        lock = FileLock(locks / folder.name)
        try:
            lock.acquire(timeout=_PATIENCE)
        except Timeout:
            warnings.warn(f"another process is making {folder}: waiting for it", stacklevel=3)
            lock.acquire()
    try:
        yield
    finally:
        lock.release()
