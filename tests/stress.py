"""What too much at once does: threads, processes, damaged files, kills. Prints totals.

    python tests/stress.py [--photos 1000] [--damaged 10000] [--kills 20]

Ends with status 1 if anything was wrong or lost.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

# One thread each: there are many of them.
os.environ |= {"OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1"}
COLORLIB = [sys.executable, "-m", "colorlib"]
SIDE = 16  # blocks that a number is written in, each of 2 x 2 pixels


def numbered(number: int) -> Image.Image:
    """A small gray photograph that shows a number in light and dark blocks."""
    bits = [(number >> i) & 1 for i in range(SIDE)]
    row = np.array([64 + 128 * bit for bit in bits], np.uint8)
    return Image.fromarray(np.tile(row.repeat(2), (2 * SIDE, 1)))


def number_in(path: Path) -> int | None:
    """The number that a colorized photograph shows; None if it is no whole image."""
    try:
        with Image.open(path) as image:
            light = np.asarray(image.convert("L"), float)
    except OSError:
        return None
    columns = light.reshape(2 * SIDE, SIDE, 2).mean((0, 2))
    return sum(int(bright) << i for i, bright in enumerate(columns > 128))


def totals(out: Path, count: int) -> tuple[int, int, int]:
    """How many photographs are right, wrong and lost."""
    found = {path.stem: number_in(path) for path in out.glob("*.png")}
    right = sum(found.get(str(i)) == i for i in range(count))
    lost = sum(str(i) not in found for i in range(count))
    leftovers = [path for path in out.iterdir() if path.suffix != ".png" or path.name[0] == "."]
    return right, count - right - lost + len(leftovers), lost


def threads(folder: Path, count: int) -> bool:
    """Eight threads colorize into one folder."""
    from colorlib import files
    from colorlib.tool.pipeline import Pipeline

    pipeline, out = Pipeline(), folder / "out"

    def colorize(number: int) -> None:
        files.save(pipeline(numbered(number), working_size=16), out / f"{number}.png")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(colorize, range(count)))
    right, wrong, lost = totals(out, count)
    print(f"8 threads, {count} photos into one folder: {right} right, {wrong} wrong, {lost} lost")
    return right == count


# Run where there is no unshare: both processes believe to have the same id.
SAME_ID = "import os; os.getpid = lambda: 7; from colorlib.cli import main; main()"


def processes(folder: Path, count: int) -> bool:
    """Two processes with the same process id colorize into one folder."""
    own_ids = ["unshare", "--pid", "--fork", "--mount-proc"]
    apart = shutil.which("unshare") and not subprocess.run(
        [*own_ids, "true"], capture_output=True
    ).returncode
    command = [*own_ids, *COLORLIB] if apart else [sys.executable, "-c", SAME_ID]
    out, running = folder / "out", []
    out.mkdir()
    for part in range(2):
        photos = folder / str(part)
        photos.mkdir()
        for number in range(part, count, 2):
            numbered(number).save(photos / f"{number}.png")
        call = [*command, "colorize", photos, "--out", out, "--working-size", "16"]
        running.append(subprocess.Popen(call, stdout=subprocess.DEVNULL))
    statuses = [process.wait() for process in running]
    right, wrong, lost = totals(out, count)
    how = "in namespaces of their own" if apart else "by a replaced getpid"
    print(f"2 processes of one id ({how}), {count} photos into one folder: "
          f"{right} right, {wrong} wrong, {lost} lost")
    return right == count and statuses == [0, 0]


def damaged(folder: Path, count: int) -> bool:
    """Damaged files are refused in a sentence each; what lies there already is kept."""
    from test_damage import write_damaged

    from colorlib import files

    photos, out = folder / "in", folder / "out"
    out.mkdir()
    write_damaged(photos, count)
    before = {path: path.read_bytes() for path in photos.iterdir()}
    jobs, _ = files.plan([photos], out)  # some formats get another suffix
    kept = [job.out for job in jobs[:: max(1, count // 100)] if job.out is not None]
    for path in kept:
        path.write_text("mine")
    call = [*COLORLIB, "colorize", photos, "--out", out, "--working-size", "16"]
    done = subprocess.run(call, capture_output=True, text=True, timeout=600 + count)
    refusals = [line for line in done.stderr.splitlines() if line.startswith("colorlib: ")]
    written = [path for path in out.iterdir() if path.name[0] != "." and path not in kept]
    whole = sum(not _breaks(path) for path in written)
    tracebacks = done.stderr.count("Traceback")
    overwritten = sum(path.read_text() != "mine" for path in kept if path.exists())
    gone = sum(not path.exists() for path in kept)
    changed = sum(path.read_bytes() != content for path, content in before.items())
    print(f"{count} damaged files: {len(written)} colorized, {len(refusals)} lines of refusal, "
          f"{tracebacks} tracebacks, {overwritten + gone} of {len(kept)} kept files overwritten, "
          f"{changed} inputs changed, {len(written) - whole} outputs not whole")
    accounted = len(written) + len(refusals) >= count
    return accounted and not (
        tracebacks or overwritten or gone or changed or len(written) - whole
    )


def _breaks(path: Path) -> bool:
    try:
        with Image.open(path) as image:
            image.load()
    except Exception:
        return True
    return False


TRAIN = """
import sys, torch
from colorlib import data, networks, training
torch.set_num_threads(1)
photographs = data.pack(data.photos("samples", "val"), 16)
torch.manual_seed(0)
network = networks.build("baseline", width=0.125)
settings = training.Settings(epochs=int(sys.argv[2]), batch_size=2, flip=True, average=0.9)
training.fit(network, photographs, photographs, settings, sys.argv[1])
"""


def kills(folder: Path, count: int) -> bool:
    """A training that is killed again and again ends as one that is not."""
    random, epochs = np.random.default_rng(0), 6 * count
    command = [sys.executable, "-c", TRAIN]
    subprocess.run([*command, folder / "straight", str(epochs)], check=True)
    halting, killed = folder / "halting", 0
    curves = halting / "metrics.csv"

    def epochs_done() -> int:
        return len(curves.read_text().splitlines()) - 1 if curves.is_file() else 0

    while killed < count and epochs_done() < epochs:
        before = epochs_done()
        process = subprocess.Popen([*command, halting, str(epochs)])
        while epochs_done() <= before and process.poll() is None:
            time.sleep(0.002)
        time.sleep(random.uniform(0, 0.15))  # in an epoch, or while files are written
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
    subprocess.run([*command, halting, str(epochs)], check=True)
    straight = folder / "straight"
    same = [
        curves.read_text() == (straight / "metrics.csv").read_text(),
        weights_in(halting / "best.safetensors") == weights_in(straight / "best.safetensors"),
    ]
    leftovers = [path.name for path in halting.iterdir() if ".partial" in path.name]
    print(f"{killed} kills in {epochs} epochs: curves {'the same' if same[0] else 'DIFFERENT'}, "
          f"best weights {'the same' if same[1] else 'DIFFERENT'}, {len(leftovers)} partial files")
    return killed == count and all(same)


def weights_in(path: Path) -> dict:
    """What a weights file holds; the order inside the file is chance."""
    from safetensors import safe_open

    with safe_open(path, framework="np") as file:
        tensors = {name: file.get_tensor(name).tobytes() for name in file.keys()}
        return {name: json.loads(text) if text[0] == "{" else text
                for name, text in file.metadata().items()} | tensors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=1000)
    parser.add_argument("--damaged", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=20)
    options = parser.parse_args()
    parts: list[tuple[Callable[[Path, int], bool], int]] = [
        (threads, options.photos), (processes, options.photos),
        (damaged, options.damaged), (kills, options.kills),
    ]
    failed = 0
    for part, count in parts:
        begun = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            passed = not count or part(Path(folder), count)
        print(f"    {'passed' if passed else 'FAILED'} in {time.monotonic() - begun:.0f} s")
        failed += not passed
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
