import numpy as np
import pytest
import torch
from skimage.color import lab2rgb, rgb2lab

from colorlib import data
from colorlib.lab import denormalize, lab_to_rgb, normalize, rgb_to_lab


def srgb_grid(steps: int = 52) -> torch.Tensor:
    """All combinations of evenly spaced channel values, as an image (3, steps**3, 1)."""
    values = torch.linspace(0, 1, steps, dtype=torch.float64)
    return torch.cartesian_prod(values, values, values).T[:, :, None]


@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 1e-3), (torch.float64, 1e-3)])
def test_agrees_with_scikit_image_over_the_srgb_cube(dtype, tolerance):
    rgb = srgb_grid()
    expected = rgb2lab(rgb.numpy(), channel_axis=0)
    found = rgb_to_lab(rgb.to(dtype))
    assert found.dtype == dtype
    assert np.abs(found.numpy() - expected).max() < tolerance


def test_agrees_with_scikit_image_on_photographs():
    rgb = data.pack(data.photos("samples", "val"), 64).rgb().float() / 255
    expected = rgb2lab(rgb.double().numpy(), channel_axis=1)
    assert np.abs(rgb_to_lab(rgb).numpy() - expected).max() < 1e-3


def test_back_to_rgb_agrees_with_scikit_image():
    lab = rgb2lab(srgb_grid(20).numpy(), channel_axis=0)
    expected = lab2rgb(lab, channel_axis=0)
    assert np.abs(lab_to_rgb(torch.from_numpy(lab)).numpy() - expected).max() < 1e-3


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_round_trip(dtype):
    rgb = srgb_grid().to(dtype)
    assert (lab_to_rgb(rgb_to_lab(rgb)) - rgb).abs().max() < 1e-4


@pytest.mark.parametrize(
    "rgb, lab",  # CIE values of the sRGB primaries, to the digits usually printed
    [
        ((1, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 1, 0), (87.73, -86.18, 83.18)),
        ((0, 0, 1), (32.30, 79.19, -107.86)),
        ((0, 0, 0), (0, 0, 0)),
        ((1, 1, 1), (100, 0, 0)),
    ],
)
def test_known_colours(rgb, lab):
    found = rgb_to_lab(torch.tensor(rgb, dtype=torch.float64).view(3, 1, 1)).flatten()
    assert torch.allclose(found, torch.tensor(lab, dtype=torch.float64), atol=0.01)


def test_any_leading_dimensions():
    rgb = torch.rand(2, 4, 3, 5, 6)
    lab = rgb_to_lab(rgb)
    assert lab.shape == rgb.shape
    assert torch.allclose(lab[1, 2], rgb_to_lab(rgb[1, 2]), atol=1e-4)
    assert lab_to_rgb(lab).shape == rgb.shape


def test_gradients_are_right():
    rgb = torch.rand(3, 2, 2, dtype=torch.float64) * 0.8 + 0.1
    assert torch.autograd.gradcheck(rgb_to_lab, rgb.requires_grad_())
    assert torch.autograd.gradcheck(lab_to_rgb, rgb_to_lab(rgb.detach()).requires_grad_())


@pytest.mark.parametrize("level", [0.0, 1.0, 0.04045])
def test_gradients_are_finite_at_the_ends(level):
    rgb = torch.full((3, 1, 1), level, requires_grad=True)
    rgb_to_lab(rgb).sum().backward()
    assert rgb.grad.isfinite().all() and rgb.grad.abs().max() > 0
    lab = rgb_to_lab(torch.full((3, 1, 1), level)).requires_grad_()
    lab_to_rgb(lab).sum().backward()
    assert lab.grad.isfinite().all()


def test_colours_outside_srgb_are_clipped():
    rgb = lab_to_rgb(torch.tensor([50.0, 120.0, -120.0]).view(3, 1, 1))
    assert rgb.min() >= 0 and rgb.max() <= 1


@pytest.mark.parametrize("convert", [rgb_to_lab, lab_to_rgb])
def test_bad_input_is_refused(convert):
    with pytest.raises(ValueError, match=r"shape \(\.\.\., 3, H, W\), not \(4, 2, 2\)"):
        convert(torch.zeros(4, 2, 2))
    with pytest.raises(ValueError, match="shape"):
        convert(torch.zeros(3, 2))
    for dtype in (torch.uint8, torch.int64, torch.float16):
        with pytest.raises(TypeError, match="float32 or float64"):
            convert(torch.zeros(3, 2, 2, dtype=dtype))


def test_normalize_and_back():
    lab = torch.tensor([[0.0, -128, 64], [100, 128, -64]]).view(2, 3, 1, 1)
    L, ab = normalize(lab)
    assert L.flatten().tolist() == [-1, 1]
    assert ab.flatten(1).tolist() == [[-1, 0.5], [1, -0.5]]
    assert torch.equal(denormalize(L, ab), lab)
