import contextlib
import csv
import dataclasses
import json
import math
import queue
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colorlib import cli, data, experiments, metrics, models, priors, train
from colorlib.errors import ColorlibError


@pytest.fixture
def folders(tmp_path, monkeypatch):
    monkeypatch.setenv("COLORLIB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "results", tmp_path / "work"


def test_the_matrix_has_every_row_of_the_comparison():
    runs = experiments.matrix("minutes")
    assert len(set(runs)) == len(runs)
    variants = {run.variant for run in runs if run.data == "samples"}
    assert variants == {
        "gray", "mean-colour", "baseline", "fusion", "fusion-coordinates",
        "attention", "attention-coordinates", "control",
    }
    for variant in variants - set(experiments.YARDSTICKS):
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
    experiments.perform(run, results, work)
    folder = run.folder(results)
    assert run.done(results) and not run.folder(work).exists()
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    assert set(before) == {
        "metrics.csv", "scores.csv", "elsewhere.csv", "painted.jpg", "run.json"
    }
    for path in folder.iterdir():
        path.unlink()
    assert not run.done(results)
    experiments.perform(run, results, work)
    after = {p.name: p.read_bytes() for p in folder.iterdir()}
    for name in set(before) - {"run.json"}:
        assert after[name] == before[name], name
    told = json.loads(after["run.json"])
    assert told["config"]["coordinates"] and told["config"]["attention"] == "general"
    assert told["photos"] == {"train": 32, "val": 6, "test": 10}
    assert {"commit", "device", "seconds", "torch", "data_sha256", "epoch"} <= set(told)
    assert len(told["painted"]) == len(experiments.PAINTED)
    with Image.open(folder / "painted.jpg") as picture:
        assert picture.size == (16 * len(experiments.PAINTED), 16 * 3)
    (again,) = experiments.recorded(results, "seconds")["samples"]["attention-coordinates"]
    assert set(again["elsewhere"]) == {"mirrored", "upside-down"}
    assert len(again["elsewhere"]["mirrored"]["ab_mse"]) == 10
    assert again["elsewhere"]["mirrored"] != again["elsewhere"]["upside-down"]
    assert set(told["looking"]) == {"from_even", "from_mean"}


def test_a_run_that_diverges_is_recorded_up_to_there(folders, monkeypatch):
    results, work = folders
    (run,) = experiments.matrix("seconds", "baseline/0")
    whole = train._epoch

    def diverging(model, packed, optimizer, settings, epoch, *rest) -> float:
        loss = whole(model, packed, optimizer, settings, epoch, *rest)
        return loss if epoch < settings.seed + 1 else math.nan

    monkeypatch.setattr(train, "_epoch", diverging)
    experiments.perform(run, results, work)
    (told,) = experiments.recorded(results, "seconds")["samples"]["baseline"]
    losses = [row["val_loss"] for row in told["history"]]
    assert math.isfinite(losses[0]) and math.isnan(losses[1]) and told["epoch"] == 1
    assert np.isfinite(told["scores"]["ab_mse"]).all()


def test_other_data_sets_may_be_missing_but_not_damaged(folders, monkeypatch):
    (run,) = experiments.matrix("seconds", "baseline/0")
    test = data.pack(data.photos("samples", "test"), 16)

    def elsewhere(name: str) -> list[str]:
        return [where for where, _ in
                experiments._elsewhere(run, test, {"data": [name], "size": 16}, None, "cpu")]

    root = folders[0] / "cvcl"
    monkeypatch.setenv("COLORLIB_DATA", str(folders[0]))
    assert elsewhere("coast") == ["mirrored", "upside-down"]
    (root / "coast").mkdir(parents=True)
    with pytest.raises(ColorlibError, match="is missing"):
        elsewhere("coast")


def test_a_yardstick_has_scores_and_no_curve(folders):
    results, work = folders
    (run,) = experiments.matrix("seconds", "gray")
    experiments.perform(run, results, work)
    (told,) = experiments.recorded(results, "seconds")["samples"]["gray"]
    assert told["history"] is None and len(told["scores"]["ab_mse"]) == 10
    assert set(told["scores"]) == set(metrics.METRICS)
    assert set(told["scores"]["chroma_ratio"]) == {0.0}


def test_reproduce_runs_what_is_missing(folders, monkeypatch, capfd):
    results, work = folders

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
    assert [told["settings"]["seed"] for told in both] == [0, 1]
    assert both[0]["scores"] != both[1]["scores"]
    written = {path: path.stat().st_mtime_ns for path in results.rglob("*.json")}
    assert reproduce("--only", "baseline")[0] == 0
    assert {path: path.stat().st_mtime_ns for path in written} == written
    assert reproduce("--only", "baseline", "--dry-run")[1].count("done") == 2
    status, _, error = reproduce("--scale", "hours")
    assert status == 1 and "no scale" in error
    status, _, error = reproduce("--only", "gray", "--work", results)
    assert status == 1 and "two folders" in error


@pytest.mark.parametrize("row", experiments.YARDSTICKS)
def test_a_recorded_row_comes_out_the_same_again(folders, row):
    results, work = folders
    run = experiments.Run("minutes", "samples", row, None)
    experiments.perform(run, results, work)
    again, recorded = (
        experiments._read_table(run.folder(folder) / "scores.csv")
        for folder in (results, Path(__file__).parent.parent / "results")
    )
    for one, other in zip(again, recorded, strict=True):
        assert one.pop("photo") == other.pop("photo")
        assert one == pytest.approx(other, rel=1e-4, abs=1e-4)


def test_recorded_runs_are_what_the_matrix_declares():
    recorded = Path(__file__).parent.parent / "results"
    plan = experiments.declared()
    assert len(list(recorded.glob("minutes/*/*/*/run.json"))) == len(experiments.matrix("minutes"))
    for file in recorded.glob("*/*/*/*/run.json"):
        told = json.loads(file.read_text())
        scale, data, variant, seed = told["run"].split("/")
        assert file.parent == recorded / scale / data / variant / seed
        assert not (told["commit"] or "+").endswith("+"), "of a changed checkout"
        assert told["size"] == plan["scales"][scale]["size"]
        if "config" in told:
            rows = plan["variants"] | plan["ablations"]
            wanted = plan["scales"][scale]["settings"] | rows[variant].get("settings", {})
            assert wanted.items() <= told["settings"].items()
            wanted = models.Config(**told["config"])
            changes = {"width": plan["scales"][scale]["width"]} | rows[variant].get("set", {})
            built = models.build(rows[variant]["preset"], **changes).config
            assert wanted == dataclasses.replace(built, embedding=wanted.embedding)


def test_every_row_can_be_built():
    declared = experiments.declared()
    for row in (declared["variants"] | declared["ablations"]).values():
        models.build(row["preset"], width=0.125, **row.get("set", {}))
        train.Settings(**row.get("settings", {}))
        priors.Spec(**row.get("prior", {}))
        assert set(row) <= {"preset", "set", "settings", "prior", "photos"}


def test_a_pooled_prior_sets_the_embeddings_length(folders):
    results, work = folders
    experiments.perform(experiments.Run("seconds", "samples", "prior-pooled", 0), results, work)
    (told,) = experiments.recorded(results, "seconds")["samples"]["prior-pooled"]
    assert told["config"]["embedding"] == 1280 and told["prior"]["output"] == "pooled"


def runs_of(*scores: list[float]) -> list[dict]:
    names = [f"photo {i}" for i in range(len(scores[0]))]
    return [{"names": names, "scores": {"ab_mse": list(row)}} for row in scores]


def test_differences_are_paired_by_photograph():
    # Photographs differ by far more than the variants do; pairing sees through it.
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


def test_the_interval_is_the_one_of_the_central_limit():
    gaps = np.random.default_rng(0).normal(0.5, 1, 200)
    mean, low, high = experiments.difference(runs_of(gaps), runs_of(0 * gaps))
    half = 1.96 * gaps.std() / 200**0.5
    assert mean == pytest.approx(gaps.mean())
    assert (low, high) == pytest.approx((mean - half, mean + half), abs=0.1 * half)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="reads the table of processes")
def test_workers_end_with_a_killed_parent(tmp_path):
    code = """
import sys, time
from pathlib import Path
from colorlib import experiments
if __name__ == "__main__":
    out = Path(sys.argv[1])
    runs = experiments.matrix("seconds", "baseline")
    experiments.work_through(runs, out / "results", out / "work", ["cpu", "cpu"])
"""
    script = tmp_path / "run.py"
    script.write_text(code)
    parent = subprocess.Popen([sys.executable, script, str(tmp_path)])

    def children() -> list[str]:
        found = []
        for path in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                if path.read_text().rsplit(")", 1)[1].split()[1] == str(parent.pid):
                    found.append(path.parent.name)
        return found

    begun = time.monotonic()
    while len(workers := children()) < 2:
        assert parent.poll() is None and time.monotonic() - begun < 60
        time.sleep(0.05)
    time.sleep(3)  # until they listen
    parent.kill()
    parent.wait()
    begun = time.monotonic()
    while any(Path("/proc", worker).exists() for worker in workers):
        assert time.monotonic() - begun < 30, "orphans"
        time.sleep(0.1)


def test_photographs_that_are_not_there_fail_one_run(folders, monkeypatch):
    results, work = folders
    monkeypatch.delenv("COLORLIB_DATA", raising=False)
    runs = [
        experiments.Run("seconds", "coast", "gray", None),
        experiments.Run("seconds", "samples", "gray", None),
    ]
    ended = {}
    experiments.work_through(
        runs, results, work, ["cpu"], tell=lambda run, error: ended.update({run: error})
    )
    assert "coast" in ended[runs[0]] and ended[runs[1]] is None


def test_recorded_tables_can_be_read_by_anything(folders):
    results, work = folders
    (run,) = experiments.matrix("seconds", "mean-colour")
    experiments.perform(run, results, work)
    with open(run.folder(results) / "scores.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 10 and list(rows[0]) == ["photo", *metrics.METRICS]


def test_an_unforeseen_error_fails_one_run_and_killed_workers_are_told(folders, monkeypatch):
    results, work = folders
    ended = {}

    def broken(*arguments):
        raise MemoryError("none left")

    monkeypatch.setattr(experiments, "perform", broken)
    runs = experiments.matrix("seconds", "baseline")
    experiments.work_through(
        runs, results, work, ["cpu"], tell=lambda run, error: ended.update({run: error})
    )
    assert set(ended.values()) == {"MemoryError: none left"}

    class Dead:
        def is_alive(self) -> bool:
            return False

    with pytest.raises(ColorlibError, match="killed"):
        experiments._next(queue.Queue(), [Dead()])
