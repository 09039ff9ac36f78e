"""Metrics of a colorization, and the trivial baselines that it has to beat.

Each metric compares one predicted photograph with the true one. Both are Lab,
(3, H, W), L in [0, 100] and the same in both, a and b in [-128, 128]. A table's
number is the mean over photographs. Where scikit-image has a metric by its
published definition, it is scikit-image's.
"""

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from skimage.color import deltaE_ciede2000
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor
from torch.nn import functional as F

from colorlib import _moved, lab
from colorlib.data import Packed
from colorlib.networks import Colorizer

_moved.watch(__name__)


def ab_mse(predicted: Tensor, true: Tensor) -> float:
    """Mean squared error of ab / 128, from 0 to 4: the loss of section 4.2. Lower is better.

    Args, here and below:
        predicted: one Lab photograph (3, H, W), with the true one's L.
        true: the photograph itself, (3, H, W).
    """
    return F.mse_loss(predicted[1:] / lab.AB_SCALE, true[1:] / lab.AB_SCALE).item()


def psnr_ab(predicted: Tensor, true: Tensor) -> float:
    """Peak signal-to-noise ratio of ab in dB, for a range of 256 Lab units. Higher is better.

    10 log10(256^2 / mean squared error in Lab units); infinite for a perfect prediction.
    """
    return peak_signal_noise_ratio(
        _numpy(true[1:]), _numpy(predicted[1:]), data_range=2 * lab.AB_SCALE
    )


def psnr_rgb(predicted: Tensor, true: Tensor) -> float:
    """Peak signal-to-noise ratio of sRGB in dB, for a range of 1. Higher is better.

    Colours outside sRGB are clipped first, as a screen does.
    """
    return peak_signal_noise_ratio(_shown(true), _shown(predicted), data_range=1)


def ssim_rgb(predicted: Tensor, true: Tensor) -> float:
    """Structural similarity of sRGB (Wang et al. 2004), from -1 to 1. Higher is better.

    Windows are Gaussian, sigma 1.5, so photographs need at least 11 x 11
    pixels. Since L is the photograph's own, even gray scores high.
    """
    return structural_similarity(
        _shown(true),
        _shown(predicted),
        channel_axis=-1,
        data_range=1,
        gaussian_weights=True,  # with the two lines below, the paper's definition
        sigma=1.5,
        use_sample_covariance=False,
    )


def delta_e(predicted: Tensor, true: Tensor) -> float:
    """Mean CIEDE2000 colour difference (Sharma et al. 2005), 0 or more. Lower is better.

    A difference of about 1 is just visible.
    """
    return deltaE_ciede2000(_numpy(true), _numpy(predicted), channel_axis=0).mean().item()


def colourfulness(predicted: Tensor, true: Tensor | None = None) -> float:
    """Colourfulness of sRGB in 0..255 (Hasler and Suesstrunk 2003, M3): 0 for gray, or more.

    Of a prediction alone, so neither high nor low is better: compare it with
    the photograph's own.
    """
    R, G, B = 255 * np.moveaxis(_shown(predicted), -1, 0)
    rg, yb = R - G, (R + G) / 2 - B
    spread = math.hypot(rg.std(), yb.std())
    return spread + 0.3 * math.hypot(rg.mean(), yb.mean())


def chroma_ratio(predicted: Tensor, true: Tensor) -> float:
    """Mean chroma, as a share of the photograph's own: 0 for gray, 1 for as much.

    Chroma is sqrt(a^2 + b^2), in Lab units. NaN for a photograph that is gray
    itself, with a mean chroma below 0.5.
    """
    # torch.hypot is faster, and rounds otherwise: recorded scores would change in the last digit.
    norms = (torch.linalg.vector_norm(photo[1:], dim=0) for photo in (predicted, true))
    chroma = [norm.mean().item() for norm in norms]
    return chroma[0] / chroma[1] if chroma[1] >= 0.5 else math.nan


METRICS: dict[str, Callable[[Tensor, Tensor], float]] = {
    "ab_mse": ab_mse,
    "psnr_ab": psnr_ab,
    "psnr_rgb": psnr_rgb,
    "ssim_rgb": ssim_rgb,
    "delta_e": delta_e,
    "colourfulness": colourfulness,
    "chroma_ratio": chroma_ratio,
}
"""Every metric by its name in tables and files."""


def scores(
    predict: Callable[[Packed], Tensor],
    photographs: Packed,
    which: Sequence[str] = tuple(METRICS),
) -> dict[str, list[float]]:
    """Metrics of every photograph.

    Args:
        predict: one photograph as a `Packed` of length 1 -> ab (1, 2, S, S) in [-1, 1],
            such as `network` and `constant` return.
        photographs: what to judge by, at least 11 x 11 pixels for `ssim_rgb`.
        which: names in `METRICS`; all by default.

    Returns:
        metric -> one value a photograph, in order.
    """
    found: dict[str, list[float]] = {name: [] for name in which}
    for i in range(len(photographs)):
        true = photographs.lab([i])
        ab = predict(photographs.select([i])).cpu()
        predicted = lab.denormalize(lab.normalize(true)[0], ab)
        for name in which:
            found[name].append(METRICS[name](predicted[0], true[0]))
    return found


@torch.no_grad()
def attention_distance(
    model: Colorizer, photographs: Packed, device: str | torch.device = "cpu"
) -> dict[str, float]:
    """How far a network's attention is from uniform, and how far its positions differ.

    Both are total variation distances between the weights of a position and
    other weights over the same S sources,

        TV(alpha_t, q) = 1/2 sum_s abs(alpha_ts - q_s),

    the mean over target positions t and photographs. It is 0 for the same
    weights and at most 1.

    Args:
        model: a network with attention.
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
    for i in range(len(photographs)):
        L, _ = lab.normalize(photographs.lab([i]).to(device))
        alpha = model.attended(L, photographs.embedding([i], device=device))  # (1, T, S)
        others = (1 / alpha.shape[-1], alpha.mean(dim=1, keepdim=True))
        found.append([(alpha - other).abs().sum(dim=-1).mean().item() / 2 for other in others])
    uniform, positions = np.mean(found, axis=0).tolist()
    return {"from_uniform": uniform, "between_positions": positions}


def network(
    model: torch.nn.Module, device: str | torch.device = "cpu"
) -> Callable[[Packed], Tensor]:
    """A network as the `predict` of `scores`; it is moved to `device`, in evaluation mode."""
    model = model.to(device).eval()

    @torch.no_grad()
    def predict(photograph: Packed) -> Tensor:
        L, _ = lab.normalize(photograph.lab())
        return model(L.to(device), photograph.embedding(device=device))

    return predict


def constant(ab: Tensor) -> Callable[[Packed], Tensor]:
    """One colour everywhere, ab (2,) in [-1, 1], as the `predict` of `scores`."""
    return lambda photograph: ab.view(1, 2, 1, 1).expand(1, 2, photograph.size, photograph.size)


def rmse_in_lab(mse: float) -> float:
    """The root mean squared error of a and b in Lab units, from the loss of section 4.2.

    Args:
        mse: the mean over a, b and all pixels of the squared error of ab / 128.
    """
    return math.sqrt(mse) * lab.AB_SCALE


_mean_colours: dict[str, Tensor] = {}
_trivial_losses: dict[tuple[str, str], dict[str, float]] = {}
"""Computed once a process for the same photographs: `Packed.pixels_key` -> result."""


def mean_colour(photographs: Packed) -> Tensor:
    """The mean of ab / 128 over all pixels, shape (2,), in [-1, 1].

    Computed once a process for the same photographs, with any prior or none.
    """
    key = photographs.pixels_key
    if key not in _mean_colours:
        means = (ab.mean(dim=(1, 2)) for ab in _each_ab(photographs))
        _mean_colours[key] = sum(means, start=torch.zeros(2)) / len(photographs)
    return _mean_colours[key].clone()


def trivial_baselines(train: Packed, photographs: Packed) -> dict[str, float]:
    """The loss (section 4.2) of the two predictions that look at no photograph.

    A network that has learned anything beats both. Computed once a process for
    the same photographs, with any prior or none.

    Args:
        train: the training photographs.
        photographs: those to predict, such as the validation photographs.

    Returns:
        "gray": with ab = 0 everywhere; "mean colour": with the training
        photographs' mean ab everywhere.
    """
    key = (train.pixels_key, photographs.pixels_key)
    if key not in _trivial_losses:
        constants = {"gray": torch.zeros(2), "mean colour": mean_colour(train)}
        losses = dict.fromkeys(constants, 0.0)
        for true in _each_ab(photographs):
            for name, ab in constants.items():
                losses[name] += F.mse_loss(ab[:, None, None].expand_as(true), true).item()
        _trivial_losses[key] = {name: loss / len(photographs) for name, loss in losses.items()}
    return dict(_trivial_losses[key])


def _each_ab(photographs: Packed) -> Iterator[Tensor]:
    """ab / 128 of one photograph after the other, (2, H, W)."""
    for i in range(len(photographs)):
        yield lab.normalize(photographs.lab([i]))[1][0]


def _numpy(photo: Tensor) -> np.ndarray:
    return photo.double().numpy()


def _shown(photo: Tensor) -> np.ndarray:
    """sRGB in [0, 1], (H, W, 3), clipped to what a screen shows."""
    return _numpy(lab.lab_to_rgb(photo)).transpose(1, 2, 0)
