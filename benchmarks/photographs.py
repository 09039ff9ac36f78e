"""What data sets hold, for `results/photographs`: what chapter 2 reads.

    python benchmarks/photographs.py landscapes places

For each it writes ``results/photographs/NAME.json``: what `colorlib data` prints of the splits,
the mean colours of at most 400 test photographs, and what an ImageNet classifier says of these,
in gray as networks are given them.
"""

import argparse
import json
from pathlib import Path

import torch

from colorlib import __version__, data, files
from colorlib.base import devices, provenance
from colorlib.data import breadth
from colorlib.networks.priors import Prior
from replication.records import rounded

SIZE, MOST = 64, 400


def held(name: str) -> dict:
    """What is to be known of a data set."""
    packs = {split: data.pack(data.photos(name, split), SIZE) for split in data.SPLITS}
    some = packs["test"].select(slice(MOST))
    embeddings = data.embed(some.photos, Prior(), devices.find("auto"))
    return {
        "data": name,
        "size": SIZE,
        "splits": breadth.summary(packs),
        "mean_colours": breadth.mean_colours(some).tolist(),
        "classes": {
            "photographs": len(some),
            "inception_score": inception_score(embeddings),
            "spread": breadth.spread(embeddings),
        },
        "colorlib": __version__,
        "commit": provenance.commit(),
    }


def inception_score(logits: torch.Tensor) -> float:
    """How many kinds of photographs a classifier tells apart (Salimans et al. 2016).

    The exponential of the mean divergence of a photograph's probabilities from
    the mean of all: k if each of k classes is named equally often and for
    sure, 1 if the answer is always the same, however unsure. At most N.

    Args:
        logits: (N, classes).
    """
    probability = logits.double().softmax(1)
    entropy = torch.special.entr(probability).sum(1).mean()
    return (torch.special.entr(probability.mean(0)).sum() - entropy).exp().item()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="data sets")
    for name in parser.parse_args().names:
        text = json.dumps(rounded(held(name)), indent=1) + "\n"
        files.write_text(Path("results/photographs") / f"{name}.json", text, overwrite=True)
