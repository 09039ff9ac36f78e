"""Measures the library's own weights on test photographs, and writes that on their cards.

    python benchmarks/cards.py samples coast path/to/photos

Summary and weaknesses are words, and stay as the card has them.
"""

import hashlib
import json
import sys
from pathlib import Path

import torch

from colorlib import data, metrics, priors, zoo


def scores(path: Path, name: str) -> dict:
    """Mean squared errors of ab / 128 over the test photographs of a data set."""
    given = zoo.load(path)
    packed = {
        split: priors.packed(data.photos(name, split), given.size, given.prior())
        for split in ("train", "test")
    }
    rows = {
        "gray": metrics.constant(torch.zeros(2)),
        "mean colour": metrics.constant(metrics.mean_colour(packed["train"])),
        "network": metrics.network(given.model),
    }
    found = {"photos": len(packed["test"]), "size": given.size}
    for row, predict in rows.items():
        (values,) = metrics.scores(predict, packed["test"], ["ab_mse"]).values()
        found[row] = round(sum(values) / len(values), 6)
    return found


def main() -> None:
    folder = Path(zoo.__file__).parent / "weights"
    for path in sorted(folder.glob("*.safetensors")):
        file = path.with_suffix(".json")
        card = json.loads(file.read_text()) if file.exists() else {"summary": "", "bad_at": []}
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        measured = {Path(name).name: scores(path, name) for name in sys.argv[1:]}
        content = {"sha256": digest, "summary": card["summary"], "bad_at": card["bad_at"]}
        file.write_text(json.dumps(content | {"scores": measured}, indent=1) + "\n")
        print(file)


if __name__ == "__main__":
    main()
