"""One run of the experiment matrix: train, evaluate, record.

On a CPU a run takes one thread, so that the same seed gives the same tables
again.
"""

import math
import platform
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import PIL
import torch
from torch import Tensor

from colorlib import data, metrics, networks, training
from colorlib.data import Packed, Photo
from colorlib.devices import device_name, threads
from colorlib.errors import NotHere
from colorlib.experiments import records
from colorlib.experiments.matrix import Plan, Run
from colorlib.priors import Prior, describe, embed, packed
from colorlib.training.checkpoints import BEST

_ELSEWHERE = ("ab_mse", "chroma_ratio")

Predict = Callable[[Packed], Tensor]
"""One photograph -> ab, as `metrics.scores` wants it."""


def perform(
    run: Run,
    results: Path | str,
    work: Path | str,
    device: str = "cpu",
    commit: str | None = None,
) -> None:
    """Train one run, evaluate it and record it; a run that was stopped goes on.

    Args:
        run: which one.
        results: the folder of all results.
        work: a folder for checkpoints; a finished run leaves none.
        device: "cpu", "cuda:0", ...
        commit: what `run.json` should name as the library's commit.

    Raises:
        ColorlibError: photographs that are not there, a folder that cannot be written.
    """
    begun, plan, folder = time.perf_counter(), run.plan, run.folder(results)
    with threads(1 if device == "cpu" else None):
        prior = Prior(plan.prior) if plan.prior else None
        packs = _photographs(run, prior, device)
        test, history = packs["test"], None
        facts = {"run": str(run), "size": plan.size}
        if plan.settings is None:
            predict = _trivial(run.variant, packs["train"])
        else:
            model, history = _train(run, prior, packs, work, device)
            predict = metrics.network(model, device)
            facts |= _about_network(model, plan, prior, history)
        scores = metrics.scores(predict, test)
        if plan.compared:
            others, missing = _other_photographs(run)
            records.write_elsewhere(
                folder,
                ((where, pack.names, metrics.scores(predict, pack, _ELSEWHERE))
                 for where, pack in _elsewhere(run, others, test, prior, device)),
            )
            if missing:
                facts["not here"] = missing
            if run.seed == 0:
                facts["predicted"] = _pictures(folder, predict, test, scores["ab_mse"])
            if plan.settings and model.config.attention not in (None, "pointwise"):
                facts["attention_distance"] = metrics.attention_distance(model, test, device)
        facts |= _about_photographs(packs) | _provenance(device, commit)
        facts["seconds"] = round(time.perf_counter() - begun, 1)
        records.write(folder, facts, test.names, scores, history)
    shutil.rmtree(run.folder(work), ignore_errors=True)


def _photographs(run: Run, prior: Prior | None, device: str) -> dict[str, Packed]:
    """Each split, with the prior's embeddings, and those of mirror images where they are used."""
    settings = run.plan.settings
    mirrored = {"train": settings is not None and settings.flip, "test": run.plan.compared}
    packs = {
        split: packed(
            data.photos(run.data, split), run.plan.size, prior, device,
            mirrored=mirrored.get(split, False),
        )
        for split in data.SPLITS
    }
    if run.plan.photos is not None:
        packs["train"] = packs["train"].select(range(run.plan.photos))
    return packs


def _trivial(variant: str, train: Packed) -> Predict:
    """A trivial baseline, by its name in `TRIVIAL`."""
    gray = variant == "gray"
    return metrics.constant(torch.zeros(2) if gray else metrics.mean_colour(train))


def _train(
    run: Run, prior: Prior | None, packs: dict[str, Packed], work: Path | str, device: str
) -> tuple[networks.Colorizer, list[dict[str, float]]]:
    """The network with the weights of its best epoch, and its losses.

    The losses of a run that diverges are NaN from there on.
    """
    plan, unfinished = run.plan, run.folder(work)
    assert plan.settings is not None
    model = training.network(plan.preset, prior, plan.settings.seed, **plan.changes)
    try:
        history = training.fit(
            model, packs["train"], packs["val"], plan.settings, unfinished, device
        )
    except training.Diverged as diverged:
        if not diverged.history:
            raise
        history = diverged.history + [
            {"epoch": epoch + 1, **dict.fromkeys(training.COLUMNS[1:], math.nan)}
            for epoch in range(len(diverged.history), plan.settings.epochs)
        ]
    return networks.load_weights(unfinished / BEST), history


def _other_photographs(run: Run) -> tuple[dict[str, list[Photo]], list[str]]:
    """Of the scale's other data sets: name -> test photographs; the names of those not here."""
    found, missing = {}, []
    for name in run.plan.others:
        try:
            found[name] = data.photos(name, "test")
        except NotHere:
            missing.append(name)
    return found, missing


def _elsewhere(
    run: Run, others: dict[str, list[Photo]], test: Packed, prior: Prior | None, device: str
) -> Iterator[tuple[str, Packed]]:
    """The test photographs mirrored and upside down, and those of other data sets."""
    yield "mirrored", test.mirrored()
    embeddings = None
    if prior:
        photos = data.photos(run.data, "test")
        embeddings = embed(photos, prior, device, upside_down=True)
    yield "upside-down", test.upside_down(embeddings)
    for name, photos in others.items():
        yield name, packed(photos, run.plan.size, prior, device)


def _pictures(folder: Path, predict: Predict, test: Packed, errors: list[float]) -> list[str]:
    """Write ``predicted.jpg``; returns the names of its photographs, as in `PREDICTED`."""
    order, n = np.argsort(errors, kind="stable"), len(errors)
    which = np.array([0, n // 2, n - 1, order[0], order[n // 2], order[-1]])
    ab = torch.cat([predict(test.select([i])).cpu() for i in which])
    records.write_pictures(folder, ab, test.lab(which))
    return [test.names[i] for i in which]


def _about_network(
    model: networks.Colorizer, plan: Plan, prior: Prior | None, history: list[dict[str, float]]
) -> dict:
    best = min(history, key=lambda row: row["val_loss"])  # never nan, which comes last
    assert plan.settings is not None
    return {
        "epoch": best["epoch"],
        "val_loss": best["val_loss"],
        "weights": sum(p.numel() for p in model.parameters()),
        "config": asdict(model.config),
        "settings": asdict(plan.settings),
        "prior": describe(prior) if prior else None,
    }


def _about_photographs(packs: dict[str, Packed]) -> dict:
    return {
        "mean_colour": {  # the losses of predicting it everywhere
            split: metrics.trivial_baselines(packs["train"], packs[split])["mean colour"]
            for split in ("train", "val")
        },
        "photos": {split: len(pack) for split, pack in packs.items()},
        "data_sha256": {split: pack.key for split, pack in packs.items()},
    }


def _provenance(device: str, commit: str | None) -> dict:
    return {
        "device": device_name(device),
        "torch": torch.__version__,
        "pillow": PIL.__version__,
        "python": platform.python_version(),
        "commit": commit,
    }
