"""Training on several GPUs, on paper: what a pass over many photographs takes and moves.

    python benchmarks/scaling.py [--photographs 1200000] [--size 128]

From what has been measured on one GPU (FOUND) and from its maker's figures for what joins
several (LINKS), not from a run on them.
"""

import argparse

from colorlib import networks
from colorlib.networks import configure
from replication import cost

BATCH = 64  # photographs a step and GPU

FOUND = {64: (2.23e-3, 7.08e-3), 128: (5.25e-3, 10.02e-3), 256: (18.33e-3, 19.08e-3)}
"""Side -> seconds of a step of preset attention in bfloat16 on one H100, by `gpu.py`: as one
CUDA graph, which one process alone makes, and kernel by kernel, as several together do."""

LINKS = {1: None, 8: 450e9, 64: 50e9}
"""GPUs -> bytes a second that each sends: NVLink within a machine of eight, 400 Gb/s between."""


def table(photographs: int, size: int) -> None:
    weights = sum(p.numel() for p in networks.build("attention").parameters())
    flop = cost.flop_of_a_visit(configure("attention"), size)
    pixels = 3 * size**2
    print(f"{photographs:,} photographs of {size} x {size}, {pixels * photographs / 1e9:.0f} GB "
          f"of pixels and {4000 * photographs / 1e9:.1f} GB of embeddings; "
          f"{flop * photographs / 1e15:.1f} PFLOP an epoch; batches of {BATCH} a GPU\n")
    print("| GPUs | steps an epoch | s an epoch | of them gradients | read by each, GB/s | "
          "h for 100 epochs |")
    print("| --- | --- | --- | --- | --- | --- |")
    for count, link in LINKS.items():
        graph, plain = FOUND[size]
        step = graph if count == 1 else plain
        # A ring sends nearly twice the gradient, in float32; here, nothing hides it.
        sent = 0 if link is None else 2 * (count - 1) / count * 4 * weights / link
        steps = photographs / BATCH / count
        seconds = steps * (step + sent)
        print(f"| {count} | {steps:,.0f} | {seconds:.1f} | {sent / (step + sent):.0%} "
              f"| {BATCH * pixels / (step + sent) / 1e9:.2f} | {seconds / 36:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photographs", type=int, default=1_200_000)
    parser.add_argument("--size", type=int, choices=FOUND, default=128)
    options = parser.parse_args()
    table(options.photographs, options.size)


if __name__ == "__main__":
    main()
