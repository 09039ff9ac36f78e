"""Arrays that take long to make: all cores, resumed, complete or absent."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import joblib
import numpy as np
import pytest
from PIL import Image

from colorlib import data, files
from colorlib.base.errors import ColorlibError
from colorlib.data import rows
from colorlib.files import reading

KIND = rows.Kind("squares.npy", (2,), "<f4", chunk=4, threads=True)


pytestmark = pytest.mark.usefixtures("cache")


def sent(function):
    """Other processes get the function itself: to import it from here, they would import torch."""
    function.__module__ = "__main__"
    return function


class Squares:
    """Makes (i, i^2) of each item i; notes which; has none of some."""

    def __init__(self, without: set[int] = frozenset()):
        self.made: list[int] = []
        self.without = without

    def __call__(self, items):
        self.made += items
        problems = {k: f"no {i}" for k, i in enumerate(items) if i in self.without}
        return np.array([[i, i * i] for i in items], np.float64), problems


def stopped_after(count: int):
    """A progress bar that is interrupted after some items."""

    def progress(items):
        for i, item in enumerate(items):
            if i == count:
                raise KeyboardInterrupt
            yield item

    return progress


EXPECTED = np.array([[i, i * i] for i in range(22)], np.float32)


def test_what_was_interrupted_goes_on_where_it_was(cache):
    folder, first, second = cache / "room" / "key", Squares(), Squares()
    with pytest.raises(KeyboardInterrupt):
        rows.fill(folder, KIND, range(22), first, stopped_after(9))
    assert not folder.exists()
    seen = []
    rows.fill(folder, KIND, range(22), second, lambda items: seen.append(len(items)) or items)
    assert seen == [22]
    assert not set(first.made[:8]) & set(second.made)  # two chunks were complete
    assert set(first.made) | set(second.made) == set(range(22))
    assert np.array_equal(np.load(folder / KIND.name), EXPECTED)
    assert [path.name for path in folder.parent.iterdir()] == ["key"]
    rows.fill(folder, KIND, range(22), None)  # calling it would fail


@pytest.mark.parametrize("cut", [1, 5])
def test_a_log_that_was_cut_off_is_believed_as_far_as_it_goes(cache, cut):
    folder = cache / "room" / "key"
    with pytest.raises(KeyboardInterrupt):
        rows.fill(folder, KIND, range(22), Squares(), stopped_after(13))
    (log,) = cache.rglob("*.jsonl")
    log.write_text(log.read_text()[:-cut])  # as by a crash in the middle of a line
    rows.fill(folder, KIND, range(22), Squares())
    assert np.array_equal(np.load(folder / KIND.name), EXPECTED)


@pytest.mark.parametrize("chunk", [2, 8])
def test_chunks_of_another_size_are_made_anew(cache, chunk):
    folder = cache / "room" / "key"
    with pytest.raises(KeyboardInterrupt):
        rows.fill(folder, KIND, range(22), Squares(), stopped_after(13))
    rows.fill(folder, KIND._replace(chunk=chunk), range(22), Squares())
    assert np.array_equal(np.load(folder / KIND.name), EXPECTED)


def test_what_has_no_row_is_known_over_an_interrupt(cache):
    folder, without = cache / "room" / "key", {1, 17}
    with pytest.raises(KeyboardInterrupt):
        rows.fill(folder, KIND, range(22), Squares(without), stopped_after(9))
    assert rows.fill(folder, KIND, range(22), Squares(without)) == {1: "no 1", 17: "no 17"}
    assert not folder.exists()
    rest = [i for i in range(22) if i not in without]
    assert np.array_equal(rows.unfinished(folder, KIND, 22)[rest], EXPECTED[rest])
    rows.discard(folder)
    assert not list(folder.parent.iterdir())


def many(count: int, make: Squares, cache: Path, monkeypatch, threads: bool) -> np.ndarray:
    monkeypatch.setattr(rows, "_ALONE", -1.0)  # as if it took long
    monkeypatch.setattr(joblib, "cpu_count", lambda: 3)
    folder = cache / "room" / "key"
    assert not rows.fill(folder, KIND._replace(threads=threads), range(count), make)
    return np.load(folder / KIND.name)


@sent
def pairs(items):
    """In other processes: the identity of the process beside each item."""
    return np.array([[i, os.getpid()] for i in items], np.float64), {}


def test_several_threads_write_each_row_once_and_in_its_place(cache, monkeypatch):
    make = Squares()
    found = many(400, make, cache, monkeypatch, threads=True)
    assert np.array_equal(found, np.array([[i, i * i] for i in range(400)], np.float32))
    assert sorted(make.made) == list(range(400))


def test_several_processes_write_each_row_in_its_place(cache, monkeypatch):
    found = many(200, pairs, cache, monkeypatch, threads=False)
    assert found[:, 0].tolist() == list(range(200))
    assert len(set(found[:, 1])) >= 2


@pytest.fixture
def photos(tmp_path) -> list[data.Photo]:
    found = []
    for i in range(150):
        pixels = np.random.default_rng(i).integers(0, 256, (12, 12, 3), np.uint8)
        path = tmp_path / "photos" / f"{i:03}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(path)
        found.append(data.Photo(path.name, path, f"{i:064x}"))
    return found


def test_a_pack_by_several_processes_is_that_of_one(photos, monkeypatch):
    monkeypatch.setattr(rows, "_ALONE", -1.0)
    monkeypatch.setattr(joblib, "cpu_count", lambda: 2)
    photos[40].path.write_bytes(b"damaged")
    found = data.pack(photos, 8, skip_damaged=True)
    good = [photo for photo in photos if photo is not photos[40]]
    assert found.names == tuple(photo.name for photo in good)
    pixels, problems = files.squares(8, [photo.path for photo in good])
    assert np.array_equal(found.pixels, pixels) and not problems


def test_an_error_in_another_process_is_one_here(photos, monkeypatch, cache):
    monkeypatch.setattr(rows, "_ALONE", -1.0)
    monkeypatch.setattr(joblib, "cpu_count", lambda: 2)
    with pytest.raises(ValueError, match="broadcast"):
        rows.fill(cache / "key", rows.Kind("x.npy", (2,), "<f4", 4, threads=False),
                  range(40), too_much)


@sent
def too_much(items):
    if 20 in items:
        raise ValueError("could not broadcast")
    return np.zeros((len(items), 2)), {}


PACKING = """
import sys, time
from pathlib import Path
from colorlib import data
from colorlib.data import rows
from colorlib.files import reading
rows._ALONE = 1e9
square = reading.square
def slowly(*args):
    time.sleep(0.02)
    return square(*args)
reading.square = slowly
paths = sorted(Path(sys.argv[1]).iterdir())
def progress(items):
    for i, item in enumerate(items):
        if i == 64:
            print("two chunks", flush=True)
        yield item
data.pack([data.Photo(p.name, p, f"{i:064x}") for i, p in enumerate(paths)], 8, progress=progress)
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_pack_that_was_killed_goes_on(photos, cache, how):
    command = [sys.executable, "-c", PACKING, str(photos[0].path.parent)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stdout.readline() == "two chunks\n"
    process.send_signal(how)
    process.wait()
    (log,) = cache.rglob("*.jsonl")
    done = [json.loads(line)[1] for line in log.read_text().splitlines()]
    assert len(done) >= 2
    for start in done:  # what was done is not read again
        for photo in photos[start : start + 32]:
            photo.path.unlink()
    packed = data.pack(photos, 8)
    assert len(packed) == len(photos) and packed.rgb([0]).any()


WORKING = """
import time
from pathlib import Path
import numpy as np
from colorlib.data import rows
from colorlib.data.cache import cache_dir
rows._ALONE, rows.joblib.cpu_count = -1.0, lambda: 2
def slowly(items):
    time.sleep(0.1)
    return np.zeros((len(items), 2)), {}
def progress(items):
    for i, item in enumerate(items):
        if i == 40:
            print("at work", flush=True)
        yield item
kind = rows.Kind("zeros.npy", (2,), "<f4", chunk=4, threads=False)
rows.fill(cache_dir() / "key", kind, range(4000), slowly, progress)
"""


def children(parent: int) -> set[int]:
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent and fields[0] != "Z":
            found.add(int(stat.parent.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are read from /proc")
def test_processes_end_with_the_one_that_has_started_them(cache):
    process = subprocess.Popen([sys.executable, "-c", WORKING], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "at work\n"
    workers = children(process.pid)
    assert len(workers) >= 2
    process.kill()
    process.wait()
    until = time.monotonic() + 30
    while (left := [pid for pid in workers if Path(f"/proc/{pid}").exists()]) and (
        time.monotonic() < until
    ):
        time.sleep(0.2)
    assert not left


def test_a_full_disk_is_one_sentence_and_then_it_goes_on(cache, monkeypatch):
    folder, full = cache / "room" / "key", []

    def make(items):
        if len(full) == 3:
            full.append(1)
            raise OSError(28, "No space left on device")
        full.append(1)
        return Squares()(items)

    with pytest.raises(ColorlibError, match=r"No space left on device.*COLORLIB_CACHE"):
        rows.fill(folder, KIND, range(22), make)
    rows.fill(folder, KIND, range(22), make)
    assert np.array_equal(np.load(folder / KIND.name), EXPECTED) and len(full) == 4 + 3


def test_a_chunk_without_all_its_rows_is_tried_again(cache):
    folder, first, second = cache / "room" / "key", Squares({1}), Squares()
    with pytest.raises(KeyboardInterrupt):
        rows.fill(folder, KIND, range(22), first, stopped_after(9))
    assert rows.fill(folder, KIND, range(22), second) == {}  # it is there by now
    assert {0, 1, 2, 3} <= set(second.made) and not {4, 5, 6, 7} & set(second.made)
    assert np.array_equal(np.load(folder / KIND.name), EXPECTED)


def test_who_waits_for_another_is_told_and_makes_nothing(cache, monkeypatch):
    monkeypatch.setattr(rows, "_PATIENCE", 0.05)
    folder, first, second = cache / "room" / "key", Squares(), Squares()
    begun, may_go_on = threading.Event(), threading.Event()

    def slowly(items):
        begun.set()
        assert may_go_on.wait(20)
        return first(items)

    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(rows.fill, folder, KIND, range(22), slowly)
        assert begun.wait(20)
        with pytest.warns(UserWarning, match="another process is making .*: waiting"):
            other = pool.submit(rows.fill, folder, KIND, range(22), second)
            time.sleep(0.5)
            may_go_on.set()
            assert one.result(20) == other.result(20) == {}
    assert not second.made and len(first.made) == 22


def test_damaged_photographs_are_decoded_once_by_whoever_is_first(photos, monkeypatch):
    photos[40].path.write_bytes(b"damaged")
    decoded, square = [], reading.square
    monkeypatch.setattr(
        reading, "square", lambda path, size: decoded.append(str(path)) or square(path, size)
    )
    with ThreadPoolExecutor(3) as pool:
        packs = list(pool.map(lambda _: data.pack(photos, 8, skip_damaged=True), range(3)))
    assert {len(pack) for pack in packs} == {149}
    counts = Counter(decoded)
    assert max(n for path, n in counts.items() if path != str(photos[40].path)) == 1


@sent
def killed(items):
    if 20 in items:
        os.kill(os.getpid(), signal.SIGKILL)
    return np.zeros((len(items), 2)), {}


@pytest.mark.parametrize("call", [{"make": killed}, {"make": lambda it: it, "read": killed}])
def test_a_process_that_is_killed_is_one_sentence(cache, monkeypatch, call):
    monkeypatch.setattr(rows, "_ALONE", -1.0)
    monkeypatch.setattr(joblib, "cpu_count", lambda: 2)
    kind = rows.Kind("zeros.npy", (2,), "<f4", chunk=4, threads=False)
    with pytest.raises(ColorlibError, match="killed, perhaps because memory ran out") as error:
        rows.fill(cache / "key", kind, range(40), **call)
    assert "\n" not in str(error.value)
    folder = cache / "key"
    rows.fill(folder, kind, range(40), lambda items: (np.ones((len(items), 2)), {}))
    found = np.load(folder / kind.name)  # those before the chunk that was killed are kept
    assert not found[:4].any() and found[20:].all()


@sent
def read_there(folder: Path, items):
    """In other processes: a file for each chunk that is read."""
    time.sleep(0.05)
    (folder / str(items[0])).touch()
    return os.getpid(), list(items)


def test_processes_read_ahead_of_one_thread_but_not_far(cache, monkeypatch, tmp_path):
    monkeypatch.setattr(rows, "_ALONE", -1.0)
    monkeypatch.setattr(joblib, "cpu_count", lambda: 2)
    folder, kind, make = cache / "room" / "key", KIND._replace(threads=False), Squares()
    made, readers, threads, ahead = 0, set(), set(), []
    seen = tmp_path / "seen"
    seen.mkdir()

    def slowly(what):
        nonlocal made
        reader, items = what
        readers.add(reader)
        threads.add(threading.get_ident())
        time.sleep(0.06 if made < 10 else 0)
        ahead.append(len(list(seen.iterdir())) - made)
        made += 1
        return make(items)

    read = partial(read_there, seen)
    with pytest.raises(KeyboardInterrupt):
        rows.fill(folder, kind, range(100), slowly, stopped_after(60), read)
    begun = len(list(seen.iterdir()))
    time.sleep(0.3)
    assert len(list(seen.iterdir())) == begun < 25  # nobody reads on
    before = set(make.made)
    assert {*range(60)} <= before
    make.made.clear()
    assert not rows.fill(folder, kind, range(100), slowly, read=read)
    assert not {*range(60)} & set(make.made) and before | set(make.made) == {*range(100)}
    expected = np.array([[i, i * i] for i in range(100)], np.float32)
    assert np.array_equal(np.load(folder / kind.name), expected)
    assert len(readers) >= 3 and threads == {threading.get_ident()}  # the first chunk is read here
    assert 2 <= max(ahead[3:15]) <= 2 * rows._AHEAD


def test_a_process_that_may_have_none_of_its_own_reads_itself(cache, monkeypatch, tmp_path):
    monkeypatch.setattr(rows, "_ALONE", -1.0)
    monkeypatch.setattr(rows, "parent_process", lambda: "a parent")
    readers, make = set(), Squares()
    rows.fill(
        cache / "room" / "key", KIND._replace(threads=False), range(22),
        lambda what: readers.add(what[0]) or make(what[1]), read=partial(read_there, tmp_path),
    )
    assert readers == {os.getpid()} and make.made == list(range(22))


def test_what_reads_photographs_needs_no_torch():
    code = "import sys; from colorlib import files; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_joblib_setting_of_the_callers_is_no_matter(photos, monkeypatch):
    monkeypatch.setattr(rows, "_ALONE", -1.0)
    monkeypatch.setattr(joblib, "cpu_count", lambda: 2)
    with joblib.parallel_config(backend="threading"):
        assert len(data.pack(photos, 8)) == len(photos)
