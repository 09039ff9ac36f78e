"""One training loop (paper, sections 4.1, 4.2).

The same loop runs on a CPU, on a GPU and, started by ``torchrun``, on several
processes or machines: each takes its share of every batch, and torch's
DistributedDataParallel averages the gradients. On a GPU the photographs are resident,
steps are CUDA graphs, and the processor waits for it a few times an epoch.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from colorlib import files, lab
from colorlib.base.devices import is_out_of_memory
from colorlib.base.errors import ColorlibError
from colorlib.data import Packed
from colorlib.networks import Colorizer, Inputs
from colorlib.training import cuda
from colorlib.training.augment import batch_bounds, batches
from colorlib.training.checkpoints import COLUMNS, RunFolder, State, describe
from colorlib.training.previews import write_preview
from colorlib.training.processes import Processes
from colorlib.training.record import record
from colorlib.training.settings import Settings

OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
    "momentum": partial(torch.optim.SGD, momentum=0.9),
    "rmsprop": torch.optim.RMSprop,
}
"""Every optimizer by its name in `Settings.optimizer`."""


class Diverged(ColorlibError):
    """The loss is no longer a number; `history` has the epochs before, a run folder their best."""

    def __init__(self, history: list[dict[str, float]]):
        super().__init__(
            f"the loss is no longer a number in epoch {len(history) + 1}: "
            "try a lower learning rate"
            + ("; the curves and best weights of the epochs before are kept" if history else "")
        )
        self.history = history


def fit(
    model: Colorizer,
    train: Packed,
    val: Packed,
    settings: Settings,
    out: Path | str | None = None,
    device: str | torch.device = "cpu",
    progress: bool = False,
    about: dict[str, Any] | None = None,
) -> list[dict[str, float]]:
    """Train a network in place.

    Args:
        model: the network; moved to `device`. To go on, it begins with the
            same weights as before, so made with the same seed.
        train: photographs to learn from, with embeddings if the network has a prior.
        val: validation photographs, for the second curve and to choose the best epoch.
        settings: how to train.
        out: a run folder: ``metrics.csv``, one row an epoch; ``best.safetensors``,
            float16 weights of the epoch with the lowest validation loss;
            ``last.pt``, from where a stopped run goes on when called
            again with the same arguments, or, without cosine decay, with more
            epochs. Processes on several machines need it on a file system
            they share.
        device: "cpu", "cuda", ...
        progress: show a progress bar.
        about: what the best weights should say about themselves besides what `record` finds.

    Returns:
        One dict an epoch with the keys `COLUMNS`. `train_loss` is the head's
        loss, taken while the weights move; `val_loss` the mean squared error
        of ab / 128 at the epoch's end (`evaluate`).

    Raises:
        Diverged: a loss that is no longer a number.
        ColorlibError: no photographs, fewer in a batch than processes, a crop
            larger than they are, a run folder of other settings, photographs or
            first weights or in use, a full disk, too little memory. What was
            last written whole is kept.
        ValueError: previews without a run folder.
    """
    if settings.preview and out is None:
        raise ValueError("previews are written into a run folder: give one")
    device = torch.device(device)
    processes = Processes.join(device)
    _check(model, train, val, settings, processes)
    with _enough_memory(device), cuda.own_stream(device):
        model.to(device).to(memory_format=torch.channels_last)
        state = State(model, _optimizer(model, settings, device), _average(model, settings))
        run = describe(settings, model, train, val)
        if not processes.first:  # it is given the first one's weights, whatever its own are
            del run["first weights"]
        folder = RunFolder(files.user_path(out), run) if out else None
        with folder.locked() if folder and processes.first else nullcontext():
            if folder:
                folder.resume(state)
            writes = folder if processes.first else None
            if writes:  # one killed in between may have written a row more
                writes.write_metrics(state.history)
            said = record(model, train, val, settings, device) if writes else {}
            model.about = said | (about or {})
            loop = _Loop(state, cuda.resident(train, device), settings, device, processes)
            _train(loop, cuda.resident(val, device), writes, progress, model.about)
    if state.average is not None:
        model.load_state_dict(state.average.module.state_dict())
    return state.history


class _Loop:
    """A training: what its epochs need."""

    def __init__(
        self,
        state: State,
        train: Packed,
        settings: Settings,
        device: torch.device,
        processes: Processes,
    ):
        self.state, self.train, self.settings = state, train, settings
        self.device, self.processes = device, processes
        if settings.compile:
            state.model.compile()
        wrapped = processes.wrap(state.model)
        self.step: Step = partial(update, wrapped, state.optimizer, settings.bf16)
        if device.type == "cuda" and processes.count == 1:
            self.step = cuda.Graphed(self.step)

    def epoch(self, number: int, val: Packed) -> dict[str, float]:
        """One pass over the photographs, and the validation loss after it."""
        settings, state = self.settings, self.state
        rate = _learning_rate(settings, number)
        _set_learning_rate(state.optimizer, rate)
        given = batches(self.train, settings, number, self.device, self.processes)
        total, seen = self.processes.total(*train_epoch(self.step, given, state))
        at_once = settings.batch_size
        if self.device.type != "cpu":  # without a gradient, more of small photographs fit in
            at_once = max(at_once, min(64, 2**20 // val.size**2))
        loss = evaluate(state.evaluated, val, at_once, self.device, settings.bf16)
        return dict(zip(COLUMNS, (number + 1, total / seen, loss, rate), strict=True))


def _train(
    loop: _Loop,
    val: Packed,
    folder: RunFolder | None,
    progress: bool,
    about: dict[str, Any],
) -> None:
    """The epochs that are still to do; what comes of them is written by the first process."""
    settings, state = loop.settings, loop.state
    history = state.history
    epochs = tqdm(
        range(len(history), settings.epochs),
        unit="epoch",
        initial=len(history),
        total=settings.epochs,
        disable=not (progress and loop.processes.first),
    )
    for number in epochs:
        row = loop.epoch(number, val)
        if not math.isfinite(row["train_loss"] + row["val_loss"]):
            if folder is not None:
                folder.write_best()
            raise Diverged(history)
        best = row["val_loss"] < min((row["val_loss"] for row in history), default=math.inf)
        history.append(row)
        epochs.set_postfix(train=f"{row['train_loss']:.5f}", validation=f"{row['val_loss']:.5f}")
        if folder is None:
            continue
        found = {"size": val.size, "epoch": number + 1, "val_loss": row["val_loss"]}
        folder.save(state, about | found if best else None, last=number + 1 == settings.epochs)
        if settings.previews(number + 1):
            write_preview(
                folder.path, number + 1, state.evaluated, val, loop.device, settings.bf16
            )


Step = Callable[[Inputs, Tensor, float], Tensor]
"""What a network is given, ab, and the share of the loss -> the loss."""


def update(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    bf16: bool,
    inputs: Inputs,
    ab: Tensor,
    share: float = 1.0,
) -> Tensor:
    """One step: the loss of a batch, its gradient, and new weights.

    Returns:
        The loss, a scalar where it was computed.
    """
    with torch.autocast(ab.device.type, torch.bfloat16, bf16):
        loss = model(inputs, ab)
    optimizer.zero_grad()
    (loss * share).backward()
    optimizer.step()
    return loss.detach()


def train_epoch(
    step: Step, given: Iterable[tuple[Inputs, Tensor, float]], state: State
) -> tuple[float, int]:
    """One pass over the batches of an epoch.

    Returns:
        The sum of their photographs' losses, and how many these are.
    """
    state.model.train()
    losses, sizes = [], []
    for inputs, ab, share in given:
        losses.append(step(inputs, ab, share))
        sizes.append(len(ab))
        if state.average is not None:
            state.average.update_parameters(state.model)
    return _sum(losses, sizes), sum(sizes)


@torch.no_grad()
def evaluate(
    model: Colorizer,
    photographs: Packed,
    batch_size: int = 16,
    device: str | torch.device = "cpu",
    bf16: bool = False,
) -> float:
    """The mean squared error of ab / 128 (section 4.2) over whole photographs.

    In evaluation mode, and whatever loss the head is trained by, so that all
    networks can be compared.

    Args:
        model: the network, on `device`.
        photographs: with embeddings if the network has a prior.
        batch_size: how many at a time, at most.
        device: where it is computed.
        bf16: compute convolutions in bfloat16.
    """
    model.eval()
    losses, sizes = [], []
    for start, stop in batch_bounds(len(photographs), batch_size):
        some = slice(start, stop)
        L, ab = lab.normalize(photographs.lab(some, device))
        with torch.autocast(torch.device(device).type, torch.bfloat16, bf16):
            predicted = model(photographs.given(L, some))
        losses.append(F.mse_loss(predicted.float(), ab))
        sizes.append(len(ab))
    return _sum(losses, sizes) / len(photographs)


def _sum(losses: list[Tensor], sizes: list[int]) -> float:
    """The sum over photographs of mean losses of batches; waits for the device, once."""
    found = torch.stack(losses).tolist()
    return sum(loss * size for loss, size in zip(found, sizes, strict=True))


def _check(
    model: Colorizer, train: Packed, val: Packed, settings: Settings, processes: Processes
) -> None:
    if not len(train) or not len(val):
        raise ColorlibError("there are no photos to train on or none for validation")
    if settings.crop is not None and settings.scale is None and settings.crop > train.size:
        raise ColorlibError(f"a crop of {settings.crop} does not fit photos of {train.size}")
    if settings.flip and train.embeddings is not None and train.mirrored_embeddings is None:
        raise ColorlibError(
            "to train with flip, the embeddings of mirror images are needed, too (mirrored=True)"
        )
    bounds = batch_bounds(len(train) * settings.repeats, settings.batch_size)
    smallest = min(stop - start for start, stop in bounds)
    if processes.count > smallest:
        raise ColorlibError(f"{processes.count} processes cannot share so small a batch")
    side = settings.crop or train.size
    normalised = any(isinstance(layer, nn.BatchNorm2d) for layer in model.modules())
    if normalised and smallest // processes.count == 1 and side <= model.encoder.strides[-1]:
        raise ColorlibError(
            f"batch normalisation needs more than one photo of {side} pixels a batch: "
            "take a larger batch or larger photos"
            + (", or batch_norm=false" if model.config.encoder != "timm" else "")
        )


@contextmanager
def _enough_memory(device: torch.device) -> Iterator[None]:
    """What runs out of memory in it ends in one sentence that says what to do."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise ColorlibError(
            f"{device} has too little memory: take a smaller batch_size, size of the "
            "photographs, or width"
        ) from error


def _optimizer(
    model: Colorizer, settings: Settings, device: torch.device
) -> torch.optim.Optimizer:
    """The optimizer; on an NVIDIA GPU one that a CUDA graph can hold.

    There it is one kernel, and its learning rate a tensor that may change.
    """
    rate, on_gpu = settings.learning_rate, device.type == "cuda"
    others = [p for name, p in model.named_parameters() if not name.startswith("encoder.")]
    groups = [
        {
            "params": parameters,
            "factor": factor,
            "lr": torch.tensor(rate, device=device) if on_gpu else rate,
        }
        for parameters, factor in (
            (list(model.encoder.parameters()), settings.encoder_rate), (others, 1.0)
        )
    ]
    more = cuda.OPTIMIZER_OPTIONS[settings.optimizer] if on_gpu else {}
    return OPTIMIZERS[settings.optimizer](groups, **more)


def _set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate * group["factor"])
        else:
            group["lr"] = rate * group["factor"]


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
