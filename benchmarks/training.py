"""What makes a training step fast? Prints Markdown tables; on a GPU if there is one.

    python benchmarks/training.py [--data samples] [--size 128] [--batch 16] [--repeats 5]
"""

import argparse
import multiprocessing
import statistics
from collections.abc import Callable

import numpy as np
import timm
import torch
from timing import device, peak, ratios, seconds, where
from torch.utils.flop_counter import FlopCounterMode

from colorlib import data, lab, networks
from colorlib.networks import classifiers, priors

HEADER = "| | times faster, median | lowest | highest |\n| --- | --- | --- | --- |"


def step(
    preset: str,
    L: torch.Tensor,
    ab: torch.Tensor,
    embedding: Callable[[], torch.Tensor] | None = None,
    channels_last: bool = True,
    bf16: bool = False,
    fused: bool = False,
    compiled: bool = False,
    graph: bool = False,
) -> Callable[[], None]:
    """One training step of a network, ready to be called again and again."""
    torch.manual_seed(0)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    model = networks.build(preset).to(L.device, memory_format=layout)
    if compiled:
        model.compile()
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=fused, capturable=graph)

    def once() -> None:
        seen = embedding() if embedding else None
        optimizer.zero_grad()
        with torch.autocast(L.device.type, torch.bfloat16, bf16):
            loss = model(networks.Inputs(L, seen), ab)
        loss.backward()
        optimizer.step()

    return captured(once) if graph else once


def captured(once: Callable[[], None]) -> Callable[[], None]:
    """A step as one CUDA graph: the GPU is told all of its kernels at once."""
    beside = torch.cuda.Stream()
    beside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(beside):
        for _ in range(3):
            once()
    torch.cuda.current_stream().wait_stream(beside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        once()
    return graph.replay


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
            (classifiers.EMBEDDED, priors.Prior()),
            (f"{classifiers.PAPER}, random weights: only its speed counts", paper_prior()),
        ):
            prior = prior.to(L.device)
            every = step("fusion", L, ab, lambda prior=prior, L=L: prior(L))
            fast, slow = seconds(cached, every, repeats=repeats)
            print(f"| {size} x {size}: {name} | {ratios(slow, fast)} |")


def paper_prior() -> priors.Prior:
    """The paper's prior without its weights, which do not change how long it takes."""
    prior = priors.Prior()
    prior.net = timm.create_model(classifiers.PAPER).eval().requires_grad_(False)
    prior.spec = priors.Spec(name=classifiers.PAPER)
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
    plain = {"channels_last": False}
    both = {"channels_last": True, "bf16": True}
    tried = {
        "channels-last": (plain, {"channels_last": True}),
        "bf16": (plain, plain | {"bf16": True}),
        "torch.compile": (plain, plain | {"compiled": True}),
        "channels-last and bf16": (plain, both),
        "to these two, fused Adam": (both, both | {"fused": True}),
        "to these two, torch.compile": (both, both | {"compiled": True}),
    }
    if L.is_cuda:
        tried["to these two, a CUDA graph"] = both, both | {"graph": True}
    for name, (before, after) in tried.items():
        slow, fast = (step("attention", L, ab, embedding, **how) for how in (before, after))
        print(f"| {name} | {ratios(*seconds(slow, fast, repeats=repeats))} |", flush=True)
    if L.is_cuda:
        rounded = step("attention", L, ab, embedding)

        def exact() -> None:
            with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
                rounded()

        times = seconds(exact, rounded, repeats=repeats)
        print(f"| TF32 in convolutions, which torch has on | {ratios(*times)} |")


def sizes(photos, batch, repeats) -> None:
    """How long a step takes, and which part of the device's rate of matrix products it reaches."""
    n = 8192 if device().type == "cuda" else 2048
    a, b = (torch.randn(n, n, device=device(), dtype=torch.bfloat16) for _ in range(2))
    print("\n## A step at three sizes, preset attention, channels-last\n")
    print("| | float32, ms | bf16, ms | photos a second | TFLOP/s | of the matrix rate |")
    print("| --- | --- | --- | --- | --- | --- |")
    for size in (64, 128, 256):
        L, ab, seen = inputs(data.pack(photos[:batch], size), batch)
        full, half = (step("attention", L, ab, lambda seen=seen: seen, bf16=bf16)
                      for bf16 in (False, True))
        with FlopCounterMode(display=False) as counter:
            half()
        slow, fast, product = map(
            statistics.median, seconds(full, half, lambda: a @ b, repeats=repeats)
        )
        reached, possible = counter.get_total_flops() / fast, 2 * n**3 / product
        print(f"| {size} x {size} | {1000 * slow:.1f} | {1000 * fast:.1f} | {batch / fast:.0f} "
              f"| {reached / 1e12:.3g} | {reached / possible:.0%} |", flush=True)
    print(f"\nThe matrix rate: {possible / 1e12:.3g} TFLOP/s, of a product of {n} x {n} "
          "matrices in bfloat16.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="samples")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    photos = data.photos(arguments.data, "train")[:32]
    batch, repeats = arguments.batch, arguments.repeats
    L, ab, seen = inputs(data.pack(photos, arguments.size), batch)
    print(f"Batches of {batch} photographs, of {arguments.size} x {arguments.size} where nothing "
          f"else is said, {repeats} repeats in turns; {where()}\n")
    shared = L, ab, lambda: seen, repeats
    presets(*shared)
    sizes(photos, batch, repeats)
    switches(*shared)
    cached_embeddings(photos, batch, repeats)
    packed_data(photos, arguments.size, repeats)
    attention(device().type)


if __name__ == "__main__":
    main()
