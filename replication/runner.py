"""One run of the experiment matrix: train, evaluate, record.

On a CPU a run takes one thread, so that the same seed gives the same values again.
"""

import math
import platform
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import torch
from torch import Tensor
from torch.optim.swa_utils import update_bn

from colorlib import data, metrics, networks, training
from colorlib.base.devices import device_name, precision, threads
from colorlib.base.errors import NotHere
from colorlib.data import Packed
from colorlib.networks.priors import Prior, Spec
from colorlib.tool import weights
from colorlib.training.checkpoints import BEST
from replication import records
from replication.matrix import Plan, Run
from replication.nearest import nearest_colour

_TURNED = ("ab_mse", "chroma_ratio")  # metrics of photographs mirrored or upside down
_ELSEWHERE = (*_TURNED, "classifier_agreement")  # and of other data sets

_FOR_BATCH_NORM = 64  # training photographs that give an untrained copy its averages

Predict = Callable[[Packed], Tensor]
"""Photographs -> ab, as `metrics.scores` wants it."""


class Shared:
    """What runs of one process have in common, loaded once: priors and photographs.

    Args:
        device: "cpu", "cuda:0", ...
        progress: wraps what takes long, for a bar.
    """

    def __init__(self, device: str, progress: data.Progress = iter):
        self.device, self._progress = device, progress
        self.prior = cache(lambda spec: Prior(spec) if spec else None)
        self.photos = cache(data.photos)
        self.packed = cache(self._packed)
        self.upside_down = cache(self._upside_down)

    def _packed(
        self, name: str, split: str, size: int, spec: Spec | None,
        first: int | None = None, mirrored: bool = False,
    ) -> Packed:
        """Photographs with the embeddings of a prior, and of mirror images if asked for."""
        photos, prior = self.photos(name, split)[:first], self.prior(spec)
        return data.pack(photos, size, prior, self.device, self._progress, mirrored=mirrored)

    def _upside_down(self, name: str, spec: Spec | None) -> Tensor | None:
        """The embeddings of the test photographs upside down, (N, E); None without a prior."""
        photos, prior = self.photos(name, "test"), self.prior(spec)
        if prior is None:
            return None
        return data.embed(photos, prior, self.device, self._progress, upside_down=True)


def perform(
    run: Run,
    results: Path | str,
    work: Path | str,
    device: str = "cpu",
    commit: str | None = None,
    shared: Shared | None = None,
) -> None:
    """Train one run, evaluate it and record it; a run that was stopped goes on.

    Args:
        run: which one.
        results: the folder of all results.
        work: a folder for checkpoints; a finished run leaves none.
        device: "cpu", "cuda:0", ...
        commit: what ``runs.jsonl`` should name as the library's commit.
        shared: what this process has loaded for other runs on the device.

    Raises:
        ColorlibError: photographs that are not there, a folder that cannot be written.
    """
    begun, plan = time.perf_counter(), run.plan
    shared = shared or Shared(device)
    with threads(1 if device == "cpu" else None):
        prior, packs = shared.prior(plan.prior), _photographs(run, shared)
        test, history = packs["test"], None
        facts: dict[str, Any] = {"run": str(run), "size": plan.size}
        if plan.settings is None:
            predict, more = _trivial(run.variant, packs, device)
            facts |= more
        else:
            model, history = _train(run, prior, packs, work, device)
            predict = metrics.network(model, device)
            facts |= _about_network(model, plan, history)
            facts["precision"] = precision(device, plan.settings.bf16)
            facts["prior"] = None  # a network says so if it has none
        if prior:
            facts["prior"] = packs["train"].prior
        scores = metrics.scores(predict, test, device=device)
        tables: dict[str, dict] = {"test": {"photo": test.names, **scores}}
        if history:
            losses = {column: [row[column] for row in history] for column in training.COLUMNS}
            tables = {"training": losses, **tables}
        pictures = None
        if plan.compared:
            others, missing = _other_data_sets(run, shared)
            tables |= _elsewhere(run, others, test, shared, predict)
            if missing:
                facts["not here"] = missing
            if run.seed == 0:
                shown = test.select(_shown(scores["ab_mse"]))
                facts["predicted"] = list(shown.names)
                pictures = records.drawn(run, shown.names, predict(shown).cpu(), shown.lab())
            if plan.settings and model.attends:
                facts |= _about_attention(model, prior, plan, packs, device)
        facts |= _provenance(packs, device, commit)
        facts["seconds"] = round(time.perf_counter() - begun, 1)
        records.write(results, facts, tables, pictures, 4 if plan.compact else 6)
    shutil.rmtree(run.folder(work), ignore_errors=True)


def _photographs(run: Run, shared: Shared) -> dict[str, Packed]:
    """Each split, with the prior's embeddings, and those of mirror images where they are used."""
    plan = run.plan
    mirrored = {"train": plan.settings is not None and plan.settings.flip, "test": plan.compared}
    packs = {
        split: shared.packed(
            run.data, split, plan.size, plan.prior,
            first=plan.first if split == "train" else None,
            mirrored=mirrored.get(split, False),
        )
        for split in data.SPLITS
    }
    train = packs["train"]
    if (some := plan.trained_on(len(train))) < len(train):
        packs["train"] = train.select(range(some))
    return packs


def _trivial(variant: str, packs: dict[str, Packed], device: str) -> tuple[Predict, dict]:
    """A trivial baseline, by its name in `TRIVIAL`, and what its record says of it."""
    train = packs["train"]
    if variant == "nearest-colour":
        predict, neighbours = nearest_colour(train, packs["val"], device)
        return predict, {"neighbours": neighbours}
    gray = variant == "gray"
    return metrics.constant(torch.zeros(2) if gray else metrics.mean_colour(train, device)), {}


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
    return weights.load_weights(unfinished / BEST), history


def _other_data_sets(run: Run, shared: Shared) -> tuple[list[str], list[str]]:
    """The scale's other data sets that are here, and those that are not, by name."""
    found, missing = [], []
    for name in run.plan.others:
        try:
            shared.photos(name, "test")
            found.append(name)
        except NotHere:
            missing.append(name)
    return found, missing


def _elsewhere(
    run: Run, others: list[str], test: Packed, shared: Shared, predict: Predict
) -> dict[str, dict[str, list[float]]]:
    """Scores of the test photographs mirrored and upside down, and of those of other data sets."""
    spec = run.plan.prior
    packs = {
        "mirrored": test.mirrored(),
        "upside-down": test.upside_down(shared.upside_down(run.data, spec)),
    } | {name: shared.packed(name, "test", run.plan.size, spec) for name in others}
    found = {}
    for where, pack in packs.items():
        wanted = _ELSEWHERE if where in others else _TURNED
        # All have the same metrics; NaN for what has not been measured.
        blank = {name: [math.nan] * len(pack) for name in (_ELSEWHERE if others else _TURNED)}
        found[where] = blank | metrics.scores(predict, pack, wanted, shared.device)
    return found


def _shown(errors: list[float]) -> np.ndarray:
    """The positions of `PREDICTED`."""
    order, n = np.argsort(errors, kind="stable"), len(errors)
    return np.array([0, n // 2, n - 1, order[0], order[n // 2], order[-1]])


def _about_network(
    model: networks.Colorizer, plan: Plan, history: list[dict[str, float]]
) -> dict:
    best = min(history, key=lambda row: row["val_loss"])  # never nan, which comes last
    assert plan.settings is not None
    return {
        "epoch": best["epoch"],
        "val_loss": best["val_loss"],
        "weights": sum(p.numel() for p in model.parameters()),
        "config": model.config.flat(),
        "settings": asdict(plan.settings),
    }


def _about_attention(
    model: networks.Colorizer, prior: Prior | None, plan: Plan, packs: dict[str, Packed],
    device: str,
) -> dict:
    """How far its weights differ, and those of an untrained copy with the same initialisation."""
    assert plan.settings is not None
    untrained = training.network(plan.preset, prior, plan.settings.seed, **plan.changes)
    some = packs["train"].select(range(min(_FOR_BATCH_NORM, len(packs["train"]))))
    update_bn([some.inputs()], untrained)
    untrained.eval()
    return {
        name: metrics.attention_distance(one, packs["test"], device)
        for name, one in (
            ("attention_distance", model), ("attention_distance_untrained", untrained),
        )
    }


def _provenance(packs: dict[str, Packed], device: str, commit: str | None) -> dict:
    """Of which photographs, and by what."""
    return {
        "mean_colour": {  # the losses of predicting it everywhere
            split: metrics.trivial_baselines(packs["train"], packs[split], device)["mean colour"]
            for split in ("train", "val")
        },
        "photos": {split: len(pack) for split, pack in packs.items()},
        "data_sha256": {split: pack.key for split, pack in packs.items()},
        "device": device_name(device),
        "torch": torch.__version__,
        "pillow": PIL.__version__,
        "python": platform.python_version(),
        "commit": commit,
    }
