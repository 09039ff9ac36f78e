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
from checks import one_sentence
from PIL import Image
from torch.optim.swa_utils import update_bn

from colorlib import data, lab, metrics, networks, training
from colorlib.base import options
from colorlib.base.errors import ColorlibError
from colorlib.data import Packed
from colorlib.networks import classifiers, heads
from colorlib.tool import weights, zoo
from colorlib.training import augment, checkpoints, loop


def network(seed: int = 0, **changes) -> networks.Colorizer:
    torch.manual_seed(seed)
    return networks.build("baseline", **{"width": 0.125, **changes})


def fit(photographs, out=None, seed=0, **settings):
    model = network(seed)
    settings = training.Settings(**{"epochs": 4, "batch_size": 4, "seed": seed, **settings})
    return model, training.fit(model, photographs, photographs, settings, out)


def rows(out):
    with open(out / "metrics.csv", newline="") as file:
        return list(csv.DictReader(file))


def same(one, other) -> bool:
    return all(torch.equal(t, other.state_dict()[k]) for k, t in one.state_dict().items())


def test_it_learns_what_gray_and_mean_colour_cannot(toy_photographs):
    model, history = fit(toy_photographs, epochs=60)
    baselines = metrics.trivial_baselines(toy_photographs, toy_photographs)
    assert history[-1]["val_loss"] < 0.2 * min(baselines.values())
    assert history[-1]["val_loss"] == pytest.approx(training.evaluate(model, toy_photographs))


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
    assert [tuple(row) for row in found] == [training.COLUMNS] * 4
    assert [float(row["val_loss"]) for row in found] == [row["val_loss"] for row in history]
    best = min(history, key=lambda row: row["val_loss"])
    about = weights.read_about(tmp_path / "run" / "best.safetensors")
    found = {"size": 16, "epoch": best["epoch"], "val_loss": best["val_loss"]}
    assert {name: about[name] for name in found} == found
    names = {path.name for path in (tmp_path / "run").iterdir()} - {".lock"}
    assert names == {"metrics.csv", "best.safetensors", "last.pt"}


def test_at_most_a_tenth_of_the_time_goes_into_checkpoints(
    toy_photographs, tmp_path, monkeypatch
):
    clock, written = [100.0], []
    write = checkpoints.write_checkpoint

    def slow(content, path):
        written.append(len(content["history"]))
        clock[0] += 1  # a second for a checkpoint
        write(content, path)

    evaluate = loop.evaluate

    def epoch_of_four_seconds(*arguments):
        clock[0] += 4
        return evaluate(*arguments)

    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(checkpoints, "write_checkpoint", slow)
    monkeypatch.setattr(loop, "evaluate", epoch_of_four_seconds)
    fit(toy_photographs, tmp_path, epochs=8)
    assert written == [1, 4, 7, 8]
    assert len(rows(tmp_path)) == 8


def test_the_best_weights_are_of_an_epoch_from_which_a_killed_run_goes_on(
    toy_photographs, tmp_path, monkeypatch
):
    clock, losses = [100.0], iter([5, 4, 3, 2, 9, 9, 9, 9])
    write = checkpoints.write_checkpoint

    def slow(content, path):
        clock[0] += 1
        write(content, path)

    def killed(*_):
        clock[0] += 1
        try:
            return float(next(losses))
        except StopIteration:
            raise KeyboardInterrupt from None

    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(checkpoints, "write_checkpoint", slow)
    monkeypatch.setattr(loop, "evaluate", killed)
    with pytest.raises(KeyboardInterrupt):
        fit(toy_photographs, tmp_path, epochs=30)
    history = checkpoint(tmp_path)["history"]
    best = weights.read_about(tmp_path / "best.safetensors")
    assert len(rows(tmp_path)) == 8 and len(history) == 1  # epochs beyond were lost
    assert (best["epoch"], best["val_loss"]) == (1, 5)


def test_of_a_run_that_diverges_the_best_weights_are_kept(toy_photographs, tmp_path, monkeypatch):
    clock, losses = [100.0], iter([5, 4, 3, math.nan])
    write = checkpoints.write_checkpoint

    def slow(content, path):
        clock[0] += 100
        write(content, path)

    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(checkpoints, "write_checkpoint", slow)
    monkeypatch.setattr(loop, "evaluate", lambda *_: float(next(losses)))
    with pytest.raises(training.Diverged, match="best weights of the epochs before are kept"):
        fit(toy_photographs, tmp_path, epochs=30)
    assert weights.read_about(tmp_path / "best.safetensors")["epoch"] == 3


class Stopped(Exception):
    pass


def stop_in_the_third_epoch(monkeypatch):
    evaluate, calls = loop.evaluate, []

    def stopping(*args, **kwargs):
        calls.append(1)
        if len(calls) == 3:
            raise Stopped
        return evaluate(*args, **kwargs)

    monkeypatch.setattr(loop, "evaluate", stopping)


def sheets(out) -> list[str]:
    return sorted(path.name for path in (out / "previews").iterdir())


def test_previews_show_gray_predicted_and_true_colours(toy_photographs, tmp_path):
    photographs = toy_photographs.select([*range(8), 0])
    model = network(output_gain=1.0)  # strong colours from the beginning
    settings = training.Settings(epochs=5, batch_size=9, preview=2)
    training.fit(model, photographs, photographs, settings, tmp_path)
    assert sheets(tmp_path) == ["epoch-0002.jpg", "epoch-0004.jpg", "epoch-0005.jpg"]
    with Image.open(tmp_path / "previews" / "epoch-0005.jpg") as sheet:
        assert sheet.size == (8 * 16, 3 * 16)  # of nine photographs eight
        rgb = torch.from_numpy(np.array(sheet)).float() / 255
    shown = lab.rgb_to_lab(rgb.permute(2, 0, 1)).reshape(3, 3, 16, 8, 16).permute(1, 3, 0, 2, 4)
    true = photographs.lab([0, 1, 2, 3, 5, 6, 7, 8])
    L, _ = lab.normalize(true)
    with torch.no_grad():
        predicted = lab.denormalize(L, model.eval()(L))
    gray = torch.cat((true[:, :1], 0 * true[:, 1:]), dim=1)
    for row, expected in zip(shown, (gray, predicted, true), strict=True):
        assert (row.mean(dim=(2, 3)) - expected.mean(dim=(2, 3))).abs().max() < 2
    assert (predicted - gray).abs().max() > 5 and (predicted - true).abs().max() > 5


@pytest.mark.parametrize("average", [0, 0.5])
def test_previews_change_nothing_of_the_training(toy_photographs, tmp_path, average):
    how = {"epochs": 3, "batch_size": 4, "flip": True, "crop": 8, "average": average}
    models, histories = (network(), network()), []
    for model, preview in zip(models, (0, 1), strict=True):
        settings = training.Settings(**how, preview=preview)
        out = tmp_path / str(preview)
        histories.append(training.fit(model, toy_photographs, toy_photographs, settings, out))
    assert histories[0] == histories[1] and same(*models)


def test_a_resumed_run_has_the_sheets_of_one_that_was_not_stopped(
    toy_photographs, tmp_path, monkeypatch
):
    def run(out):
        training.fit(
            network(), toy_photographs, toy_photographs,
            training.Settings(epochs=4, batch_size=4, preview=1), tmp_path / out,
        )

    run("straight")
    with monkeypatch.context() as patch:
        stop_in_the_third_epoch(patch)
        with pytest.raises(Stopped):
            run("stopped")
    # Of an epoch that a kill took back there may be one, even of another training.
    (tmp_path / "stopped/previews/epoch-0003.jpg").write_bytes(
        (tmp_path / "straight/previews/epoch-0001.jpg").read_bytes()
    )
    run("stopped")
    assert sheets(tmp_path / "stopped") == sheets(tmp_path / "straight")
    for name in sheets(tmp_path / "straight"):
        one, other = (tmp_path / out / "previews" / name for out in ("straight", "stopped"))
        assert one.read_bytes() == other.read_bytes(), name


@pytest.mark.parametrize("kind", ["photograph", "text", "folder"])
def test_previews_overwrite_nothing_else(toy_photographs, tmp_path, kind):
    sheet = tmp_path / "previews" / "epoch-0004.jpg"
    sheet.parent.mkdir()
    if kind == "photograph":
        Image.new("RGB", (8, 8)).save(sheet)
    elif kind == "text":
        sheet.write_text("mine")
    else:
        sheet.parent.rmdir()
        sheet = sheet.parent
        sheet.write_text("mine")
    before = sheet.read_bytes()
    with pytest.raises(ColorlibError) as error:
        training.fit(
            network(), toy_photographs, toy_photographs,
            training.Settings(epochs=4, preview=3), tmp_path,
        )
    assert one_sentence(error) and str(sheet) in str(error.value)
    assert sheet.read_bytes() == before and (tmp_path / "best.safetensors").exists()


def test_senseless_previews_are_refused(toy_photographs):
    for every in (-1, 1.5, True):
        with pytest.raises(ColorlibError) as error:
            training.Settings(preview=every)
        assert one_sentence(error)
    with pytest.raises(ValueError, match="run folder"):
        training.fit(network(), toy_photographs, toy_photographs, training.Settings(preview=1))


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


@pytest.mark.parametrize("optimizer", training.OPTIMIZERS)
def test_every_optimizer_learns_and_goes_on_to_the_same_end(
    toy_photographs, tmp_path, monkeypatch, optimizer
):
    rate = {"sgd": 0.1, "momentum": 0.03}.get(optimizer, 1e-3)
    more = {"optimizer": optimizer, "learning_rate": rate, "epochs": 6}
    model, history = fit(toy_photographs, **more)
    assert history[-1]["train_loss"] < 0.9 * history[0]["train_loss"]
    stop_in_the_third_epoch(monkeypatch)
    with pytest.raises(Stopped):
        fit(toy_photographs, tmp_path, **more)
    resumed, again = fit(toy_photographs, tmp_path, **more)
    assert again == history and same(resumed, model)


def test_adamw_lets_weights_decay(toy_photographs):
    model = network()
    optimizer = loop._optimizer(model, training.Settings(optimizer="adamw"), torch.device("cpu"))
    before = [parameter.detach().clone() for parameter in model.parameters()]
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for old, parameter in zip(before, model.parameters(), strict=True):
        assert torch.allclose(parameter, old * (1 - 1e-3 * 0.01))


def test_a_network_that_begins_with_other_weights_needs_no_pretrained_ones(monkeypatch):
    torch.manual_seed(0)
    init = networks.build("unet", width=0.125)
    monkeypatch.setattr(classifiers, "_from_package", lambda name: pytest.fail("not needed"))
    model = training.network("unet", None, 1, init, width=0.125, heads=0)
    assert model.config == init.config and same(init, model)


def test_the_encoder_may_learn_at_a_rate_of_its_own(toy_photographs, tmp_path, monkeypatch):
    first = {name: tensor.clone() for name, tensor in network().state_dict().items()}
    slow = {"encoder_rate": 1e-6, "cosine": True}

    def moved(**settings):
        model, _ = fit(toy_photographs, **settings)
        return {
            part: max((p - first[f"{part}.{name}"]).abs().max().item()
                      for name, p in getattr(model, part).named_parameters())
            for part in ("encoder", "decoder", "head")
        }

    usual, found = moved(cosine=True), moved(**slow)
    assert found["encoder"] < 1e-6 and min(usual.values()) > 1e-3
    assert min(found["decoder"], found["head"]) > 1e-3
    settings = {"epochs": 6, **slow}
    straight, history = fit(toy_photographs, **settings)
    stop_in_the_third_epoch(monkeypatch)
    with pytest.raises(Stopped):
        fit(toy_photographs, tmp_path, **settings)
    resumed, again = fit(toy_photographs, tmp_path, **settings)
    assert again == history and same(resumed, straight)


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_killed_run_goes_on_to_the_same_end(tmp_path):
    code = """
import sys, torch
from colorlib import data, networks, training
photographs = data.pack(data.photos("samples", "val"), 16)
torch.set_num_threads(1)
torch.manual_seed(0)
model = networks.build("baseline", width=0.125)
settings = training.Settings(epochs=40, batch_size=4, flip=True)
training.fit(model, photographs, photographs, settings, sys.argv[1])
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
from colorlib import data, networks, training
torch.set_num_threads(1)
photographs = data.pack(data.photos("samples", "val"), 16)
torch.manual_seed(0)
model = networks.build("baseline", width=0.125, batch_norm=False)
settings = training.Settings(
    epochs=int(sys.argv[2]), batch_size=4, flip=True, crop=8, average=0.5
)
history = training.fit(model, photographs, photographs, settings, sys.argv[1])
"""


@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch has no distributed here")
def test_two_processes_learn_stop_and_go_on_as_one_does(tmp_path):
    # Without batch normalisation, which on a CPU sees only a process' own share.
    script = tmp_path / "together.py"
    script.write_text(TOGETHER)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    subprocess.run([sys.executable, script, tmp_path / "one", "6"], check=True)
    for epochs in ("3", "6"):
        call = [*launcher, script, tmp_path / "two", epochs]
        subprocess.run(call, check=True, capture_output=True)
        assert len(rows(tmp_path / "two")) == int(epochs)
    one, two = rows(tmp_path / "one"), rows(tmp_path / "two")
    for column in ("train_loss", "val_loss"):
        losses = [[float(row[column]) for row in found] for found in (one, two)]
        assert losses[1] == pytest.approx(losses[0], rel=1e-4)
        assert losses[0][-1] != pytest.approx(losses[0][0], rel=1e-2)
    best = weights.load_weights(tmp_path / "two" / "best.safetensors")
    photographs = data.pack(data.photos("samples", "val"), 16)
    least = min(float(row["val_loss"]) for row in two)
    assert training.evaluate(best, photographs) == pytest.approx(least, rel=1e-2)


def test_processes_share_a_batch_and_count_by_what_they_hold(toy_photographs):
    settings = training.Settings(batch_size=8)
    found = [
        list(augment.batches(toy_photographs, settings, 0, "cpu", training.Processes(rank, 3)))
        for rank in range(3)
    ]
    sizes = [[len(ab) for _, ab, _ in mine] for mine in found]
    assert sizes == [[3], [3], [2]]
    assert sum(share for ((_, _, share),) in found) == pytest.approx(3)
    together = torch.cat([inputs.L for ((inputs, _, _),) in found])
    alone, _, share = next(augment.batches(toy_photographs, settings, 0))
    assert share == 1 and torch.equal(together, alone.L)


@pytest.mark.parametrize(("count", "fits"), [(3, True), (4, True), (5, False)])
def test_more_processes_than_photographs_in_the_smallest_batch(toy_photographs, count, fits):
    assert len(toy_photographs) == 8  # 13 batches of up to 5: 4 in the smallest
    settings, processes = training.Settings(batch_size=5, repeats=8), training.Processes(0, count)
    smallest = min(
        len(ab) for rank in range(count) for _, ab, _ in
        augment.batches(toy_photographs, settings, 0, "cpu", training.Processes(rank, count))
    )
    assert bool(smallest) == fits
    with nullcontext() if fits else pytest.raises(ColorlibError, match="so small a batch"):
        loop._check(network(), toy_photographs, toy_photographs, settings, processes)


FULL_DISK = """
import resource, signal, sys, torch
from colorlib import ColorlibError, data, networks, training
photographs = data.pack(data.photos("samples", "val"), 16)
model = networks.build("baseline", width=0.125)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))  # no file may grow beyond
try:
    training.fit(model, photographs, photographs, training.Settings(epochs=1), sys.argv[1])
except ColorlibError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on files")
def test_a_full_disk_is_one_sentence_and_keeps_the_last_checkpoint(tmp_path):
    photographs = data.pack(data.photos("samples", "val"), 16)
    model = network(width=0.125)
    training.fit(model, photographs, photographs, training.Settings(epochs=1), tmp_path)
    kept = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    command = [sys.executable, "-c", FULL_DISK, tmp_path / "new"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert "cannot be written" in done.stdout and done.stdout.count("\n") == 1, done.stderr
    assert not (tmp_path / "new" / "last.pt").exists()
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir() if p.is_file()} == kept


def test_a_damaged_checkpoint_is_refused(toy_photographs, tmp_path):
    fit(toy_photographs, tmp_path, epochs=1)
    last = tmp_path / "last.pt"
    last.write_bytes(last.read_bytes()[:500])
    with pytest.raises(ColorlibError, match="damaged"):
        fit(toy_photographs, tmp_path, epochs=1)


def test_the_average_is_what_is_judged_and_kept(toy_photographs, tmp_path):
    model, history = fit(toy_photographs, tmp_path, epochs=3, average=0.9)
    kept = weights.load_weights(tmp_path / "best.safetensors")
    best = min(row["val_loss"] for row in history)
    assert training.evaluate(kept, toy_photographs) == pytest.approx(best, rel=1e-2)
    assert history[-1]["val_loss"] == pytest.approx(training.evaluate(model, toy_photographs))
    plain, _ = fit(toy_photographs, epochs=3)
    assert not same(model, plain)


def embedded(photographs):
    random = np.random.default_rng(0)
    return photographs.with_embeddings(*random.normal(size=(2, 8, 5)).astype(np.float32))


def test_every_photograph_brings_its_own_embedding_and_its_mirror_image_the_other(
    toy_photographs,
):
    pixels = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3), np.uint8)  # no symmetry
    photographs = embedded(replace(toy_photographs, pixels=pixels))
    plain = lab.normalize(photographs.lab())[0]
    both = torch.stack((plain, plain.flip(-1)), dim=1)  # (8, 2, 1, 16, 16)
    chosen = set()
    for given, _, _ in augment.batches(photographs, training.Settings(flip=True), 0):
        for seen, found in zip(given.L, given.embedding, strict=True):
            nearest = (both - seen).abs().sum(dim=(2, 3, 4)).argmin().item()
            i, mirrored = divmod(nearest, 2)
            both_kinds = (photographs.embeddings, photographs.mirrored_embeddings)
            assert torch.equal(found, both_kinds[mirrored][i])
            chosen.add((i, mirrored))
    assert {i for i, _ in chosen} == set(range(8)) and {m for _, m in chosen} == {0, 1}


@pytest.mark.parametrize("preset", ["fusion", "attention"])
def test_a_network_with_a_prior_trains_stops_and_goes_on(
    preset, toy_photographs, tmp_path, monkeypatch
):
    def trained(out):
        torch.manual_seed(0)
        model = networks.build(preset, width=0.125, embedding=5, coordinates=True)
        settings = training.Settings(epochs=5, batch_size=4, flip=True, average=0.5)
        return model, training.fit(model, photographs, photographs, settings, out)

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


def test_other_settings_or_photographs_are_refused_and_told(toy_photographs, tmp_path):
    fit(toy_photographs, tmp_path)
    before = (tmp_path / "metrics.csv").read_bytes()
    with pytest.raises(ColorlibError, match=r"learning_rate was 0\.001 and is 0\.002"):
        fit(toy_photographs, tmp_path, learning_rate=2e-3)
    with pytest.raises(ColorlibError, match="other training photographs or prior, there are other"):
        fit(toy_photographs.select(range(4)), tmp_path)
    with pytest.raises(ColorlibError, match="epochs was 4 and is 3"):  # it would undo an epoch
        fit(toy_photographs, tmp_path, epochs=3)
    assert (tmp_path / "metrics.csv").read_bytes() == before


def checkpoint(out) -> dict:
    """What a folder's checkpoint holds."""
    return torch.load(out / "last.pt", weights_only=True)


def test_other_first_weights_are_refused(toy_photographs, tmp_path):
    def begin(model, epochs=1):
        wanted = training.Settings(epochs=epochs, batch_size=4)
        return training.fit(model, toy_photographs, toy_photographs, wanted, tmp_path)

    begin(network(0))
    with pytest.raises(ColorlibError, match="another run: there are other first weights; call it"):
        begin(network(1), epochs=2)
    # The last bits may differ between processors.
    nearly = network(0)
    with torch.no_grad():
        for parameter in nearly.parameters():
            parameter *= 1 + 1e-6
    assert len(begin(nearly, epochs=2)) == 2
    with torch.no_grad():
        next(nearly.parameters()).mul_(1.001)
    with pytest.raises(ColorlibError, match="other first weights"):
        begin(nearly, epochs=3)


def test_of_several_processes_the_first_one_says_what_the_first_weights_are(
    toy_photographs, tmp_path, monkeypatch
):
    wanted = training.Settings(epochs=1, batch_size=4)
    training.fit(network(0), toy_photographs, toy_photographs, wanted, tmp_path)
    monkeypatch.setattr(loop, "_Loop", lambda *_: None)
    monkeypatch.setattr(loop, "_train", lambda *_: None)
    for rank, refused in ((0, True), (1, False)):  # whose weights it gives to the others
        processes = training.Processes(rank, 2)
        monkeypatch.setattr(training.Processes, "join", lambda _, it=processes: it)
        with pytest.raises(ColorlibError, match="first weights") if refused else nullcontext():
            training.fit(network(1), toy_photographs, toy_photographs, wanted, tmp_path)


def test_a_run_folder_may_begin_with_the_home_folder(toy_photographs, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    fit(toy_photographs, "~/run", epochs=1)
    assert len(rows(tmp_path / "home" / "run")) == 1 and not (tmp_path / "~").exists()
    assert weights.read_about("~/run/best.safetensors")["epoch"] == 1
    assert isinstance(weights.load_weights("~/run/best.safetensors"), networks.Colorizer)


@pytest.mark.parametrize(
    "error",
    [
        torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("MPS backend out of memory (MPS allocated: 9.00 GB)"),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:1] err == 0. DefaultCPUAllocator: can't allocate memory"
        ),
        RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried to"),
        MemoryError(),
    ],
)
def test_too_little_memory_is_one_sentence_and_keeps_the_last_epoch(
    toy_photographs, tmp_path, monkeypatch, error
):
    fit(toy_photographs, tmp_path, epochs=1)
    kept = (tmp_path / "last.pt").read_bytes()

    def greedy(*_):
        raise error

    for where in ((loop, "train_epoch"), (networks.Colorizer, "to")):  # the network alone too
        with monkeypatch.context() as patch:
            patch.setattr(*where, greedy)
            with pytest.raises(ColorlibError, match=r"memory.* batch_size.* size.* width") as found:
                fit(toy_photographs, tmp_path, epochs=2)
        assert "\n" not in str(found.value)
        assert (tmp_path / "last.pt").read_bytes() == kept
    monkeypatch.setattr(loop, "train_epoch", greedy)
    error = RuntimeError("another matter")
    with pytest.raises(RuntimeError, match="another matter"):
        fit(toy_photographs, tmp_path, epochs=2)


@pytest.mark.parametrize("name", ["seed", "preset", "prior", "init", "nonsense"])
def test_a_field_that_a_network_has_not_is_one_sentence(name):
    with pytest.raises(ColorlibError, match=f"no setting named '{name}'; there is "):
        training.network("baseline", None, 0, **{name: 1})


@pytest.mark.parametrize("name", ["spec", "preset", "self", "nonsense"])
def test_a_field_that_a_prior_has_not_is_one_sentence(name):
    with pytest.raises(ColorlibError, match="a prior has no other settings than name, "):
        training.prior_for("fusion", **{name: "x"})
    with pytest.raises(ColorlibError, match="the preset 'baseline' has no prior"):
        training.prior_for("baseline", **{name: "x"})


def test_names_that_are_listed_are_those_that_there_are():
    assert list(loop.OPTIMIZERS) == options.values(training.Settings)["optimizer"]
    assert list(heads.OUTPUTS) == options.values(networks.RegressionHead.Settings)["output"]
    known = options.values(networks.Config)
    assert list(networks.blocks.INITIALISATIONS) == known["decoder_init"]
    for score in known["attention"][1:]:
        assert networks.Attention(4, score).score == score
    assert zoo.BEST == checkpoints.BEST


def test_a_run_can_be_trained_for_longer(toy_photographs, tmp_path):
    fit(toy_photographs, tmp_path, epochs=2)
    longer, history = fit(toy_photographs, tmp_path, epochs=5)
    straight, all_at_once = fit(toy_photographs, epochs=5)
    assert history == all_at_once and same(longer, straight)
    _, more = fit(toy_photographs, tmp_path, epochs=6)  # the folder now knows of five
    assert more[:5] == history and len(rows(tmp_path)) == 6


def test_cosine_decay_cannot_be_trained_for_longer(toy_photographs, tmp_path):
    fit(toy_photographs, tmp_path, epochs=2, cosine=True)
    with pytest.raises(ColorlibError, match="epochs was 2 and is 3, cosine decay depends on"):
        fit(toy_photographs, tmp_path, epochs=3, cosine=True)


def test_a_checkpoint_from_before_a_setting_existed_goes_on(toy_photographs, tmp_path):
    fit(toy_photographs, tmp_path, epochs=2)
    last = tmp_path / "last.pt"
    content = checkpoint(tmp_path)
    del content["run"]["settings"]["average"], content["run"]["network"]["head"]
    torch.save(content, last)
    _, history = fit(toy_photographs, tmp_path, epochs=3)
    assert history == fit(toy_photographs, epochs=3)[1]
    content["run"]["settings"]["average"] = 0.9  # it had another value
    torch.save(content, last)
    with pytest.raises(ColorlibError, match=r"average was 0\.9 and is 0\.0"):
        fit(toy_photographs, tmp_path, epochs=3)


HOLD = """
import sys, time
from pathlib import Path
from colorlib.training import RunFolder
with RunFolder(Path(sys.argv[1]), {}).locked():
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_folder_that_is_being_trained_into_is_refused_until_its_process_ends(
    toy_photographs, tmp_path
):
    holder = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE)
    try:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(ColorlibError, match="another process is training into"):
            fit(toy_photographs, tmp_path)
        assert {path.name for path in tmp_path.iterdir()} == {".lock"}
    finally:
        holder.kill()
        holder.wait()
    assert len(fit(toy_photographs, tmp_path)[1]) == 4


def test_a_run_is_kept_in_a_folder_that_may_be_written(toy_photographs, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ColorlibError, match="cannot be written"):
        fit(toy_photographs, tmp_path / "file" / "run")


@pytest.mark.parametrize(("which", "batch_size"), [([0, 1, 2], 1), ([0], 16)])
def test_batches_too_small_for_batch_normalisation_are_one_sentence(
    toy_photographs, which, batch_size
):
    small = replace(toy_photographs, pixels=toy_photographs.pixels[:, :8, :8]).select(which)
    settings = training.Settings(epochs=1, batch_size=batch_size)
    with pytest.raises(ColorlibError, match="more than one photo of 8 pixels a batch"):
        training.fit(network(), small, small, settings)
    plain = network(batch_norm=False)
    assert len(training.fit(plain, small, small, settings)) == 1
    assert len(training.fit(network(), small.select([0] * 3), small, training.Settings(epochs=1)))


def test_a_loss_that_is_no_number_is_one_sentence_and_keeps_the_last_good_epoch(
    toy_photographs, tmp_path, monkeypatch
):
    fit(toy_photographs, tmp_path, epochs=1)
    kept = (tmp_path / "last.pt").read_bytes()
    monkeypatch.setattr(loop, "train_epoch", lambda *_: (math.nan, 1))
    with pytest.raises(ColorlibError, match="no longer a number in epoch 1"):
        fit(toy_photographs, tmp_path / "other")
    assert (tmp_path / "last.pt").read_bytes() == kept
    assert not (tmp_path / "other" / "last.pt").exists()


def batches(photographs, epoch=0, **settings):
    found = augment.batches(photographs, training.Settings(**settings), epoch)
    return [(inputs.L, ab) for inputs, ab, _ in found]


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


HOWS = [
    {},
    {"flip": True, "exposure": 0.3, "repeats": 2},
    {"crop": 8},
    {"crop": 8, "scale": 0.4, "flip": True},
]


@pytest.mark.parametrize("how", HOWS, ids=str)
def test_batches_of_resident_photographs_are_those_of_packed_ones(how, toy_photographs):
    photographs = embedded(toy_photographs).select([5, 1, 1, 7, 0])
    settings = training.Settings(batch_size=2, **how)
    found = zip(
        augment.batches(photographs, settings, 3),
        augment.batches(photographs.to("cpu"), settings, 3),
        strict=True,
    )
    for (one, ab, share), (other, other_ab, other_share) in found:
        assert share == other_share and torch.equal(ab, other_ab)
        assert torch.equal(one.L, other.L) and torch.equal(one.embedding, other.embedding)


def test_resident_photographs_without_mirror_images_say_so(toy_photographs):
    photographs = toy_photographs.with_embeddings(np.zeros((8, 3), np.float32)).to("cpu")
    with pytest.raises(ValueError, match="mirror images"):
        next(augment.batches(photographs, training.Settings(flip=True), 0))
    assert photographs.size == 16 and len(photographs) == 8
    assert toy_photographs.to("cpu").embedding(slice(0, 2)) is None
    nbytes = sum(t.nbytes for t in (photographs.pixels, photographs.embeddings))
    assert toy_photographs.with_embeddings(np.zeros((8, 3), np.float32)).nbytes == nbytes


@pytest.mark.parametrize(("size", "crop", "least"), [(40, 16, 0.3), (24, 24, 0.4)])
def test_resized_crops_are_those_of_torch(size, crop, least):
    # Smaller and larger than before, at the edges and inside.
    rgb = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (9, 3, size, size), np.uint8))
    settings = training.Settings(crop=crop, scale=least)
    windows = augment.draw(9, size, settings, 0).windows
    windows[0] = torch.tensor([0, 0, size])
    found = augment._resized(rgb, windows, crop)
    for photo, (top, left, side), ours in zip(rgb, windows.tolist(), found, strict=True):
        square = photo[None, :, top : top + side, left : left + side].float()
        theirs = torch.nn.functional.interpolate(
            square, crop, mode="bilinear", antialias=True
        )[0]
        assert (ours - theirs).abs().max() < 0.51  # ours is rounded


def test_the_visits_of_an_epoch_follow_from_seed_and_epoch():
    def drawn(epoch=0, **more):
        how = {"crop": 8, "scale": 0.5, "flip": True, "exposure": 0.2, "repeats": 2, **more}
        visits = augment.draw(10, 16, training.Settings(**how), epoch)
        return [tensor.tolist() for tensor in vars(visits).values()]

    assert drawn() == drawn()
    for other in (drawn(epoch=1), drawn(seed=1)):
        assert all(one != two for one, two in zip(drawn(), other, strict=True))
    assert sorted(drawn()[0]) == sorted(list(range(10)) * 2)


@pytest.mark.parametrize(("count", "most"), [(1, 16), (31, 16), (32, 16), (33, 16), (6000, 64)])
def test_batches_have_one_size_or_two_that_differ_by_one(count, most):
    bounds = augment.batch_bounds(count, most)
    parts = np.array_split(np.arange(count), math.ceil(count / most))
    assert bounds == [(part[0], part[-1] + 1) for part in parts]


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
    settings = training.Settings(epochs=10, learning_rate=1.0, cosine=True)
    rates = [loop._learning_rate(settings, epoch) for epoch in range(10)]
    assert rates[0] == 1 and rates == sorted(rates, reverse=True) and 0 < rates[-1] < 0.03


def test_evaluation_does_not_depend_on_the_batch_size(toy_photographs):
    model = network()
    losses = [training.evaluate(model, toy_photographs, size) for size in (1, 3, 8)]
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
        training.Settings(**wrong)


def test_a_crop_larger_than_the_photographs_is_refused(toy_photographs):
    with pytest.raises(ColorlibError, match="does not fit"):
        fit(toy_photographs, crop=24)


def test_evaluation_in_bfloat16_is_near(toy_photographs):
    model = network(output_gain=3.0)
    exact, rounded = (
        training.evaluate(model, toy_photographs, bf16=bf16) for bf16 in (False, True)
    )
    assert rounded != exact and rounded == pytest.approx(exact, rel=3e-2)


@pytest.mark.parametrize("bf16", [False, True])
def test_bf16_trains_as_well(toy_photographs, bf16):
    _, history = fit(toy_photographs, epochs=40, bf16=bf16)
    assert history[-1]["val_loss"] < 0.5 * history[0]["val_loss"]


def test_a_settled_network_normalises_by_the_photographs(toy_photographs):
    torch.manual_seed(0)
    network = networks.build("baseline", width=0.125)
    L, _ = lab.normalize(toy_photographs.lab())
    with torch.no_grad():
        wanted = network.train()(L)
    update_bn([toy_photographs.inputs()], network)
    network.eval()
    assert not network.training
    torch.manual_seed(0)
    fresh = networks.build("baseline", width=0.125).eval()
    with torch.no_grad():  # averages keep the unbiased variance, batches the biased one
        settled, unsettled = ((n(L) - wanted).norm() / wanted.norm() for n in (network, fresh))
    assert settled < 0.2 < 2 * settled < unsettled
    assert {m.momentum for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)} == {0.1}
