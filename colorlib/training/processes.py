"""The processes that train together."""

import os
from dataclasses import dataclass

import numpy as np
import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel


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


ALONE = Processes()
"""One process without others."""
