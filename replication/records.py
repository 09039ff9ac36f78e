"""The recorded runs: what each has found, in three files for each scale.

``results/SCALE/`` holds

- ``runs.jsonl``: a line for each run, sorted: configuration, seed, hashes of the photographs
  with the prior's embeddings of them, versions, commit, device, wall time. It is written last:
  a run without its line is not done, whatever the other files hold of it;
- ``values.csv.bz2``: rows of run, where, what, and the values. Where "training": losses, a value
  for each epoch, NaN from where a run diverged. Where "test": names ("photo") and every metric of
  the test photographs, by the weights with the lowest validation loss. Of rows of the comparison
  also "mirrored", "upside-down" and the test photographs of other data sets, by name;
- ``pictures.zip``: JPEGs, of a run with the first seed ``DATA/VARIANT/SEED.jpg``, six predictions
  beside each other; for each of their photographs ``DATA/photographs/NAME.jpg``, gray above colour.
"""

import bz2
import csv
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from PIL import Image
from torch import Tensor

from colorlib import files, lab
from colorlib.base.errors import ColorlibError
from replication.matrix import RUNS, Run

_HERE = Path(__file__).parent
RESULTS = next(
    (path for path in (_HERE.parent / "results", _HERE / "results") if path.is_dir()),
    Path("results"),
)
"""The recorded runs: in a checkout ``results/``, in an installed package its copy."""

PREDICTED = ("first", "middle", "last", "best", "median", "worst")
"""The test photographs of ``pictures.zip``: three by their place in the list, three by ab-MSE."""

_VALUES, _PICTURES = "values.csv.bz2", "pictures.zip"
_SIDE = 128  # pixels of a photograph in it, at most


def recorded(results: Path | str, scale: str) -> dict[str, dict[str, dict[str, list[dict]]]]:
    """The runs that are there: data set -> variant -> one dict a seed, in order.

    Each is its line of ``runs.jsonl``, to which are added "names" of the test photographs,
    "scores" (metric -> one value a test photograph), "history" (a dict for each epoch; None for
    a trivial baseline) and "elsewhere" (where -> what "scores" has).

    Raises:
        ColorlibError: a run without its values.
    """
    folder = files.user_path(results) / scale
    tables: dict[str, dict[str, dict[str, list]]] = {}
    for name, where, what, *values in _read_values(folder):
        row = values if what == "photo" else [float(value) for value in values]
        tables.setdefault(name, {}).setdefault(where, {})[what] = row
    found: dict = {}
    for name, run in _read_runs(folder).items():
        if name not in tables:
            raise ColorlibError(f"{folder / _VALUES} lacks {name}: delete its line in {RUNS}")
        elsewhere = tables[name]
        losses, scores = elsewhere.pop("training", {}), elsewhere.pop("test")
        epochs = zip(*losses.values(), strict=True)
        run["names"], run["scores"] = scores.pop("photo"), scores
        run["history"] = [dict(zip(losses, row, strict=True)) for row in epochs] or None
        run["elsewhere"] = elsewhere
        _, data, variant, _ = name.split("/")
        found.setdefault(data, {}).setdefault(variant, []).append(run)
    return found


def pictures(run: Run, results: Path | str | None = None) -> dict[str, Tensor]:
    """What a run predicted: "gray", "predicted" and "photograph", each Lab (6, 3, S, S).

    The six are `PREDICTED`. Only a row of the comparison with the first seed has them.
    """
    folder = files.user_path(results or RESULTS) / run.scale
    names = _read_runs(folder)[str(run)]["predicted"]
    members = [_picture_name(run), *(_photo_name(run, name) for name in names)]
    with zipfile.ZipFile(folder / _PICTURES) as pack:
        predicted, *pairs = (np.array(Image.open(pack.open(name))) for name in members)
    gray, photos = np.vsplit(np.hstack(pairs), 2)
    rows = torch.from_numpy(np.stack((gray, predicted, photos))).movedim(-1, 1) / 255
    tiles = rows.unflatten(-1, (len(PREDICTED), -1)).movedim(3, 1)  # (3, 6, 3, S, S)
    return dict(zip(("gray", "predicted", "photograph"), lab.rgb_to_lab(tiles), strict=True))


def drawn(run: Run, names: Sequence[str], ab: Tensor, true: Tensor) -> dict[str, bytes]:
    """The pictures of a run: name in ``pictures.zip`` -> JPEG.

    Args:
        names, true: the photographs in the order of `PREDICTED`, (6, 3, S, S) Lab.
        ab: what was predicted of them, (6, 2, S, S) in [-1, 1].
    """
    L, _ = lab.normalize(true)
    pairs = torch.cat((lab.denormalize(L, 0 * ab), true), dim=-2)
    predicted = torch.cat(list(lab.denormalize(L, ab)), dim=-1)
    found = {_photo_name(run, name): pair for name, pair in zip(names, pairs, strict=True)}
    return {name: _jpeg(one) for name, one in (found | {_picture_name(run): predicted}).items()}


def _picture_name(run: Run) -> str:
    return str(run).split("/", 1)[1] + ".jpg"


def _photo_name(run: Run, name: str) -> str:
    return f"{run.data}/photographs/{name}.jpg"


def _jpeg(pixels: Tensor) -> bytes:
    """Of Lab, (3, H, W). The shorter side is a photograph's, at most 128 pixels in a picture."""
    rgb, made = lab.lab_to_rgb(pixels).movedim(0, -1), io.BytesIO()
    picture = Image.fromarray((rgb * 255).round().byte().numpy())
    if (scale := _SIDE / min(picture.size)) < 1:
        sides = [round(scale * side) for side in picture.size]
        picture = picture.resize(sides, Image.Resampling.LANCZOS)
    picture.save(made, "JPEG", quality=92, subsampling=0, progressive=True)
    return made.getvalue()


def write(
    results: Path | str,
    facts: Mapping[str, Any],
    tables: Mapping[str, Mapping[str, Sequence]],
    pictures: Mapping[str, bytes] | None = None,
    figures: int = 6,
) -> None:
    """Record a run, whole or not at all; what was recorded of it before is replaced.

    Args:
        results: the folder of all results. Several processes may record at once.
        facts: its line of ``runs.jsonl``; "run" is its name.
        tables: where -> what -> values, as in ``values.csv.bz2``.
        pictures: from `drawn`.
        figures: significant ones of scores; losses have six.

    Raises:
        ColorlibError: the folder cannot be written.
    """
    name = facts["run"]
    folder = files.user_path(results) / name.split("/")[0]
    own = []
    for where, table in tables.items():
        digits = f".{6 if where == 'training' else figures}g"
        for what, row in table.items():
            shown = row if what == "photo" else (format(value, digits) for value in row)
            own.append([name, where, what, *shown])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock"):
            runs = _read_runs(folder)
            if runs.pop(name, None):
                _write_runs(folder, runs)  # not done until all files are new
            rows = [row for row in _read_values(folder) if row[0] in runs] + own
            _write_values(folder, sorted(rows, key=lambda row: _place(row[0])))
            if pictures:
                _write_pictures(folder / _PICTURES, pictures)
            _write_runs(folder, runs | {name: rounded(dict(facts))})
    except OSError as error:
        raise ColorlibError(f"{folder} cannot be written: {error.strerror}") from error


def _place(name: str) -> tuple:
    """By which runs are sorted."""
    scale, data, variant, seed = name.split("/")
    return scale, data, variant, len(seed), seed


def _read_runs(folder: Path) -> dict[str, dict]:
    """Name -> facts, in order."""
    path = folder / RUNS
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return {run["run"]: run for run in map(json.loads, lines)}


def _write_runs(folder: Path, runs: Mapping[str, dict]) -> None:
    lines = [json.dumps(runs[name], allow_nan=False) + "\n" for name in sorted(runs, key=_place)]
    files.write_text(folder / RUNS, "".join(lines), overwrite=True)


def _read_values(folder: Path) -> list[list[str]]:
    if not (folder / _VALUES).is_file():
        return []
    with bz2.open(folder / _VALUES, "rt", encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def _write_values(folder: Path, rows: list[list[str]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    packed = bz2.compress(text.getvalue().encode())
    files.write(folder / _VALUES, lambda part: part.write_bytes(packed), overwrite=True)


def _write_pictures(path: Path, new: Mapping[str, bytes]) -> None:
    """Add pictures to those that are there; the same ones give the same file."""
    found = dict(new)
    if path.is_file():
        with zipfile.ZipFile(path) as pack:
            found = {name: pack.read(name) for name in pack.namelist()} | found

    def fill(part: Path) -> None:
        with zipfile.ZipFile(part, "w") as pack:
            for name, picture in sorted(found.items()):
                pack.writestr(zipfile.ZipInfo(name), picture)  # dated 1980

    files.write(path, fill, overwrite=True)


def rounded(value: Any) -> Any:
    """Numbers, also inside lists and dicts, to six figures: more differ between processors."""
    if isinstance(value, dict):
        return {key: rounded(inside) for key, inside in value.items()}
    if isinstance(value, list):
        return [rounded(inside) for inside in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value
