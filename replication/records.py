"""What a run leaves: small, comparable text files.

``results/SCALE/DATA/VARIANT/SEED/`` holds

- ``metrics.csv``: losses, one row for each epoch (`training.fit`); NaN from
  where a run diverged;
- ``scores.csv``: every metric of every test photograph, as predicted with the
  weights of the epoch with the lowest validation loss;
- ``elsewhere.csv``, of a row of the comparison: the same test photographs
  mirrored and upside down, and the test photographs of other data sets;
  Tables of a scale that is `compact` have four significant figures, and names
  in ``elsewhere.csv`` only where they are not those of ``scores.csv``;
- ``predicted.jpg``, with the first seed: `PREDICTED` of the test photographs;
- ``run.json``: configuration, seed, hashes of the photographs with the prior's
  embeddings of them, versions, commit, device, wall time; other data sets that
  the machine did not have are named under "not here".
"""

import csv
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from colorlib import files, lab, training
from replication.matrix import Run

_HERE = Path(__file__).parent
RESULTS = next(
    (path for path in (_HERE.parent / "results", _HERE / "results") if path.is_dir()),
    Path("results"),
)
"""The recorded runs: in a checkout ``results/``, in an installed package its copy."""

PREDICTED = ("first", "middle", "last", "best", "median", "worst")
"""The test photographs of ``predicted.jpg``, a column each: three by their place
in the list, three by their ab-MSE; from above gray, predicted, the photograph."""


def write(
    folder: Path,
    facts: dict,
    names: Sequence[str],
    scores: Mapping[str, Sequence[float]],
    history: Sequence[Mapping[str, float]] | None = None,
    compact: bool = False,
) -> None:
    """Write the tables of a run, `run.json` last.

    Args:
        folder: the run's.
        facts: what ``run.json`` says.
        names: of the test photographs.
        scores: metric -> one value a test photograph.
        history: what `training.fit` returned; None for a trivial baseline.
        compact: whether scores have fewer figures.
    """
    if history is not None:
        _write_table(folder / "metrics.csv", training.COLUMNS, (row.values() for row in history))
    rows = zip(names, *scores.values(), strict=True)
    _write_table(folder / "scores.csv", ("photo", *scores), rows, _figures(compact))
    text = json.dumps(rounded(facts), indent=1, allow_nan=False) + "\n"
    files.write_text(folder / "run.json", text, overwrite=True)


def write_elsewhere(
    folder: Path,
    found: Iterable[tuple[str, Sequence[str], Mapping[str, Sequence[float]]]],
    compact_for: Sequence[str] | None = None,
) -> None:
    """Write ``elsewhere.csv`` of (where, names of the photographs, their scores).

    Args:
        folder: the run's.
        found: what it holds; NaN stands for a metric that some do not have.
        compact_for: the names in ``scores.csv``, if the table is to be a short one.
    """
    rows, sets = [], list(found)
    metrics = list(dict.fromkeys(metric for *_, scores in sets for metric in scores))
    for where, names, scores in sets:
        shown = [""] * len(names) if names == compact_for else names
        values = [scores.get(metric, [math.nan] * len(names)) for metric in metrics]
        rows += [(where, *row) for row in zip(shown, *values, strict=True)]
    columns = ("where", "photo", *metrics)
    _write_table(folder / "elsewhere.csv", columns, rows, _figures(compact_for is not None))


def write_pictures(folder: Path, ab: Tensor, true: Tensor) -> None:
    """Write ``predicted.jpg``.

    Args:
        folder: the run's.
        ab: what was predicted, (6, 2, S, S) in [-1, 1].
        true: the photographs, (6, 3, S, S) Lab, in the order of `PREDICTED`.
    """
    L, _ = lab.normalize(true)
    rows = (lab.denormalize(L, 0 * ab), lab.denormalize(L, ab), true)
    rgb = torch.cat([torch.cat(list(lab.lab_to_rgb(row)), dim=-1) for row in rows], dim=-2)
    picture = Image.fromarray((rgb.movedim(0, -1) * 255).round().byte().numpy())
    files.write(
        folder / "predicted.jpg",
        lambda part: picture.save(part, quality=92, subsampling=0),
        overwrite=True,
    )


def _figures(compact: bool) -> int:
    return 4 if compact else 6


def _write_table(
    path: Path, columns: Sequence[str], rows: Iterable[Iterable], figures: int = 6
) -> None:
    files.write_table(path, columns, (rounded(list(row), figures) for row in rows))


def rounded(value: Any, figures: int = 6) -> Any:
    """Numbers, also inside lists and dicts, to so many significant figures.

    More than six differ between processors.
    """
    if isinstance(value, dict):
        return {key: rounded(inside, figures) for key, inside in value.items()}
    if isinstance(value, list):
        return [rounded(inside, figures) for inside in value]
    return float(f"{value:.{figures}g}") if isinstance(value, float) else value


def recorded(results: Path | str, scale: str) -> dict[str, dict[str, dict[str, list[dict]]]]:
    """The runs that are there: data set -> variant -> one dict a seed, in order.

    Each is its ``run.json``, to which are added "history" (the rows of
    ``metrics.csv``; None for a trivial baseline), "names" of the test
    photographs, "scores" (metric -> one value a test photograph) and
    "elsewhere" (from ``elsewhere.csv``: where -> the same).
    """
    found: dict = {}
    paths = (files.user_path(results) / scale).glob("*/*/*/run.json")
    for path in sorted(paths, key=lambda path: (path.parts[:-2], len(path.parts[-2]), path)):
        name, variant = path.parts[-4:-2]
        found.setdefault(name, {}).setdefault(variant, []).append(_read_run(path.parent))
    return found


def _read_run(folder: Path) -> dict:
    run = json.loads((folder / "run.json").read_text())
    scores = _read_table(folder / "scores.csv")
    run["names"], run["scores"] = [row["photo"] for row in scores], _columns(scores)
    metrics, elsewhere = folder / "metrics.csv", folder / "elsewhere.csv"
    run["history"] = _read_table(metrics) if metrics.is_file() else None
    rows = _read_table(elsewhere) if elsewhere.is_file() else []
    run["elsewhere"] = {
        where: _columns(list(group)) for where, group in groupby(rows, lambda row: row["where"])
    }
    return run


def pictures(run: Run, results: Path | str | None = None) -> dict[str, Tensor]:
    """What a run predicted: "gray", "predicted" and "photograph", each Lab (6, 3, S, S).

    The six are `PREDICTED`. Only a row of the comparison with the first seed has them.

    Args:
        run: which one.
        results: the folder of all results; by default `RESULTS`.
    """
    with Image.open(run.folder(results or RESULTS) / "predicted.jpg") as picture:
        rgb = torch.from_numpy(np.array(picture)).movedim(-1, 0) / 255
    rows = torch.stack([row.unflatten(-1, (len(PREDICTED), -1)) for row in rgb.chunk(3, dim=1)])
    photos = lab.rgb_to_lab(rows.movedim(3, 1))
    return dict(zip(("gray", "predicted", "photograph"), photos, strict=True))


_TEXT = ("photo", "where")


def _read_table(path: Path) -> list[dict]:
    with open(path, newline="") as file:
        return [
            {key: value if key in _TEXT else float(value) for key, value in row.items()}
            for row in csv.DictReader(file)
        ]


def _columns(rows: list[dict]) -> dict[str, list[float]]:
    return {key: [row[key] for row in rows] for key in rows[0] if key not in _TEXT}
