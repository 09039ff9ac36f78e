"""How far a colorization is from the photograph, and from doing nothing at all.

Each metric is computed photo by photo and then averaged. Where scikit-image
has it by its definition, it is scikit-image's.
"""

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from skimage.color import deltaE_ciede2000
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor
from torch.nn import functional as F

from colorlib import lab
from colorlib.data import Packed
from colorlib.models import Colorizer


def ab_mse(predicted: Tensor, true: Tensor) -> float:
    """Mean squared error of ab / 128: the loss of section 4.2. Lower is better.

    Args, here and below:
        predicted: one Lab photograph (3, H, W), with the true one's L.
        true: the photograph itself, (3, H, W).
    """
    return F.mse_loss(predicted[1:] / lab.AB_SCALE, true[1:] / lab.AB_SCALE).item()


def psnr_ab(predicted: Tensor, true: Tensor) -> float:
    """Peak signal-to-noise ratio of ab in dB, for a range of 256 Lab units. Higher is better."""
    return peak_signal_noise_ratio(
        _numpy(true[1:]), _numpy(predicted[1:]), data_range=2 * lab.AB_SCALE
    )


def psnr_rgb(predicted: Tensor, true: Tensor) -> float:
    """Peak signal-to-noise ratio of sRGB in [0, 1], as shown, in dB. Higher is better."""
    return peak_signal_noise_ratio(_shown(true), _shown(predicted), data_range=1)


def ssim_rgb(predicted: Tensor, true: Tensor) -> float:
    """Structural similarity of sRGB (Wang et al. 2004), at most 1. Higher is better.

    Since L is the photograph's own, even gray scores high: compare, do not boast.
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
    """Mean CIEDE2000 colour difference (Sharma et al. 2005), in units of just about visible.

    Lower is better.
    """
    return deltaE_ciede2000(_numpy(true), _numpy(predicted), channel_axis=0).mean().item()


def colourfulness(predicted: Tensor, true: Tensor | None = None) -> float:
    """Colourfulness of sRGB in 0..255 (Hasler and Suesstrunk 2003, M3): 0 for gray.

    Neither high nor low is better; compare it with the photograph's own.
    """
    R, G, B = 255 * np.moveaxis(_shown(predicted), -1, 0)
    rg, yb = R - G, (R + G) / 2 - B
    spread = math.hypot(rg.std(), yb.std())
    return spread + 0.3 * math.hypot(rg.mean(), yb.mean())


def chroma_ratio(predicted: Tensor, true: Tensor) -> float:
    """Mean chroma over the photograph's own: 0 for gray, below 1 for dull, 1 for as colourful.

    NaN for a photograph that is gray itself (a mean chroma below half a Lab unit).
    """
    chroma = [photo[1:].norm(dim=0).mean().item() for photo in (predicted, true)]
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
        predict: one photograph as a `Packed` of length 1 -> ab (1, 2, H, W) in [-1, 1].
        photographs: what to judge by.
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
def looking(
    model: Colorizer, photographs: Packed, device: str | torch.device = "cpu"
) -> dict[str, float]:
    """How selective a network's attention is, and whether positions look at different places.

    Each is a share of attention: how much of it would have to be moved, half
    the sum of absolute differences of the weights alpha, mean over positions
    and photographs; 0 for the same weights, at most 1.

    Returns:
        "from_even": to let all positions count alike; "from_mean": to give
        each position the mean weights of all positions of its photograph.
    """
    model = model.to(device).eval()
    found = []
    for i in range(len(photographs)):
        L, _ = lab.normalize(photographs.lab([i]).to(device))
        alpha = model.attended(L, photographs.embedding([i], device=device))  # (1, T, S)
        others = (1 / alpha.shape[-1], alpha.mean(dim=1, keepdim=True))
        found.append([(alpha - other).abs().sum(dim=-1).mean().item() / 2 for other in others])
    return dict(zip(("from_even", "from_mean"), np.mean(found, axis=0).tolist(), strict=True))


def network(
    model: torch.nn.Module, device: str | torch.device = "cpu"
) -> Callable[[Packed], Tensor]:
    """A trained network as something that `scores` can judge."""
    model = model.to(device).eval()

    @torch.no_grad()
    def predict(photograph: Packed) -> Tensor:
        L, _ = lab.normalize(photograph.lab())
        return model(L.to(device), photograph.embedding(device=device))

    return predict


def constant(ab: Tensor) -> Callable[[Packed], Tensor]:
    """One colour everywhere, ab (2,) in [-1, 1], as something that `scores` can judge."""
    return lambda photograph: ab.view(1, 2, 1, 1).expand(1, 2, photograph.size, photograph.size)


def rmse_in_lab(mse: float) -> float:
    """The typical error of a or b, in Lab units, behind a mean squared error.

    The loss of section 4.2 is the mean over a and b and all pixels of the
    squared error of ab / 128; its root times 128 has the unit of a and b.
    """
    return math.sqrt(mse) * lab.AB_SCALE


def mean_colour(photographs: Packed) -> Tensor:
    """The mean of ab / 128 over all pixels, shape (2,)."""
    means = (ab.mean(dim=(1, 2)) for ab in _each_ab(photographs))
    return sum(means, start=torch.zeros(2)) / len(photographs)


def yardsticks(train: Packed, held_out: Packed) -> dict[str, float]:
    """The held-out loss (section 4.2) of two predictions that look at no photograph.

    Returns:
        "gray": ab = 0 everywhere; "mean colour": the training set's mean ab
        everywhere. A network that has learned anything beats both.
    """
    constants = {"gray": torch.zeros(2), "mean colour": mean_colour(train)}
    return {
        name: sum(
            F.mse_loss(ab[:, None, None].expand_as(true), true).item()
            for true in _each_ab(held_out)
        )
        / len(held_out)
        for name, ab in constants.items()
    }


def _each_ab(photographs: Packed) -> Iterator[Tensor]:
    """ab / 128 of one photograph after the other, (2, H, W)."""
    for i in range(len(photographs)):
        yield lab.normalize(photographs.lab([i]))[1][0]


def _numpy(photo: Tensor) -> np.ndarray:
    return photo.double().numpy()


def _shown(photo: Tensor) -> np.ndarray:
    """sRGB in [0, 1], (H, W, 3), clipped to what a screen shows."""
    return _numpy(lab.lab_to_rgb(photo)).transpose(1, 2, 0)
