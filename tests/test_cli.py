import builtins
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest
import timm
import torch
import typer
from PIL import Image
from typer.testing import CliRunner

import replication
from colorlib import __version__, cli, data, metrics, networks, training
from colorlib.base import devices, provenance
from colorlib.base.errors import ColorlibError
from colorlib.cli import options
from colorlib.data import fingerprints
from colorlib.networks.config import PARTS
from colorlib.networks.parts import Common
from colorlib.networks.priors import Spec
from colorlib.tool import pipeline, weights, zoo
from colorlib.training import Settings

COMMAND = Path(sys.executable).with_name("colorlib")


@pytest.fixture
def photo(tmp_path) -> Path:
    path = tmp_path / "photo.jpg"
    pixels = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def folder(tmp_path) -> Path:
    root = tmp_path / "photos"
    root.mkdir()
    for i in range(12):
        pixels = np.random.default_rng(i).integers(0, 256, (16, 16, 3), np.uint8)
        Image.fromarray(pixels).save(root / f"{i}.png")
    return root


def train(run, folder, out, *more):
    small = ("--set", "width=0.125", "--size", 16, "--epochs", 2, "--batch-size", 4)
    return run("train", "--data", folder, "--out", out, "--device", "cpu", *small, *more)


def test_the_installed_command_colorizes_a_photograph(photo, tmp_path):
    out = tmp_path / "colour.png"
    call = [COMMAND, "colorize", photo, "--out", out]
    done = subprocess.run(call, capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == ""
    assert "40 x 30 pixels" in done.stdout
    assert Image.open(out).size == (40, 30) and Image.open(out).mode == "RGB"


def test_what_one_of_several_data_sets_validates_on_is_not_trained_on(run, folder, tmp_path):
    copies = tmp_path / "copies"
    shutil.copytree(folder, copies / "train")
    for part in ("val", "test"):
        (copies / part).mkdir()
        Image.new("RGB", (16, 16), "red" if part == "val" else "blue").save(copies / part / "1.png")
    # Of 12 photographs two are for validation and test; a copy does not make them known.
    status, text, error = train(run, folder, tmp_path / "run", "--data", copies)
    assert status == 0, error
    assert "20 photos for training, 2 for validation" in text


def test_the_installed_command_reports_an_error_in_one_line(tmp_path):
    call = [COMMAND, "colorize", tmp_path / "nothing.jpg", "--out", tmp_path / "out.png"]
    done = subprocess.run(call, capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr == f"colorlib: there is no file {tmp_path / 'nothing.jpg'}\n"


def test_nothing_is_overwritten(run, photo, tmp_path):
    out = tmp_path / "out.png"
    out.write_text("mine")
    status, _, error = run("colorize", photo, "--out", out)
    assert status == 1 and "not overwritten" in error
    assert out.read_text() == "mine"


def broken(path: Path) -> Path:
    path.write_bytes(b"\xff\xd8\xff no photograph")
    return path


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (lambda p: [p / "photo.jpg", "--out", p / "no" / "out.png"], "no folder"),
        (lambda p: [p / "photo.jpg", "--out", p / "out.gif"], ".png"),
        (lambda p: [p / "photo.jpg", "--out", p / "o.png", "--weights", "none"], "baseline"),
        (lambda p: [p / "photo.jpg", "--out", p / "o.png", "--weights", p / "photo.jpg"], "photo"),
        (lambda p: [p / "photo.jpg", "--out", p / "o.png", "--device", "abacus"], "no device"),
        (lambda p: [p / "photo.jpg", "--out", p / "o.png", "--working-size", 1], "at least 8"),
        (lambda p: [broken(p / "bad.jpg"), "--out", p / "o.png"], "cannot be read"),
        (lambda p: [p, "--out", p / "o.png"], "no folder"),
    ],
)
def test_colorize_refuses_in_one_sentence_and_leaves_nothing(run, photo, tmp_path, arguments, says):
    call = arguments(tmp_path)
    before = set(tmp_path.iterdir())
    status, out, error = run("colorize", *call)
    assert status == 1 and out == ""
    assert error.startswith("colorlib: ") and error.count("\n") == 1
    assert says in error
    assert set(tmp_path.iterdir()) == before


def test_train_writes_a_run_folder_whose_weights_colorize(run, folder, photo, tmp_path):
    out = tmp_path / "run"
    status, text, _ = train(run, folder, out)
    assert status == 0
    assert "10 photos for training, 1 for validation" in text
    for row in ("gray", "mean colour", "network, epoch"):
        assert row in text
    assert "previews" not in text and not (out / "previews").exists()
    assert len((out / "metrics.csv").read_text().splitlines()) == 3
    best = out / "best.safetensors"
    assert run("colorize", photo, "--out", tmp_path / "o.png", "--weights", best)[0] == 0


def test_a_finished_run_is_kept_and_a_changed_one_refused(run, folder, tmp_path):
    out = tmp_path / "run"
    train(run, folder, out)
    before = (out / "last.pt").read_bytes()
    assert train(run, folder, out)[0] == 0
    assert (out / "last.pt").read_bytes() == before
    status, _, error = train(run, folder, out, "--learning-rate", 0.01)
    assert status == 1 and "learning_rate was 0.001 and is 0.01" in error.splitlines()[-1]
    assert (out / "last.pt").read_bytes() == before


def test_previews_are_written_and_named(run, folder, tmp_path):
    out = tmp_path / "run"
    status, text, _ = train(run, folder, out, "--preview", 3)
    assert status == 0 and text.splitlines()[-1] == f"previews: {out / 'previews'}"
    assert [path.name for path in (out / "previews").iterdir()] == ["epoch-0002.jpg"]


def test_a_finished_run_has_no_previews_to_name(run, folder, tmp_path):
    out = tmp_path / "run"
    train(run, folder, out)
    status, text, error = train(run, folder, out, "--preview", 1)
    assert status == 0 and "previews" not in text, error
    assert not (out / "previews").exists()


def test_training_goes_on_from_given_weights(run, folder, tmp_path):
    train(run, folder, tmp_path / "one")
    best = tmp_path / "one" / "best.safetensors"
    assert train(run, folder, tmp_path / "two", "--init", best)[0] == 0
    about = weights.read_about(tmp_path / "two" / "best.safetensors")
    assert about["init"] == weights.read_about(best)
    assert about["data"] == {"photos": 1}
    status, _, error = train(run, folder, tmp_path / "three", "--init", "nothing")
    assert status == 1 and "nothing" in error


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--data", "no-such-set"], "samples"),
        (["--size", 8, "--batch-size", 1], "more than one photo"),
        (["--crop", 12], "multiple of 8"),
        (["--crop", 64], "does not fit"),
        (["--preset", "nonsense"], "baseline"),
        (["--epochs", 0], "epochs"),
        (["--min-chroma", 500], "chroma"),
        (["--set", "depth=3"], "no setting named 'depth'"),
        (["--set", "attention"], "NAME=VALUE"),
        (["--prior", "size=64"], "no prior"),
        (["--preset", "fusion", "--prior", "name=nonsense"], "no classifier"),
        (["--preset", "fusion", "--prior", "depth=3"], "no other settings"),
    ],
)
def test_train_refuses_in_one_sentence(run, folder, tmp_path, arguments, says):
    status, _, error = train(run, folder, tmp_path / "run", *arguments)
    last = error.splitlines()[-1]
    assert status == 1 and "Traceback" not in error
    assert last.startswith("colorlib: ") and says in last


def test_a_network_with_a_prior_is_trained_judged_and_colorizes(run, folder, photo, tmp_path):
    out = tmp_path / "run"
    more = ("--preset", "attention", "--set", "coordinates=true", "--prior", "size=64")
    status, _, error = train(run, folder, out, *more)
    assert status == 0, error
    about = weights.read_about(out / "best.safetensors")
    assert about["prior"]["size"] == 64 and len(about["prior"]["sha256"]) == 64
    assert weights.load_weights(out / "best.safetensors").encoder.coordinates
    found = tmp_path / "scores.json"
    status, text, error = run("evaluate", out, "--data", folder, "--json", found)
    assert status == 0, error
    for name in ("gray", "mean colour", "run", "ab_mse", "delta_e"):
        assert name in text
    scores = json.loads(found.read_text())
    assert len(scores["photos"]) == 1 == len(scores["scores"]["run"]["ab_mse"])
    assert run("evaluate", out, "--data", folder, "--json", found)[0] == 1  # not overwritten
    call = ("colorize", photo, "--out", tmp_path / "o.png", "--weights")
    assert run(*call, out / "best.safetensors")[0] == 0
    assert train(run, folder, tmp_path / "more", "--init", out / "best.safetensors")[0] == 0


def test_a_prior_from_a_file_is_found_from_elsewhere_and_compared(
    run, folder, photo, tmp_path, monkeypatch
):
    name = "mobilenetv3_small_050"
    for seed in (0, 1):
        torch.manual_seed(seed)
        torch.save(timm.create_model(name).state_dict(), tmp_path / f"prior-{seed}.pth")
    shutil.copy(tmp_path / "prior-0.pth", tmp_path / "prior.pth")
    monkeypatch.chdir(tmp_path)
    more = ["--preset", "fusion", "--prior", f"name={name}", "--prior", "weights=prior.pth"]
    assert train(run, folder, tmp_path / "run", *more, "--prior", "size=32")[0] == 0
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    call = ("colorize", photo, "--weights", tmp_path / "run", "--out")
    status, _, error = run(*call, "1.png")
    assert status == 0, error
    shutil.copy(tmp_path / "prior-1.pth", tmp_path / "prior.pth")
    status, _, error = run(*call, "2.png")
    assert status == 1 and error.count("\n") == 1
    assert f"with another prior than {tmp_path / 'prior.pth'} is now" in error


def judged(text: str) -> list[str]:
    """The predictions in the table of `evaluate`, a column each."""
    return re.split(r" {2,}", text.splitlines()[1].strip())


def test_evaluate_judges_shipped_weights_by_name(run):
    status, text, _ = run("evaluate", "baseline", "--size", 32, "--device", "cpu")
    assert status == 0 and "10 photos of samples, test, at 32 x 32, on " in text
    assert "thread" in text.splitlines()[0]
    assert judged(text) == ["gray", "mean colour", "baseline"]
    rows = {line.split()[0]: [*map(float, line.split()[1:])] for line in text.splitlines()[2:]}
    assert list(rows) == [*metrics.METRICS, "classifier_gap_closed"]
    assert all(len(line) <= 80 for line in text.splitlines()[1:])
    gray, _, network = rows["ab_mse"]
    assert network < gray
    gray, _, network = rows["classifier_agreement"]
    closed = rows["classifier_gap_closed"]
    assert closed[0] == 0 and closed[2] == pytest.approx((network - gray) / (1 - gray), abs=1e-3)
    status, _, error = run("evaluate", "nothing")
    assert status == 1 and error.startswith("colorlib: ") and error.count("\n") == 1


def test_a_gray_photograph_has_no_chroma_ratio_and_spoils_no_mean(run, tmp_path):
    root = tmp_path / "photos"
    for i in range(2):  # one in colour, one in gray
        for split in ("train", "val", "test"):
            (root / split).mkdir(parents=True, exist_ok=True)
            pixels = np.random.default_rng(i).integers(0, 256, (32, 32, 3 if i else 1), np.uint8)
            pixels = np.broadcast_to(pixels, (32, 32, 3)) + np.uint8(len(split))
            Image.fromarray(pixels).save(root / split / f"{i}.png")
    report = tmp_path / "report.json"
    status, text, _ = run("evaluate", "baseline", "--data", root, "--size", 32, "--json", report)
    assert status == 0 and "nan" not in text
    scores = json.loads(report.read_text(), parse_constant=pytest.fail)["scores"]
    assert scores["baseline"]["chroma_ratio"].count(None) == 1


def test_download_names_what_there_is_and_prints_where_it_is(run, monkeypatch, tmp_path):
    status, _, error = run("download", "imagenet")
    assert status == 1 and "open-country" in error
    monkeypatch.setattr(data, "download", lambda name, url=None: tmp_path / name)
    assert run("download", "coast")[:2] == (0, f"{tmp_path / 'coast'}\n")


def test_an_interrupt_is_no_traceback(run, monkeypatch, photo, tmp_path):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline.Pipeline, "__call__", interrupted)
    status, _, error = run("colorize", photo, "--out", tmp_path / "o.png")
    assert status == 130 and error == "colorlib: interrupted; what is written is whole\n"
    assert not (tmp_path / "o.png").exists()


def test_an_interrupted_training_says_that_it_goes_on(run, folder, tmp_path, monkeypatch):
    epoch, calls = training.loop.train_epoch, []

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return epoch(*arguments)

    monkeypatch.setattr(training.loop, "train_epoch", interrupted)
    status, text, error = train(run, folder, tmp_path / "run")
    assert status == 130 and "weights:" not in text and "Traceback" not in error
    assert error.splitlines()[-1] == "colorlib: interrupted; the same command goes on"
    status, text, _ = train(run, folder, tmp_path / "run")
    assert status == 0 and len(calls) == 3 and "weights:" in text


def test_an_interrupted_matrix_says_that_it_goes_on(run, monkeypatch, tmp_path):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(replication, "work_through", interrupted)
    call = ("reproduce", "--only", "samples/gray", "--results", tmp_path / "r")
    status, _, error = run(*call)
    assert status == 130
    assert error.splitlines()[-1] == "colorlib: interrupted; the same command goes on"


def album(tmp_path) -> Path:
    """Seven files: four photographs, one of them deep, and three that are none."""
    root = tmp_path / "album"
    (root / "deep").mkdir(parents=True)
    for name in ("a.jpg", "b.png", "deep/c.webp", "d.gif"):
        pixels = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)
        Image.fromarray(pixels).save(root / name)
    (root / "empty.png").write_bytes(b"")
    (root / "poem.jpg").write_text("a poem")
    (root / "notes.txt").write_text("not a photograph's name")
    return root


def test_a_folder_is_colorized_as_far_as_it_can_be(run, tmp_path):
    root, out = album(tmp_path), tmp_path / "out"
    status, said, error = run("colorize", root, "--out", out)
    assert status == 1 and f"{out}: 4 of 6 photos written, 2 not" in said
    lines = [line for line in error.splitlines() if line.startswith("colorlib: ")]
    assert len(lines) == 3 and "empty.png" in lines[0] and "poem.jpg" in lines[1]
    assert lines[2] == "colorlib: left out: 1 file that is no image (.txt 1)"
    found = sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file())
    assert found == ["a.jpg", "b.png", "d.gif.png", "deep/c.webp"]
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    status, said, error = run("colorize", root, "--out", out)
    assert status == 1 and "0 of 6" in said and error.count("not overwritten") == 4
    assert {path: path.read_bytes() for path in before} == before
    assert run("colorize", root / "a.jpg", "--out", out, "--overwrite", "--strength", 0)[0] == 0
    assert (out / "a.jpg").read_bytes() != before[out / "a.jpg"]


def test_a_dry_run_writes_nothing(run, tmp_path):
    root, out = album(tmp_path), tmp_path / "out"
    status, said, _ = run("colorize", root, "--out", out, "--dry-run")
    assert status == 0 and f"{root / 'a.jpg'} -> {out / 'a.jpg'}" in said
    assert "6 of 6 photos would be written" in said and not out.exists()
    for option in (("--weights", "nonsense"), ("--device", "abacus")):
        status, said, error = run("colorize", root, "--out", out, "--dry-run", *option)
        assert status == 1 and said == "" and option[1] in error and error.count("\n") == 1


def test_an_interrupt_in_mid_folder_leaves_whole_files(run, monkeypatch, tmp_path):
    root, out = album(tmp_path), tmp_path / "out"
    original, calls = pipeline.Pipeline.__call__, []

    def once(self, *arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return original(self, *arguments)

    monkeypatch.setattr(pipeline.Pipeline, "__call__", once)
    status, said, error = run("colorize", root, "--out", out)
    assert status == 130 and "interrupted" in error and "1 of 6 photos written, 5 not" in said
    (only,) = out.iterdir()
    Image.open(only).load()


def test_a_full_disk_is_one_sentence_each(run, monkeypatch, tmp_path):
    root, out = album(tmp_path), tmp_path / "out"

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    status, said, error = run("colorize", root, "--out", out)
    assert status == 1 and error.count("No space left on device") == 4 and "0 of 6" in said
    assert not [path for path in out.rglob("*") if path.is_file()]


def test_whatever_happens_to_one_photograph_the_others_go_on(run, monkeypatch, tmp_path):
    original, calls = pipeline.Pipeline.__call__, []

    def fails_once(self, *arguments):
        calls.append(arguments)
        if len(calls) == 1:
            raise RuntimeError("out of memory\nwith a long explanation")
        return original(self, *arguments)

    monkeypatch.setattr(pipeline.Pipeline, "__call__", fails_once)
    status, said, error = run("colorize", album(tmp_path), "--out", tmp_path / "out")
    assert status == 1 and "3 of 6" in said and "colorized: out of memory\n" in error


@pytest.mark.parametrize("error", [torch.cuda.OutOfMemoryError("CUDA"), MemoryError()])
def test_too_little_memory_is_one_sentence(run, monkeypatch, tmp_path, error):
    def greedy(*_, **__):
        raise error

    monkeypatch.setattr(pipeline.Pipeline, "__init__", greedy)
    status, _, said = run("colorize", album(tmp_path), "--out", tmp_path / "out")
    assert status == 1 and said.count("\n") == 1 and "too little memory" in said


@pytest.mark.parametrize(
    "option", [("--strength", -1), ("--strength", "nan"), ("--working-size", 4)]
)
def test_senseless_options_are_refused_at_once(run, tmp_path, option):
    call = ("colorize", album(tmp_path), "--out", tmp_path / "out", "--dry-run")
    status, said, error = run(*call, *option)
    assert status == 1 and said == "" and error.count("\n") == 1


def test_weights_are_listed_with_their_cards(run):
    status, said, _ = run("weights")
    assert status == 0 and said.startswith(f"{zoo.DEFAULT}: ")
    for words in ("working size", "samples, 10 test photos of 256 pixels: error ", "bad at"):
        assert words in said
    assert "MB, the file of unet, working size 128" in said
    status, said, _ = run("weights", "vivid")
    assert status == 0 and json.loads(said[said.index("{"):])["changes"]["adjustment"] > 0
    status, _, error = run("weights", "nonsense")
    assert status == 1 and "baseline" in error


def test_a_trained_networks_weights_say_all_of_themselves(run, folder, tmp_path):
    train(run, folder, tmp_path / "holiday")
    shutil.copytree(folder, tmp_path / "album")
    train(run, tmp_path / "album", tmp_path / "second", "--init", tmp_path / "holiday")
    best = tmp_path / "second" / "best.safetensors"
    status, said, error = run("weights", tmp_path / "second")
    assert status == 0, error
    about = weights.read_about(best)
    share = about["val_loss"] / about["baselines"]["mean colour"]
    for words in (f"{tmp_path / 'second'}: {best}", f"validation: error {share:.0%} of mean",
                  "trained on album; 11 photos", "before that on photos",
                  f"epoch {about['epoch']} of 2"):
        assert words in said, words


@pytest.mark.parametrize(
    ("about", "says"),
    [
        ({"trained_on": "my photos", "settings": None, "data": 3, "init": [1]}, "unknown photos"),
        ({"data": ["sea", 7], "val_loss": "low"}, "sea, 7"),
        ({"data": "sea", "val_loss": 0.5, "baselines": [1]}, "sea"),
        ({"init": {"data": {"sea": 1}}, "baselines": {"gray": None}}, "photos; before that on sea"),
        ({"data": "sea", "val_loss": 0.5, "baselines": {"gray": 0.5, "mean colour": 0}}, "sea"),
    ],
)
def test_weights_may_say_anything_of_themselves(run, tmp_path, about, says):
    path = tmp_path / "other.safetensors"
    weights.save_weights(networks.build("baseline", width=0.125), path, **about)
    status, said, error = run("weights", path)
    assert status == 0 and f"{says}\n" in said.splitlines(keepends=True)[2], error
    assert "validation:" not in said


# Options ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (["train", "--set", "width=wide"], "width must be a number"),
        (["train", "--set", "coordinates=yes"], "coordinates must be true or false"),
        (["train", "--preset", "fusion", "--prior", "size=abc"], "size must be a whole number"),
        (["train", "--preset", "fusion", "--set", "embedding=5"], "--prior"),
        (["train", "--seed", "-1"], "seed must be at least 0"),
        (["train", "--exposure", "nan"], "exposure must be a finite number"),
        (["train", "--set", "width=0"], "width must be above 0"),
        (["train", "--optimizer", "magic"], "optimizer must be one of"),
        (["train", "--init", "baseline", "--set", "width=0.5"], "add --preset"),
        (["train", "--init", "baseline", "--set", "attention=dot"], "add --preset"),
        (["evaluate", "baseline", "--size", "8"], "too small to judge"),
        (["evaluate", "baseline", "--size", "0"], "too small to judge"),
        (["evaluate", "baseline", "--device", "meta"], "no device 'meta' here"),
        (["train", "--min-chroma", "nan"], "--min-chroma must be a number from 0 up, not nan"),
        (["train", "--min-chroma", "-1"], "--min-chroma must be a number from 0 up, not -1"),
        (["train", "--preview", "-2"], "preview must be at least 0, not -2"),
    ],
)
def test_a_wrong_option_is_one_sentence(call, says, tmp_path, monkeypatch, capfd):
    out = ["--out", str(tmp_path / "run")] if call[0] == "train" else []
    monkeypatch.setattr(sys, "argv", ["colorlib", *call, *out])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    error = capfd.readouterr().err
    assert stop.value.code == 1 and says in error and len(error.splitlines()) == 1


def test_the_commit_is_the_librarys_own_or_none():
    commit = provenance.commit()
    assert commit is None or re.fullmatch(r"[0-9a-f]{7}\+?", commit)


def test_devices_are_found_and_counted(monkeypatch):
    assert devices.find("cpu") == "cpu"
    monkeypatch.setattr("os.cpu_count", lambda: 3)
    assert replication.all_of("cpu") == ["cpu"] * 3
    zeros = torch.zeros
    monkeypatch.setattr(torch, "zeros", lambda *size, device: zeros(*size))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("LOCAL_RANK", "1")  # of the second process that torchrun starts
    for name in ("auto", "cuda"):
        assert devices.find(name) == "cuda:1"
        assert replication.all_of(name) == ["cuda:0", "cuda:1"]
    assert replication.all_of("cuda:1") == ["cuda:1"]


# Options that come from dataclasses ---------------------------------------------


def test_each_field_of_a_dataclass_becomes_an_option():
    @dataclass(frozen=True)
    class More(Settings):
        """As Settings, and more.

        Attributes:
            warmup: how many steps the learning rate
                rises. Not in the paper.
        """

        warmup: int | None = None

    app, found = typer.Typer(), []

    @app.command()
    @options.from_fields("settings", More)
    def verb(name: str, settings: More) -> None:
        found.append(settings)

    call = CliRunner().invoke(app, ["name", "--warmup", "3", "--flip", "--learning-rate", "0.5"])
    assert call.exit_code == 0, call.output
    assert found == [More(warmup=3, flip=True, learning_rate=0.5)]
    text = " ".join(re.sub("[^ -~]", " ", CliRunner().invoke(app, ["--help"]).output).split())
    assert "How many steps the learning rate rises." in text and "paper" not in text


def test_the_options_of_train_are_the_fields_of_the_settings():
    command = cli.command("train")
    found = {option.name: option for option in command.params}
    for field in fields(Settings):
        assert found[field.name].default == field.default
        assert f"--{field.name.replace('_', '-')}" in found[field.name].opts
        assert len(found[field.name].help) > 15
    paragraphs = command.epilog.split("\n\n")
    parts = {part.Settings for parts in PARTS.values() for part in parts.values()}
    for kind in (Common, Spec, *parts):
        for field in {field.name for field in fields(kind)}:
            assert any(text.startswith(f"{field}=") and len(text) > 20 for text in paragraphs)
    for line in ("attention=null | dot | general | concat | pointwise", "plain_layers=2: How",
                 "batch_norm=true | false: Batch", "preprocessing=timm | mean | trap: "):
        assert any(text.startswith(line) for text in paragraphs), line
    assert found["optimizer"].metavar == "adam | adamw | sgd | momentum | rmsprop"
    assert found["preset"].metavar == "baseline | fusion | attention | as-written | unet"


def test_choices_of_other_verbs_are_named():
    metavars = {
        option.name: option.metavar for verb in cli.VERBS for option in cli.command(verb).params
    }
    assert metavars["split"] == "train | val | test"
    assert metavars["scale"].startswith("seconds | minutes | ")


def test_help_imports_nothing_that_takes_its_time():
    heavy = ["torch", "scipy", "timm", "skimage", "cv2", "matplotlib"]
    quick = [verb for verb in cli.VERBS if verb != "train"]  # which lists what networks have
    code = f"""if True:
        import sys
        from colorlib import cli
        for verb in [], *([name] for name in {quick}):
            sys.argv = ["colorlib", *verb, "--help"]
            try:
                cli.main()
            except SystemExit as stop:
                assert stop.code == 0
        print("imported:", [name for name in {heavy} if name in sys.modules])"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.endswith("imported: []\n"), done.stdout[-500:] + done.stderr


def test_the_line_on_a_verb_is_how_its_help_begins():
    for verb, line in cli.VERBS.items():
        assert cli.command(verb).help.splitlines()[0] == line


def test_help_names_where_files_are_kept(run):
    status, text, _ = run("--help")
    assert status == 0 and "COLORLIB_CACHE" in text and "COLORLIB_DATA" in text


def test_the_version_is_told_and_python_m_works():
    call = [sys.executable, "-m", "colorlib", "--version"]
    done = subprocess.run(call, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"colorlib {__version__}\n")


def test_waiting_threads_leave_the_processors_to_others(run, monkeypatch):
    code = """if True:
        import sys
        from colorlib import cli
        sys.argv = ["colorlib", "weights"]
        cli.main()"""
    env = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    env["OMP_DISPLAY_ENV"] = "verbose"  # GNU's OpenMP says how long it waits when it is loaded
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    if "GOMP_SPINCOUNT" in done.stderr:
        assert "GOMP_SPINCOUNT = '0'" in done.stderr
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    run("--version")
    assert os.environ["OMP_WAIT_POLICY"] == "ACTIVE"  # who has a wish gets it


# Runs -----------------------------------------------------------------------------


def test_training_longer_goes_on(run, folder, tmp_path):
    out = tmp_path / "run"
    train(run, folder, out)
    before = (out / "metrics.csv").read_text()
    status, _, error = train(run, folder, out, "--epochs", 4)
    assert status == 0, error
    after = (out / "metrics.csv").read_text()
    assert after.startswith(before) and len(after.splitlines()) == 5
    train(run, folder, tmp_path / "cosine", "--cosine")
    status, _, error = train(run, folder, tmp_path / "cosine", "--cosine", "--epochs", 4)
    last = error.splitlines()[-1]
    assert status == 1 and "epochs was 2 and is 4" in last and "cosine" in last


def test_a_second_training_into_the_same_folder_is_refused(run, folder, tmp_path):
    out = tmp_path / "run"
    train(run, folder, out)
    before = {path: path.read_bytes() for path in out.glob("*.*")}
    with training.RunFolder(out, {}).locked():
        status, text, error = train(run, folder, out, "--epochs", 4)
    assert status == 1 and "weights:" not in text and "Traceback" not in error
    assert f"another process is training into {out}" in error.splitlines()[-1]
    assert {path: path.read_bytes() for path in before} == before
    assert train(run, folder, out, "--epochs", 4)[0] == 0


def test_one_photograph_of_one_position_cannot_be_normalised(run, folder, tmp_path):
    for i in range(3, 12):
        (folder / f"{i}.png").unlink()
    status, _, error = train(run, folder, tmp_path / "run", "--size", 8)
    last = error.splitlines()[-1]
    assert status == 1 and "Traceback" not in error and "more than one photo" in last


def test_the_report_is_of_the_weights_that_it_names(run, folder, tmp_path):
    out = tmp_path / "run"
    _, text, _ = train(run, folder, out)
    best = out / "best.safetensors"
    about = weights.read_about(best)
    assert f"weights: {best}\n" in text and f"network, epoch {about['epoch']} " in text
    assert f"validation loss {about['val_loss']:.5f}" in text
    best.unlink()
    status, text, error = train(run, folder, out)  # it is finished: nothing is written
    assert status == 1 and "weights:" not in text
    assert error.splitlines()[-1] == f"colorlib: there is no weights file {best}"


def test_damaged_photographs_are_named_at_once_and_may_be_left_out(run, folder, tmp_path):
    for i in range(8):
        (folder / f"bad-{i}.jpg").write_bytes(b"\xff\xd8\xff no photograph %d" % i)
    split = {part: data.photos(folder, part) for part in ("train", "val")}
    bad = {part: [photo.name for photo in photos if "bad" in photo.name]
           for part, photos in split.items()}
    assert bad["train"] and bad["val"], "another seed is needed"
    status, text, error = train(run, folder, tmp_path / "run")
    last = error.splitlines()[-1]
    assert status == 1 and "--skip-damaged" in last and not (tmp_path / "run").exists()
    assert all(part[0] in last for part in bad.values())
    status, text, error = train(run, folder, tmp_path / "run", "--skip-damaged")
    count, of = sum(map(len, bad.values())), sum(map(len, split.values()))
    assert status == 0, error
    assert f"colorlib: {count} of {of} photos cannot be read and are left out\n" in error
    call = ("evaluate", "baseline", "--data", folder, "--size", 16, "--device", "cpu")
    status, _, error = run(*call)
    assert status == 1 and "--skip-damaged" in error
    status, text, error = run(*call, "--skip-damaged")
    assert status == 0 and "12 photos of" in text and "8 of 20 photos cannot be read" in error


def test_files_that_are_no_photographs_are_counted(run, folder, tmp_path):
    (folder / "notes.txt").write_text("no photograph")
    for status, _, error in (
        train(run, folder, tmp_path / "run"),
        run("evaluate", "baseline", "--data", folder, "--size", 16),
    ):
        assert status == 0 and "left out: 1 file that is no image (.txt 1)" in error


def test_what_is_trained_on_is_said_before_the_first_epoch(run, folder, tmp_path, monkeypatch):
    def broken(*_, **__):
        raise ColorlibError("no epoch")

    (folder / "notes.txt").write_text("no photograph")
    monkeypatch.setattr(training, "fit", broken)
    status, text, error = train(run, folder, tmp_path / "run")
    assert status == 1 and text.splitlines() == [
        "10 photos for training, 1 for validation",
        f"{folder}: no split folders; a tenth each of the training photos set aside for "
        "validation and test",
    ]
    assert error.endswith("left out: 1 file that is no image (.txt 1)\ncolorlib: no epoch\n")


def test_near_gray_training_photographs_are_named_with_the_remedy(run, tmp_path, monkeypatch):
    def broken(*_, **__):
        raise ColorlibError("no epoch")

    for split, colours in {
        "train": [(100, 100, 100), (103, 100, 100), (200, 60, 60), (60, 60, 200)],
        "val": [(90, 90, 90)],
        "test": [(80, 90, 90)],
    }.items():
        (tmp_path / "photos" / split).mkdir(parents=True)
        for i, colour in enumerate(colours):
            Image.new("RGB", (16, 16), colour).save(tmp_path / "photos" / split / f"{i}.png")
    monkeypatch.setattr(training, "fit", broken)
    _, text, error = train(run, tmp_path / "photos", tmp_path / "run")
    assert error.endswith(
        "colorlib: 2 of 4 photos for training are near-gray (mean chroma below 3 Lab units): "
        "train/0.png, train/1.png; --min-chroma 3 leaves them out\ncolorlib: no epoch\n"
    )
    assert text.endswith("/photos: split folders train/, val/ and test/\n")
    _, text, error = train(run, tmp_path / "photos", tmp_path / "run", "--min-chroma", 3)
    assert text.startswith("2 photos for training") and "near-gray" not in error


def test_weights_may_be_a_run_folder(run, folder, photo, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert train(run, folder, "runs/x")[0] == 0
    status, _, error = run("colorize", photo, "--out", "o.png", "--weights", "runs/x")
    assert status == 0, error
    assert train(run, folder, "runs/y", "--init", "runs/x/")[0] == 0
    (tmp_path / "empty").mkdir()
    status, _, error = run("colorize", photo, "--out", "p.png", "--weights", "empty")
    assert status == 1 and error == "colorlib: the folder empty holds no best.safetensors\n"


def test_a_run_folder_named_like_weights_of_the_library(run, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train(run, folder, "baseline")
    call = ("evaluate", "--size", 16, "--json")
    status, _, error = run(*call, "1.json", "baseline")
    assert status == 0 and "taken for the library's own weights" in error
    assert json.loads(Path("1.json").read_text())["about"]["data"] == "samples"
    assert run(*call, "2.json", "./baseline")[0] == 0
    names = [Path(json.loads(Path(f"{i}.json").read_text())["weights"]).name for i in (1, 2)]
    assert names == ["baseline.safetensors", "best.safetensors"]


def test_a_warning_is_shown_once_a_call(run, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(folder, "samples")
    for out in ("one", "two"):
        status, _, error = train(run, "samples", out)
        assert status == 0, error
        assert error.count("write ./samples for that folder\n") == 1


def test_a_tilde_is_the_home_folder_in_every_path(run, folder, photo, tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(tmp_path)
    shutil.copytree(folder, home / "photos")
    assert train(run, "~/photos", "~/run")[0] == 0
    call = ("colorize", photo, "--out=~/o.png", "--weights=~/run")
    assert run(*call)[0] == 0
    assert run("evaluate", "~/run", "--data=~/photos", "--size", 16, "--json=~/e.json")[0] == 0
    assert run("reproduce", "--dry-run", "--results=~/results", "--only", "coast")[0] in (0, 1)
    assert not (tmp_path / "~").exists()
    assert {"run", "o.png", "e.json"} <= {path.name for path in home.iterdir()}


def test_an_out_that_ends_with_a_slash_is_a_folder(run, photo, tmp_path):
    for name in ("scans.2024", "scans.png"):
        status, _, error = run("colorize", photo, "--out", f"{tmp_path}/{name}/")
        assert status == 0, error
        assert (tmp_path / name / "photo.jpg").is_file()


# What is judged ---------------------------------------------------------------------


def test_evaluate_judges_what_it_is_given(run, folder, tmp_path):
    call = ("evaluate", "baseline", "--size", 16, "--device", "cpu", "--data")
    status, text, error = run(*call, folder)
    assert status == 0, error
    assert text.startswith(f"12 photos of {folder} at 16 x 16") and "gray" in text
    # Their mean colour would be known from the photographs themselves.
    assert "mean colour" not in judged(text) and "no column for their mean colour" in error
    folder.rename(tmp_path / "test")
    (tmp_path / "divided").mkdir()
    (tmp_path / "test").rename(tmp_path / "divided" / "test")
    status, text, error = run(*call, tmp_path / "divided")
    assert status == 0 and "no column" in error
    assert text.startswith(f"12 photos of {tmp_path / 'divided'}, test, at")
    status, text, _ = run(*call, "samples")
    assert status == 0 and text.startswith("10 photos of samples, test,")
    assert "mean colour" in judged(text)


def test_photographs_that_were_trained_on_are_not_judged_unasked(run, folder, tmp_path):
    train(run, folder, tmp_path / "run")
    call = ("evaluate", tmp_path / "run", "--data", folder)
    status, text, error = run(*call)
    assert status == 0 and text.startswith(f"1 photo of {folder} at ")
    left_out = "colorlib: 11 of 12 photos were used in training and are left out\n"
    assert left_out in error and "mean colour" in judged(text)
    status, text, error = run(*call, "--split", "train")
    assert status == 0 and text.startswith(f"10 photos of {folder}, train,")
    assert "colorlib: 10 of 10 photos were used in training\n" in error
    folder.rename(tmp_path / "another name")
    status, text, error = run(*call[:-1], tmp_path / "another name")
    assert status == 0 and text.startswith("1 photo of ") and left_out in error
    for path in data.photos(tmp_path / "another name", "test"):
        path.path.unlink()
    status, _, error = run(*call[:-1], tmp_path / "another name")
    assert status == 1 and "were used in training: with --split they are judged" in error


def test_what_weights_began_with_was_trained_on_too(run, folder, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    for i in range(12):
        Image.new("RGB", (16, 16), (i * 20, 90, 250 - i * 20)).save(other / f"{i}.png")
    train(run, folder, tmp_path / "one")
    train(run, other, tmp_path / "two", "--init", tmp_path / "one")
    for name in (folder, other):
        status, text, error = run("evaluate", tmp_path / "two", "--data", name)
        assert status == 0 and "11 of 12 photos were used in training" in error
    _, text, _ = run("weights", tmp_path / "two")
    assert '"count": 11' in text and '"sha256"' not in text  # which nobody reads


def test_a_folder_is_not_taken_for_a_data_set_of_its_name(run, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(folder, "samples")
    call = ("evaluate", "baseline", "--size", 16, "--data")
    status, text, error = run(*call, "./samples")  # which the weights name, as a data set
    assert status == 0 and text.startswith("12 photos of ./samples at 16 x 16")
    assert "used in training" not in error
    for split in data.SPLITS:  # the data set's own photographs are known all the same
        for photo in data.photos("samples", split):
            shutil.copy(photo.path, Path("samples", f"{photo.sha256}.png"))
    status, text, error = run(*call, "./samples")
    assert status == 0 and "38 of 60 photos were used in training and are left out" in error
    assert text.startswith("22 photos of ./samples at")


def test_of_many_photographs_weights_keep_some(run, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(fingerprints, "_LISTED", 4)
    train(run, folder, tmp_path / "run")
    kept = weights.read_about(tmp_path / "run" / "best.safetensors")["trained_on"]
    assert kept["count"] == 11 and len(kept["sha256"]) == 4 * 16
    folder.rename(tmp_path / "another name")
    report = tmp_path / "report.json"
    call = ("evaluate", tmp_path / "run", "--data", tmp_path / "another name", "--json", report)
    status, text, error = run(*call)
    assert status == 0 and ", test, at" in text.splitlines()[0]
    assert "trained on photos of" in error and "judged by its test photos alone" in error
    assert json.loads(report.read_text())["about"]["split"] == "test"


def test_a_list_of_many_trained_on_photographs_is_not_judged_as_unseen(
    run, folder, tmp_path, monkeypatch
):
    monkeypatch.setattr(fingerprints, "_LISTED", 4)
    train(run, folder, tmp_path / "run")
    trained = sorted(
        (photo.sha256, str(photo.path))
        for split in ("train", "val") for photo in data.photos(folder, split)
    )
    few, rest, other = (tmp_path / f"{name}.txt" for name in ("few", "rest", "other"))
    few.write_text("\n".join(path for _, path in trained[2:]))  # two that are listed
    rest.write_text("\n".join(path for _, path in trained[4:]))  # none
    for i in range(30):
        Image.new("RGB", (16, 16), (i, 2 * i, 100)).save(tmp_path / f"new-{i}.png")
    other.write_text("\n".join(f"new-{i}.png" for i in range(30)))
    run_folder = tmp_path / "run"
    status, _, error = run("evaluate", run_folder, "--data", few)
    assert status == 1 and "so others were, too: with --split they are judged" in error
    status, _, error = run("evaluate", run_folder, "--data", rest)
    assert status == 0 and "whether those of" in error and "is not known" in error
    status, text, error = run("evaluate", run_folder, "--data", other)
    assert status == 0 and text.startswith("30 photos") and "not known" not in error


def test_weights_name_what_they_were_trained_on(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "list.txt").write_text("")
    names = ["Samples", "tiny_imagenet", "./a", "a/", "a/list.txt"]
    assert list(map(fingerprints.name_of, names)) == [
        "samples", "imagenet64", "a", "a", "a/list.txt"
    ]


@pytest.mark.parametrize("name", ["SAMPLES", "folder"])
def test_the_split_that_is_judged_is_told(run, folder, tmp_path, name):
    if name == "folder":
        (folder / "test").mkdir()
        for i in range(3):
            (folder / f"{i}.png").rename(folder / "test" / f"{i}.png")
        name = folder
    report = tmp_path / "report.json"
    call = ("evaluate", "baseline", "--size", 16, "--data", name, "--json", report)
    status, text, _ = run(*call)
    assert status == 0 and f"photos of {name}, test, at" in text
    assert json.loads(report.read_text())["about"]["split"] == "test"


@pytest.mark.parametrize("given", ["best.safetensors", ".", "../run", "sub/.."])
def test_a_run_folder_has_its_name_from_wherever_it_is_seen(
    run, folder, tmp_path, monkeypatch, given
):
    train(run, folder, tmp_path / "run")
    (tmp_path / "run" / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "run")
    status, text, _ = run("evaluate", given, "--data", folder)
    assert status == 0 and judged(text)[-1] == "run"


def test_scores_that_are_no_finite_numbers_are_null(run, tmp_path):
    for i, split in enumerate(("train", "val", "test")):
        (tmp_path / "photos" / split).mkdir(parents=True)
        Image.new("RGB", (32, 32), (0, 0, i)).save(tmp_path / "photos" / split / "1.png")
    Image.new("RGB", (32, 32)).save(tmp_path / "photos" / "test" / "1.png")  # black: ab is 0
    Image.new("RGB", (32, 32), (0, 9, 9)).save(tmp_path / "photos" / "train" / "1.png")
    report = tmp_path / "report.json"
    call = ("evaluate", "baseline", "--data", tmp_path / "photos", "--size", 32, "--json", report)
    status, _, error = run(*call)
    assert status == 0, error
    scores = json.loads(report.read_text(), parse_constant=pytest.fail)["scores"]
    assert scores["gray"]["psnr_ab"] == [None]


def test_a_column_of_the_table_never_replaces_another(run, folder, tmp_path):
    train(run, folder, tmp_path / "gray")
    status, text, _ = run("evaluate", tmp_path / "gray", "--data", folder)
    assert status == 0 and judged(text) == ["gray", "mean colour", "network gray"]


# What cannot be read or written ----------------------------------------------------------


def test_an_unreadable_file_among_several_does_not_end_the_others(
    run, photo, tmp_path, monkeypatch
):
    closed = tmp_path / "closed.jpg"
    shutil.copy(photo, closed)
    access, opened = os.access, open  # root may read everything
    is_closed = lambda path: not isinstance(path, int) and Path(path) == closed  # noqa: E731

    def refuses(path, *rest, **more):
        if is_closed(path):
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *rest, **more)

    monkeypatch.setattr(builtins, "open", refuses)
    monkeypatch.setattr(os, "access", lambda path, *rest, **more: not is_closed(path)
                        and access(path, *rest, **more))
    missing = tmp_path / "missing.jpg"
    out = tmp_path / "out"
    status, text, error = run("colorize", closed, missing, photo, "--out", out)
    assert status == 1 and "1 of 3 photos written, 2 not" in text
    assert f"colorlib: {closed} may not be read\n" in error
    assert f"colorlib: there is no file {missing}\n" in error
    assert [path.name for path in out.iterdir()] == ["photo.jpg"]


def test_a_subfolder_without_permission_does_not_end_the_others(run, tmp_path, monkeypatch):
    root = album(tmp_path)
    scandir = os.scandir

    def refuses(path):
        if Path(path).name == "deep":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuses)
    status, text, error = run("colorize", root, "--out", tmp_path / "out")
    assert status == 1 and "3 of 6 photos written, 3 not" in text
    assert f"colorlib: {root / 'deep'} may not be read\n" in error


def test_what_a_format_cannot_hold_is_said_in_one_line(run, photo, tmp_path):
    out = tmp_path / "out.bmp"
    image = Image.open(photo)
    exif = image.getexif()
    exif[0x010F] = "a camera"
    image.save(photo, exif=exif)
    status, text, error = run("colorize", photo, "--out", out)
    assert status == 0 and "40 x 30 pixels" in text
    assert error.count("\n") == 1 and "not carried" in error and "EXIF of 1 photo" in error


def test_another_opencv_is_refused_before_any_photograph_is_read(
    run, photo, tmp_path, monkeypatch
):
    monkeypatch.delattr(cv2, "ximgproc")
    monkeypatch.setattr(pipeline.files, "read", pytest.fail)
    status, text, error = run("colorize", photo, photo, "--out", tmp_path / "out")
    assert status == 1 and text == "" and error.count("\n") == 1
    assert "opencv-contrib-python-headless" in error


def test_a_cache_that_cannot_be_written_is_named(run, folder, tmp_path, monkeypatch):
    monkeypatch.setenv("COLORLIB_CACHE", str(tmp_path / "photo.jpg" / "cache"))
    (tmp_path / "photo.jpg").write_text("no folder")
    status, _, error = train(run, folder, tmp_path / "run")
    last = error.splitlines()[-1]
    assert status == 1 and last.startswith("colorlib: ") and "COLORLIB_CACHE" in last


def test_a_field_whose_default_is_none_is_checked(run, folder, tmp_path):
    for options_ in (("--prior", "weights=3"), ("--set", "attention=3")):
        status, _, error = train(
            run, folder, tmp_path / "run", "--preset", "fusion", *options_
        )
        last = error.splitlines()[-1]
        assert status == 1 and "must be a word or null, not 3" in last
        assert "Traceback" not in error


# Weights for other programs ---------------------------------------------------------------


def test_weights_become_an_onnx_file(run, tmp_path):
    out = tmp_path / "network.onnx"
    status, text, error = run("export", "--out", out)
    assert status == 0 and error == ""
    first, *rest = text.splitlines()
    size = out.stat().st_size / 1e6
    assert first == f"{out}: {size:.1f} MB, working size {zoo.load().size}"
    assert rest[0].strip() == "input L: (B, 1, H, W) in [-1, 1], H and W from 8 up"
    assert rest[1].strip() == "output ab: (B, 2, H, W) in [-1, 1]"
    difference = re.fullmatch(r" +checked: onnxruntime's ab differ .* by (\S+) at most", rest[2])
    assert difference and float(difference[1]) < 1e-4 and len(rest) == 3
    metadata = onnxruntime.InferenceSession(out).get_modelmeta().custom_metadata_map
    assert json.loads(metadata["about"]) == zoo.load().about
    status, text, error = run("export", "--out", out)
    assert (status, text) == (1, "") and "exists already and is not overwritten" in error


def test_of_a_prior_it_says_that_it_is_not_in_the_onnx_file(run, tmp_path):
    network = networks.build("fusion", width=0.125, embedding=5)
    weights.save_weights(network, tmp_path / "run" / "best.safetensors", size=16)
    status, text, _ = run("export", "--weights", tmp_path / "run", "--out", tmp_path / "f.onnx")
    assert status == 0 and "input embedding: (B, 5)" in text
    assert "prior that computes it is not in the file" in text


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (lambda p: ["--out", p / "photo.jpg" / "f.onnx"], "there can be no folder"),
        (lambda p: ["--out", p / "f.onnx", "--weights", "none"], "no weights file or run folder"),
        (lambda p: ["--out", p / "f.onnx", "--weights", p / "photo.jpg"], "damaged"),
        (lambda p: ["--out", p], "not overwritten"),
    ],
)
def test_export_refuses_in_one_sentence_and_leaves_nothing(run, photo, tmp_path, arguments, says):
    before = set(tmp_path.rglob("*"))
    status, text, error = run("export", *arguments(tmp_path))
    assert (status, text) == (1, "") and error.count("\n") == 1 and says in error
    assert set(tmp_path.rglob("*")) == before


def test_export_names_the_packages_that_it_lacks(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    status, text, error = run("export", "--out", tmp_path / "f.onnx")
    assert (status, text) == (1, "") and error.count("\n") == 1
    assert "colorlib[export]: pip install onnx onnxruntime" in error


def test_colorize_is_always_the_function():
    import colorlib.tool.pipeline

    assert colorlib.colorize is colorlib.tool.pipeline.colorize


def test_the_wheel_has_all_of_the_package():
    root = Path(cli.__file__).parents[2]
    if not (root / "pyproject.toml").is_file():
        pytest.skip("not in a checkout")
    setuptools = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["setuptools"]
    for path in (*(root / "colorlib").rglob("*"), *(root / "replication").rglob("*")):
        if path.is_dir() or "__pycache__" in path.parts:
            continue
        package = max(
            (name for name in setuptools["packages"]
             if path.is_relative_to(root / name.replace(".", "/"))), key=len
        )
        if path.suffix == ".py":
            assert path.parent == root / package.replace(".", "/"), path
        else:
            folder = root / package.replace(".", "/")
            patterns = setuptools["package-data"][package]
            assert any(path in folder.glob(pattern) for pattern in patterns), path
