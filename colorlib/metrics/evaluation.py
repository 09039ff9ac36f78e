"""Scores of a prediction, and predictions to score: a network, or one colour."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from colorlib import lab
from colorlib.data import Packed
from colorlib.metrics.batches import at_once, precise
from colorlib.metrics.definitions import METRICS
from colorlib.networks import Colorizer


@torch.no_grad()
def scores(
    predict: Callable[[Packed], Tensor],
    photographs: Packed,
    which: Sequence[str] = tuple(METRICS),
    device: str | torch.device = "cpu",
) -> dict[str, list[float]]:
    """Metrics of every photograph.

    Args:
        predict: a `Packed` of any length B -> ab (B, 2, S, S) in [-1, 1] on any device,
            such as `network` and `constant` return.
        photographs: what to judge by, at least 11 x 11 pixels for `ssim_rgb`.
        which: names in `METRICS`; all by default.
        device: where they are computed.

    Returns:
        metric -> one value a photograph, in order.
    """
    found: dict[str, list[Tensor]] = {name: [] for name in which}
    for some in photographs.some(at_once(device)):
        true = precise(some.lab(device=device))
        predicted = lab.denormalize(lab.normalize(true)[0], predict(some).to(true))
        for name in which:
            found[name].append(METRICS[name](predicted, true))
    # A GPU is waited for here, and not after every batch.
    return {name: torch.cat(values).tolist() if values else [] for name, values in found.items()}


def network(
    model: torch.nn.Module, device: str | torch.device = "cpu", bf16: bool = False
) -> Callable[[Packed], Tensor]:
    """A network as the `predict` of `scores`.

    Args:
        model: moved to `device`, in evaluation mode.
        device: where it predicts.
        bf16: whether convolutions and matrix products are computed in bfloat16.
    """
    model = model.to(device).eval()

    @torch.no_grad()
    def predict(photographs: Packed) -> Tensor:
        with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=bf16):
            return model(photographs.inputs(device=device)).float()

    return predict


def constant(ab: Tensor) -> Callable[[Packed], Tensor]:
    """One colour everywhere, ab (2,) in [-1, 1], as the `predict` of `scores`."""
    return lambda some: ab.view(1, 2, 1, 1).expand(len(some), 2, some.size, some.size)


@torch.no_grad()
def attention_distance(
    model: Colorizer, photographs: Packed, device: str | torch.device = "cpu"
) -> dict[str, float]:
    """How far a network's attention is from uniform, and how far its positions differ.

    Both are total variation distances between the weights of a position and
    other weights over the same S sources,

        TV(alpha_t, q) = 1/2 sum_s abs(alpha_ts - q_s),

    the mean over target positions t, heads and photographs. It is 0 for the same
    weights and at most 1.

    Args:
        model: a network with attention, or with heads, of which each counts alike.
        photographs: with embeddings if the network has a prior.
        device: where it is computed.

    Returns:
        "from_uniform": q_s = 1 / S; "between_positions": q is the mean of
        alpha over all positions of the photograph.

    Raises:
        ValueError: a network without attention.
    """
    model = model.to(device).eval()
    found = []
    for some in photographs.some():  # T x S weights each, so few also where there is memory
        alpha = model.attended(some.inputs(device=device)).flatten(0, -3)  # (B, T, S)
        others = (1 / alpha.shape[-1], alpha.mean(dim=1, keepdim=True))
        found.append(torch.stack(
            [(alpha - other).abs().sum(dim=-1).mean(dim=-1) / 2 for other in others]
        ))
    uniform, positions = precise(torch.cat(found, dim=1)).mean(dim=1).tolist()
    return {"from_uniform": uniform, "between_positions": positions}
