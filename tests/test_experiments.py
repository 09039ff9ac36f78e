import contextlib
import csv
import dataclasses
import json
import math
import os
import queue
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from colorlib import cli, data, experiments, metrics, networks, priors, training
from colorlib.errors import ColorlibError
from colorlib.experiments import claims, pool, records, runner
from colorlib.training import loop


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """One for the module: photographs are packed, and embeddings computed, once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def folders(tmp_path, monkeypatch, cache):
    monkeypatch.setenv("COLORLIB_CACHE", str(cache))
    return tmp_path / "results", tmp_path / "work"


def test_the_matrix_has_every_row_of_the_comparison():
    runs = experiments.matrix("minutes")
    assert len(set(runs)) == len(runs)
    variants = {run.variant for run in runs if run.data == "samples"}
    assert variants == {
        "gray", "mean-colour", "baseline", "fusion", "fusion-coordinates",
        "attention", "attention-coordinates", "control",
    }
    for variant in variants - set(experiments.TRIVIAL):
        seeds = {run.seed for run in runs if run.variant == variant and run.data == "coast"}
        assert len(seeds) >= 3
    assert len({run.data for run in runs}) == 4
    some = experiments.matrix("minutes", "coast/attention/")
    assert [str(run) for run in some] == [f"minutes/coast/attention/{i}" for i in range(3)]


@pytest.mark.parametrize(("scale", "only"), [("hours", None), ("minutes", "nonsense")])
def test_unknown_scales_and_names_are_refused(scale, only):
    with pytest.raises(ColorlibError):
        experiments.matrix(scale, only)


def test_a_run_again_gives_the_same_files(folders):
    results, work = folders
    (run,) = experiments.matrix("seconds", "attention-coordinates/0")
    run.__dict__["plan"] = dataclasses.replace(run.plan, prior=priors.Spec(size=32))  # faster
    experiments.perform(run, results, work)
    folder = run.folder(results)
    assert run.done(results) and not run.folder(work).exists()
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    assert set(before) == {
        "metrics.csv", "scores.csv", "elsewhere.csv", "predicted.jpg", "run.json"
    }
    for path in folder.iterdir():
        path.unlink()
    assert not run.done(results)
    experiments.perform(run, results, work)
    after = {p.name: p.read_bytes() for p in folder.iterdir()}
    for name in set(before) - {"run.json"}:
        assert after[name] == before[name], name
    facts = json.loads(after["run.json"])
    assert facts["config"]["coordinates"] and facts["config"]["attention"] == "general"
    assert facts["photos"] == {"train": 32, "val": 6, "test": 10}
    assert "not here" not in facts
    assert len(facts["predicted"]) == len(experiments.PREDICTED)
    with Image.open(folder / "predicted.jpg") as picture:
        assert picture.size == (16 * len(experiments.PREDICTED), 16 * 3)
    (again,) = experiments.recorded(results, "seconds")["samples"]["attention-coordinates"]
    assert set(again["elsewhere"]) == {"mirrored", "upside-down"}
    assert len(again["elsewhere"]["mirrored"]["ab_mse"]) == 10
    assert again["elsewhere"]["mirrored"] != again["elsewhere"]["upside-down"]
    assert set(facts["attention_distance"]) == {"from_uniform", "between_positions"}


def test_a_run_that_diverges_is_recorded_up_to_there(folders, monkeypatch):
    results, work = folders
    (run,) = experiments.matrix("seconds", "baseline/0")
    train_epoch = training.train_epoch

    def diverging(model, packed, optimizer, settings, epoch, *rest) -> float:
        loss = train_epoch(model, packed, optimizer, settings, epoch, *rest)
        return loss if epoch < settings.seed + 1 else math.nan

    monkeypatch.setattr(loop, "train_epoch", diverging)
    experiments.perform(run, results, work)
    (recorded,) = experiments.recorded(results, "seconds")["samples"]["baseline"]
    losses = [row["val_loss"] for row in recorded["history"]]
    assert math.isfinite(losses[0]) and math.isnan(losses[1]) and recorded["epoch"] == 1
    assert np.isfinite(recorded["scores"]["ab_mse"]).all()


def test_other_data_sets_may_be_missing_but_not_damaged(folders, monkeypatch):
    (run,) = experiments.matrix("seconds", "baseline/0")
    test = data.pack(data.photos("samples", "test"), 16)

    def elsewhere(name: str) -> list[str]:
        run.__dict__["plan"] = dataclasses.replace(run.plan, others=(name,))
        others, missing = runner._other_photographs(run)
        assert missing == ([name] if not others else [])
        return [where for where, _ in runner._elsewhere(run, others, test, None, "cpu")]

    root = folders[0] / "cvcl"
    monkeypatch.setenv("COLORLIB_DATA", str(folders[0]))
    assert elsewhere("coast") == ["mirrored", "upside-down"]
    (root / "coast").mkdir(parents=True)
    with pytest.raises(ColorlibError, match="are missing or not as published"):
        elsewhere("coast")


def test_reproduce_runs_what_is_missing(folders, monkeypatch, capfd):
    results, work = folders
    monkeypatch.setattr("os.cpu_count", lambda: 1)  # others would be started for two runs only

    def reproduce(*more) -> tuple[int, str, str]:
        call = ["reproduce", "--results", results, "--work", work, "--device", "cpu", *more]
        monkeypatch.setattr(sys, "argv", ["colorlib", *map(str, call)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        return stop.value.code or 0, *capfd.readouterr()

    listed = reproduce("--dry-run")[1]
    assert listed.count("to do") == len(listed.splitlines()) == len(experiments.matrix("seconds"))
    status, said, _ = reproduce("--only", "baseline")
    assert status == 0 and "2 of 2 runs" in said
    both = experiments.recorded(results, "seconds")["samples"]["baseline"]
    assert [run["settings"]["seed"] for run in both] == [0, 1]
    assert both[0]["scores"] != both[1]["scores"]
    written = {path: path.stat().st_mtime_ns for path in results.rglob("*.json")}
    assert reproduce("--only", "baseline")[0] == 0
    assert {path: path.stat().st_mtime_ns for path in written} == written
    assert reproduce("--only", "baseline", "--dry-run")[1].count("done") == 2
    status, _, error = reproduce("--scale", "hours")
    assert status == 1 and "no scale" in error
    status, _, error = reproduce("--only", "gray", "--work", results)
    assert status == 1 and "two folders" in error


def test_results_in_the_home_folder(folders, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (run,) = experiments.matrix("seconds", "samples/gray")
    assert not run.done("~/results")
    experiments.work_through([run], "~/results", "~/work", ["cpu"])
    assert run.done("~/results") and run.done(tmp_path / "home" / "results")
    assert list(experiments.recorded("~/results", "seconds")["samples"]) == ["gray"]
    assert not (tmp_path / "~").exists()


@pytest.mark.parametrize("row", experiments.TRIVIAL)
def test_a_recorded_row_comes_out_the_same_again(folders, row):
    results, work = folders
    run = experiments.Run("minutes", "samples", row, None)
    experiments.perform(run, results, work)
    assert experiments.recorded(results, "minutes")["samples"][row][0]["history"] is None
    with open(run.folder(results) / "scores.csv", newline="") as file:
        assert next(csv.reader(file)) == ["photo", *metrics.METRICS]
    again, recorded = (
        records._read_table(run.folder(folder) / "scores.csv")
        for folder in (results, Path(__file__).parent.parent / "results")
    )
    for one, other in zip(again, recorded, strict=True):
        assert one.pop("photo") == other.pop("photo")
        assert one == pytest.approx(other, rel=1e-4, abs=1e-4)


def test_recorded_runs_are_what_the_matrix_declares():
    recorded = Path(__file__).parent.parent / "results"
    plan = experiments.declared()
    assert all(run.done(recorded) for run in experiments.matrix(claims.scale()))
    for file in recorded.glob("*/*/*/*/run.json"):
        facts = json.loads(file.read_text())
        scale, data, variant, seed = facts["run"].split("/")
        assert file.parent == recorded / scale / data / variant / seed
        assert not (facts["commit"] or "+").endswith("+"), "of a changed checkout"
        assert facts["size"] == plan["scales"][scale]["size"]
        if "config" in facts:
            rows = plan["variants"] | plan["ablations"]
            wanted = plan["scales"][scale]["settings"] | rows[variant].get("settings", {})
            assert wanted.items() <= facts["settings"].items()
            config = networks.Config(**facts["config"])
            changes = {"width": plan["scales"][scale]["width"]} | rows[variant].get("set", {})
            declared = networks.preset_config(rows[variant]["preset"], **changes)
            assert config == dataclasses.replace(declared, embedding=config.embedding)


def test_every_row_can_be_built():
    declared = experiments.declared()
    for row in (declared["variants"] | declared["ablations"]).values():
        networks.build(row["preset"], width=0.125, **row.get("set", {}))
        training.Settings(**row.get("settings", {}))
        priors.Spec(**row.get("prior", {}))
        assert set(row) <= {"preset", "set", "settings", "prior", "photos"}


def runs_of(*scores: list[float]) -> list[dict]:
    names = [f"photo {i}" for i in range(len(scores[0]))]
    return [{"names": names, "scores": {"ab_mse": list(row)}} for row in scores]


def test_differences_are_paired_by_photograph():
    # Photographs differ by far more than the variants do; pairing takes that out.
    base = [0.0, 10.0, 20.0, 30.0]
    worse = runs_of([1.0, 11.2, 20.8, 31.0])
    mean, low, high = experiments.difference(worse, runs_of(base))
    assert mean == pytest.approx(1.0) and 0.8 <= low < 1 < high <= 1.2
    mean, low, high = experiments.difference(runs_of(base), worse)
    assert mean == pytest.approx(-1.0) and high < 0
    # Seeds that differ widen the interval, though photographs agree:
    two = runs_of([0.0, 0.0, 0.0, 0.0], [2.0, 2.0, 2.0, 2.0])
    assert experiments.difference(two, runs_of([1.0] * 4)) == (0, -1, 1)
    with pytest.raises(ValueError, match="same photographs"):
        experiments.difference(worse, runs_of([1.0, 2.0]))


def test_photographs_without_the_metric_are_left_out():
    nan = math.nan
    some, none = runs_of([1.0, nan, 3.0]), runs_of([nan, 1.0, nan])
    mean, low, high = experiments.difference(some, runs_of([0.0, 9.0, 0.0]))
    assert (mean, low, high) == (2, 1, 3)
    assert np.isnan(experiments.difference(some, none)).all()


def test_the_interval_is_the_one_of_the_central_limit():
    gaps = np.random.default_rng(0).normal(0.5, 1, 200)
    mean, low, high = experiments.difference(runs_of(gaps), runs_of(0 * gaps))
    half = 1.96 * gaps.std() / 200**0.5
    assert mean == pytest.approx(gaps.mean())
    assert (low, high) == pytest.approx((mean - half, mean + half), abs=0.1 * half)


def test_workers_report_each_run_and_end_with_a_killed_parent(tmp_path):
    code = """
import os, sys, time
from pathlib import Path
from colorlib import experiments
from colorlib.experiments import pool

def perform(run, results, *rest):  # the trivial baselines at once, the others never
    if run.seed is not None:
        (results / str(os.getpid())).touch()
        time.sleep(600)

pool.perform = perform  # in the workers too, which import this file
if __name__ == "__main__":
    out = Path(sys.argv[1])
    def report(run, error):
        (out / f"{run.variant} {error}").touch()
    runs = experiments.matrix("seconds", "samples/")[:4]
    experiments.work_through(runs, out, out, ["cpu", "cpu"], report=report)
"""
    script, out = tmp_path / "run.py", tmp_path / "out"
    script.write_text(code)
    out.mkdir()
    parent = subprocess.Popen([sys.executable, script, out])
    begun = time.monotonic()
    while len(list(out.iterdir())) < 4:
        assert parent.poll() is None and time.monotonic() - begun < 120
        time.sleep(0.05)
    parent.kill()
    parent.wait()
    names = {path.name for path in out.iterdir()}
    workers = {int(name) for name in names if name.isdigit()}
    assert len(workers) == 2 and {"gray None", "mean-colour None"} < names
    begun = time.monotonic()
    while any(alive(worker) for worker in workers):
        assert time.monotonic() - begun < 30, "orphans"
        time.sleep(0.05)


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
@pytest.mark.parametrize("when", ["begun", "at once"])
def test_an_interrupt_is_told_by_one_process(tmp_path, when):
    code = """
import os, signal, sys, time
from pathlib import Path
out = Path(sys.argv[1])
if __name__ != "__main__" and sys.argv[2] == "at once":
    (out / str(os.getpid())).touch()
    time.sleep(1)
from colorlib import experiments
from colorlib.experiments import pool

def perform(run, results, *rest):
    (results / str(os.getpid())).touch()
    time.sleep(600)

pool.perform = perform
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # it may be ignored here
    runs = experiments.matrix("seconds", "samples/baseline")
    experiments.work_through(runs, out, out, ["cpu", "cpu"])
"""
    script, out = tmp_path / "run.py", tmp_path / "out"
    script.write_text(code)
    out.mkdir()
    parent = subprocess.Popen(
        [sys.executable, script, out, when], stderr=subprocess.PIPE, text=True
    )
    begun = time.monotonic()
    while len(list(out.iterdir())) < 2:
        assert parent.poll() is None and time.monotonic() - begun < 120
        time.sleep(0.05)
    for worker in out.iterdir():  # Ctrl-C reaches all of them, in any order
        os.kill(int(worker.name), signal.SIGINT)
    time.sleep(0.5)
    parent.send_signal(signal.SIGINT)
    _, error = parent.communicate(timeout=60)
    assert error.count("Traceback") == 1 and error.rstrip().endswith("KeyboardInterrupt"), error


def test_there_are_no_more_processes_than_runs(tmp_path, monkeypatch):
    started = []

    class Queue(queue.Queue):
        def cancel_join_thread(self):
            pass

    class Worker:
        pid = None

        def __init__(self, target, args):
            self.tasks, self.ended = args[:2]

        def start(self):
            started.append(self)
            if run := self.tasks.get():
                self.ended.put((run, None))

        def is_alive(self):
            return True

        def terminate(self):
            pass

    context = SimpleNamespace(Queue=Queue, Process=Worker)
    monkeypatch.setattr("torch.multiprocessing.get_context", lambda _: context)
    runs, ended = experiments.matrix("seconds", "samples/baseline"), []
    pool.work_through(runs, tmp_path, tmp_path, ["cpu"] * 5, report=lambda *it: ended.append(it))
    assert len(started) == len(runs) == 2 and ended == [(run, None) for run in runs]


def alive(process: int) -> bool:
    """Whether a process runs; one that has ended may still be listed."""
    with contextlib.suppress(OSError):
        return Path("/proc", str(process), "stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_photographs_that_are_not_there_fail_one_run(folders, monkeypatch):
    results, work = folders
    monkeypatch.delenv("COLORLIB_DATA", raising=False)
    runs = [
        experiments.Run("seconds", "coast", "gray", None),
        experiments.Run("seconds", "samples", "gray", None),
    ]
    ended = {}
    experiments.work_through(
        runs, results, work, ["cpu"], report=lambda run, error: ended.update({run: error})
    )
    assert "coast" in ended[runs[0]] and ended[runs[1]] is None


def test_an_unforeseen_error_fails_one_run_and_killed_workers_are_reported(folders, monkeypatch):
    results, work = folders
    ended = {}

    def broken(*arguments):
        raise MemoryError("none left")

    monkeypatch.setattr(pool, "perform", broken)
    runs = experiments.matrix("seconds", "baseline")
    experiments.work_through(
        runs, results, work, ["cpu"], report=lambda run, error: ended.update({run: error})
    )
    assert set(ended.values()) == {"MemoryError: none left"}

    class Dead:
        def is_alive(self) -> bool:
            return False

        def get(self, timeout: float):
            raise queue.Empty

    with pytest.raises(ColorlibError, match="killed"):
        pool._next(Dead(), [Dead()])
