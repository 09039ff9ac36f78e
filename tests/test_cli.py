import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colorlib import cli, data, models

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


@pytest.fixture
def run(monkeypatch, tmp_path, capfd):
    """Call the command line in this process: (status, stdout, stderr)."""
    monkeypatch.setenv("COLORLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("COLORLIB_DATA", raising=False)

    def call(*arguments) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["colorlib", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
            sys.exit(0)
        return stop.value.code or 0, *capfd.readouterr()

    return call


def train(run, folder, out, *more):
    small = ("--width", 0.125, "--size", 16, "--epochs", 2, "--batch-size", 4, "--device", "cpu")
    return run("train", "--data", folder, "--out", out, *small, *more)


def test_the_installed_command_colorizes_a_photograph(photo, tmp_path):
    out = tmp_path / "colour.png"
    call = [COMMAND, "colorize", photo, "--out", out]
    done = subprocess.run(call, capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == ""
    assert "40 x 30 pixels" in done.stdout
    assert Image.open(out).size == (40, 30) and Image.open(out).mode == "RGB"


def test_nothing_is_trained_on_that_a_joined_data_set_holds_out(run, folder, tmp_path):
    copies = tmp_path / "copies"
    shutil.copytree(folder, copies / "train")
    for part in ("val", "test"):
        (copies / part).mkdir()
        Image.new("RGB", (16, 16), "red" if part == "val" else "blue").save(copies / part / "1.png")
    # 12 photographs, of which the folder holds out two; a copy does not make them known.
    status, text, error = train(run, folder, tmp_path / "run", "--data", copies)
    assert status == 0, error
    assert "20 photos trained on, 2 held out" in text


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
        (lambda p: [p / "photo.jpg", "--out", p / "out.xyz"], ".png"),
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
    assert "10 photos trained on, 1 held out" in text
    for row in ("gray", "mean colour", "network, epoch"):
        assert row in text
    assert len((out / "metrics.csv").read_text().splitlines()) == 3
    best = out / "best.safetensors"
    assert run("colorize", photo, "--out", tmp_path / "o.png", "--weights", best)[0] == 0


def test_a_finished_run_is_kept_and_a_changed_one_refused(run, folder, tmp_path):
    out = tmp_path / "run"
    train(run, folder, out)
    before = (out / "last.safetensors").read_bytes()
    assert train(run, folder, out)[0] == 0
    assert (out / "last.safetensors").read_bytes() == before
    status, _, error = train(run, folder, out, "--learning-rate", 0.01)
    assert status == 1 and "other settings" in error.splitlines()[-1]
    assert (out / "last.safetensors").read_bytes() == before


def test_training_goes_on_from_given_weights(run, folder, tmp_path):
    train(run, folder, tmp_path / "one")
    best = tmp_path / "one" / "best.safetensors"
    assert train(run, folder, tmp_path / "two", "--init", best)[0] == 0
    told = models.read_about(tmp_path / "two" / "best.safetensors")
    assert told["init"] == models.read_about(best)
    assert told["data"] == {"photos": 1}
    status, _, error = train(run, folder, tmp_path / "three", "--init", "nothing")
    assert status == 1 and "nothing" in error


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--data", "no-such-set"], "samples"),
        (["--crop", 12], "multiple of 8"),
        (["--crop", 64], "does not fit"),
        (["--preset", "nonsense"], "baseline"),
        (["--epochs", 0], "epochs"),
        (["--min-chroma", 500], "photos"),
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
    told = models.read_about(out / "best.safetensors")
    assert told["prior"]["size"] == 64
    assert models.load_weights(out / "best.safetensors").config.coordinates
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


def test_evaluate_judges_shipped_weights_by_name(run):
    status, text, _ = run("evaluate", "baseline", "--size", 32, "--device", "cpu")
    assert status == 0 and "10 photos of samples, test, at 32 x 32, on " in text
    assert "thread" in text.splitlines()[0]
    rows = {line[:16].strip(): line[16:].split() for line in text.splitlines()[2:]}
    assert list(rows) == ["gray", "mean colour", "baseline"]
    assert float(rows["baseline"][0]) < float(rows["gray"][0])
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
    told = tmp_path / "told.json"
    status, text, _ = run("evaluate", "baseline", "--data", root, "--size", 32, "--json", told)
    assert status == 0 and "nan" not in text
    scores = json.loads(told.read_text(), parse_constant=pytest.fail)["scores"]
    assert scores["baseline"]["chroma_ratio"].count(None) == 1


def test_download_names_what_there_is_and_prints_where_it_is(run, monkeypatch, tmp_path):
    status, _, error = run("download", "imagenet")
    assert status == 1 and "open-country" in error
    monkeypatch.setattr(data, "download", lambda name, url: tmp_path / name)
    assert run("download", "coast")[:2] == (0, f"{tmp_path / 'coast'}\n")


def test_an_interrupt_is_no_traceback(run, monkeypatch, photo, tmp_path):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.Painter, "__call__", interrupted)
    status, _, error = run("colorize", photo, "--out", tmp_path / "o.png")
    assert status == 130 and error == "colorlib: interrupted; what is written is whole\n"
    assert not (tmp_path / "o.png").exists()


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


def test_a_folder_is_painted_as_far_as_it_can_be(run, tmp_path):
    root, out, told = album(tmp_path), tmp_path / "out", tmp_path / "told.json"
    status, said, error = run("colorize", root, "--out", out, "--json", told)
    assert status == 1 and f"{out}: 4 of 6 photos written, 2 not" in said
    lines = [line for line in error.splitlines() if line.startswith("colorlib: ")]
    assert len(lines) == 2 and "empty.png" in lines[0] and "poem.jpg" in lines[1]
    found = sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file())
    assert found == ["a.jpg", "b.png", "d.gif.png", "deep/c.webp"]
    rows = json.loads(told.read_text())
    assert len(rows) == 6 and sum(row["error"] is None for row in rows) == 4
    assert all(row["width"] == 16 for row in rows if row["error"] is None)
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


def test_an_interrupt_in_mid_folder_leaves_whole_files(run, monkeypatch, tmp_path):
    root, out = album(tmp_path), tmp_path / "out"
    paint, calls = cli.Painter.__call__, []

    def once(self, *arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return paint(self, *arguments)

    monkeypatch.setattr(cli.Painter, "__call__", once)
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
    paint, calls = cli.Painter.__call__, []

    def fails_once(self, *arguments):
        calls.append(arguments)
        if len(calls) == 1:
            raise RuntimeError("out of memory\nwith a long explanation")
        return paint(self, *arguments)

    monkeypatch.setattr(cli.Painter, "__call__", fails_once)
    status, said, error = run("colorize", album(tmp_path), "--out", tmp_path / "out")
    assert status == 1 and "3 of 6" in said and "painted: out of memory\n" in error


@pytest.mark.parametrize(
    "option", [("--strength", -1), ("--strength", "nan"), ("--working-size", 4)]
)
def test_senseless_options_are_refused_at_once(run, tmp_path, option):
    call = ("colorize", album(tmp_path), "--out", tmp_path / "out", "--dry-run")
    status, said, error = run(*call, *option)
    assert status == 1 and said == "" and error.count("\n") == 1


def test_weights_are_listed_with_their_cards(run):
    status, said, _ = run("weights")
    assert status == 0 and said.startswith("baseline: ")
    for words in ("working size", "samples, 10 test photos", "bad at"):
        assert words in said
    status, _, error = run("weights", "nonsense")
    assert status == 1 and "baseline" in error


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (["train", "--set", "width=wide"], "width must be a number"),
        (["train", "--set", "coordinates=yes"], "coordinates must be true or false"),
        (["train", "--preset", "fusion", "--prior", "size=abc"], "size must be a whole number"),
        (["train", "--preset", "fusion", "--set", "embedding=5"], "--prior"),
        (["train", "--seed", "-1"], "seed must not be negative"),
        (["train", "--exposure", "nan"], "exposure must be a finite number"),
        (["train", "--width", "inf"], "width must be a finite number"),
        (["train", "--optimizer", "magic"], "optimizer must be one of"),
        (["train", "--init", "baseline", "--width", "0.5"], "add --preset"),
        (["train", "--init", "baseline", "--set", "attention=dot"], "add --preset"),
        (["evaluate", "baseline", "--size", "8"], "too small to judge"),
    ],
)
def test_a_wrong_option_is_one_sentence(call, says, tmp_path, monkeypatch, capfd):
    out = ["--out", str(tmp_path / "run")] if call[0] == "train" else []
    monkeypatch.setattr(sys, "argv", ["colorlib", *call, *out])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    error = capfd.readouterr().err
    assert stop.value.code == 1 and says in error and len(error.splitlines()) == 1


def test_a_report_never_replaces_a_photograph(tmp_path, monkeypatch, capfd):
    photo = tmp_path / "photo.png"
    Image.new("RGB", (16, 16), (90, 90, 90)).save(photo)
    before = photo.read_bytes()
    call = ["colorize", photo, "--out", tmp_path / "o.png", "--json", photo, "--overwrite"]
    monkeypatch.setattr(sys, "argv", ["colorlib", *map(str, call)])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 1 and "another name" in capfd.readouterr().err
    assert photo.read_bytes() == before


def test_the_commit_is_the_librarys_own_or_none():
    commit = cli._commit()
    assert commit is None or re.fullmatch(r"[0-9a-f]{7}\+?", commit)
