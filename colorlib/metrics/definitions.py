"""Metrics of a colorization: each compares predicted photographs with the true ones.

Both are batches of Lab photographs, (B, 3, H, W), on one device, L in [0, 100] and the same in
both, a and b in [-128, 128]. Each metric is one number a photograph, (B,), float64 (on "mps",
float32); a table's number is the mean over photographs.
"""

import math
from collections.abc import Callable
from functools import cache, wraps

import torch
from torch import Tensor

from colorlib import colours, lab
from colorlib.metrics.batches import checked, shown

_EACH = (1, 2, 3)  # what is averaged over for one number a photograph

METRICS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {}
"""Every metric by its name in tables and files."""

BEST: dict[str, float | None] = {}
"""Metric -> its value for a perfect prediction; None where neither high nor low is better."""


def metric(best: float | None) -> Callable[[Callable], Callable]:
    """A decorator that makes a metric of a function, under its name.

    What it compares is checked first: ValueError for photographs of another shape than
    (B, 3, H, W), or of different ones.

    Args:
        best: as in `BEST`.
    """

    def register(compute: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
        @wraps(compute)
        def compare(predicted: Tensor, true: Tensor) -> Tensor:
            return compute(*checked(predicted, true))

        METRICS[compute.__name__], BEST[compute.__name__] = compare, best
        return compare

    return register


@metric(best=0.0)
def ab_mse(predicted: Tensor, true: Tensor) -> Tensor:
    """Mean squared error of ab / 128, from 0 to 4: the loss of section 4.2. Lower is better.

    Args, here and below:
        predicted: Lab photographs (B, 3, H, W), with the true ones' L.
        true: the photographs themselves, (B, 3, H, W).
    """
    return ((predicted - true)[:, 1:] / lab.AB_SCALE).square().mean(dim=_EACH)


@metric(best=math.inf)
def psnr_ab(predicted: Tensor, true: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of ab in dB, for a range of 256 Lab units. Higher is better.

    10 log10(256^2 / mean squared error in Lab units); infinite for a perfect prediction.
    """
    return _psnr(predicted[:, 1:], true[:, 1:], 2 * lab.AB_SCALE)


@metric(best=math.inf)
def psnr_rgb(predicted: Tensor, true: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of sRGB in dB, for a range of 1. Higher is better.

    Colours outside sRGB are clipped first, as a screen does.
    """
    return _psnr(shown(predicted), shown(true), 1.0)


@metric(best=1.0)
def ssim_rgb(predicted: Tensor, true: Tensor) -> Tensor:
    """Structural similarity of sRGB (Wang et al. 2004), from -1 to 1. Higher is better.

    Windows are Gaussian, sigma 1.5, 11 x 11, and only those that lie inside the photograph
    count. Since L is the photograph's own, even gray scores high.

    Raises:
        ValueError: photographs of fewer than 11 x 11 pixels.
    """
    if min(true.shape[2:]) < 11:
        raise ValueError(f"photographs must have 11 x 11 pixels or more, not {true.shape[2:]}")
    from skimage.metrics import structural_similarity  # takes its time, as torchmetrics below

    gaussian = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    rgb = (shown(photos).cpu().numpy() for photos in (predicted, true))
    found = [
        structural_similarity(*pair, channel_axis=0, data_range=1, **gaussian)
        for pair in zip(*rgb, strict=True)
    ]
    return torch.tensor(found, dtype=true.dtype, device=true.device)


@metric(best=0.0)
def delta_e(predicted: Tensor, true: Tensor) -> Tensor:
    """Mean CIEDE2000 colour difference (Sharma et al. 2005), 0 or more. Lower is better.

    A difference of about 1 is just visible.
    """
    from skimage.color import deltaE_ciede2000

    found = deltaE_ciede2000(true.cpu().numpy(), predicted.cpu().numpy(), channel_axis=1)
    return torch.from_numpy(found).to(true).mean(dim=(1, 2))


@metric(best=None)
def colourfulness(predicted: Tensor, true: Tensor | None = None) -> Tensor:
    """Colourfulness of sRGB in 0..255 (Hasler and Suesstrunk 2003, M3): 0 for gray, or more.

    Of a prediction alone, so neither high nor low is better: compare it with
    the photograph's own.
    """
    R, G, B = (255 * shown(predicted)).flatten(2).unbind(1)
    opponents = torch.stack((R - G, (R + G) / 2 - B))  # (2, B, H W)
    spread = opponents.var(dim=-1, correction=0).sum(dim=0).sqrt()
    return spread + 0.3 * torch.hypot(*opponents.mean(dim=-1))


@metric(best=1.0)
def chroma_ratio(predicted: Tensor, true: Tensor) -> Tensor:
    """Mean chroma, as a share of the photograph's own: 0 for gray, 1 for as much.

    Chroma is sqrt(a^2 + b^2), in Lab units. NaN for a photograph that is gray
    itself, with a mean chroma below 0.5.
    """
    chroma, own = (torch.hypot(p[:, 1], p[:, 2]).mean(dim=(1, 2)) for p in (predicted, true))
    return torch.where(own >= 0.5, chroma / own, torch.nan)


@metric(best=1.0)
def auc(predicted: Tensor, true: Tensor) -> Tensor:
    """Area under the curve of the share of pixels within an error, from 0 to 1. Higher is better.

    Zhang et al. 2016 (arXiv 1603.08511), section 3.1, "raw accuracy": the error is the distance
    of ab in Lab units, the curve runs from 0 to 150, and all pixels count the same. The area is
    exact: the mean of 1 - min(error, 150) / 150.
    """
    return _near(predicted, true).mean(dim=(1, 2))


@metric(best=1.0)
def auc_rebalanced(predicted: Tensor, true: Tensor) -> Tensor:
    """`auc` in which rare colours count as much as frequent ones, from 0 to 1. Higher is better.

    A pixel's weight is the inverse of how frequent its true colour is in photographs
    (`colours.smoothed_frequencies`; equation 4 of Zhang et al. with lambda = 0). Weights are
    normalised in each photograph, while the article pools the pixels of all of them, so its
    numbers are others: a photograph without rare colours is judged by those that it has.
    """
    weight = _rarity(true.device, true.dtype)[colours.cells(true[:, 1:])]
    return (weight * _near(predicted, true)).sum(dim=(1, 2)) / weight.sum(dim=(1, 2))


def _psnr(predicted: Tensor, true: Tensor, data_range: float) -> Tensor:
    from torchmetrics.functional.image import peak_signal_noise_ratio

    return peak_signal_noise_ratio(
        predicted, true, data_range=data_range, dim=_EACH, reduction="none"
    )


@cache
def _rarity(device: torch.device, dtype: torch.dtype) -> Tensor:
    """What a pixel weighs, by the cell of its colour, (Q,)."""
    return 1 / colours.smoothed_frequencies().to(device, dtype)


def _near(predicted: Tensor, true: Tensor) -> Tensor:
    """1 for a pixel's ab as it is, 0 for one 150 Lab units off or more; (B, H, W)."""
    error = torch.hypot(*(predicted - true)[:, 1:].unbind(1))
    return 1 - error.clamp(max=150) / 150
