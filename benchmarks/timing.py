"""What the benchmarks share: two ways to do the same, timed in turns."""

import platform
import re
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch


def device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def where() -> str:
    """The device and the versions a table was made with."""
    threads = torch.get_num_threads()
    cpu = f"{platform.machine()} CPU, {threads} thread{'' if threads == 1 else 's'}"
    name = torch.cuda.get_device_name() if torch.cuda.is_available() else cpu
    return f"{name}; torch {torch.__version__}"


def seconds(*calls: Callable[[], object], repeats: int = 9) -> list[list[float]]:
    """Times of each call, taken in turns, so that a busy moment hits all of them."""
    times: list[list[float]] = [[] for _ in calls]
    for call in calls:
        call()  # warm up
    for _ in range(repeats):
        for call, found in zip(calls, times, strict=True):
            start = time.perf_counter()
            call()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            found.append(time.perf_counter() - start)
    return times


def ratios(slow: list[float], fast: list[float]) -> str:
    """How many times faster, as three cells of a Markdown table: median, lowest, highest."""
    found = [a / b for a, b in zip(slow, fast, strict=True)]
    return " | ".join(f"{f(found):.1f}" for f in (statistics.median, min, max))


def peak() -> float:
    """The most memory this process has held so far, in MiB (Linux only, else not a number)."""
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s+(\d+)", status.read_text()) if status.exists() else None
    return int(found[1]) / 2**10 if found else float("nan")
