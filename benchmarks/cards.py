"""Measures the library's own weights on test photographs, and writes that on their cards.

    python benchmarks/cards.py --sign unet
    python benchmarks/cards.py samples landscapes places everyday coast

The first line writes the hash of a new file on its card. For the second, at most 500 photographs
of each test list are 256 x 256 (smaller ones are enlarged), and the network is given them as the
tool gives them: at its working size, its colours upsampled again. Summary and weaknesses are
words, and stay as the card has them; so do the `changes`, which `choose.py` chose.
"""

import argparse
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from colorlib import data, lab, metrics
from colorlib.data import Packed
from colorlib.tool import zoo
from colorlib.tool.pipeline import predict

SIDE, MOST = 256, 500
CARDS = zoo.FOLDER


def through_the_tool(given: zoo.Pretrained) -> Callable[[Packed], Tensor]:
    """Weights as the `predict` of `metrics.scores`: what `colorlib colorize` would predict."""
    prior = given.prior()

    def colours(some: Packed) -> Tensor:
        L = lab.normalize(some.lab())[0]
        return predict(given.model, L, given.size, embedding=prior(L) if prior else None)

    return colours


_gray: dict[str, list[float]] = {}
"""`Packed.pixels_key` -> what the classifier says of the gray photographs."""


def relative(train: Packed, photographs: Packed, given: zoo.Pretrained) -> dict[str, float]:
    """Errors beside those of gray and of the mean colour; chroma; how much of the gap is closed."""
    found = metrics.scores(
        through_the_tool(given), photographs, ["ab_mse", "chroma_ratio", "classifier_agreement"]
    )
    key = photographs.pixels_key
    if key not in _gray:  # the same for all weights
        _gray[key] = metrics.scores(
            metrics.constant(torch.zeros(2)), photographs, ["classifier_agreement"]
        )["classifier_agreement"]
    return metrics.trivial_baselines(train, photographs) | {
        "network": sum(found["ab_mse"]) / len(photographs),
        "chroma": torch.tensor(found["chroma_ratio"]).nanmean().item(),
        "gap": metrics.gap_closed(found["classifier_agreement"], _gray[key]),
    }


def sign(name: str) -> None:
    """Write the hash of a weights file on its card, which is made if there is none."""
    file = CARDS / f"{name}.json"
    card = json.loads(file.read_text()) if file.exists() else {"summary": "", "bad_at": []}
    card["sha256"] = hashlib.sha256(file.with_suffix(".safetensors").read_bytes()).hexdigest()
    file.write_text(json.dumps(card, indent=1) + "\n")


def evenly(photographs: Packed, count: int) -> Packed:
    """So many of them, at equal distances: neighbours in a list are often of one class."""
    return photographs.select([i * len(photographs) // count for i in range(count)])


def measure(names: list[str]) -> None:
    """Write the scores on the test photographs of these data sets on every card."""
    packed = {
        Path(name).name: [data.pack(data.photos(name, split), SIDE) for split in ("train", "test")]
        for name in names
    }
    for name in zoo.names():
        file = CARDS / f"{name}.json"
        card, given, scores = json.loads(file.read_text()), zoo.load(name), {}
        for data_set, (train, test) in packed.items():
            judged = evenly(test, min(MOST, len(test)))
            found = relative(train, judged, given)
            scores[data_set] = {"photos": len(judged), "size": SIDE} | {
                row: round(value, 6) for row, value in found.items()
            }
            print(name, data_set, scores[data_set], flush=True)
        file.write_text(json.dumps(card | {"scores": scores}, indent=1) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("data", nargs="*", help="all data sets that are to stand on the cards")
    parser.add_argument("--sign", metavar="NAME", help="a weights file of the library")
    asked = parser.parse_args()
    if asked.sign:
        sign(asked.sign)
    elif asked.data:
        measure(asked.data)
    else:
        parser.print_help()
