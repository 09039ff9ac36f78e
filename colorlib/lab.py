"""sRGB to CIE L*a*b* and back, in torch: batched, differentiable, on any device.

Paper, sections 1 and 3.1: the network reads the lightness L and predicts the
two colour channels a and b. Constants are those of IEC 61966-2-1 (sRGB) and
CIE 15 (L*a*b*, D65, 2 degree observer), to the digits that scikit-image uses,
so that both libraries agree.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

# Rows give X, Y, Z from linear R, G, B (ITU-R BT.709 primaries, D65).
_XYZ_FROM_RGB = (
    (0.412453, 0.357580, 0.180423),
    (0.212671, 0.715160, 0.072169),
    (0.019334, 0.119193, 0.950227),
)
_RGB_FROM_XYZ = torch.linalg.inv(torch.tensor(_XYZ_FROM_RGB, dtype=torch.float64)).tolist()
_WHITE = (0.95047, 1.0, 1.08883)

_EPSILON = (6 / 29) ** 3  # below it the cube root gives way to a straight line
_SLOPE = (29 / 6) ** 2 / 3  # of that line

AB_SCALE = 128.0
"""What the network's output in [-1, 1] is multiplied by (paper, section 3.1)."""


def rgb_to_lab(rgb: Tensor) -> Tensor:
    """Convert sRGB to CIE L*a*b*.

    Args:
        rgb: float32 or float64, shape (..., 3, H, W), gamma-encoded sRGB in [0, 1].

    Returns:
        Same shape and dtype. L in [0, 100]; for colours inside the sRGB
        gamut a lies in about [-86, 98] and b in [-108, 94].

    Raises:
        TypeError: not float32 or float64.
        ValueError: not of shape (..., 3, H, W).
    """
    _check(rgb, "rgb")
    linear = _joined(rgb, 0.04045, 1 / 12.92, lambda u: u.add_(0.055).div_(1.055) ** 2.4)
    x, y, z = (
        _joined(channel / white, _EPSILON, _SLOPE, lambda t: t ** (1 / 3))
        for channel, white in zip(_mix(linear.unbind(-3), _XYZ_FROM_RGB), _WHITE, strict=True)
    )
    return torch.stack((116 * y - 16, 500 * (x - y), 200 * (y - z)), dim=-3)


def lab_to_rgb(lab: Tensor) -> Tensor:
    """Convert CIE L*a*b* to sRGB, clipped to the sRGB gamut.

    Args:
        lab: float32 or float64, shape (..., 3, H, W), L in [0, 100].

    Returns:
        Same shape and dtype, gamma-encoded sRGB in [0, 1]. Colours that sRGB
        cannot show are clipped channel by channel (their gradient is zero).

    Raises:
        TypeError: not float32 or float64.
        ValueError: not of shape (..., 3, H, W).
    """
    _check(lab, "lab")
    L, a, b = lab.unbind(dim=-3)
    y = (L + 16) / 116
    xyz = [
        _joined(t, 6 / 29, 1 / _SLOPE, lambda t: t**3) * white
        for t, white in zip((y + a / 500, y, y - b / 200), _WHITE, strict=True)
    ]
    linear = torch.stack(_mix(xyz, _RGB_FROM_XYZ), dim=-3)
    rgb = _joined(linear, 0.0031308, 12.92, lambda u: (u ** (1 / 2.4)).mul_(1.055).sub_(0.055))
    return rgb.clamp(0, 1)


def normalize(lab: Tensor) -> tuple[Tensor, Tensor]:
    """Split Lab into what the network reads and what it should predict.

    Args:
        lab: (..., 3, H, W), L in [0, 100], ab in Lab units.

    Returns:
        L / 50 - 1, shape (..., 1, H, W), and ab / 128, shape (..., 2, H, W),
        both in [-1, 1] (paper, section 3.1).
    """
    return lab[..., :1, :, :] / 50 - 1, lab[..., 1:, :, :] / AB_SCALE


def denormalize(L: Tensor, ab: Tensor) -> Tensor:
    """Join the network's input and output to Lab: the inverse of `normalize`.

    Args:
        L: (..., 1, H, W) in [-1, 1].
        ab: (..., 2, H, W) in [-1, 1].

    Returns:
        (..., 3, H, W), L in [0, 100], ab in Lab units.
    """
    return torch.cat(((L + 1) * 50, ab * AB_SCALE), dim=-3)


def gray(L: Tensor) -> Tensor:
    """sRGB of photographs without their colours: (..., 1, H, W) in [-1, 1] -> (..., 3, H, W)."""
    return lab_to_rgb(denormalize(L, torch.zeros_like(L).expand(*L.shape[:-3], 2, -1, -1)))


# What is written in place below was made a moment before, so gradients do not
# notice; asking for less memory is what makes it faster.


def _mix(channels: Sequence[Tensor], matrix) -> list[Tensor]:
    """Multiply every pixel's three values by a 3x3 matrix, one output channel each.

    Written out, because a matrix product may be run at reduced precision on a GPU.
    """
    c0, c1, c2 = channels
    return [(m0 * c0).add_(c1, alpha=m1).add_(c2, alpha=m2) for m0, m1, m2 in matrix]


def _joined(x: Tensor, knot: float, slope: float, curve: Callable[[Tensor], Tensor]) -> Tensor:
    """A curve above `knot`, and below it the straight line that meets it there.

    The curve never sees what lies below the knot, so that its gradient
    stays finite at zero. It may change its argument.
    """
    above = x.clamp(min=knot)
    return (x - above).mul_(slope).add_(curve(above))


def _check(image: Tensor, name: str) -> None:
    if image.dtype not in (torch.float32, torch.float64):
        raise TypeError(
            f"{name} must be float32 or float64, not {image.dtype} "
            "(divide 8-bit values by 255 first)"
        )
    if image.ndim < 3 or image.shape[-3] != 3:
        raise ValueError(f"{name} must have shape (..., 3, H, W), not {tuple(image.shape)}")
