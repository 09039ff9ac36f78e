import contextlib
import dataclasses
import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

import replication
from colorlib import cli, data, metrics, networks, training
from colorlib.base.errors import ColorlibError
from colorlib.networks import priors
from colorlib.training import loop
from replication import claims, cost, pool, records, runner, statistics


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """One for the module: photographs are packed, and embeddings computed, once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def folders(tmp_path, monkeypatch, cache):
    monkeypatch.setenv("COLORLIB_CACHE", str(cache))
    return tmp_path / "results", tmp_path / "work"


def test_the_matrix_has_every_row_of_the_comparison():
    runs = replication.matrix("minutes")
    assert len(set(runs)) == len(runs)
    variants = {run.variant for run in runs if run.data == "samples"}
    assert variants == {
        "gray", "mean-colour", "baseline", "fusion", "fusion-coordinates",
        "attention", "attention-coordinates", "control",
    }
    for variant in variants - set(replication.TRIVIAL):
        seeds = {run.seed for run in runs if run.variant == variant and run.data == "coast"}
        assert len(seeds) >= 3
    assert len({run.data for run in runs}) == 4
    some = replication.matrix("minutes", "coast/attention/")
    assert [str(run) for run in some] == [f"minutes/coast/attention/{i}" for i in range(3)]


@pytest.mark.parametrize(("scale", "only"), [("hours", None), ("minutes", "nonsense")])
def test_unknown_scales_and_names_are_refused(scale, only):
    with pytest.raises(ColorlibError):
        replication.matrix(scale, only)


def test_a_run_again_gives_the_same_files(folders):
    results, work = folders
    (run,) = replication.matrix("seconds", "attention-coordinates/0")
    run.__dict__["plan"] = dataclasses.replace(run.plan, prior=priors.Spec(size=32))  # faster
    replication.perform(run, results, work)
    folder = results / "seconds"
    assert run.done(results) and not run.folder(work).exists()
    before = tables(results)
    assert set(before) == {"seconds/values.csv.bz2", "seconds/pictures.zip"}
    (folder / "runs.jsonl").write_text("")  # as if its line had been deleted
    assert not run.done(results) and not replication.recorded(results, "seconds")
    replication.perform(run, results, work)
    assert tables(results) == before
    (facts,) = map(json.loads, (folder / "runs.jsonl").read_text().splitlines())
    assert facts["config"]["coordinates"] and facts["config"]["attention"] == "general"
    assert facts["photos"] == {"train": 32, "val": 6, "test": 10}
    assert facts["precision"] == "float32"
    assert facts["prior"]["embedded_on"].endswith(", 1 thread")
    assert "not here" not in facts
    assert len(facts["predicted"]) == len(replication.PREDICTED)
    shown = replication.pictures(run, results)
    assert {tuple(photos.shape) for photos in shown.values()} == {(6, 3, 16, 16)}
    (again,) = replication.recorded(results, "seconds")["samples"]["attention-coordinates"]
    assert set(again["elsewhere"]) == {"mirrored", "upside-down"}
    assert len(again["elsewhere"]["mirrored"]["ab_mse"]) == 10
    assert again["elsewhere"]["mirrored"] != again["elsewhere"]["upside-down"]
    before, after = facts["attention_distance_untrained"], facts["attention_distance"]
    assert set(before) == set(after) == {"from_uniform", "between_positions"}
    assert before != after


def test_a_run_that_diverges_is_recorded_up_to_there(folders, monkeypatch):
    results, work = folders
    (run,) = replication.matrix("seconds", "baseline/0")
    train_epoch = training.train_epoch

    def diverging(step, given, state) -> tuple[float, int]:
        total, seen = train_epoch(step, given, state)
        return (math.nan if state.history else total), seen

    monkeypatch.setattr(loop, "train_epoch", diverging)
    replication.perform(run, results, work)
    (recorded,) = replication.recorded(results, "seconds")["samples"]["baseline"]
    losses = [row["val_loss"] for row in recorded["history"]]
    assert math.isfinite(losses[0]) and math.isnan(losses[1]) and recorded["epoch"] == 1
    assert np.isfinite(recorded["scores"]["ab_mse"]).all()


def test_other_data_sets_may_be_missing_but_not_damaged(folders, monkeypatch):
    (run,) = replication.matrix("seconds", "baseline/0")
    test = data.pack(data.photos("samples", "test"), 16)

    def elsewhere(name: str) -> list[str]:
        run.__dict__["plan"] = dataclasses.replace(run.plan, others=(name,))
        shared = runner.Shared("cpu")
        others, missing = runner._other_data_sets(run, shared)
        assert missing == ([name] if not others else [])
        predict = metrics.constant(torch.zeros(2))
        return list(runner._elsewhere(run, others, test, shared, predict))

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

    *listed, every, to_do, on_top = reproduce("--dry-run")[1].splitlines()
    assert len(listed) == len(replication.matrix("seconds"))
    assert all(" to do " in line for line in listed) and "on top" in on_top
    assert every.removeprefix("all") == to_do.removeprefix("to do")
    status, said, _ = reproduce("--only", "baseline")
    assert status == 0 and "2 of 2 runs" in said
    both = replication.recorded(results, "seconds")["samples"]["baseline"]
    assert [run["settings"]["seed"] for run in both] == [0, 1]
    assert both[0]["scores"] != both[1]["scores"]
    written = results / "seconds" / "runs.jsonl"
    before = written.stat().st_mtime_ns
    assert reproduce("--only", "baseline")[0] == 0 and written.stat().st_mtime_ns == before
    assert reproduce("--only", "baseline", "--dry-run")[1].count(" done ") == 2
    status, _, error = reproduce("--dry-run", "--rate", "0")
    assert status == 1 and "--rate must be positive" in error
    status, _, error = reproduce("--scale", "hours")
    assert status == 1 and "no scale" in error
    status, _, error = reproduce("--only", "gray", "--work", results)
    assert status == 1 and "two folders" in error


def test_results_in_the_home_folder(folders, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (run,) = replication.matrix("seconds", "samples/gray")
    assert not run.done("~/results")
    replication.work_through([run], "~/results", "~/work", ["cpu"])
    assert run.done("~/results") and run.done(tmp_path / "home" / "results")
    assert list(replication.recorded("~/results", "seconds")["samples"]) == ["gray"]
    assert not (tmp_path / "~").exists()


@pytest.mark.parametrize("row", ["gray", "mean-colour"])
def test_a_recorded_row_comes_out_the_same_again(folders, row):
    results, work = folders
    run = replication.Run("minutes", "samples", row, None)
    replication.perform(run, results, work)
    assert replication.recorded(results, "minutes")["samples"][row][0]["history"] is None
    again, recorded = (
        replication.recorded(folder, "minutes")["samples"][row][0]
        for folder in (results, replication.RESULTS)
    )
    assert list(again["scores"]) == list(metrics.METRICS) and again["names"] == recorded["names"]
    for metric, scores in recorded["scores"].items():  # an earlier row has fewer metrics
        assert again["scores"][metric] == pytest.approx(scores, rel=1e-4, abs=1e-4)


def test_recorded_runs_are_what_the_matrix_declares():
    recorded = Path(__file__).parent.parent / "results"
    plan = replication.declared()
    for scale in claims.SCALES:
        assert all(run.done(recorded) for run in replication.matrix(scale))
    lines = [line for file in recorded.glob("*/runs.jsonl") for line in file.open()]
    assert len(lines) == 403
    for facts in map(json.loads, lines):
        scale, data, variant, _ = facts["run"].split("/")
        assert not (facts["commit"] or "+").endswith("+"), "of a changed checkout"
        own = plan["scales"][scale].get("each", {}).get(data, {})
        assert facts["size"] == own.get("size", plan["scales"][scale].get("size"))
        if "config" in facts:
            rows = plan["variants"] | plan["steps"] | plan["ablations"]
            wanted = plan["scales"][scale]["settings"] | own.get("settings", {})
            wanted |= plan["recipes"].get(rows[variant].get("recipe"), {})
            wanted |= rows[variant].get("settings", {})
            wanted["epochs"] = round(wanted["epochs"] / rows[variant].get("share", 1))
            assert wanted.items() <= facts["settings"].items()
            config = networks.recorded(facts["config"])
            changes = {"width": plan["scales"][scale]["width"]} | rows[variant].get("set", {})
            declared = networks.configure(rows[variant]["preset"], **changes)
            assert config == dataclasses.replace(declared, embedding=config.embedding)


# A scale with photographs of several sizes --------------------------------------

OF_TWO_SIZES = {
    "scales": {
        "mixed": {
            "width": 0.125, "data": ["coast", "forest", "samples"], "variants": ["baseline"],
            "once": ["half"], "later": ["fusion"], "ablations": ["samples"], "without": ["softmax"],
            "seeds": 2, "ablation_seeds": 1, "settings": {"bf16": True, "epochs": 9},
            "each": {
                "coast": {"size": 32, "photos": 100, "settings": {"epochs": 3, "batch_size": 4}},
                "forest": {"size": 32},
                "samples": {"size": 16, "settings": {"epochs": 2}},
            },
        }
    },
    "repeats": {"samples": 8},
    "variants": {
        "baseline": {"preset": "baseline"}, "fusion": {"preset": "fusion"},
        "attention": {"preset": "attention"},
    },
    "recipes": {"slow": {"learning_rate": 1e-4, "epochs": 5, "cosine": True, "bf16": False}},
    "steps": {
        "half": {
            "preset": "unet", "recipe": "slow", "share": 0.5, "settings": {"epochs": 6},
            "set": {"head": "quantized"},
        },
    },
    "ablations": {
        "few": {"preset": "baseline", "photos": 5, "settings": {"epochs": 7}},
        "softmax": {"preset": "fusion", "prior": {"output": "softmax"}},
    },
}


@pytest.fixture
def mixed(monkeypatch):
    monkeypatch.setattr(sys.modules[replication.Run.__module__], "declared", lambda: OF_TWO_SIZES)


def test_a_data_set_may_have_its_own_size_settings_and_number_of_photographs(mixed):
    plans = {
        name: replication.Run("mixed", name, "baseline", 1).plan
        for name in ("coast", "forest", "samples")
    }
    assert {name: plan.size for name, plan in plans.items()} == {
        "coast": 32, "forest": 32, "samples": 16,
    }
    assert plans["coast"].settings == training.Settings(epochs=3, batch_size=4, bf16=True, seed=1)
    assert plans["forest"].settings == training.Settings(epochs=9, bf16=True, seed=1)
    assert plans["samples"].settings == training.Settings(epochs=2, bf16=True, repeats=8, seed=1)
    assert [plan.first for plan in plans.values()] == [100, None, None]
    assert replication.Run("mixed", "samples", "few", 0).plan.settings.epochs == 7


def test_a_row_may_follow_a_recipe_and_take_a_share_of_the_photographs(folders, mixed):
    run = replication.Run("mixed", "samples", "half", 0)
    assert run.plan.settings == training.Settings(
        epochs=12, learning_rate=1e-4, cosine=True, bf16=False, repeats=8
    )
    assert run.plan.changes == {"width": 0.125, "head": "quantized"} and run.plan.compared
    packs = runner._photographs(run, runner.Shared("cpu"))
    whole = data.photos("samples", "train")
    assert packs["train"].names == tuple(photo.name for photo in whole[: len(whole) // 2])
    assert cost.of(run).visits == len(whole) * 8 * 6  # as many as with all of them


def test_others_are_data_sets_of_the_same_size(mixed):
    others = {
        name: replication.Run("mixed", name, "baseline", 0).plan.others
        for name in ("coast", "forest", "samples")
    }
    assert others == {"coast": ("forest",), "forest": ("coast",), "samples": ()}


def test_the_most_valuable_runs_come_first(mixed):
    names = [str(run).removeprefix("mixed/") for run in replication.matrix("mixed")]
    assert names == [
        *(f"{data}/{row}/any" for data in ("coast", "forest", "samples")
          for row in ("gray", "mean-colour")),
        *(f"{data}/{row}/0" for data in ("coast", "forest", "samples")
          for row in ("baseline", "half")),
        *(f"{data}/{row}/{seed}" for row, seed in (("baseline", 1), ("fusion", 0), ("fusion", 1))
          for data in ("coast", "forest", "samples")),
        "samples/few/0",
    ]


def test_the_first_photographs_of_a_data_set_are_taken_before_they_are_packed(
    folders, mixed, monkeypatch
):
    monkeypatch.setitem(OF_TWO_SIZES["scales"]["mixed"]["each"]["samples"], "photos", 4)
    packs = runner._photographs(
        replication.Run("mixed", "samples", "baseline", 0), runner.Shared("cpu")
    )
    whole = data.photos("samples", "train")
    assert packs["train"].names == tuple(photo.name for photo in whole[:4])
    assert len(packs["train"].pixels) == 4
    assert (len(packs["val"]), len(packs["test"])) == (6, 10)


def test_a_data_set_may_have_its_own_number_of_seeds(mixed, monkeypatch):
    monkeypatch.setitem(OF_TWO_SIZES["scales"]["mixed"]["each"]["samples"], "seeds", 1)
    for name, seeds in (("samples", [0]), ("coast", [0, 1])):
        assert [run.seed for run in replication.matrix("mixed", f"{name}/baseline/")] == seeds


def test_the_scale_for_a_gpu():
    runs = replication.matrix("gpu")
    assert len(set(runs)) == len(runs)
    assert [run.seed for run in runs[:12]] == [None] * 12 and runs[12].seed == 0
    four = runs[12 : 12 + 3 * 16]
    assert {run.variant for run in four} == {"baseline", "fusion", "attention", "control"}
    assert [run.seed for run in four] == [0] * 16 + [1] * 16 + [2] * 16
    assert {run.data for run in four[:8]} == {"landscapes", "places"}
    assert {run.plan.size for run in four if run.data == "imagenet64"} == {64}
    assert replication.Run("gpu", "places", "fusion", 0).plan.others == ("landscapes",)
    assert replication.Run("gpu", "coast", "fusion", 0).plan.others == ()
    assert all(run.plan.settings.bf16 and run.plan.changes["width"] == 1 for run in four)


def test_scales_name_what_there_is():
    declared = replication.declared()
    for scale in declared["scales"].values():
        assert set(scale.get("trivial", ())) <= set(replication.TRIVIAL)
        assert set(scale.get("judged", ())) <= set(scale["data"])
        assert {"width", "data", "ablations", "seeds", "settings"} <= set(scale)
        assert set(scale.get("each", {})) <= set(scale["data"])
        assert all("size" in scale | scale.get("each", {}).get(name, {}) for name in scale["data"])
        assert set(scale.get("without", ())) <= set(declared["ablations"])
        rows = {name for key in ("variants", "once", "later") for name in scale.get(key, ())}
        assert rows <= {*declared["variants"], *declared["steps"]}
        for own in scale.get("each", {}).values():
            assert set(own) <= {"size", "settings", "photos", "seeds"}
    variants = {run.variant for run in replication.matrix("paper")}
    assert "score-concat" not in variants and "score-dot" in variants


# What runs cost -----------------------------------------------------------------


def test_visits_are_photographs_times_repeats_times_epochs(mixed):
    def visits(name: str) -> int:
        data, variant, seed = name.split("/")
        return cost.of(replication.Run("mixed", data, variant, int(seed))).visits

    assert visits("coast/baseline/0") == 100 * 3  # the first 100
    assert visits("samples/baseline/0") == 32 * 8 * 2
    assert visits("samples/few/0") == 5 * 8 * 7
    assert cost.of(replication.Run("mixed", "coast", "gray", None)) == (0, 0)


def test_operations_are_counted_as_by_hand():
    config = networks.Config(width=0.125)
    side = 16
    by_hand = first = 0
    for layer in (model := networks.Colorizer(config)).modules():
        if isinstance(layer, torch.nn.Conv2d):

            def count(layer, _, out):
                nonlocal by_hand, first
                some = 2 * out[0, 0].numel() * layer.weight.numel()
                first = first or some
                by_hand += some

            layer.register_forward_hook(count)
    model(torch.zeros(2, 1, side, side))
    # Back: the gradients of weights and of inputs cost as much each; the first layer's
    # input needs none.
    assert cost.flop_of_a_visit(config, side) == 3 * by_hand - first
    # A position attends to (side / 8)^2 others: scores and sums, 2 C operations a pair each.
    general = networks.Config(width=0.125, attention="general")
    pointwise = networks.Config(width=0.125, attention="pointwise")
    pairs, channels = (128 // 8) ** 4, config.channels(256)
    more = cost.flop_of_a_visit(general, 128) - cost.flop_of_a_visit(pointwise, 128)
    assert more == pytest.approx(3 * 2 * 2 * channels * pairs, rel=0.2)


def test_every_run_of_every_scale_has_its_cost_without_its_photographs(monkeypatch):
    monkeypatch.delenv("COLORLIB_DATA", raising=False)
    for scale in replication.declared()["scales"]:
        for run in replication.matrix(scale):
            visits, flop = cost.of(run)
            assert (visits > 0) == (flop > 0) == (run.seed is not None)


def test_the_list_adds_up(folders, monkeypatch, capfd):
    run = replication.Run("seconds", "samples", "baseline", 0)
    other = replication.Run("seconds", "samples", "baseline", 1)
    records.write(folders[0], {"run": str(run)}, {"test": {"photo": []}})
    call = ["reproduce", "--dry-run", "--only", "baseline", "--results", folders[0], "--rate", "2"]
    monkeypatch.setattr(sys, "argv", ["colorlib", *map(str, call)])
    monkeypatch.setattr(replication.cost, "of", lambda run: replication.Cost(1234, 36e15))
    with pytest.raises(SystemExit):
        cli.main()
    one, two, every, to_do, _ = capfd.readouterr().out.splitlines()
    assert one.split() == [str(run), "done", "1,234", "visits", "36,000.0", "TFLOP"]
    assert two.split() == [str(other), "to", "do", "1,234", "visits", "36,000.0", "TFLOP"]
    assert every == "all: 2 runs, 2,468 visits of photographs, 72.0 PFLOP: 10.00 h at 2 TFLOP/s"
    assert to_do == "to do: 1 run, 1,234 visits of photographs, 36.0 PFLOP: 5.00 h at 2 TFLOP/s"


# Records ------------------------------------------------------------------------


def recorded_of(results: Path) -> dict[str, dict]:
    found = replication.recorded(results, "x").get("coast", {}).get("fusion", [])
    return {run["run"][-1]: run for run in found}


def record(results: Path, seed: int, value=1.234567, **more) -> None:
    scores = {"photo": ["a, b.png", "c.png"], "ab_mse": [value, 12.34567]}
    facts = {"run": f"x/coast/fusion/{seed}", "val_loss": 1.234567}
    losses = {"epoch": [1, 2], "train_loss": [1.234567, math.nan]}
    tables = {"training": losses, "test": scores, "forest": {"ab_mse": [math.nan]}}
    records.write(results, facts, tables, **more)


def test_numbers_have_few_figures(tmp_path):
    record(tmp_path, 10)
    record(tmp_path, 2, figures=4)
    short, long = replication.recorded(tmp_path, "x")["coast"]["fusion"]  # seeds in order
    assert long["scores"] == {"ab_mse": [1.23457, 12.3457]} and long["val_loss"] == 1.23457
    assert short["scores"] == {"ab_mse": [1.235, 12.35]} and short["val_loss"] == 1.23457
    assert long["names"] == short["names"] == ["a, b.png", "c.png"]
    assert long["history"][0] == short["history"][0] == {"epoch": 1, "train_loss": 1.23457}
    assert math.isnan(short["history"][1]["train_loss"]) and list(short["elsewhere"]) == ["forest"]
    assert np.isnan(short["elsewhere"]["forest"]["ab_mse"]).all()


@pytest.mark.parametrize("file", ["runs.jsonl", "values.csv.bz2", "pictures.zip"])
def test_a_run_is_recorded_whole_or_not_at_all(tmp_path, monkeypatch, file):
    record(tmp_path, 0)
    write, before = records.files.write, recorded_of(tmp_path)

    def stopped(path, *rest, **more):
        if path.name == file and stopping:
            raise KeyboardInterrupt
        write(path, *rest, **more)

    monkeypatch.setattr(records.files, "write", stopped)
    monkeypatch.setattr("colorlib.files.writing.write", stopped)
    for seed, stopping in ((1, True), (1, False), (1, True), (1, False)):
        pictures = {"coast/fusion/1.jpg": b"a picture"}
        if stopping:
            with pytest.raises(KeyboardInterrupt):
                record(tmp_path, seed, 7.0, pictures=pictures)
        else:
            record(tmp_path, seed, 8.0, pictures=pictures)
        found = recorded_of(tmp_path)
        assert str(found.pop("0")) == str(before["0"])
        assert [run["scores"]["ab_mse"][0] for run in found.values()] in ([], [8.0])


def test_what_is_recorded_at_the_same_time_is_all_there(tmp_path):
    threads = [threading.Thread(target=record, args=(tmp_path, seed)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(recorded_of(tmp_path)) == sorted("01234567")
    several = tables(tmp_path)
    record(tmp_path, 3)
    assert tables(tmp_path) == several  # the same content, the same bytes


def test_a_line_without_values_and_a_folder_that_is_none_are_told(tmp_path):
    record(tmp_path, 0)
    (tmp_path / "x" / "values.csv.bz2").unlink()
    with pytest.raises(ColorlibError, match="lacks x/coast/fusion/0: delete its line"):
        recorded_of(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(ColorlibError, match="cannot be written"):
        record(tmp_path / "file", 0)


def test_every_row_can_be_built():
    declared = replication.declared()
    for row in (declared["variants"] | declared["steps"] | declared["ablations"]).values():
        networks.build(row["preset"], width=0.125, **row.get("set", {}))
        priors.Spec(**row.get("prior", {}))
        assert set(row) <= {"preset", "set", "settings", "prior", "photos", "recipe", "share"}
    for scale in declared["scales"]:
        for run in replication.matrix(scale):
            assert run.plan.settings or run.variant in replication.TRIVIAL


def runs_of(*scores: list[float]) -> list[dict]:
    names = [f"photo {i}" for i in range(len(scores[0]))]
    return [{"names": names, "scores": {"ab_mse": list(row)}} for row in scores]


def test_differences_are_paired_by_photograph():
    # Photographs differ by far more than the variants do; pairing takes that out.
    base = [0.0, 10.0, 20.0, 30.0]
    worse = runs_of([1.0, 11.2, 20.8, 31.0])
    mean, low, high = replication.estimate(worse, runs_of(base)).interval
    assert mean == pytest.approx(1.0) and 0.7 < low < 1 < high < 1.3
    mean, low, high = replication.estimate(runs_of(base), worse).interval
    assert mean == pytest.approx(-1.0) and high < 0
    with pytest.raises(ValueError, match="same photographs"):
        replication.estimate(worse, runs_of([1.0, 2.0]))


def test_photographs_without_the_metric_are_left_out():
    nan = math.nan
    some, none = runs_of([1.0, nan, 3.0]), runs_of([nan, 1.0, nan])
    left = replication.estimate(runs_of([1.0, 3.0]), runs_of([0.0, 0.0])).interval
    assert replication.estimate(some, runs_of([0.0, 9.0, 0.0])).interval == left
    assert np.isnan(replication.estimate(some, none).interval).all()
    assert np.isnan(replication.estimate(runs_of([1.0, nan]), runs_of([0.0, 0.0])).interval).all()


def test_with_one_seed_the_interval_is_that_of_the_paired_t_test():
    gaps = np.random.default_rng(0).normal(0.5, 1, 12)
    wanted = stats.ttest_1samp(gaps, 0).confidence_interval()
    mean, *ends = replication.estimate(runs_of(gaps), runs_of(0 * gaps)).interval
    assert mean == pytest.approx(gaps.mean()) and ends == pytest.approx(wanted)
    same = runs_of([1.0, 2.0])
    assert replication.estimate(same, same).interval == (0, 0, 0)


def test_the_effect_that_could_be_seen_has_a_power_of_four_fifths():
    gaps = np.random.default_rng(0).normal(0, 1, 200)
    found = replication.estimate(runs_of(gaps), runs_of(0 * gaps))
    # The share of other such samples, around the effect, whose intervals exclude zero.
    several = np.random.default_rng(1).normal(found.detectable, gaps.std(ddof=1), (4000, 200))
    shares = stats.ttest_1samp(several, 0, axis=1).pvalue < 0.05
    assert shares.mean() == pytest.approx(0.8, abs=0.02)
    same = runs_of([1.0, 2.0])
    assert replication.estimate(same, same).detectable == 0


def test_variances_of_a_mean_of_estimates_add_up():
    mean, variance, freedom = statistics.mean_of(
        [statistics.Estimate(1, 4, 3), statistics.Estimate(3, 4, 3)]
    )
    assert (mean, variance, freedom) == (2, 2, 6)


def test_with_few_seeds_the_power_is_a_little_less():
    found = statistics.Estimate(0.0, 1.0, 4)
    _, _, reach = found.interval
    reached = 1 - stats.nct.cdf(reach, 4, found.detectable)
    assert reached == pytest.approx(0.79, abs=0.005)


def test_a_summary_is_in_percent_of_mean_colour_where_it_is_tested():
    def run(error, chroma, agreement, **more):
        names = ("ab_mse", "chroma_ratio", "classifier_agreement")
        scores = {name: [value] * 2 for name, value in zip(names, (error, chroma, agreement),
                                                           strict=True)}
        return {"scores": scores, **more}

    away = {"there": {"ab_mse": [3.0], "chroma_ratio": [math.nan, 0.5]}}
    rows = {
        "gray": [run(5, 0, 0.5)], "mean-colour": [run(4, 0.1, 0.5)],
        "net": [run(2, 0.6, 0.6, elsewhere=away), run(3, 0.8, 0.7, elsewhere=away)],
    }
    there = {"gray": [run(9, 0, 0.2)], "mean-colour": [run(6, 0.1, 0.2)]}
    found = replication.summary(rows, "net")
    assert found.errors == [50, 75] and found.error == 62.5
    assert (found.chroma, found.gap) == pytest.approx((0.7, 30))
    errors, chroma, gap = replication.summary(rows, "net", "there", there)
    assert errors == [50, 50] and chroma == 0.5 and math.isnan(gap)
    with pytest.raises(ValueError, match="its rows"):
        replication.summary(rows, "net", "there")
    away["there"]["classifier_agreement"] = [0.6]
    assert replication.summary(rows, "net", "there", there).gap == pytest.approx(50)


def test_a_difference_in_percent_is_of_the_other():
    mean, low, high = replication.relative(runs_of([2.0, 4.0]), runs_of([1.0, 3.0])).interval
    assert (mean, low, high) == (50, 50, 50)


def test_where_photographs_agree_the_interval_is_that_of_welchs_t_test_over_seeds():
    ours, theirs = [1.0, 1.2, 1.1], [0.7, 1.3, 0.9, 1.0]
    wanted = stats.ttest_ind(ours, theirs, equal_var=False).confidence_interval()
    sides = [runs_of(*([value] * 5 for value in side)) for side in (ours, theirs)]
    mean, *ends = replication.estimate(*sides).interval
    assert mean == pytest.approx(1.1 - 0.975) and ends == pytest.approx(wanted)


def test_a_network_with_one_seed_varies_as_the_other_and_a_trivial_baseline_does_not():
    several = runs_of(*([value] * 5 for value in (1.0, 1.2, 1.1)))
    trivial = runs_of([1.0] * 5)
    network = [trivial[0] | {"settings": {"seed": 0}}]
    mean, *ends = replication.estimate(several, trivial).interval
    wanted = stats.ttest_1samp([0.0, 0.2, 0.1], 0).confidence_interval()
    assert (mean, *ends) == pytest.approx((0.1, *wanted))
    # A third of the seeds' variance for the mean of three, and all of it for the one.
    _, low, high = replication.estimate(several, network).interval
    reach = stats.t.ppf(0.975, 2) * 0.1 * (4 / 3) ** 0.5
    assert (low, high) == pytest.approx((0.1 - reach, 0.1 + reach))


def script(tmp_path, perform: str, main: str) -> tuple[list, Path]:
    """A program that does runs with another `perform`, in its workers too, and its folder."""
    code = f"""
import os, signal, sys, time
from pathlib import Path
import replication
from replication import pool

def perform(run, results, *rest):
    {perform}

pool.perform = perform
if __name__ == "__main__":
    out = Path(sys.argv[1])
    {main}
"""
    path, out = tmp_path / "run.py", tmp_path / "out"
    path.write_text(code)
    out.mkdir()
    return [sys.executable, path, out], out


def until(done, process, seconds: float = 120) -> None:
    begun = time.monotonic()
    while not done():
        assert process.poll() is None and time.monotonic() - begun < seconds
        time.sleep(0.05)


FOREVER = "(results / str(os.getpid())).touch(); time.sleep(600)"


def test_workers_report_each_run_and_end_with_a_killed_parent(tmp_path):
    call, out = script(tmp_path, f"if run.seed is not None: {FOREVER}", """
    def report(run, error):
        (out / f"{run.variant} {error}").touch()
    runs = replication.matrix("seconds", "samples/")[:4]
    replication.work_through(runs, out, out, ["cpu", "cpu"], report=report)""")
    parent = subprocess.Popen(call)
    until(lambda: len(list(out.iterdir())) == 4, parent)
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
@pytest.mark.parametrize("what", ["interrupted", "killed"])
def test_an_interrupt_and_a_killed_worker_are_told_once(tmp_path, what):
    call, out = script(tmp_path, FOREVER, """
    signal.signal(signal.SIGINT, signal.default_int_handler)  # it may be ignored here
    runs = replication.matrix("seconds", "samples/baseline")
    replication.work_through(runs, out, out, ["cpu", "cpu"])""")
    parent = subprocess.Popen(call, stderr=subprocess.PIPE, text=True)
    until(lambda: len(list(out.iterdir())) == 2, parent)
    workers = [int(worker.name) for worker in out.iterdir()]
    if what == "killed":
        os.kill(workers[0], signal.SIGKILL)
    else:
        for process in (*workers, parent.pid):  # Ctrl-C reaches all of them, in any order
            os.kill(process, signal.SIGINT)
            time.sleep(0.5)
    _, error = parent.communicate(timeout=60)
    assert error.count("Traceback") == 1, error
    last = error.rstrip().splitlines()[-1]
    assert last == "KeyboardInterrupt" if what == "interrupted" else "has been killed" in last
    assert not any(alive(worker) for worker in workers)


def alive(process: int) -> bool:
    """Whether a process runs; one that has ended may still be listed."""
    with contextlib.suppress(OSError):
        return Path("/proc", str(process), "stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


# In time, and several at once ---------------------------------------------------


def tables(results: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(results)): path.read_bytes()
        for path in sorted(results.rglob("*")) if path.suffix in (".bz2", ".zip")
    }


@pytest.fixture
def reproduce(folders, monkeypatch, capfd):
    """Calls the command: (status, stdout, stderr)."""
    def call(*more, results=folders[0]) -> tuple[int, str, str]:
        line = ["reproduce", "--results", results, "--work", folders[1], "--device", "cpu", *more]
        monkeypatch.setattr(sys, "argv", ["colorlib", *map(str, line)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        return stop.value.code or 0, *capfd.readouterr()

    return call


def test_without_time_nothing_begins_and_the_same_command_goes_on(
    folders, reproduce, monkeypatch
):
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    status, said, _ = reproduce("--only", "baseline", "--minutes", "0")
    assert status == 0 and "0 of 2 runs" in said and "time is up, and the same command" in said
    assert not folders[0].exists() and not folders[1].exists()
    status, said, _ = reproduce("--only", "baseline", "--minutes", "10")
    assert status == 0 and said.endswith("2 of 2 runs of seconds are there\n")


def test_a_run_that_time_stops_goes_on_to_the_same_tables(folders, tmp_path):
    results, work = folders
    (run,) = replication.matrix("seconds", "samples/baseline/0")
    code = """
import sys, time
from concurrent import futures
import replication
from replication import pool
from colorlib.training import loop

whole = loop.train_epoch

def train_epoch(*arguments):
    if len(arguments[2].history) == 1:  # the second epoch
        time.sleep(600)
    return whole(*arguments)

loop.train_epoch = train_epoch  # in the worker too, which imports this file
if __name__ == "__main__":
    (run,) = replication.matrix("seconds", "samples/baseline/0")
    metrics = run.folder(sys.argv[2]) / "metrics.csv"

    def as_completed(ended, left):  # time is up when the first epoch is done
        while not metrics.is_file() or len(metrics.read_text().split()) < 2:
            time.sleep(0.05)
        return futures.as_completed(ended, 0)

    pool.as_completed, ended = as_completed, []
    replication.work_through([run], sys.argv[1], sys.argv[2], ["cpu"],
                             report=lambda *it: ended.append(it), until=time.monotonic() + 60)
    assert not ended
"""
    script = tmp_path / "run.py"
    script.write_text(code)
    subprocess.run([sys.executable, script, results, work], check=True, timeout=200)
    assert not results.exists()
    losses = run.folder(work) / "metrics.csv"
    assert len(losses.read_text().splitlines()) == 2  # a head and an epoch
    replication.work_through([run], results, work, ["cpu"])
    replication.work_through([run], tmp_path / "whole", tmp_path / "other", ["cpu"])
    assert tables(results) == tables(tmp_path / "whole") and len(tables(results)) == 2


def test_several_runs_share_a_device(reproduce, folders, monkeypatch, tmp_path):
    seen = []
    work_through = replication.work_through

    def noted(runs, results, work, devices, *rest):
        seen.append(devices)
        work_through(runs, results, work, devices, *rest)

    monkeypatch.setattr(replication, "work_through", noted)
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    assert reproduce("--only", "baseline", "--workers-per-device", "2")[0] == 0
    assert reproduce("--only", "baseline", results=tmp_path / "alone")[0] == 0
    assert seen == [["cpu", "cpu"], ["cpu"]]
    assert tables(folders[0]) == tables(tmp_path / "alone") != {}
    assert reproduce("--workers-per-device", "0")[0] == 2


@pytest.mark.parametrize("devices", [["cpu"], ["cpu", "cpu"]])
def test_photographs_that_are_not_there_fail_one_run(folders, monkeypatch, devices):
    results, work = folders
    monkeypatch.delenv("COLORLIB_DATA", raising=False)
    runs = [
        replication.Run("seconds", "coast", "gray", None),
        replication.Run("seconds", "samples", "gray", None),
    ]
    ended = {}
    replication.work_through(
        runs, results, work, devices, report=lambda run, error: ended.update({run: error})
    )
    assert "coast" in ended[runs[0]] and ended[runs[1]] is None


def test_an_unforeseen_error_fails_one_run(folders, monkeypatch):
    ended = {}

    def broken(*arguments):
        raise MemoryError("none left")

    monkeypatch.setattr(pool, "perform", broken)
    runs = replication.matrix("seconds", "baseline")
    replication.work_through(
        runs, *folders, ["cpu"], report=lambda run, error: ended.update({run: error})
    )
    assert ended == dict.fromkeys(runs, "MemoryError: none left") and len(runs) == 2
