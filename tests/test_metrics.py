import numpy as np
import pytest
import torch
from torch.nn import functional as F

from colorlib import lab, metrics
from colorlib.data import Packed


def packed(*colours) -> Packed:
    """One evenly coloured photograph (R, G, B in 0..255) for each argument."""
    pixels = np.array(colours, np.uint8)[:, None, None].repeat(8, 1).repeat(8, 2)
    return Packed(pixels, tuple(map(str, colours)), "key", np.arange(len(pixels)))


def test_rmse_in_lab_by_hand():
    error = torch.tensor([3.0, -4.0]) / 128
    assert metrics.rmse_in_lab(error.pow(2).mean().item()) == pytest.approx((12.5) ** 0.5)


def test_mean_colour_is_the_mean_of_ab():
    photographs = packed((255, 0, 0), (255, 255, 255))
    red = torch.tensor([80.09, 67.20])
    assert torch.allclose(metrics.mean_colour(photographs) * 128, red / 2, atol=0.02)


def test_gray_is_wrong_by_the_chroma_and_the_mean_is_right_about_one_colour():
    rows = metrics.yardsticks(packed((255, 0, 0)), packed((255, 0, 0)))
    assert rows["gray"] == pytest.approx((80.09**2 + 67.20**2) / 2 / 128**2, rel=1e-3)
    assert rows["mean colour"] == pytest.approx(0, abs=1e-9)


def test_the_mean_comes_from_the_training_photographs():
    red, blue = packed((255, 0, 0)), packed((0, 0, 255))
    rows = metrics.yardsticks(red, blue)
    ab = [lab.normalize(photographs.lab())[1] for photographs in (red, blue)]
    assert rows["mean colour"] == pytest.approx(F.mse_loss(*ab).item(), rel=1e-5)
