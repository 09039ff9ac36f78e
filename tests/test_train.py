import csv
import math
import signal
import subprocess
import sys
import time

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


def test_a_stopped_run_goes_on_to_the_same_end(toy_photographs, tmp_path, monkeypatch):
    settings = {"epochs": 6, "crop": 8, "flip": True, "cosine": True}
    straight, history = fit(toy_photographs, tmp_path / "straight", **settings)

    evaluate, calls = train.evaluate, []

    def stop_in_the_third_epoch(*args, **kwargs):
        calls.append(1)
        if len(calls) == 3:
            raise Stopped
        return evaluate(*args, **kwargs)

    monkeypatch.setattr(train, "evaluate", stop_in_the_third_epoch)
    with pytest.raises(Stopped):
        fit(toy_photographs, tmp_path / "halting", **settings)
    assert len(rows(tmp_path / "halting")) == 2
    resumed, resumed_history = fit(toy_photographs, tmp_path / "halting", **settings)
    assert resumed_history == history and same(resumed, straight)
    assert rows(tmp_path / "halting") == rows(tmp_path / "straight")


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
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


def test_a_finished_run_is_not_trained_again(toy_photographs, tmp_path):
    model, history = fit(toy_photographs, tmp_path)
    again, history_again = fit(toy_photographs, tmp_path)
    assert history_again == history and same(model, again)


def test_other_settings_or_photographs_are_refused(toy_photographs, tmp_path):
    fit(toy_photographs, tmp_path)
    before = (tmp_path / "metrics.csv").read_bytes()
    with pytest.raises(ColorlibError, match="other settings"):
        fit(toy_photographs, tmp_path, learning_rate=2e-3)
    with pytest.raises(ColorlibError, match="other train and val"):
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
    return list(train._batches(photographs, train.Settings(**settings), epoch))


def one_photograph(pixels, times=100):
    """A gray photograph (S, S) of values 0..255, so often."""
    rgb = np.asarray(pixels, np.uint8)[None, :, :, None].repeat(3, axis=3)
    return Packed(rgb, ("a",) * times, "key", np.zeros(times, int))


def test_every_photograph_is_seen_as_often_as_asked_in_a_new_order(toy_photographs):
    found = batches(toy_photographs, batch_size=3, repeats=2)
    assert [len(L) for L, _ in found] == [3, 3, 3, 3, 3, 1]
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
