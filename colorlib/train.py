"""One training loop: Adam on the mean squared error of ab (paper, sections 4.1, 4.2)."""

import csv
import json
import math
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from colorlib import lab
from colorlib.data import Packed
from colorlib.errors import ColorlibError
from colorlib.models import Colorizer, save_weights, write_tensors

COLUMNS = ("epoch", "train_loss", "val_loss", "learning_rate")


@dataclass(frozen=True)
class Settings:
    """How to train; together with network, photographs and device it fixes the result.

    Attributes:
        epochs: passes over the training photographs.
        batch_size: photographs a step.
        learning_rate: of Adam; 0.001 in section 4.1.
        cosine: let the learning rate fall to zero along half a cosine.
        crop: side of a random square cut out anew each time a photograph is
            seen, a multiple of 8; None takes the whole photograph.
        scale: smallest share of a photograph's side that a crop may cover;
            crops from there up to the whole photograph are resized to
            `crop`. None cuts at the photograph's own scale.
        flip: mirror every second photograph at random.
        exposure: raise lightness, as a share of 100, to a random power from
            exp(-exposure) to exp(exposure), as a camera might have; ab stay.
        repeats: how often an epoch visits each photograph.
        bf16: compute convolutions in bfloat16 where the device has it.
        seed: fixes order, crops and flips. Seed torch before building the
            network to fix its initial weights.
    """

    epochs: int = 60
    batch_size: int = 16
    learning_rate: float = 1e-3
    cosine: bool = False
    crop: int | None = None
    scale: float | None = None
    flip: bool = False
    exposure: float = 0.0
    repeats: int = 1
    bf16: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "learning_rate", "repeats"):
            if not getattr(self, name) > 0:
                raise ColorlibError(f"{name} must be positive, not {getattr(self, name)}")
        if self.crop is not None and (self.crop < 8 or self.crop % 8):
            raise ColorlibError(f"crop must be a multiple of 8, not {self.crop}")
        if self.scale is not None and (self.crop is None or not 0 < self.scale <= 1):
            raise ColorlibError("scale must lie above 0 and up to 1, and needs a crop")
        if self.exposure < 0:
            raise ColorlibError(f"exposure must not be negative, as {self.exposure} is")


def fit(
    model: Colorizer,
    train: Packed,
    val: Packed,
    settings: Settings,
    out: Path | str | None = None,
    device: str | torch.device = "cpu",
    progress: bool = False,
    about: dict | None = None,
) -> list[dict[str, float]]:
    """Train a network in place.

    Args:
        model: the network; moved to `device`.
        train: photographs to learn from.
        val: held-out photographs, for the second curve.
        settings: how to train.
        out: a run folder: ``metrics.csv``, one row an epoch; ``best.safetensors``,
            float16 weights of the epoch with the lowest held-out loss;
            ``last.safetensors``, from where a stopped run goes on when called
            again with the same arguments.
        device: "cpu", "cuda", ...
        progress: show a progress bar.
        about: what else the best weights should say about themselves.

    Returns:
        One dict an epoch with the keys `COLUMNS`. Losses are means of
        squared errors of ab / 128; `train_loss` is taken while the weights
        move, `val_loss` at the epoch's end.

    Raises:
        ColorlibError: no photographs, a crop larger than they are, a loss
            that is no longer a number, or a run folder of other settings or photographs.
    """
    if not len(train) or not len(val):
        raise ColorlibError("there are no photos to train on or none to hold out")
    if settings.crop is not None and settings.scale is None and settings.crop > train.size:
        raise ColorlibError(f"a crop of {settings.crop} does not fit photos of {train.size}")
    model.to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), settings.learning_rate)
    run = {
        "settings": asdict(settings),
        "model": asdict(model.config),
        "train": train.key,
        "val": val.key,
    }
    history: list[dict[str, float]] = []
    if out is not None:
        out = Path(out)
        out.mkdir(parents=True, exist_ok=True)
        history = _resume(out / "last.safetensors", run, model, optimizer)
        _write_metrics(history, out)  # a run killed in between may have written a row more
    epochs = tqdm(
        range(len(history), settings.epochs),
        unit="epoch",
        initial=len(history),
        total=settings.epochs,
        disable=not progress,
    )
    for epoch in epochs:
        rate = _learning_rate(settings, epoch)
        for group in optimizer.param_groups:
            group["lr"] = rate
        train_loss = _epoch(model, train, optimizer, settings, epoch, device)
        val_loss = evaluate(model, val, settings.batch_size, device)
        if not math.isfinite(train_loss + val_loss):
            raise ColorlibError(
                f"the loss is no longer a number in epoch {epoch + 1}: "
                "try a lower learning rate; the last good epoch is kept"
            )
        row = dict(zip(COLUMNS, (epoch + 1, train_loss, val_loss, rate), strict=True))
        best = min((past["val_loss"] for past in history), default=math.inf)
        history.append(row)
        epochs.set_postfix(train=f"{train_loss:.5f}", held_out=f"{val_loss:.5f}")
        if out is not None:
            if val_loss < best:
                found = {"size": val.size, "epoch": epoch + 1, "val_loss": val_loss}
                save_weights(model, out / "best.safetensors", half=True, **(about or {}), **found)
            _checkpoint(out / "last.safetensors", run, history, model, optimizer)
            _write_metrics(history, out)
    return history


@torch.no_grad()
def evaluate(
    model: Colorizer, photographs: Packed, batch_size: int = 16, device: str | torch.device = "cpu"
) -> float:
    """The loss of section 4.2 over whole photographs, in evaluation mode."""
    model.eval()
    total = 0.0
    for which in np.array_split(
        np.arange(len(photographs)), math.ceil(len(photographs) / batch_size)
    ):
        L, ab = lab.normalize(photographs.lab(which))
        total += F.mse_loss(model(L.to(device)), ab.to(device)).item() * len(which)
    return total / len(photographs)


def auto_device() -> str:
    """The best device here: "cuda", "mps" or "cpu"."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _epoch(
    model: Colorizer,
    train: Packed,
    optimizer: torch.optim.Optimizer,
    settings: Settings,
    epoch: int,
    device: str | torch.device,
) -> float:
    """One pass over the training photographs; returns the mean loss."""
    model.train()
    total, seen = 0.0, 0
    for L, ab in _batches(train, settings, epoch, device):
        with torch.autocast(L.device.type, torch.bfloat16, settings.bf16):
            predicted = model(L)
        loss = F.mse_loss(predicted.float(), ab)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total, seen = total + loss.item() * len(L), seen + len(L)
    return total / seen


def _batches(
    train: Packed,
    settings: Settings,
    epoch: int,
    device: str | torch.device = "cpu",
) -> Iterator[tuple[Tensor, Tensor]]:
    """Normalized (L, ab), in an order that depends on seed and epoch alone."""
    random = np.random.default_rng((settings.seed, epoch))
    visits = [random.permutation(len(train)) for _ in range(settings.repeats)]
    order = np.concatenate(visits)
    for start in range(0, len(order), settings.batch_size):
        rgb = train.rgb(order[start : start + settings.batch_size])  # (B, 3, S, S)
        if settings.crop is not None:
            rgb = torch.stack([_crop(photo, settings, random) for photo in rgb])
        if settings.flip:
            mirrored = torch.from_numpy(random.random(len(rgb)) < 0.5)
            rgb = torch.where(mirrored[:, None, None, None], rgb.flip(-1), rgb)
        L, ab = lab.normalize(lab.rgb_to_lab(rgb.to(device).float() / 255))
        if settings.exposure:
            most = settings.exposure
            power = torch.from_numpy(random.uniform(-most, most, len(rgb))).exp()
            power = power.to(L)[:, None, None, None]
            L = 2 * ((L + 1) / 2).clamp(0, 1) ** power - 1
        yield L, ab


def _crop(rgb: Tensor, settings: Settings, random: np.random.Generator) -> Tensor:
    """A random square of a photograph (3, S, S), at its own scale or resized."""
    side = settings.crop
    if settings.scale is not None:
        side = max(1, round(random.uniform(settings.scale, 1) * rgb.shape[-1]))
    y, x = random.integers(0, rgb.shape[-1] - side + 1, size=2)
    square = rgb[:, y : y + side, x : x + side]
    if side == settings.crop:
        return square
    return F.interpolate(square[None], settings.crop, mode="bilinear", antialias=True)[0]


def _learning_rate(settings: Settings, epoch: int) -> float:
    if not settings.cosine:
        return settings.learning_rate
    return settings.learning_rate * (1 + math.cos(math.pi * epoch / settings.epochs)) / 2


# The run folder -------------------------------------------------------------


def _checkpoint(path: Path, run: dict, history: list[dict], model: Colorizer,
                optimizer: torch.optim.Optimizer) -> None:
    tensors = {f"model.{name}": t.contiguous() for name, t in model.state_dict().items()}
    for i, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{i}.{name}": t.contiguous() for name, t in state.items()}
    write_tensors(tensors, path, {"run": json.dumps(run), "history": json.dumps(history)})


def _resume(path: Path, run: dict, model: Colorizer, optimizer: torch.optim.Optimizer) -> list:
    """Load a checkpoint if there is one; returns the history up to it."""
    if not path.exists():
        return []
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    before = json.loads(metadata["run"])
    changed = [name for name in run if run[name] != before.get(name)]
    if changed:
        raise ColorlibError(
            f"{path.parent} holds a run with other {' and '.join(changed)}: "
            "call it as before, or give another folder"
        )
    model.load_state_dict(
        {k.removeprefix("model."): t for k, t in tensors.items() if k.startswith("model.")}
    )
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        if key.startswith("optimizer."):
            _, i, name = key.split(".")
            state.setdefault(int(i), {})[name] = tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    return json.loads(metadata["history"])


def _write_metrics(history: list[dict], out: Path) -> None:
    partial = out / f".metrics.{os.getpid()}"
    with open(partial, "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(history)
    partial.replace(out / "metrics.csv")
