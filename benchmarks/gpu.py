"""A quarter of an hour on a GPU: what it is, how fast, whether it is right, and the matrix.

    python benchmarks/gpu.py [--out OUT] [--parts card,steps,...] [--minutes 8] [--workers 3]

Everything in one call, in this order and printed as it comes; what fails does not stop the
rest. Recorded runs are packed into files of at most 16 MB. It runs on a CPU too (--toy: as
small as can be), so that nothing is tried for the first time on the day. On a machine
without network, `gather.py` brings what it needs.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tarfile
import time
import traceback
from functools import partial
from pathlib import Path

import torch
from gather import split
from timing import device, seconds
from torch import multiprocessing

from colorlib import networks
from colorlib.base import devices
from colorlib.training import cuda, loop
from replication import cost

ROOT = Path(__file__).parents[1]
PRESETS = ("baseline", "fusion", "attention")
PIECE = 16 * 10**6  # bytes


def card(options) -> dict:
    """What computes, and how fast it multiplies matrices in bfloat16."""
    n = 8192 if device().type == "cuda" else 512
    a, b = (torch.randn(n, n, device=device(), dtype=torch.bfloat16) for _ in range(2))
    product = statistics.median(seconds(lambda: a @ b, repeats=9)[0])
    rate = 2 * n**3 / product
    name = devices.device_name(str(device()))
    print(f"{name}; torch {torch.__version__}; {rate / 1e12:.3g} TFLOP/s, of a product of "
          f"{n} x {n} matrices in bfloat16")
    return {"card": name, "rate": rate}


def given(size: int, batch: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """L, made-up embeddings and ab."""
    random = torch.Generator().manual_seed(0)
    L = 2 * torch.rand(batch, 1, size, size, generator=random) - 1
    embedding = torch.randn(batch, 1000, generator=random)
    ab = (0.2 * torch.randn(batch, 2, size, size, generator=random)).clamp(-1, 1)
    return L.to(device()), embedding.to(device()), ab.to(device())


def one_step(preset: str, size: int, batch: int, graph: bool, compiled: bool, width: float):
    """A training step as `fit` makes it, in bfloat16, and its FLOP."""
    torch.manual_seed(0)
    model = networks.build(preset, width=width)
    model.to(device(), memory_format=torch.channels_last)
    optimizer = loop._optimizer(model, loop.Settings(), device())
    step = partial(loop.update, model, optimizer, True)
    L, embedding, ab = given(size, batch)
    inputs = networks.Inputs(L, embedding if model.config.embedding else None)
    call = (inputs, ab, 1.0)
    if compiled:
        model.compile()
    if graph:
        step = cuda.Graphed(step)
    for _ in range(5):
        step(*call)
    return partial(step, *call), batch * cost.flop_of_a_visit(model.config, size)


def steps(options, presets=PRESETS, batches=(16, 64), compiled=False) -> list[dict]:
    """A step's time, and which share of the matrix rate it reaches."""
    rate, found = card(options)["rate"], []
    sizes, width = ((16,), 0.125) if options.toy else ((64, 128, 256), 1.0)
    on_gpu = device().type == "cuda"
    ways = [on_gpu] if compiled else sorted({False, on_gpu})
    print("| | | batch | ms | photos a second | TFLOP/s | of the matrix rate |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for preset in presets:
        for size in sizes:
            for batch in batches[: 1 if options.toy else None]:
                for graph in ways:
                    with cuda.own_stream(device()):
                        call, flop = one_step(preset, size, batch, graph, compiled, width)
                        times = seconds(call, repeats=3 if options.toy else 15)[0]
                    ms = 1000 * statistics.median(times)
                    how = "a graph" if graph else "kernel by kernel"
                    how += ", compiled" if compiled else ""
                    row = {"preset": preset, "size": size, "batch": batch, "how": how, "ms": ms,
                           "flop": flop, "share": flop / ms * 1000 / rate}
                    found.append(row)
                    print(f"| {preset} {size} x {size} | {how} | {batch} | {ms:.2f} "
                          f"| {1000 * batch / ms:.0f} | {flop / ms / 1e9:.3g} "
                          f"| {row['share']:.0%} |", flush=True)
    return found


def compiled(options) -> list[dict]:
    """The same with torch.compile, for one preset: it takes a minute."""
    return steps(options, presets=("attention",), batches=(16,), compiled=True)


def losses(where: str, width: float, size: int, count: int = 20) -> list[float]:
    """Those of the first steps in float32."""
    torch.manual_seed(0)
    model = networks.build("attention", width=width).to(where, memory_format=torch.channels_last)
    optimizer = loop._optimizer(model, loop.Settings(), torch.device(where))
    step = partial(loop.update, model, optimizer, False)
    with cuda.own_stream(torch.device(where)):
        step = cuda.Graphed(step) if where == "cuda" else step
        L, embedding, ab = (tensor.to(where) for tensor in given(size, 8))
        inputs = networks.Inputs(L, embedding)
        return [step(inputs, ab, 1.0).item() for _ in range(count)]


def correct(options) -> dict:
    """Whether the first losses are those of the CPU."""
    width, size = (0.125, 16) if options.toy else (0.25, 64)
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        ours, cpu = (losses(where, width, size) for where in (device().type, "cpu"))
    off = [abs(a / b - 1) for a, b in zip(ours, cpu, strict=True)]
    print(f"losses of the first 20 steps in float32, against the CPU's: first {off[0]:.1e} off, "
          f"at most {max(off):.1e}")
    assert off[0] < 1e-3, "the GPU computes something else"
    return {"losses": ours, "losses on the CPU": cpu}


def tests(options) -> dict:
    """The tests that need a GPU."""
    call = [sys.executable, "-m", "pytest", "-o", "addopts=", "-q", "tests/test_gpu.py"]
    done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, timeout=240)
    print(done.stdout[-6000:], done.stderr[-1000:])
    return {"status": done.returncode, "says": done.stdout[-300:]}


def _busy(options, size: int, batch: int, start, ended) -> None:
    """Steps for a few seconds, beside others."""
    width, long = (0.125, 0.2) if options.toy else (1.0, 3.0)
    with cuda.own_stream(device()):
        call, _ = one_step("attention", size, batch, device().type == "cuda", False, width)
        ended.put(0)
        start.wait()
        begun, count = time.perf_counter(), 0
        while time.perf_counter() - begun < long:
            for _ in range(5):
                call()
            count += 5
            if device().type == "cuda":
                torch.cuda.synchronize()
        ended.put(count * batch / (time.perf_counter() - begun))


def together(options) -> list[dict]:
    """How many photographs a second several trainings at once reach."""
    found, context = [], multiprocessing.get_context("spawn")
    for size, batch in ((16, 2),) if options.toy else ((64, 64), (128, 32), (256, 16)):
        for count in (1, 2) if options.toy else (1, 4):
            start, ended = context.Event(), context.Queue()
            workers = [
                context.Process(target=_busy, args=(options, size, batch, start, ended))
                for _ in range(count)
            ]
            for worker in workers:
                worker.start()
            for _ in workers:
                ended.get(timeout=90)
            start.set()
            rate = sum(ended.get(timeout=90) for _ in workers)
            for worker in workers:
                worker.join()
            found.append({"size": size, "batch": batch, "at once": count, "photos": rate})
            print(f"{size} x {size}, batches of {batch}, {count} at once: {rate:.0f} photos a "
                  "second", flush=True)
    return found


def matrix(options) -> dict:
    """The experiment matrix, as far as it goes in the time that is left."""
    call = [
        sys.executable, "-m", "colorlib", "reproduce", "--scale", options.scale,
        "--minutes", str(options.minutes), "--workers-per-device", str(options.workers),
        "--results", str(options.out / "results"), "--work", str(options.out / "work"),
        *options.reproduce,
    ]
    status = subprocess.run(call, cwd=ROOT).returncode
    return {"status": status, "parts": packed_results(options.out)}


def packed_results(out: Path) -> int:
    """Write results-00, ...: pieces of one tar.gz with the runs that are done; how many."""
    whole = out / "results.tar.gz"
    with tarfile.open(whole, "w:gz") as tar:
        for file in sorted((out / "results").glob("*/[!.]*")):
            tar.add(file, file.relative_to(out))
    count = split(whole, PIECE, out / "results")
    whole.unlink()
    return count


PARTS = {part.__name__: part for part in (card, correct, tests, steps, matrix, together, compiled)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", default=",".join(PARTS), help="which, in this order")
    parser.add_argument("--out", type=Path, default=Path("runs/gpu"))
    parser.add_argument("--scale", default="gpu")
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--toy", action="store_true", help="as small as can be")
    parser.add_argument("reproduce", nargs="*", help="further options of `colorlib reproduce`")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    begun, found = time.perf_counter(), {}
    for name in options.parts.split(","):
        print(f"\n## {name}, after {time.perf_counter() - begun:.0f} s", flush=True)
        try:
            found[name] = PARTS[name](options)
        except Exception:  # the other parts are worth having
            traceback.print_exc()
            found[name] = None
        (options.out / "found.json").write_text(json.dumps(found, indent=1))
        if device().type == "cuda":
            torch.cuda.empty_cache()
    print(f"\n{time.perf_counter() - begun:.0f} s")
    failed = [
        name for name, part in found.items()
        if part is None or (isinstance(part, dict) and part.get("status"))
    ]
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
