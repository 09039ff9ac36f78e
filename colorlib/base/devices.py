"""What computes: processors, GPUs, and how many threads."""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from colorlib.base.errors import ColorlibError


def auto_device() -> str:
    """The best device here: "cuda", "mps" or "cpu"."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def find(name: str) -> str:
    """A device that torch can use, by its name.

    Args:
        name: as torch calls it, such as "cpu", "cuda:1" or "mps"; or "auto" for
            the best one here. Of the processes that torchrun starts, each gets
            its own GPU for "cuda".

    Raises:
        ColorlibError: there is no such device here.
    """
    device = auto_device() if name == "auto" else name
    if device == "cuda":
        device = f"cuda:{os.environ.get('LOCAL_RANK', 0)}"
    try:
        torch.zeros(1, device=device).item()  # of "meta" there are no numbers
    except (RuntimeError, AssertionError) as error:
        raise ColorlibError(f"there is no device {device!r} here") from error
    return device


def device_name(device: str) -> str:
    """What computes, as results tell it: a GPU's name, or a processor's and its threads."""
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    if device != "cpu":
        return device
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    threads = torch.get_num_threads()
    name = names[0] if names else platform.machine()
    return f"{name}, {threads} thread{'s' * (threads > 1)}"


def precision(device: str | torch.device, bf16: bool) -> str:
    """In which numbers networks compute there, as results tell it.

    Args:
        device: "cpu", "cuda", ...
        bf16: whether convolutions and matrix products are computed in bfloat16
            (`Settings.bf16`); sums, losses and weights stay float32.
    """
    if bf16:
        return "bfloat16"
    tf32 = torch.device(device).type == "cuda" and torch.backends.cudnn.allow_tf32
    return "float32, convolutions in TF32" if tf32 else "float32"


def free_memory(device: str | torch.device) -> int:
    """How many bytes a GPU still has; 0 for one that does not tell."""
    device = torch.device(device)
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory()
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else 0


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out; CUDA's error has a class of its own, others only their words."""
    words = ("out of memory", "not enough memory", "can't allocate memory")
    kinds = (torch.cuda.OutOfMemoryError, MemoryError)
    return isinstance(error, kinds) or any(word in str(error) for word in words)


@contextmanager
def threads(count: int | None) -> Iterator[None]:
    """So many of torch's threads for a while; None leaves them."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
