"""Arrays in the cache: made once, whole or not there, made anew where they are damaged."""

import multiprocessing
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from checks import one_sentence

from colorlib.base.errors import ColorlibError
from colorlib.data import arrays

ITEMS = list(range(100))


def squared(some):
    """Rows of two, and no row for 13."""
    rows = np.array([[i, i * i] for i in some], np.int64)
    return rows, {k: "13 brings bad luck" for k, i in enumerate(some) if i == 13}


def make(file: Path, items=ITEMS, how=squared, **options):
    return arrays.cached(file, np.dtype(("<i8", (2,))), items, how, chunk=8, **options)


@pytest.fixture
def file(cache) -> Path:
    return cache / "kind" / "key" / "rows.npy"


def without_13(items=ITEMS):
    return [i for i in items if i != 13]


def test_an_array_is_made_once_with_a_row_for_each_item_and_notes_beside_it(file):
    items, counted = without_13(), []
    found, problems = make(
        file, items, progress=lambda items: (counted.append(i) or i for i in items),
        then=lambda rows: rows + 1, notes={"by.txt": "somebody"},
    )
    assert problems == {} and found.dtype == torch.int64
    assert found.tolist() == [[i + 1, i * i + 1] for i in items]
    assert counted == list(range(99)) and (file.parent / "by.txt").read_text() == "somebody"
    again, _ = make(file, items, how=None, progress=None)  # calling them would fail
    assert torch.equal(again, found)
    again[0] = 7  # only in memory
    assert make(file, items, how=None)[0][0, 0] == 1


def test_items_without_a_row_are_told_in_every_call_until_they_have_one(file):
    for _ in range(2):
        found, problems = make(file)
        assert problems == {13: "13 brings bad luck"} and found[99].tolist() == [99, 9801]
    found, problems = make(file, how=lambda some: (squared(some)[0], {}))
    assert problems == {} and found[13].tolist() == [13, 169]
    assert [path.name for path in file.parent.iterdir()] == ["rows.npy"]


@pytest.mark.parametrize("damage", [
    lambda file: file.write_bytes(b""),
    lambda file: file.write_bytes(file.read_bytes()[:-100]),
    lambda file: np.save(file, np.zeros((99, 3), np.int64)),
    lambda file: np.save(file, np.zeros((99, 2), np.int32)),
])
def test_a_damaged_array_is_made_anew(file, damage):
    items = without_13()
    wanted = make(file, items)[0].clone()
    damage(file)
    assert torch.equal(make(file, items)[0], wanted)


def test_what_is_stopped_leaves_nothing_and_what_fails_says_why(file, monkeypatch):
    def interrupted(items):
        for i in items:
            if i == 50:
                raise KeyboardInterrupt
            yield i

    with pytest.raises(KeyboardInterrupt):
        make(file, progress=interrupted)
    with pytest.raises(ZeroDivisionError):
        make(file, how=lambda some: 1 / 0)
    full = shutil._ntuple_diskusage(1, 1, 100)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: full)
    with pytest.raises(ColorlibError, match=r"No space left .* set COLORLIB_CACHE") as error:
        make(file)
    assert one_sentence(error)
    assert not list(file.parents[1].iterdir())


def _slowly(some):
    time.sleep(0.3)
    with open(_LOG[0], "a") as log:
        log.write("made\n")
    return squared(some)


_LOG = [""]


def _in_another_process(file: Path, log: str, cache: str) -> None:
    import os

    os.environ["COLORLIB_CACHE"] = cache
    _LOG[0] = log
    make(file, without_13()[:16], how=_slowly)


def test_of_several_processes_one_makes_it_and_the_others_wait(file, tmp_path, cache):
    context, log = multiprocessing.get_context("spawn"), tmp_path / "log"
    both = [
        context.Process(target=_in_another_process, args=(file, str(log), str(cache)))
        for _ in range(2)
    ]
    for process in both:
        process.start()
    for process in both:
        process.join()
    assert [process.exitcode for process in both] == [0, 0]
    assert log.read_text().splitlines() == ["made"] * 2  # two chunks, once
