"""One training loop on the mean squared error of ab (paper, sections 4.1, 4.2).

The same loop runs on a CPU, on a GPU and, started by ``torchrun``, on several
processes or machines: each takes its share of every batch, and torch's
DistributedDataParallel averages the gradients.
"""

import json
import math
import os
import platform
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, distributed, nn
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from colorlib import files, lab
from colorlib.data import Packed
from colorlib.errors import ColorlibError, check_choice, check_types
from colorlib.models import Colorizer, save_weights, write_tensors

OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "sgd": torch.optim.SGD,
    "momentum": partial(torch.optim.SGD, momentum=0.9),
    "rmsprop": torch.optim.RMSprop,
}
COLUMNS = ("epoch", "train_loss", "val_loss", "learning_rate")


@dataclass(frozen=True)
class Settings:
    """How to train; together with network, photographs and device it fixes the result.

    The defaults are what the paper writes, and nothing that it does not.

    Attributes:
        epochs: passes over the training photographs.
        batch_size: photographs a step, over all processes.
        learning_rate: 0.001 in section 4.1.
        optimizer: "adam" (section 4.1), or what it is said to be better
            than: "sgd", "momentum" (of 0.9), "rmsprop".
        cosine: let the learning rate fall to zero along half a cosine.
        average: evaluate and keep a running average of the weights that
            forgets by this factor each step, such as 0.999; 0 keeps the last.
        crop: side of a random square cut out anew each time a photograph is
            seen, a multiple of 8; None takes the whole photograph.
        scale: smallest share of a photograph's side that a crop may cover;
            crops from there up to the whole photograph are resized to
            `crop`. None cuts at the photograph's own scale.
        flip: mirror every second photograph at random.
        exposure: raise lightness, as a share of 100, to a random power from
            exp(-exposure) to exp(exposure), as a camera might have; ab stay.
        repeats: how often an epoch visits each photograph.
        bf16: compute convolutions in bfloat16.
        compile: compile the network with torch.compile.
        seed: fixes order, crops and flips. Seed torch before building the
            network to fix its initial weights.
    """

    epochs: int = 60
    batch_size: int = 16
    learning_rate: float = 1e-3
    optimizer: str = "adam"
    cosine: bool = False
    average: float = 0.0
    crop: int | None = None
    scale: float | None = None
    flip: bool = False
    exposure: float = 0.0
    repeats: int = 1
    bf16: bool = False
    compile: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        check_types(self)
        for name in ("epochs", "batch_size", "learning_rate", "repeats"):
            if not getattr(self, name) > 0:
                raise ColorlibError(f"{name} must be positive, not {getattr(self, name)}")
        check_choice(self, "optimizer", OPTIMIZERS)
        if not 0 <= self.average < 1:
            raise ColorlibError(f"average must be at least 0 and below 1, not {self.average}")
        if self.crop is not None and (self.crop < 8 or self.crop % 8):
            raise ColorlibError(f"crop must be a multiple of 8, not {self.crop}")
        if self.scale is not None and (self.crop is None or not 0 < self.scale <= 1):
            raise ColorlibError("scale must lie above 0 and up to 1, and needs a crop")
        for name in ("exposure", "seed"):
            if not getattr(self, name) >= 0:
                raise ColorlibError(f"{name} must not be negative, as {getattr(self, name)} is")


class Diverged(ColorlibError):
    """The loss is no longer a number; `history` has the epochs before."""

    def __init__(self, history: list[dict[str, float]]):
        super().__init__(
            f"the loss is no longer a number in epoch {len(history) + 1}: "
            "try a lower learning rate" + ("; the epochs before are kept" if history else "")
        )
        self.history = history


@dataclass(frozen=True)
class Processes:
    """The processes that train together; one, unless `torchrun` has started more."""

    rank: int = 0
    count: int = 1

    @classmethod
    def join(cls, device: torch.device) -> "Processes":
        """Meet the others that `torchrun` has started."""
        if "TORCHELASTIC_RUN_ID" not in os.environ:
            return cls()
        if device.type == "cuda":  # else every process would meet the others on the first one
            here = int(os.environ["LOCAL_RANK"]) if device.index is None else device.index
            torch.cuda.set_device(here)
        if not distributed.is_initialized():
            distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
        return cls(distributed.get_rank(), distributed.get_world_size())

    @property
    def first(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    def wrap(self, model: nn.Module) -> nn.Module:
        """A network whose gradients are averaged over all processes."""
        if self.count == 1:
            return model
        if next(model.parameters()).is_cuda:  # on a CPU, each normalises its share alone
            model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
        return DistributedDataParallel(model)

    def share(self, batch: np.ndarray) -> np.ndarray:
        """The part of a batch that is this process' to compute."""
        return np.array_split(batch, self.count)[self.rank]

    def total(self, *values: float) -> list[float]:
        """Sums over all processes."""
        if self.count == 1:
            return list(values)
        cuda = distributed.get_backend() == "nccl"
        together = torch.tensor(values, dtype=torch.float64, device="cuda" if cuda else "cpu")
        distributed.all_reduce(together)
        return together.tolist()


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
        train: photographs to learn from, with embeddings if the network has a prior.
        val: held-out photographs, for the second curve.
        settings: how to train.
        out: a run folder: ``metrics.csv``, one row an epoch; ``best.safetensors``,
            float16 weights of the epoch with the lowest held-out loss;
            ``last.safetensors``, from where a stopped run goes on when called
            again with the same arguments. Processes on several machines need
            it on a file system they share.
        device: "cpu", "cuda", ...
        progress: show a progress bar.
        about: what else the best weights should say about themselves.

    Returns:
        One dict an epoch with the keys `COLUMNS`. Losses are means of
        squared errors of ab / 128; `train_loss` is taken while the weights
        move, `val_loss` at the epoch's end.

    Raises:
        Diverged: a loss that is no longer a number.
        ColorlibError: no photographs, fewer in a batch than processes, a crop
            larger than they are, a run folder of other settings or
            photographs, a full disk. What was last written whole is kept.
    """
    device = torch.device(device)
    processes = Processes.join(device)
    _check(train, val, settings, processes)
    model.to(device).to(memory_format=torch.channels_last)
    optimizer = OPTIMIZERS[settings.optimizer](model.parameters(), lr=settings.learning_rate)
    average = _average(model, settings)
    run = {
        "settings": asdict(settings),
        "network": asdict(model.config),
        "training photographs or prior": train.key,
        "held-out photographs or prior": val.key,
    }
    history: list[dict[str, float]] = []
    if out is not None:
        out = Path(out)
        history = _resume(out / "last.safetensors", run, model, average, optimizer)
        if processes.first:  # one killed in between may have written a row more
            _write_metrics(history, out)
    if settings.compile:
        model.compile()
    wrapped = processes.wrap(model)
    judged = model if average is None else cast(Colorizer, average.module)
    epochs = tqdm(
        range(len(history), settings.epochs),
        unit="epoch",
        initial=len(history),
        total=settings.epochs,
        disable=not (progress and processes.first),
    )
    for epoch in epochs:
        rate = _learning_rate(settings, epoch)
        for group in optimizer.param_groups:
            group["lr"] = rate
        train_loss = _epoch(wrapped, train, optimizer, settings, epoch, device, processes, average)
        val_loss = evaluate(judged, val, settings.batch_size, device)
        if not math.isfinite(train_loss + val_loss):
            raise Diverged(history)
        row = dict(zip(COLUMNS, (epoch + 1, train_loss, val_loss, rate), strict=True))
        best = min((past["val_loss"] for past in history), default=math.inf)
        history.append(row)
        epochs.set_postfix(train=f"{train_loss:.5f}", held_out=f"{val_loss:.5f}")
        if out is not None and processes.first:
            if val_loss < best:
                found = {"size": val.size, "epoch": epoch + 1, "val_loss": val_loss}
                best_file = out / "best.safetensors"
                save_weights(judged, best_file, half=True, **(about or {}), **found)
            _checkpoint(out / "last.safetensors", run, history, model, average, optimizer)
            _write_metrics(history, out)
    if average is not None:
        model.load_state_dict(average.module.state_dict())
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
        predicted = model(L.to(device), photographs.embedding(which, device=device))
        total += F.mse_loss(predicted, ab.to(device)).item() * len(which)
    return total / len(photographs)


@torch.no_grad()
def settle(model: Colorizer, photographs: Packed) -> None:
    """Give an untrained network the averages of batch normalisation that training would have.

    What `torch.optim.swa_utils.update_bn` does, for a network that takes embeddings.
    In evaluation mode it then does with its first weights what it would do at
    the beginning of training. It is left in that mode.

    Args:
        model: its averages are replaced by those of the photographs, seen at once.
        photographs: what it would be trained on.
    """
    norms = [layer for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)]
    momenta = [layer.momentum for layer in norms]
    for layer in norms:
        layer.reset_running_stats()
        layer.momentum = None  # one batch is the average
    L, _ = lab.normalize(photographs.lab())
    model.train()(L, photographs.embedding())
    for layer, momentum in zip(norms, momenta, strict=True):
        layer.momentum = momentum
    model.eval()


def auto_device() -> str:
    """The best device here: "cuda", "mps" or "cpu"."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def device_name(device: str) -> str:
    """What computes, as results tell it: a GPU's name, or a processor's and its threads."""
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    if device != "cpu":
        return device
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    threads = torch.get_num_threads()
    name = names[0] if names else platform.machine()
    return f"{name}, {threads} thread{'s' * (threads > 1)}"


def _check(train: Packed, val: Packed, settings: Settings, processes: Processes) -> None:
    if not len(train) or not len(val):
        raise ColorlibError("there are no photos to train on or none to hold out")
    if settings.crop is not None and settings.scale is None and settings.crop > train.size:
        raise ColorlibError(f"a crop of {settings.crop} does not fit photos of {train.size}")
    visits = len(train) * settings.repeats
    if processes.count > visits // _steps(visits, settings):  # photographs of the smallest batch
        raise ColorlibError(f"{processes.count} processes cannot share so small a batch")


def _epoch(
    model: nn.Module,
    train: Packed,
    optimizer: torch.optim.Optimizer,
    settings: Settings,
    epoch: int,
    device: torch.device,
    processes: Processes,
    average: AveragedModel | None,
) -> float:
    """One pass over the training photographs; returns the mean loss."""
    model.train()
    total = seen = 0.0
    batches = _batches(train, settings, epoch, device, processes)
    for (L, embedding, ab), share in batches:
        with torch.autocast(device.type, torch.bfloat16, settings.bf16):
            predicted = model(L, embedding)
        loss = F.mse_loss(predicted.float(), ab)
        optimizer.zero_grad()
        (loss * share).backward()
        optimizer.step()
        if average is not None:
            average.update_parameters(_unwrapped(model))
        total, seen = total + loss.item() * len(L), seen + len(L)
    total, seen = processes.total(total, seen)
    return total / seen


def _batches(
    train: Packed,
    settings: Settings,
    epoch: int,
    device: str | torch.device = "cpu",
    processes: Processes = Processes(),
) -> Iterator[tuple[tuple[Tensor, Tensor | None, Tensor], float]]:
    """Normalized (L, embedding, ab), and how much this process' mean counts.

    The order and what is done to a photograph depend on seed and epoch alone.
    """
    random = np.random.default_rng((settings.seed, epoch))
    visits = [random.permutation(len(train)) for _ in range(settings.repeats)]
    order = np.concatenate(visits)
    # Batches of nearly one size: one of a single photograph would be all noise.
    for batch in np.array_split(order, _steps(len(order), settings)):
        rgb = train.rgb(batch)  # (B, 3, S, S)
        if settings.crop is not None:
            rgb = torch.stack([_crop(photo, settings, random) for photo in rgb])
        mirrored = np.zeros(len(batch), bool)
        if settings.flip:
            mirrored = random.random(len(batch)) < 0.5
            swap = torch.from_numpy(mirrored)[:, None, None, None]
            rgb = torch.where(swap, rgb.flip(-1), rgb)
        most = settings.exposure
        powers = np.exp(random.uniform(-most, most, len(batch)))
        mine = processes.share(np.arange(len(batch)))
        L, ab = lab.normalize(lab.rgb_to_lab(rgb[mine].to(device).float() / 255))
        if settings.exposure:
            power = torch.from_numpy(powers[mine]).to(L)[:, None, None, None]
            L = 2 * ((L + 1) / 2).clamp(0, 1) ** power - 1
        embedding = train.embedding(batch[mine], mirrored[mine], device)
        yield (L, embedding, ab), len(mine) * processes.count / len(batch)


def _steps(visits: int, settings: Settings) -> int:
    """How many batches an epoch has."""
    return math.ceil(visits / settings.batch_size)


def _crop(rgb: Tensor, settings: Settings, random: np.random.Generator) -> Tensor:
    """A random square of a photograph (3, S, S), at its own scale or resized."""
    side = settings.crop or rgb.shape[-1]
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


def _average(model: Colorizer, settings: Settings) -> AveragedModel | None:
    """A running average of weights and of batch normalisation's statistics."""
    if not settings.average:
        return None
    return AveragedModel(
        model, multi_avg_fn=get_ema_multi_avg_fn(settings.average), use_buffers=True
    )


def _unwrapped(model: nn.Module) -> nn.Module:
    return model.module if isinstance(model, DistributedDataParallel) else model


# The run folder -------------------------------------------------------------


def _checkpoint(path: Path, run: dict, history: list[dict], model: Colorizer,
                average: AveragedModel | None, optimizer: torch.optim.Optimizer) -> None:
    parts = {"model": model.state_dict()}
    if average is not None:
        parts["average"] = average.state_dict()
    parts |= {f"optimizer.{i}": state for i, state in optimizer.state_dict()["state"].items()}
    tensors = {
        f"{part}.{name}": tensor.contiguous()
        for part, state in parts.items()
        for name, tensor in state.items()
    }
    write_tensors(tensors, path, {"run": json.dumps(run), "history": json.dumps(history)})


def _resume(path: Path, run: dict, model: Colorizer, average: AveragedModel | None,
            optimizer: torch.optim.Optimizer) -> list[dict[str, float]]:
    """Load a checkpoint if there is one; returns the history up to it."""
    if not path.exists():
        metrics = path.with_name("metrics.csv")
        if metrics.is_file() and len(metrics.read_text().splitlines()) > 1:
            raise ColorlibError(
                f"{path.parent} holds a run that cannot go on, since {path.name} is gone: "
                "give another folder"
            )
        return []
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        before, history = json.loads(metadata["run"]), json.loads(metadata["history"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise ColorlibError(f"{path} is damaged: delete it to begin anew") from error
    changed = [name for name in run if run[name] != before.get(name)]
    if changed:
        raise ColorlibError(
            f"{path.parent} holds a run with other {' and '.join(changed)}: "
            "call it as before, or give another folder"
        )
    parts: dict[str, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        part, name = key.split(".", 1)
        parts.setdefault(part, {})[name] = tensor
    model.load_state_dict(parts["model"])
    if average is not None:
        average.load_state_dict(parts["average"])
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in parts.get("optimizer", {}).items():  # plain SGD keeps nothing
        i, name = key.split(".")
        state.setdefault(int(i), {})[name] = tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    return history


def _write_metrics(history: list[dict], out: Path) -> None:
    files.write_table(out / "metrics.csv", COLUMNS, (row.values() for row in history))
