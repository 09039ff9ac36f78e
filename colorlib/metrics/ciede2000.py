"""The CIEDE2000 colour difference (Sharma, Wu and Dalal 2005), in torch.

Names and numbers of equations are the article's; hues are in radians.
"""

import math

import torch
from torch import Tensor

_25_TO_7 = 25.0**7


def ciede2000(one: Tensor, other: Tensor) -> Tensor:
    """The difference of every pair of colours, with k_L = k_C = k_H = 1.

    Args:
        one, other: Lab, (..., 3, H, W), the same shape; the order of the two is no matter.

    Returns:
        (..., H, W), 0 or more. Has no gradient of use where the colours are the same.
    """
    (L1, a1, b1), (L2, a2, b2) = one.unbind(-3), other.unbind(-3)
    # Equations 2 to 7: chroma and hue, with a stretched near gray.
    mean_C = (torch.hypot(a1, b1) + torch.hypot(a2, b2)) / 2
    stretch = 1.5 - 0.5 * _share(mean_C)
    a1, a2 = stretch * a1, stretch * a2
    C1, C2 = torch.hypot(a1, b1), torch.hypot(a2, b2)
    h1, h2 = (torch.atan2(b, a) % (2 * math.pi) for a, b in ((a1, b1), (a2, b2)))
    # Equations 8 to 11. The hue of gray is 0 there, but it counts for nothing: C1 C2 is 0.
    dL, dC = L2 - L1, C2 - C1
    turn = h2 - h1
    # The shorter way round. Opposite hues stay as they are, whichever way they are rounded.
    turn = torch.where(turn.abs() > math.pi + 1e-12, turn - 2 * math.pi * turn.sign(), turn)
    dH = 2 * (C1 * C2).sqrt() * torch.sin(turn / 2)
    # Equations 12 to 14: the mean hue lies on that way; of a gray and a colour, it is their sum.
    mean_L, mean_C = (L1 + L2) / 2, (C1 + C2) / 2
    mean_h = torch.where(C1 * C2 == 0, h1 + h2, h1 + turn / 2)
    # Equations 15 to 22.
    T = (
        1
        - 0.17 * torch.cos(mean_h - math.radians(30))
        + 0.24 * torch.cos(2 * mean_h)
        + 0.32 * torch.cos(3 * mean_h + math.radians(6))
        - 0.20 * torch.cos(4 * mean_h - math.radians(63))
    )
    degrees = torch.rad2deg(mean_h) % 360
    rotation = math.radians(60) * torch.exp(-(((degrees - 275) / 25) ** 2))
    from_50 = (mean_L - 50) ** 2
    dL = dL / (1 + 0.015 * from_50 / (20 + from_50).sqrt())
    dC = dC / (1 + 0.045 * mean_C)
    dH = dH / (1 + 0.015 * mean_C * T)
    turned = -2 * _share(mean_C) * torch.sin(rotation)
    return (dL**2 + dC**2 + dH**2 + turned * dC * dH).clamp(min=0).sqrt()


def _share(C: Tensor) -> Tensor:
    """sqrt(C^7 / (C^7 + 25^7)), which is 0 for gray and tends to 1."""
    C = C**7
    return (C / (C + _25_TO_7)).sqrt()
