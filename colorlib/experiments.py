"""The experiment matrix: runs that leave small, comparable text files.

``experiments.toml`` declares it: variants, data sets, seeds and scales. A run
leaves ``results/SCALE/DATA/VARIANT/SEED/`` with

- ``metrics.csv``: losses, one row an epoch (`train.fit`); of a run that diverged
  they are no numbers from there on;
- ``scores.csv``: every metric of every test photograph, painted by the weights
  of the epoch with the lowest loss on the validation photographs;
- ``elsewhere.csv``, of a row of the comparison: the same test photographs
  mirrored and upside down, and the test photographs of other data sets;
- ``painted.jpg``, with the first seed: `PAINTED` of the test photographs;
- ``run.json``: configuration, seed, hashes of the photographs with what the prior
  makes of them, versions, commit, device, wall time.

On a CPU a run takes one thread, so that the same seed gives the same tables
again.
"""

import csv
import json
import math
import os
import platform
import shutil
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from importlib import resources
from itertools import groupby
from multiprocessing import parent_process
from pathlib import Path
from queue import Empty
from threading import Thread

import numpy as np
import PIL
import torch
from PIL import Image

from colorlib import data as data_sets
from colorlib import files, lab, metrics, models
from colorlib import train as training
from colorlib.errors import ColorlibError, NotHere
from colorlib.priors import Prior, embed, packed

_HERE = Path(__file__).parent
RESULTS = next(
    (path for path in (_HERE.parent / "results", _HERE / "results") if path.is_dir()),
    Path("results"),
)
"""The recorded runs: in a checkout ``results/``, in an installed package its copy."""

YARDSTICKS = ("gray", "mean-colour")
"""Rows without a network, which have no seeds."""

PAINTED = ("first", "middle", "last", "best", "median", "worst")
"""The test photographs of ``painted.jpg``, a column each: three by their place
in the list, three by their ab-MSE; from above gray, painted, the photograph."""

_ELSEWHERE = ("ab_mse", "chroma_ratio")


@dataclass(frozen=True)
class Run:
    """One cell of the matrix."""

    scale: str
    data: str
    variant: str
    seed: int | None  # None for a yardstick

    def __str__(self) -> str:
        return "/".join(map(str, (self.scale, self.data, self.variant, self._seed)))

    @property
    def _seed(self) -> str:
        return "any" if self.seed is None else str(self.seed)

    def folder(self, results: Path) -> Path:
        """Where its files lie."""
        return results / self.scale / self.data / self.variant / self._seed

    def done(self, results: Path) -> bool:
        """Whether its files are there; the last one written tells."""
        return (self.folder(results) / "run.json").is_file()


@cache
def declared() -> dict:
    """The contents of ``experiments.toml``, read once; not to be changed."""
    with resources.files("colorlib").joinpath("experiments.toml").open("rb") as file:
        return tomllib.load(file)


def matrix(scale: str, only: str | None = None) -> list[Run]:
    """The runs of a scale, in the order in which they are worth having.

    Args:
        scale: one of those declared, such as "minutes".
        only: keep the runs whose name, such as ``minutes/coast/attention/0``, contains this.

    Raises:
        ColorlibError: no such scale, or nothing left.
    """
    declaration = declared()
    scales = declaration["scales"]
    if scale not in scales:
        raise ColorlibError(f"no scale named {scale!r}; there is {', '.join(scales)}")
    names = scales[scale]["data"]
    runs = [Run(scale, name, row, None) for name in names for row in YARDSTICKS]
    variants = scales[scale].get("variants", declaration["variants"])
    for some, where in (
        (variants, names), (declaration["ablations"], scales[scale]["ablations"])
    ):
        runs += [
            Run(scale, name, variant, seed)
            for seed in range(scales[scale]["seeds"])
            for name in where
            for variant in some
        ]
    kept = [run for run in runs if not only or only in str(run)]
    if not kept:
        raise ColorlibError(f"no run of {scale} has {only!r} in its name, such as {runs[-1]}")
    return kept


def perform(
    run: Run,
    results: Path,
    work: Path,
    device: str = "cpu",
    commit: str | None = None,
) -> None:
    """Train, judge and write down one run; one that was stopped goes on.

    Args:
        run: which one.
        results: the folder of all results.
        work: a folder for checkpoints; a finished run leaves none.
        device: "cpu", "cuda:0", ...
        commit: what `run.json` should name as the library's commit.

    Raises:
        ColorlibError: photographs that are not there, a folder that cannot be written.
    """
    if device == "cpu":
        torch.set_num_threads(1)
    declaration, begun = declared(), time.perf_counter()
    scale = declaration["scales"][run.scale]
    rows = declaration["variants"] | declaration["ablations"]
    variant = rows.get(run.variant, {"preset": "baseline"})
    seeing = models.preset_config(variant["preset"]).embedding > 0
    prior = Prior(**variant.get("prior", {})) if seeing else None
    packs = {
        split: packed(data_sets.photos(run.data, split), scale["size"], prior, device)
        for split in data_sets.SPLITS
    }
    if "photos" in variant:
        packs["train"] = packs["train"].select(range(variant["photos"]))
    folder, test, history, model = run.folder(results), packs["test"], None, None
    told = {"run": str(run), "size": scale["size"]}
    if run.seed is None:
        gray = run.variant == "gray"
        predict = metrics.constant(
            torch.zeros(2) if gray else metrics.mean_colour(packs["train"])
        )
    else:
        settings = training.Settings(
            **scale["settings"] | variant.get("settings", {}),
            repeats=declaration["repeats"].get(run.data, 1),
            seed=run.seed,
        )
        changes = {"width": scale["width"]} | variant.get("set", {})
        if prior:
            changes["embedding"] = prior.features
        torch.manual_seed(run.seed)
        model = models.build(variant["preset"], **changes)
        unfinished = run.folder(work)
        try:
            history = training.fit(
                model, packs["train"], packs["val"], settings, unfinished, device
            )
        except training.Diverged as diverged:
            if not diverged.history:
                raise
            history = diverged.history + [
                {"epoch": epoch + 1, **dict.fromkeys(training.COLUMNS[1:], math.nan)}
                for epoch in range(len(diverged.history), settings.epochs)
            ]
        model = models.load_weights(unfinished / "best.safetensors")
        predict = metrics.network(model, device)
        best = min(history, key=lambda row: row["val_loss"])  # never nan, which comes last
        told |= {
            "epoch": best["epoch"],
            "val_loss": _short(best["val_loss"]),
            "weights": sum(p.numel() for p in model.parameters()),
            "config": asdict(model.config),
            "settings": asdict(settings),
            "prior": asdict(prior.spec) | {"sha256": prior.key} if prior else None,
        }
    scores = metrics.scores(predict, test)
    if run.variant not in declaration["ablations"]:
        others = _elsewhere(run, test, scale, prior, device)
        _write_elsewhere(folder / "elsewhere.csv", predict, others)
        if run.seed == 0:
            told["painted"] = _paint(folder / "painted.jpg", predict, test, scores["ab_mse"])
        if model and model.config.attention not in (None, "pointwise"):
            looking = metrics.looking(model, test, device)
            told["looking"] = {share: _short(value) for share, value in looking.items()}
    told |= {
        "mean_colour": {  # the losses of painting everything in it
            split: _short(metrics.yardsticks(packs["train"], packs[split])["mean colour"])
            for split in ("train", "val")
        },
        "photos": {split: len(pack) for split, pack in packs.items()},
        "data_sha256": {split: pack.key for split, pack in packs.items()},
        "device": training.device_name(device),
        "torch": torch.__version__,
        "pillow": PIL.__version__,
        "python": platform.python_version(),
        "commit": commit,
        "seconds": round(time.perf_counter() - begun, 1),
    }
    _write(folder, history, test.names, scores, told)
    shutil.rmtree(run.folder(work), ignore_errors=True)


def _elsewhere(
    run: Run, test: data_sets.Packed, scale: dict, prior: Prior | None, device: str
) -> Iterator[tuple[str, data_sets.Packed]]:
    """The test photographs turned, and those of the scale's other data sets that are here."""
    yield "mirrored", test.mirrored()
    photos = data_sets.photos(run.data, "test")
    yield "upside-down", test.upside_down(
        embed(photos, prior, device, upside_down=True) if prior else None
    )
    for name in scale["data"]:
        if name != run.data:
            with suppress(NotHere):
                photos = data_sets.photos(name, "test")
                yield name, packed(photos, scale["size"], prior, device)


def _paint(
    path: Path, predict: Callable, test: data_sets.Packed, errors: list[float]
) -> list[str]:
    """Write ``painted.jpg``; the names of its photographs."""
    order, n = np.argsort(errors, kind="stable"), len(errors)
    which = np.array([0, n // 2, n - 1, order[0], order[n // 2], order[-1]])
    true = test.lab(which)
    L, _ = lab.normalize(true)
    ab = torch.cat([predict(test.select([i])).cpu() for i in which])
    rows = (lab.denormalize(L, 0 * ab), lab.denormalize(L, ab), true)
    rgb = torch.cat([torch.cat(list(lab.lab_to_rgb(row)), dim=-1) for row in rows], dim=-2)
    picture = Image.fromarray((rgb.movedim(0, -1) * 255).round().byte().numpy())
    files.write(path, lambda part: picture.save(part, quality=92, subsampling=0), overwrite=True)
    return [test.names[i] for i in which]


def _write_elsewhere(
    path: Path, predict: Callable, others: Iterator[tuple[str, data_sets.Packed]]
) -> None:
    rows = []
    for where, pack in others:
        scores = metrics.scores(predict, pack, _ELSEWHERE)
        rows += [(where, *row) for row in zip(pack.names, *scores.values(), strict=True)]
    _write_table(path, ("where", "photo", *_ELSEWHERE), rows)


def _write(folder: Path, history: list[dict] | None, names, scores: dict, told: dict) -> None:
    """The files of a run, `run.json` last."""
    if history is not None:
        _write_table(folder / "metrics.csv", training.COLUMNS, (h.values() for h in history))
    rows = zip(names, *scores.values(), strict=True)
    _write_table(folder / "scores.csv", ("photo", *scores), rows)
    files.write_text(folder / "run.json", json.dumps(told, indent=1) + "\n", overwrite=True)


def _write_table(path: Path, columns, rows) -> None:
    files.write_table(path, columns, ([_short(value) for value in row] for row in rows))


def _short(value):
    """Six significant figures: more differ between processors."""
    return float(f"{value:.6g}") if isinstance(value, float) else value


# Reading what was recorded -----------------------------------------------------


def recorded(results: Path, scale: str) -> dict[str, dict[str, dict[str, list[dict]]]]:
    """The runs that are there: data set -> variant -> seed, in order -> what it wrote.

    Each is its ``run.json``, to which are added "history" (the rows of
    ``metrics.csv``; None for a yardstick), "names" of the test photographs,
    "scores" (metric -> one value a test photograph) and "elsewhere" (from
    ``elsewhere.csv``: where -> the same).
    """
    found: dict = {}
    files_there = (results / scale).glob("*/*/*/run.json")
    for file in sorted(files_there, key=lambda path: (path.parts[:-2], len(path.parts[-2]), path)):
        name, variant = file.parts[-4:-2]
        told = json.loads(file.read_text())
        table = _read_table(file.parent / "scores.csv")
        told["names"], told["scores"] = [row["photo"] for row in table], _columns(table)
        metrics_file, other_file = file.parent / "metrics.csv", file.parent / "elsewhere.csv"
        told["history"] = _read_table(metrics_file) if metrics_file.is_file() else None
        told["elsewhere"] = {
            where: _columns(list(rows))
            for where, rows in groupby(
                _read_table(other_file) if other_file.is_file() else [], lambda row: row["where"]
            )
        }
        found.setdefault(name, {}).setdefault(variant, []).append(told)
    return found


def pictures(run: Run, results: Path = RESULTS) -> dict[str, torch.Tensor]:
    """What a run painted: "gray", "painted" and "photograph", each Lab (6, 3, S, S).

    The six are `PAINTED`; only a row of the comparison with the first seed has them.
    """
    with Image.open(run.folder(results) / "painted.jpg") as picture:
        rgb = torch.from_numpy(np.array(picture)).movedim(-1, 0) / 255
    rows = torch.stack([row.unflatten(-1, (len(PAINTED), -1)) for row in rgb.chunk(3, dim=1)])
    return dict(zip(("gray", "painted", "photograph"), lab.rgb_to_lab(rows.movedim(3, 1)),
                    strict=True))


def difference(
    one: list[dict], other: list[dict], metric: str = "ab_mse", draws: int = 10_000, seed: int = 0
) -> tuple[float, float, float]:
    """How much higher a metric is for one variant than for another, with a 95 % interval.

    The interval is a bootstrap's (percentiles). Each draw takes photographs,
    the same for both variants, and for each variant seeds: so it tells what
    other photographs of the kind and other seeds might have given. With few of
    either, such an interval is rather too narrow. Photographs for which a metric
    is not defined, as the chroma ratio of a gray one, are left out.

    Args:
        one, other: runs of `recorded`, judged on the same photographs in the same order.
        metric: a name in `metrics.METRICS`.
        draws: how many bootstrap samples.
        seed: of the draws.

    Returns:
        Mean difference, and the interval's lower and upper end.

    Raises:
        ValueError: other photographs.
    """
    values = [np.array([run["scores"][metric] for run in runs]) for runs in (one, other)]
    if any(run["names"] != one[0]["names"] for run in (*one, *other)):
        raise ValueError("the runs were not judged on the same photographs")
    there = np.isfinite(np.concatenate(values)).all(axis=0)
    values = [value[:, there] for value in values]  # (seeds, photographs)
    count = there.sum().item()
    random = np.random.default_rng(seed)
    # How often each draw takes each photograph and each seed, as shares.
    photos = random.multinomial(count, np.full(count, 1 / count), size=draws) / count
    drawn = []
    for side in values:
        seeds = random.multinomial(len(side), np.full(len(side), 1 / len(side)), size=draws)
        drawn.append(np.einsum("ds,sp,dp->d", seeds / len(side), side, photos, optimize=True))
    low, high = np.percentile(drawn[0] - drawn[1], [2.5, 97.5])
    return (values[0].mean() - values[1].mean()).item(), low.item(), high.item()


_TEXT = ("photo", "where")


def _read_table(path: Path) -> list[dict]:
    with open(path, newline="") as file:
        return [
            {key: value if key in _TEXT else float(value) for key, value in row.items()}
            for row in csv.DictReader(file)
        ]


def _columns(rows: list[dict]) -> dict[str, list[float]]:
    return {key: [row[key] for row in rows] for key in rows[0] if key not in _TEXT}


def work_through(
    runs: list[Run],
    results: Path,
    work: Path,
    devices: list[str],
    commit: str | None = None,
    tell: Callable[[Run, str | None], None] = lambda *_: None,
) -> None:
    """Perform what is not done yet, one process a device.

    Args:
        runs: from `matrix`.
        results: the folder of all results.
        work: a folder for checkpoints.
        devices: such as ["cuda:0", "cuda:1"], or ["cpu", "cpu"] for two processes of one thread.
        commit: what `run.json` should name.
        tell: called with each run that has ended, and its error, if any, in a sentence.
    """
    waiting = [run for run in runs if not run.done(results)]
    if len(devices) == 1 or len(waiting) < 2:
        for run in waiting:
            tell(run, _attempt(run, results, work, devices[0], commit))
        return
    context = torch.multiprocessing.get_context("spawn")
    tasks, ended = context.Queue(), context.Queue()
    for run in waiting:
        tasks.put(run)
    workers = [
        context.Process(target=_worker, args=(tasks, ended, results, work, device, commit))
        for device in devices
    ]
    for worker in workers:
        tasks.put(None)  # one end a worker
        worker.daemon = True  # ends with this process
        worker.start()
    try:
        for _ in waiting:
            tell(*_next(ended, workers))
    finally:
        for worker in workers:
            worker.terminate()


def _next(ended, workers: list) -> tuple[Run, str | None]:
    """What ends next, unless all workers have."""
    while True:
        alive = any(worker.is_alive() for worker in workers)
        try:
            return ended.get(timeout=2)
        except Empty:
            if not alive:
                raise ColorlibError(
                    "the processes that did the runs have been killed, perhaps for want of "
                    "memory; the same command goes on where they were"
                ) from None


def _worker(tasks, ended, results: Path, work: Path, device: str, commit: str | None) -> None:
    Thread(target=_end_with_parent, daemon=True).start()
    while (run := tasks.get()) is not None:
        ended.put((run, _attempt(run, results, work, device, commit)))


def _end_with_parent() -> None:
    """Nobody waits for what a worker does once its parent has been killed."""
    if parent := parent_process():
        parent.join()
    os._exit(1)


def _attempt(run: Run, results: Path, work: Path, device: str, commit: str | None) -> str | None:
    try:
        perform(run, results, work, device, commit)
    except ColorlibError as error:
        return str(error)
    except Exception as error:  # such as too little memory: the others go on
        return f"{type(error).__name__}: {error}"
    return None
