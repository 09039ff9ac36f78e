import csv
import math
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch

from colorlib import data, lab, metrics, models, train
from colorlib.data import Packed
from colorlib.errors import ColorlibError


def network(seed: int = 0, **changes) -> models.Colorizer:
    torch.manual_seed(seed)
    return models.build("baseline", **{"width": 0.125, **changes})


def fit(photographs, out=None, seed=0, **settings):
    model = network(seed)
    settings = train.Settings(**{"epochs": 4, "batch_size": 4, "seed": seed, **settings})
    return model, train.fit(model, photographs, photographs, settings, out)


def rows(out):
    with open(out / "metrics.csv", newline="") as file:
        return list(csv.DictReader(file))


def same(one, other) -> bool:
    return all(torch.equal(t, other.state_dict()[k]) for k, t in one.state_dict().items())


def test_it_learns_what_gray_and_mean_colour_cannot(toy_photographs):
    model, history = fit(toy_photographs, epochs=60)
    yardsticks = metrics.yardsticks(toy_photographs, toy_photographs)
    assert history[-1]["val_loss"] < 0.2 * min(yardsticks.values())
    assert history[-1]["val_loss"] == pytest.approx(train.evaluate(model, toy_photographs))


def test_the_first_losses_are_these(toy_photographs):
    # Red when the learning rate, the optimiser, the loss' scale, the order of the
    # photographs, the initialisation or batch normalisation changes.
    _, history = fit(toy_photographs)
    found = [row["train_loss"] for row in history]
    assert found == pytest.approx(FIRST_LOSSES, rel=2e-3)


FIRST_LOSSES = [0.03478, 0.02647, 0.02019, 0.01637]


def test_a_seed_repeats_a_run_exactly_and_another_seed_does_not(toy_photographs):
    one, history = fit(toy_photographs, flip=True, crop=8)
    again, history_again = fit(toy_photographs, flip=True, crop=8)
    assert history == history_again and same(one, again)
    _, other = fit(toy_photographs, seed=1, flip=True, crop=8)
    assert other != history


def test_the_run_folder(toy_photographs, tmp_path):
    _, history = fit(toy_photographs, tmp_path / "run")
    found = rows(tmp_path / "run")
    assert [tuple(row) for row in found] == [train.COLUMNS] * 4
    assert [float(row["val_loss"]) for row in found] == [row["val_loss"] for row in history]
    best = min(history, key=lambda row: row["val_loss"])
    about = models.read_about(tmp_path / "run" / "best.safetensors")
    assert about == {"size": 16, "epoch": best["epoch"], "val_loss": best["val_loss"]}
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names == {"metrics.csv", "best.safetensors", "last.safetensors"}


class Stopped(Exception):
    pass


def stop_in_the_third_epoch(monkeypatch):
    evaluate, calls = train.evaluate, []

    def stopping(*args, **kwargs):
        calls.append(1)
        if len(calls) == 3:
            raise Stopped
        return evaluate(*args, **kwargs)

    monkeypatch.setattr(train, "evaluate", stopping)


def test_a_stopped_run_goes_on_to_the_same_end(toy_photographs, tmp_path, monkeypatch):
    settings = {"epochs": 6, "crop": 8, "flip": True, "cosine": True}
    straight, history = fit(toy_photographs, tmp_path / "straight", **settings)

    stop_in_the_third_epoch(monkeypatch)
    with pytest.raises(Stopped):
        fit(toy_photographs, tmp_path / "halting", **settings)
    assert len(rows(tmp_path / "halting")) == 2
    resumed, resumed_history = fit(toy_photographs, tmp_path / "halting", **settings)
    assert resumed_history == history and same(resumed, straight)
    assert rows(tmp_path / "halting") == rows(tmp_path / "straight")


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
@pytest.mark.parametrize("optimizer", train.OPTIMIZERS)
def test_every_optimizer_learns_and_goes_on_to_the_same_end(
    toy_photographs, tmp_path, monkeypatch, optimizer
):
    rate = {"sgd": 0.1, "momentum": 0.03, "rmsprop": 1e-3, "adam": 1e-3}[optimizer]
    more = {"optimizer": optimizer, "learning_rate": rate, "epochs": 6}
    model, history = fit(toy_photographs, **more)
    assert history[-1]["train_loss"] < 0.9 * history[0]["train_loss"]
    stop_in_the_third_epoch(monkeypatch)
    with pytest.raises(Stopped):
        fit(toy_photographs, tmp_path, **more)
    resumed, again = fit(toy_photographs, tmp_path, **more)
    assert again == history and same(resumed, model)


def test_a_killed_run_goes_on_to_the_same_end(tmp_path):
    code = """
import sys, torch
from colorlib import data, models, train
photographs = data.pack(data.photos("samples", "val"), 16)
torch.set_num_threads(1)
torch.manual_seed(0)
model = models.build("baseline", width=0.125)
settings = train.Settings(epochs=40, batch_size=4, flip=True)
train.fit(model, photographs, photographs, settings, sys.argv[1])
"""
    command = [sys.executable, "-c", code, str(tmp_path / "killed")]
    killed = subprocess.Popen(command)
    while not (tmp_path / "killed" / "metrics.csv").exists() or len(
        rows(tmp_path / "killed")
    ) < 3:
        assert killed.poll() is None, "ended before it could be killed"
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert len(rows(tmp_path / "killed")) < 40
    subprocess.run(command, check=True)
    photographs = data.pack(data.photos("samples", "val"), 16)
    fit(photographs, tmp_path / "straight", epochs=40, flip=True)
    assert rows(tmp_path / "killed") == rows(tmp_path / "straight")


TOGETHER = """
import json, sys, torch
from colorlib import data, models, train
torch.set_num_threads(1)
photographs = data.pack(data.photos("samples", "val"), 16)
torch.manual_seed(0)
model = models.build("baseline", width=0.125, batch_norm=False)
settings = train.Settings(epochs=6, batch_size=4, flip=True, crop=8, average=0.5)
history = train.fit(model, photographs, photographs, settings, sys.argv[1])
"""


@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch has no distributed here")
def test_two_processes_learn_what_one_does(tmp_path):
    # Without batch normalisation, which on a CPU sees only a process' own share.
    script = tmp_path / "together.py"
    script.write_text(TOGETHER)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    subprocess.run([sys.executable, script, tmp_path / "one"], check=True)
    subprocess.run([*launcher, script, tmp_path / "two"], check=True, capture_output=True)
    one, two = rows(tmp_path / "one"), rows(tmp_path / "two")
    assert len(one) == len(two) == 6
    for column in ("train_loss", "val_loss"):
        losses = [[float(row[column]) for row in found] for found in (one, two)]
        assert losses[1] == pytest.approx(losses[0], rel=1e-4)
        assert losses[0][-1] != pytest.approx(losses[0][0], rel=1e-2)


def test_processes_share_a_batch_and_count_by_what_they_hold(toy_photographs):
    settings = train.Settings(batch_size=8)
    found = [
        list(train._batches(toy_photographs, settings, 0, "cpu", train.Processes(rank, 3)))
        for rank in range(3)
    ]
    sizes = [[len(L) for (L, _, _), _ in mine] for mine in found]
    assert sizes == [[3], [3], [2]]
    assert sum(share for ((_, share),) in found) == pytest.approx(3)
    together = torch.cat([L for (((L, _, _), _),) in found])
    ((alone, _, _), share) = next(train._batches(toy_photographs, settings, 0))
    assert share == 1 and torch.equal(together, alone)


@pytest.mark.parametrize(("count", "fits"), [(3, True), (4, True), (5, False)])
def test_more_processes_than_photographs_in_the_smallest_batch(toy_photographs, count, fits):
    assert len(toy_photographs) == 8  # 13 batches of up to 5: 4 in the smallest
    settings, processes = train.Settings(batch_size=5, repeats=8), train.Processes(0, count)
    smallest = min(
        len(L) for rank in range(count) for (L, _, _), _ in
        train._batches(toy_photographs, settings, 0, "cpu", train.Processes(rank, count))
    )
    assert bool(smallest) == fits
    with nullcontext() if fits else pytest.raises(ColorlibError, match="so small a batch"):
        train._check(toy_photographs, toy_photographs, settings, processes)


FULL_DISK = """
import resource, signal, sys, torch
from colorlib import data, models, train
photographs = data.pack(data.photos("samples", "val"), 16)
model = models.build("baseline", width=0.125)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))  # no file may grow beyond
try:
    train.fit(model, photographs, photographs, train.Settings(epochs=1), sys.argv[1])
except train.ColorlibError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on files")
def test_a_full_disk_is_one_sentence_and_keeps_the_last_checkpoint(tmp_path):
    photographs = data.pack(data.photos("samples", "val"), 16)
    model = network(width=0.125)
    train.fit(model, photographs, photographs, train.Settings(epochs=1), tmp_path)
    kept = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    command = [sys.executable, "-c", FULL_DISK, tmp_path / "new"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert "cannot be written" in done.stdout and done.stdout.count("\n") == 1, done.stderr
    assert not (tmp_path / "new" / "last.safetensors").exists()
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir() if p.is_file()} == kept


def test_a_damaged_checkpoint_is_refused(toy_photographs, tmp_path):
    fit(toy_photographs, tmp_path, epochs=1)
    last = tmp_path / "last.safetensors"
    last.write_bytes(last.read_bytes()[:500])
    with pytest.raises(ColorlibError, match="damaged"):
        fit(toy_photographs, tmp_path, epochs=1)


def test_the_average_is_what_is_judged_and_kept(toy_photographs, tmp_path):
    model, history = fit(toy_photographs, tmp_path, epochs=3, average=0.9)
    kept = models.load_weights(tmp_path / "best.safetensors")
    best = min(row["val_loss"] for row in history)
    assert train.evaluate(kept, toy_photographs) == pytest.approx(best, rel=1e-2)
    assert history[-1]["val_loss"] == pytest.approx(train.evaluate(model, toy_photographs))
    plain, _ = fit(toy_photographs, epochs=3)
    assert not same(model, plain)


def embedded(photographs):
    random = np.random.default_rng(0)
    return photographs.with_embeddings(random.normal(size=(8, 2, 5)).astype(np.float32))


def test_every_photograph_brings_its_own_embedding_and_its_mirror_image_the_other(
    toy_photographs,
):
    pixels = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3), np.uint8)  # no symmetry
    photographs = embedded(replace(toy_photographs, pixels=pixels))
    plain = lab.normalize(photographs.lab())[0]
    both = torch.stack((plain, plain.flip(-1)), dim=1)  # (8, 2, 1, 16, 16)
    chosen = set()
    for (L, embedding, _), _ in train._batches(photographs, train.Settings(flip=True), 0):
        for seen, found in zip(L, embedding, strict=True):
            nearest = (both - seen).abs().sum(dim=(2, 3, 4)).argmin().item()
            i, mirrored = divmod(nearest, 2)
            assert torch.equal(found, torch.from_numpy(photographs.embeddings[i, mirrored]))
            chosen.add((i, mirrored))
    assert {i for i, _ in chosen} == set(range(8)) and {m for _, m in chosen} == {0, 1}


@pytest.mark.parametrize("preset", ["fusion", "attention"])
def test_a_network_with_a_prior_trains_stops_and_goes_on(
    preset, toy_photographs, tmp_path, monkeypatch
):
    def trained(out):
        torch.manual_seed(0)
        model = models.build(preset, width=0.125, embedding=5, coordinates=True)
        settings = train.Settings(epochs=5, batch_size=4, flip=True, average=0.5)
        return model, train.fit(model, photographs, photographs, settings, out)

    photographs = embedded(toy_photographs)
    straight, history = trained(tmp_path / "straight")
    assert history[-1]["train_loss"] < history[0]["train_loss"]
    with monkeypatch.context() as patch:
        stop_in_the_third_epoch(patch)
        with pytest.raises(Stopped):
            trained(tmp_path / "halting")
    resumed, again = trained(tmp_path / "halting")
    assert again == history and same(resumed, straight)


def test_a_finished_run_is_not_trained_again(toy_photographs, tmp_path):
    model, history = fit(toy_photographs, tmp_path)
    again, history_again = fit(toy_photographs, tmp_path)
    assert history_again == history and same(model, again)


def test_other_settings_or_photographs_are_refused(toy_photographs, tmp_path):
    fit(toy_photographs, tmp_path)
    before = (tmp_path / "metrics.csv").read_bytes()
    with pytest.raises(ColorlibError, match="other settings"):
        fit(toy_photographs, tmp_path, learning_rate=2e-3)
    with pytest.raises(ColorlibError, match="other training photographs or prior and held"):
        fit(toy_photographs.select(range(4)), tmp_path)
    assert (tmp_path / "metrics.csv").read_bytes() == before


def test_a_loss_that_is_no_number_is_one_sentence_and_keeps_the_last_good_epoch(
    toy_photographs, tmp_path, monkeypatch
):
    fit(toy_photographs, tmp_path, epochs=1)
    kept = (tmp_path / "last.safetensors").read_bytes()
    monkeypatch.setattr(train, "_epoch", lambda *_: math.nan)
    with pytest.raises(ColorlibError, match="no longer a number in epoch 1"):
        fit(toy_photographs, tmp_path / "other")
    assert (tmp_path / "last.safetensors").read_bytes() == kept
    assert not (tmp_path / "other" / "last.safetensors").exists()


def batches(photographs, epoch=0, **settings):
    found = train._batches(photographs, train.Settings(**settings), epoch)
    return [(L, ab) for (L, _, ab), _ in found]


def one_photograph(pixels, times=100):
    """A gray photograph (S, S) of values 0..255, so often."""
    rgb = np.asarray(pixels, np.uint8)[None, :, :, None].repeat(3, axis=3)
    return Packed(rgb, ("a",) * times, "key", np.zeros(times, int))


def test_every_photograph_is_seen_as_often_as_asked_in_a_new_order(toy_photographs):
    found = batches(toy_photographs, batch_size=3, repeats=2)
    assert [len(L) for L, _ in found] == [3, 3, 3, 3, 2, 2]
    seen = torch.cat([torch.cat(pair, dim=1) for pair in found]).flatten(1).tolist()
    all_photographs = torch.cat(lab.normalize(toy_photographs.lab()), dim=1).flatten(1).tolist()
    assert sorted(seen) == sorted(all_photographs * 2)
    (one, _), (other, _) = (batches(toy_photographs, epoch, batch_size=8)[0] for epoch in (0, 1))
    assert not torch.equal(one, other) and torch.isclose(one.sum(), other.sum(), rtol=1e-4)


def test_crops_are_cut_from_the_photograph_and_move():
    photographs = one_photograph(np.arange(16 * 16).reshape(16, 16))
    levels = lab.normalize(photographs.lab([0]))[0][0, 0]
    ((crops, _),) = batches(photographs, batch_size=100, crop=8)
    assert crops.shape == (100, 1, 8, 8)
    corners = set()
    for crop in crops[:, 0]:
        y, x = divmod((levels - crop[0, 0]).abs().argmin().item(), 16)
        corners.add((y, x))
        assert torch.equal(crop, levels[y : y + 8, x : x + 8])
    assert len(corners) > 40


def test_scaled_crops_cover_from_that_share_to_the_whole():
    columns = np.tile(np.arange(64) * 4, (64, 1))  # what a crop covers shows in its range
    ((L, ab),) = batches(one_photograph(columns), batch_size=100, crop=16, scale=0.25)
    assert L.shape == (100, 1, 16, 16) and ab.shape == (100, 2, 16, 16)
    light = (lab.lab_to_rgb(lab.denormalize(L, ab))[:, 0] * 255).mean(1)
    share = (light[:, -1] - light[:, 0]) / 4 / 63
    assert 0.15 < share.min() < 0.4 and 0.85 < share.max() < 1.01
    assert share.std() > 0.15


def test_flips_mirror_about_half_of_the_photographs():
    photographs = one_photograph(np.arange(16 * 16).reshape(16, 16))
    ((found, _),) = batches(photographs, batch_size=100, flip=True)
    plain = lab.normalize(photographs.lab([0]))[0][0]
    mirrored = sum(torch.equal(L, plain.flip(-1)) for L in found)
    assert mirrored + sum(torch.equal(L, plain) for L in found) == 100
    assert 30 < mirrored < 70


def test_exposure_changes_lightness_by_powers_and_no_colour(toy_photographs):
    photographs = toy_photographs.select([0] * 200)
    ((L, ab),) = batches(photographs, batch_size=200, exposure=0.5)
    plain, colour = lab.normalize(toy_photographs.lab([0]))
    assert torch.equal(ab, colour.expand(200, -1, -1, -1))
    powers = ((L + 1) / 2).log() / ((plain + 1) / 2).log()
    assert torch.allclose(powers, powers[:, :, :1, :1].expand_as(powers), rtol=1e-2)
    one_each = powers[:, 0, 0, 0].log()
    assert -0.5 <= one_each.min() < -0.4 and 0.4 < one_each.max() <= 0.5


def test_the_cosine_ends_near_zero():
    settings = train.Settings(epochs=10, learning_rate=1.0, cosine=True)
    rates = [train._learning_rate(settings, epoch) for epoch in range(10)]
    assert rates[0] == 1 and rates == sorted(rates, reverse=True) and 0 < rates[-1] < 0.03


def test_evaluation_does_not_depend_on_the_batch_size(toy_photographs):
    model = network()
    losses = [train.evaluate(model, toy_photographs, size) for size in (1, 3, 8)]
    assert losses == pytest.approx([losses[0]] * 3, rel=1e-5)


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0},
        {"batch_size": -1},
        {"learning_rate": 0},
        {"crop": 12},
        {"repeats": 0},
        {"scale": 0.5},
        {"crop": 8, "scale": 1.5},
        {"exposure": -1},
        {"exposure": math.inf},
        {"average": 1.0},
    ],
)
def test_bad_settings_are_refused(wrong):
    with pytest.raises(ColorlibError):
        train.Settings(**wrong)


def test_a_crop_larger_than_the_photographs_is_refused(toy_photographs):
    with pytest.raises(ColorlibError, match="does not fit"):
        fit(toy_photographs, crop=24)


@pytest.mark.parametrize("bf16", [False, True])
def test_bf16_trains_as_well(toy_photographs, bf16):
    _, history = fit(toy_photographs, epochs=40, bf16=bf16)
    assert history[-1]["val_loss"] < 0.5 * history[0]["val_loss"]


def test_a_settled_network_normalises_by_the_photographs(toy_photographs):
    torch.manual_seed(0)
    network = models.build("baseline", width=0.125)
    L, _ = lab.normalize(toy_photographs.lab())
    with torch.no_grad():
        wanted = network.train()(L)
    train.settle(network, toy_photographs)
    assert not network.training
    torch.manual_seed(0)
    fresh = models.build("baseline", width=0.125).eval()
    with torch.no_grad():  # averages keep the unbiased variance, batches the biased one
        settled, unsettled = ((n(L) - wanted).norm() / wanted.norm() for n in (network, fresh))
    assert settled < 0.2 < 2 * settled < unsettled
    assert {m.momentum for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)} == {0.1}
