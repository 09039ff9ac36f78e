"""What makes a training step fast? Prints Markdown tables; on a GPU if there is one.

    python benchmarks/training.py [--size 128] [--batch 8] [--repeats 5]
"""

import argparse
import multiprocessing
import statistics
from collections.abc import Callable

import numpy as np
import timm
import torch
from timing import device, peak, ratios, seconds, where
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from colorlib import data, lab, networks, priors

HEADER = "| | times faster, median | lowest | highest |\n| --- | --- | --- | --- |"


def step(
    preset: str,
    L: torch.Tensor,
    ab: torch.Tensor,
    embedding: Callable[[], torch.Tensor] | None = None,
    channels_last: bool = True,
    bf16: bool = False,
    compiled: bool = False,
) -> Callable[[], None]:
    """One training step of a network, ready to be called again and again."""
    torch.manual_seed(0)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    model = networks.build(preset).to(L.device, memory_format=layout)
    if compiled:
        model.compile()
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)

    def once() -> None:
        seen = embedding() if embedding else None
        with torch.autocast(L.device.type, torch.bfloat16, bf16):
            predicted = model(L, seen)
        loss = F.mse_loss(predicted.float(), ab)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return once


def inputs(packed: data.Packed, batch: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A batch of L, ab and made-up embeddings, where the networks will be."""
    L, ab = lab.normalize(packed.lab(range(batch)))
    return L.to(device()), ab.to(device()), torch.randn(batch, 1000).to(device())


def presets(L, ab, embedding, repeats) -> None:
    print("## A step of each preset\n\n| | photos a second | relative to the baseline |")
    print("| --- | --- | --- |")
    calls = [step(name, L, ab, None if name == "baseline" else embedding)
             for name in networks.PRESETS]
    times = [statistics.median(found) for found in seconds(*calls, repeats=repeats)]
    for name, time in zip(networks.PRESETS, times, strict=True):
        print(f"| {name} | {len(L) / time:.1f} | {times[0] / time:.2f} |")


def cached_embeddings(photos, batch, repeats) -> None:
    print(f"\n## Cached embeddings against computing them in every step\n\n{HEADER}")
    for size in (64, 128):
        L, ab, seen = inputs(data.pack(photos, size), batch)
        cached = step("fusion", L, ab, lambda seen=seen: seen)
        for name, prior in (
            (priors.EMBEDDED, priors.Prior()),
            (f"{priors.PAPER}, random weights: only its speed counts", paper_prior()),
        ):
            prior = prior.to(L.device)
            every = step("fusion", L, ab, lambda prior=prior, L=L: prior(L))
            fast, slow = seconds(cached, every, repeats=repeats)
            print(f"| {size} x {size}: {name} | {ratios(slow, fast)} |")


def paper_prior() -> priors.Prior:
    """The paper's prior without its weights, which do not change how long it takes."""
    prior = priors.Prior()
    prior.net = timm.create_model(priors.PAPER).eval().requires_grad_(False)
    prior.spec = priors.Spec(name=priors.PAPER)
    return prior


def packed_data(photos, size, repeats) -> None:
    print(f"\n## An epoch of packed photographs against decoding them\n\n{HEADER}")
    packed = data.pack(photos, size)

    def read() -> None:
        lab.normalize(packed.lab())

    def decode() -> None:
        rgb = np.stack([data.decode(photo.path, size) for photo in photos])
        lab.normalize(lab.rgb_to_lab(torch.from_numpy(rgb).permute(0, 3, 1, 2).float() / 255))

    fast, slow = seconds(read, decode, repeats=repeats)
    print(f"| {len(photos)} photographs, to {size} x {size} | {ratios(slow, fast)} |")


def _attend(positions: int, fast: bool, where: str, result) -> None:
    """In a process of its own: the time of a step of attention, and the memory it peaks at."""
    before = peak()
    torch.manual_seed(0)
    module = networks.Attention(256, "general").to(where)
    h = torch.randn(1, positions, 256, device=where, requires_grad=True)

    def once() -> None:
        context = module.context(h, h) if fast else module.weights(h, h) @ h
        context.sum().backward()

    (times,) = seconds(once, repeats=5)
    on_gpu = where == "cuda"
    memory = torch.cuda.max_memory_allocated() / 2**20 if on_gpu else peak() - before
    result.put((statistics.median(times), memory))


def attention(where: str) -> None:
    print("\n## Attention by scaled_dot_product_attention against written out\n")
    print("One photograph, 256 channels, forward and back. Memory is the highest, "
          + ("less what the process held before.\n" if where == "cpu" else "on the GPU.\n"))
    print("| positions | times faster | peak memory, fast | peak memory, written out |")
    print("| --- | --- | --- | --- |")
    context = multiprocessing.get_context("spawn")
    for positions in (1024, 4096):
        found = []
        for fast in (True, False):
            result = context.Queue()
            process = context.Process(target=_attend, args=(positions, fast, where, result))
            process.start()
            found.append(result.get())
            process.join()
        (quick, small), (slow, large) = found
        print(f"| {positions:,} | {slow / quick:.1f} | {small:.0f} MiB | {large:.0f} MiB |")


def switches(L, ab, embedding, repeats) -> None:
    print(f"\n## Each switched on alone, preset attention\n\n{HEADER}")
    plain = step("attention", L, ab, embedding, channels_last=False)
    for name, options in {
        "channels-last": {"channels_last": True},
        "bf16": {"channels_last": False, "bf16": True},
        "torch.compile": {"channels_last": False, "compiled": True},
        "channels-last and bf16": {"channels_last": True, "bf16": True},
    }.items():
        slow, fast = seconds(plain, step("attention", L, ab, embedding, **options), repeats=repeats)
        print(f"| {name} | {ratios(slow, fast)} |")


def matrix_rate(L, ab, embedding, repeats) -> None:
    """Which part of the device's measured rate of matrix products does a step reach?"""
    once = step("attention", L, ab, embedding, bf16=True)
    with FlopCounterMode(display=False) as counter:
        once()
    n = 8192 if L.is_cuda else 2048
    a, b = (torch.randn(n, n, device=L.device, dtype=torch.bfloat16) for _ in range(2))
    steps, products = seconds(once, lambda: a @ b, repeats=repeats)
    reached = counter.get_total_flops() / statistics.median(steps)
    possible = 2 * n**3 / statistics.median(products)
    print("\n## How much of the device a step uses, preset attention, bf16\n")
    print(f"{reached / 1e12:.2f} TFLOP/s of {possible / 1e12:.2f} that a product of "
          f"{n} x {n} matrices reaches: {reached / possible:.0%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    photos = data.photos("samples", "train")
    L, ab, seen = inputs(data.pack(photos, arguments.size), arguments.batch)
    print(f"Batches of {arguments.batch} photographs of {arguments.size} x {arguments.size}, "
          f"{arguments.repeats} repeats in turns; {where()}\n")
    shared = L, ab, lambda: seen, arguments.repeats
    presets(*shared)
    cached_embeddings(photos, arguments.batch, arguments.repeats)
    packed_data(photos, arguments.size, arguments.repeats)
    attention(device().type)
    switches(*shared)
    matrix_rate(*shared)


if __name__ == "__main__":
    main()
