import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from colorlib import lab, metrics, networks
from colorlib.data import Packed


def packed(*colours) -> Packed:
    """One evenly coloured photograph (R, G, B in 0..255) for each argument."""
    pixels = np.array(colours, np.uint8)[:, None, None].repeat(8, 1).repeat(8, 2)
    return Packed(pixels, tuple(map(str, colours)), str(colours), np.arange(len(pixels)))


def test_rmse_in_lab_by_hand():
    error = torch.tensor([3.0, -4.0]) / 128
    assert metrics.rmse_in_lab(error.pow(2).mean().item()) == pytest.approx((12.5) ** 0.5)


def test_mean_colour_is_the_mean_of_ab():
    photographs = packed((255, 0, 0), (255, 255, 255))
    red = torch.tensor([80.09, 67.20])
    assert torch.allclose(metrics.mean_colour(photographs) * 128, red / 2, atol=0.02)


def test_gray_is_wrong_by_the_chroma_and_the_mean_is_right_about_one_colour():
    rows = metrics.trivial_baselines(packed((255, 0, 0)), packed((255, 0, 0)))
    assert rows["gray"] == pytest.approx((80.09**2 + 67.20**2) / 2 / 128**2, rel=1e-3)
    assert rows["mean colour"] == pytest.approx(0, abs=1e-9)


def test_the_mean_comes_from_the_training_photographs():
    red, blue = packed((255, 0, 0)), packed((0, 0, 255))
    rows = metrics.trivial_baselines(red, blue)
    ab = [lab.normalize(photographs.lab())[1] for photographs in (red, blue)]
    assert rows["mean colour"] == pytest.approx(F.mse_loss(*ab).item(), rel=1e-5)


def test_trivial_baselines_are_computed_once_for_the_same_photographs(monkeypatch):
    train, test = packed((10, 20, 200)), packed((200, 10, 20), (10, 200, 20))
    once = dict(metrics.trivial_baselines(train, test)), metrics.mean_colour(train).clone()
    converted = []
    convert = Packed.lab
    monkeypatch.setattr(Packed, "lab", lambda *args: converted.append(1) or convert(*args))
    again = packed((10, 20, 200)), packed((200, 10, 20), (10, 200, 20))
    assert metrics.trivial_baselines(*again) == once[0]
    assert torch.equal(metrics.mean_colour(again[0]), once[1]) and not converted
    # Other photographs, or the same in another role, are others.
    assert metrics.trivial_baselines(test, train) != once[0]
    assert metrics.trivial_baselines(train, test.select([1])) != once[0]
    assert not torch.equal(metrics.mean_colour(test.select([1])), metrics.mean_colour(test))
    assert converted
    # What a caller does to its copy does not reach the next one.
    metrics.mean_colour(train).zero_()
    metrics.trivial_baselines(train, test).clear()
    assert torch.equal(metrics.mean_colour(train), once[1])
    assert metrics.trivial_baselines(train, test) == once[0]


def test_what_a_prior_makes_of_photographs_is_no_matter_to_the_trivial_baselines(monkeypatch):
    train, test = packed((10, 200, 200), (40, 30, 20)), packed((200, 210, 20), (10, 210, 20))
    once = metrics.trivial_baselines(train.select([1, 0]), test.mirrored())
    turned = metrics.trivial_baselines(train, test.upside_down())
    converted = []
    convert = Packed.lab
    monkeypatch.setattr(Packed, "lab", lambda *args: converted.append(1) or convert(*args))
    ones = np.ones((2, 3), np.float32)
    one, other = (pack.with_embeddings(ones, ones) for pack in (train, test))
    assert one.key != train.key and one.pixels_key == train.pixels_key
    assert metrics.trivial_baselines(one.select([1, 0]), other.mirrored()) == once
    assert metrics.trivial_baselines(one, other.upside_down(other.embeddings)) == turned
    assert not converted
    keys = {pack.pixels_key for pack in (
        one, one.select([0]), one.select([1, 0]), one.mirrored(), one.upside_down(), other,
    )}
    assert len(keys) == 6


# One photograph each, golden values by hand or from the papers ---------------


def flat(L: float, a: float, b: float, side: int = 16) -> torch.Tensor:
    return torch.tensor([L, a, b], dtype=torch.float32).view(3, 1, 1).expand(3, side, side)


def test_ab_mse_and_psnr_by_hand():
    predicted, true = flat(50, 3, 0), flat(50, 0, 4)
    assert metrics.ab_mse(predicted, true) == pytest.approx(12.5 / 128**2)
    assert metrics.psnr_ab(predicted, true) == pytest.approx(10 * math.log10(256**2 / 12.5))
    rgb = [lab.lab_to_rgb(photo.double())[:, 0, 0] for photo in (predicted, true)]
    error = (rgb[0] - rgb[1]).pow(2).mean().item()
    assert metrics.psnr_rgb(predicted, true) == pytest.approx(-10 * math.log10(error), rel=1e-4)


def test_delta_e_of_a_published_pair():
    # Sharma, Wu and Dalal 2005, table 1, pairs 1 and 25.
    one = metrics.delta_e(flat(50, 2.6772, -79.7751), flat(50, 0, -82.7485))
    other = metrics.delta_e(flat(60.2574, -34.0099, 36.2677), flat(60.4626, -34.1751, 39.4387))
    assert one == pytest.approx(2.0425, abs=1e-4)
    assert other == pytest.approx(1.2644, abs=1e-4)


def test_colourfulness_of_two_halves_by_hand():
    rgb = torch.zeros(3, 16, 16)
    rgb[0, :8], rgb[2, 8:] = 1, 1  # red above, blue below
    spread = math.hypot(127.5, (127.5 + 255) / 2)  # of R - G, and of (R + G) / 2 - B
    mean = math.hypot(127.5, (127.5 - 255) / 2)
    found = metrics.colourfulness(lab.rgb_to_lab(rgb))
    assert found == pytest.approx(spread + 0.3 * mean, rel=1e-3)
    assert metrics.colourfulness(flat(50, 0, 0)) == pytest.approx(0, abs=0.1)


def test_chroma_ratio_is_one_for_the_photograph_and_half_for_half_the_chroma():
    true = flat(50, 30, -40)
    half = true * torch.tensor([1, 0.5, 0.5]).view(3, 1, 1)
    assert metrics.chroma_ratio(true, true) == 1
    assert metrics.chroma_ratio(half, true) == pytest.approx(0.5)
    assert metrics.chroma_ratio(flat(50, 0, 0), true) == 0
    assert math.isnan(metrics.chroma_ratio(true, flat(50, 0.1, 0)))


def test_ssim_is_one_for_the_photograph_and_falls_with_noise():
    true = lab.rgb_to_lab(torch.rand(3, 32, 32, generator=torch.manual_seed(0)))
    assert metrics.ssim_rgb(true, true) == pytest.approx(1)
    noisy = true.clone()
    noisy[1:] += 40 * torch.randn(2, 32, 32)
    assert metrics.ssim_rgb(noisy, true) < 0.95


def test_scores_judge_every_photograph_by_every_metric(toy_photographs):
    torch.manual_seed(0)
    network = networks.build("baseline", width=0.125)
    found = metrics.scores(metrics.network(network), toy_photographs)
    assert list(found) == list(metrics.METRICS)
    assert all(len(values) == len(toy_photographs) for values in found.values())
    gray = metrics.scores(metrics.constant(torch.zeros(2)), toy_photographs)
    assert gray["chroma_ratio"] == [0] * len(toy_photographs)
    rows = metrics.trivial_baselines(toy_photographs, toy_photographs)
    assert np.mean(gray["ab_mse"]) == pytest.approx(rows["gray"], rel=1e-4)


def test_scores_can_be_fewer(toy_photographs):
    flat = metrics.constant(torch.zeros(2))
    assert list(metrics.scores(flat, toy_photographs, ["chroma_ratio"])) == ["chroma_ratio"]


@pytest.mark.parametrize(
    ("alpha", "wanted"),
    [
        ([[0.25] * 4] * 4, (0, 0)),  # uniform
        ([[1.0, 0, 0, 0]] * 4, (0.75, 0)),  # all positions attend to the first
        (torch.eye(4).tolist(), (0.75, 0.75)),  # each to itself
    ],
)
def test_attention_distance_by_hand(alpha, wanted):
    class Attends(torch.nn.Module):
        def attended(self, L, embedding):
            return torch.tensor([alpha])

    found = metrics.attention_distance(Attends(), packed((255, 0, 0), (0, 0, 255)))
    assert (found["from_uniform"], found["between_positions"]) == pytest.approx(wanted)
