"""The benchmark of a GPU runs from end to end on a CPU, as small as can be."""

import json
import os
import runpy
import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

ROOT = Path(__file__).parents[1]


def python(*arguments, **variables) -> str:
    call = [sys.executable, *map(str, arguments)]
    done = subprocess.run(
        call, cwd=ROOT, capture_output=True, text=True, env=os.environ | variables
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("classes", [1, 5])
def test_the_inception_score_is_how_many_classes_are_told_apart(classes):
    inception_score = runpy.run_path(str(ROOT / "benchmarks/photographs.py"))["inception_score"]
    logits = torch.full((10, 50), -30.0)
    logits[range(10), [i % classes for i in range(10)]] = 30.0
    assert inception_score(logits) == pytest.approx(classes, rel=1e-4)
    assert inception_score(torch.zeros(4, 50)) == pytest.approx(1)  # always unsure


@pytest.mark.usefixtures("cache")
def test_a_quarter_of_an_hour_on_a_gpu_as_small_as_can_be(tmp_path):
    text = python(
        "benchmarks/gpu.py", "--toy", "--out", tmp_path, "--parts", "card,correct,steps,matrix",
        "--scale", "seconds", "--minutes", 5, "--workers", 1, "--", "--only", "samples/baseline/0",
    )
    found = json.loads((tmp_path / "found.json").read_text())
    assert list(found) == ["card", "correct", "steps", "matrix"]
    assert found["card"]["rate"] > 0 and found["correct"]["losses"][0] > 0
    assert {row["preset"] for row in found["steps"]} == {"baseline", "fusion", "attention"}
    assert all(row["ms"] > 0 and row["flop"] > 0 for row in found["steps"])
    assert found["matrix"] == {"status": 0, "parts": 1} and "1 of 1 runs of seconds" in text
    with tarfile.open(fileobj=BytesIO((tmp_path / "results-00").read_bytes())) as tar:
        names = tar.getnames()
    files = ("pictures.zip", "runs.jsonl", "values.csv.bz2")
    assert names == [f"results/seconds/{name}" for name in files]


def test_what_is_gathered_is_found_where_it_is_unpacked(cache, tmp_path):
    # Without packages, which would be fetched.
    random = np.random.default_rng(0)
    for i in range(30):
        folder = tmp_path / "data" / "places" / ("train", "val", "test")[i % 3]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, 256, (16, 16, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")
    photos = tmp_path / "data" / "places"
    parts, target = tmp_path / "parts", tmp_path / "target"
    gather = ("benchmarks/gather.py", parts, "--wheels", "--part", 0.005, "--data", photos)
    text = python(*gather, COLORLIB_DATA=str(tmp_path / "data"))
    assert "30 photographs" in text
    sizes = [path.stat().st_size for path in sorted(parts.iterdir())]
    assert len(sizes) > 1 and set(sizes[:-1]) == {5000} and f"{len(sizes)} parts" in text
    look = (
        "import os; from pathlib import Path; "
        "print(len(list(Path(os.environ['COLORLIB_DATA']).rglob('*.png'))))"
    )
    unpack = ("benchmarks/gather.py", parts, "--unpack", target)
    text = python(*unpack, "--", sys.executable, "-c", look)
    assert text.splitlines()[-1] == "30"
    done = subprocess.run(
        [sys.executable, *map(str, gather)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 1 and done.stderr == f"{parts} is not empty\n"


def test_how_weights_answer_is_chosen_by_the_rule_that_is_stated():
    text = python("-c", """
import sys; sys.path.insert(0, "benchmarks")
from choose import Way, choose
ways = [Way(1.0, 0.0, 0.6, 0.79, 0.1), Way(1.0, 0.1, 0.7, 0.8, 0.3), Way(0.6, 0.1, 0.8, 0.9, 0.1),
        Way(0.6, 0.3, 0.9, 1.0, 0.1), Way(0.4, 0.4, 1.1, 1.3, 0.2), Way(0.4, 0.5, 1.0, 1.4, 0.9)]
print(*(ways.index(way) for way in choose(ways).values()), *choose(ways[:1]).values())
""")
    assert text.split() == ["1", "4", "None", "None"]
