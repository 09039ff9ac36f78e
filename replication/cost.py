"""What the training of a run costs: visits of photographs, and operations."""

from functools import cache
from typing import NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

from colorlib import data, networks
from colorlib.networks import Config, configure
from replication.matrix import Run

_BATCH = 2  # photographs that are counted together: batch normalisation needs two


class Cost(NamedTuple):
    """Of a training alone: validation, metrics, starting and reading come on top.

    Attributes:
        visits: how often a training photograph goes through the network.
        flop: floating-point operations, forward and back (`flop_of_a_visit`).
    """

    visits: int = 0
    flop: float = 0.0


def of(run: Run) -> Cost:
    """What the training of a run costs; nothing for a trivial baseline.

    Raises:
        ColorlibError: a data set that is neither here nor in the catalogue with its counts.
    """
    plan = run.plan
    if plan.settings is None:
        return Cost()
    photos = plan.trained_on(_training_photographs(run.data))
    visits = photos * plan.settings.repeats * plan.settings.epochs
    # With the preset's length of the embedding, which is mixed in once a photograph: of no weight.
    config = configure(plan.preset, **plan.changes)
    return Cost(visits, visits * flop_of_a_visit(config, plan.settings.crop or plan.size))


@cache
def flop_of_a_visit(config: Config, size: int) -> float:
    """Floating-point operations of one photograph in training, forward and back.

    A multiplication and an addition are two. Convolutions and products of matrices are counted,
    what is done number by number is not. Nothing is computed: the tensors have no contents.

    Args:
        size: side of the photograph in pixels.
    """
    with torch.device("meta"):
        model = networks.Colorizer(config, initialise=False).to("meta").train()
        ab = torch.empty(_BATCH, 2, size, size)
    inputs = model.example(_BATCH, size, size).to("meta")
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        model(inputs, ab).backward()
    return counter.get_total_flops() / _BATCH


@cache
def _training_photographs(name: str) -> int:
    """How many there are; the catalogue knows it without the photographs."""
    known = data.data_sets().get(name)
    count = known.photographs().get("train") if known else None
    return len(data.photos(name, "train")) if count is None else count
