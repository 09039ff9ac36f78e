"""The run folder: curves, best weights, and from where a stopped run goes on."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from filelock import FileLock, Timeout
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from colorlib import files
from colorlib.base.errors import ColorlibError
from colorlib.data import Packed
from colorlib.networks import Colorizer, recorded
from colorlib.tool.weights import snapshot, write_tensors
from colorlib.training.settings import Settings

COLUMNS = ("epoch", "train_loss", "val_loss", "learning_rate")
"""Of ``metrics.csv``."""

BEST, LAST, METRICS = "best.safetensors", "last.pt", "metrics.csv"


@dataclass
class State:
    """Everything that training changes, so all that a checkpoint holds.

    Attributes:
        model: the network.
        optimizer: of its weights.
        average: the moving average of its weights, if there is one.
        history: one dict an epoch with the keys `COLUMNS`.
    """

    model: Colorizer
    optimizer: torch.optim.Optimizer
    average: AveragedModel | None = None
    history: list[dict[str, float]] = field(default_factory=list)

    @property
    def evaluated(self) -> Colorizer:
        """The network that is evaluated and kept: the average, or else the last weights."""
        return self.model if self.average is None else cast(Colorizer, self.average.module)

    def content(self) -> dict[str, Any]:
        """What `load` takes."""
        return {
            "model": self.model.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "optimizer": self.optimizer.state_dict()["state"],
            "history": self.history,
        }

    def load(self, content: dict[str, Any]) -> None:
        """Take over what `content` gave.

        Raises:
            KeyError, RuntimeError, ValueError: of another network or optimizer.
        """
        self.model.load_state_dict(content["model"])
        if self.average is not None:
            self.average.load_state_dict(content["average"])
        groups = self.optimizer.state_dict()  # whose learning rate is the epoch's
        self.optimizer.load_state_dict({**groups, "state": content["optimizer"]})
        self.history[:] = content["history"]


def describe(settings: Settings, model: Colorizer, train: Packed, val: Packed) -> dict[str, Any]:
    """What has to be the same for a stopped run to go on.

    Args:
        settings: how it is trained.
        model: the network, with the weights that training starts from.
        train, val: the photographs.
    """
    return {
        "settings": asdict(settings),
        "network": model.config.flat(),
        "first weights": _sizes(model),
        "training photographs or prior": train.key,
        "validation photographs or prior": val.key,
    }


def _sizes(model: Colorizer) -> list[float]:
    """The mean size of the numbers in each parameter: tells networks apart.

    No hash, since random numbers of one seed may differ in their last bits
    between processors, and a run may go on elsewhere.
    """
    return [float(f"{p.detach().abs().mean().item():.6g}") for p in model.parameters()]


class RunFolder:
    """Where one training at a time keeps its curves and weights.

    Args:
        path: the folder, made if need be.
        run: what `describe` gave.
    """

    def __init__(self, path: Path, run: dict[str, Any]):
        self.path, self.run = path, run
        self._due = 0.0  # when the next checkpoint may be written
        self._best: tuple[dict[str, Tensor], dict[str, str]] | None = None  # not yet written

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep others out; the system lets go of it when this process ends.

        Raises:
            ColorlibError: another process trains into the folder.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.path / ".lock").acquire(timeout=0)
        except Timeout as error:
            raise ColorlibError(
                f"another process is training into {self.path}: wait, or give another folder"
            ) from error
        except OSError as error:
            says = error.strerror or error
            raise ColorlibError(f"{self.path} cannot be written: {says}") from error
        with lock:
            yield

    def resume(self, state: State) -> None:
        """Load the last checkpoint, if there is one.

        Raises:
            ColorlibError: a run of other settings, photographs or first weights,
                a damaged checkpoint, or curves without one.
        """
        last = self.path / LAST
        if not last.exists():
            metrics = self.path / METRICS
            if metrics.is_file() and len(metrics.read_text().splitlines()) > 1:
                raise ColorlibError(
                    f"{self.path} holds a run that cannot go on, since {LAST} is gone: "
                    "give another folder"
                )
            return
        try:
            content = torch.load(last, map_location="cpu", weights_only=True)
            run, history = content["run"], content["history"]
        except Exception as error:  # a damaged file can fail in any way
            raise ColorlibError(f"{last} is damaged: delete it to begin anew") from error
        self._check(run, len(history))
        try:
            state.load(content)
        except (KeyError, RuntimeError, ValueError) as error:
            raise ColorlibError(
                f"{last} does not fit this version of colorlib: give another folder"
            ) from error

    def save(self, state: State, about: dict[str, Any] | None, last: bool) -> None:
        """Write the curves, and mostly a checkpoint with the best weights so far.

        Where epochs are short, not every one leaves a checkpoint: at most a tenth of the
        time goes into writing them. The best weights are written with it, so that they
        are of an epoch from which a stopped run goes on.

        Args:
            state: after an epoch.
            about: what these weights should say about themselves, if they are the
                best so far; None if an earlier epoch was better.
            last: whether it was the last epoch, which always leaves one.

        Raises:
            ColorlibError: it cannot be written; what was there before is kept.
        """
        if about is not None:
            self._best = snapshot(state.evaluated, half=True, **about)
        if last or time.monotonic() >= self._due:
            begun = time.monotonic()
            self.write_best()
            write_checkpoint({"run": self.run, **state.content()}, self.path / LAST)
            now = time.monotonic()
            self._due = now + 9 * (now - begun)
        self.write_metrics(state.history)

    def write_best(self) -> None:
        """Write the best weights so far, if they are not yet there.

        Raises:
            ColorlibError: they cannot be written.
        """
        if self._best is not None:
            tensors, metadata = self._best
            write_tensors(tensors, self.path / BEST, metadata)
            self._best = None

    def write_metrics(self, history: list[dict[str, float]]) -> None:
        """Write ``metrics.csv``, replacing what was there."""
        files.write_table(self.path / METRICS, COLUMNS, (row.values() for row in history))

    def _check(self, before: dict[str, Any], epochs: int) -> None:
        """Refuse a run that is not the one that the folder holds."""
        changes = _changes(asdict(Settings()) | before.get("settings", {}), self.run["settings"])
        # What is newer than the checkpoint had its default.
        network = recorded(before.get("network", {})).flat()
        changes |= _changes(network, self.run["network"])
        changes.pop("preview", None)
        wanted = self.run["settings"]
        cosine = wanted["cosine"]
        if list(changes) == ["epochs"] and not cosine and wanted["epochs"] >= epochs:
            changes = {}  # it simply goes on
        reasons = [f"{name} was {old!r} and is {new!r}" for name, (old, new) in changes.items()]
        if "epochs" in changes and cosine:
            reasons.append("cosine decay depends on how many epochs there will be")
        reasons += [
            f"there are other {name}"
            for name in self.run
            if "photographs" in name and self.run[name] != before.get(name)
        ]
        old, new = before.get("first weights"), self.run.get("first weights")
        if old and new and not np.allclose(old, new, rtol=1e-4):
            reasons.append("there are other first weights")
        if reasons:
            raise ColorlibError(
                f"{self.path} holds another run: {', '.join(reasons)}; "
                "call it as before, or give another folder"
            )


def write_checkpoint(content: dict[str, Any], path: Path) -> None:
    """Write a checkpoint, whole or not at all; one of that name is replaced.

    Raises:
        ColorlibError: it cannot be written, for example since the disk is full.
    """

    def fill(part: Path) -> None:
        try:
            torch.save(content, part)
        except RuntimeError as error:  # of a full disk
            raise OSError(str(error).splitlines()[0]) from error

    files.write(path, fill, overwrite=True)


def _changes(before: dict[str, Any], now: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Name -> what it was and what it is, of those that differ."""
    pairs = {name: (before.get(name), now.get(name)) for name in (*before, *now)}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
