"""A photograph of any size in, a colour photograph of the same size out.

The network sees the photograph small; what it predicts is lifted to the
photograph's own size along the edges of its lightness, and joined to its own L.
"""

from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from colorlib import files, lab, zoo
from colorlib.errors import ColorlibError
from colorlib.models import STRIDE, Colorizer, load_weights, read_about
from colorlib.priors import Prior

# The lift along edges ends at this many times the working size, the rest is a
# plain enlargement: so that a large photograph costs the network's share no more.
_LIFT = 4
_LONGEST = 4  # times the working size: a longer photograph is squeezed to that
_STRIP = 1 << 20  # pixels that are worked on at once in full size


class Painter:
    """Weights made ready to colorize one photograph after the other.

    Args:
        weights: the name of the library's own weights or a file of `models.save_weights`.
        device: "cpu", "cuda", ...

    Raises:
        ColorlibError: no such weights, damaged or foreign ones.
    """

    def __init__(self, weights: str | Path = zoo.DEFAULT, device: str | torch.device = "cpu"):
        path = zoo.find(weights)
        self.device = torch.device(device)
        self.model, about = load_weights(path).to(device), read_about(path)
        self.size = about.get("size", 256)
        prior = prior_of(self.model, about, path)
        self.prior = prior and prior.to(self.device)

    def __call__(
        self, image: Image.Image, working_size: int | None = None, strength: float = 1.0
    ) -> Image.Image:
        """Colorize one photograph; arguments, result and errors as in `colorize`."""
        size = self.size if working_size is None else working_size
        check_options(size, strength)
        photo = files.upright(image)
        gray = _gray(photo)
        scale = min(1.0, _LIFT * size / min(photo.size))
        most = _LIFT * _LONGEST * size
        sides = [min(most, max(1, round(side * scale))) for side in photo.size]
        reduced = gray.resize(sides, _BICUBIC)
        L = _lightness(reduced)[None, None]
        with torch.inference_mode():
            seen = self.prior(_middle(L).to(self.device)) if self.prior else None
        ab = strength * predict(self.model, L, size, self.device, seen)
        painted = _join(photo, ab[0].numpy())
        if (alpha := files.alpha(image)) is not None:
            painted.putalpha(alpha)
        painted.info = files.about(image)
        return painted


def _middle(L: Tensor) -> Tensor:
    """The middle square of (B, 1, H, W): what a prior has seen of a photograph in training."""
    H, W = L.shape[-2:]
    side = min(H, W)
    y, x = (H - side) // 2, (W - side) // 2
    return L[..., y : y + side, x : x + side]


def prior_of(model: Colorizer, about: dict, path: Path) -> Prior | None:
    """The global prior with which a network was trained, by what its weights say; None if none.

    Raises:
        ColorlibError: it has one, and its weights do not say which.
    """
    if not model.config.embedding:
        return None
    if not about.get("prior"):
        raise ColorlibError(f"{path} does not say with which prior it was trained")
    return Prior(**about["prior"])


def colorize(
    image: Image.Image,
    weights: str | Path = zoo.DEFAULT,
    working_size: int | None = None,
    device: str | torch.device = "cpu",
    strength: float = 1.0,
) -> Image.Image:
    """Colorize one photograph; of a colour photograph only the lightness is used.

    For many photographs, make one `Painter`.

    Args:
        image: any PIL image: 8 or 16 bits, gray, palette, RGB, CMYK, with alpha.
        weights: the name of the library's own weights or a file of `models.save_weights`.
        working_size: what the network sees, as the photograph's shorter side
            in pixels; by default the size the weights were trained at.
        device: "cpu", "cuda", ...
        strength: factor on the chroma: 0 for gray, 1 as predicted, 2 for twice as colourful.

    Returns:
        An RGB image of the same size, upright (EXIF orientation applied); RGBA
        if the image has alpha. Its L is the photograph's own, up to rounding
        and to colours that a screen cannot show. EXIF, resolution and an RGB
        profile are in its `info`, from where `files.save` takes them.

    Raises:
        ColorlibError: no such weights, a working size below 8, a strength below 0.
    """
    return Painter(weights, device)(image, working_size, strength)


@torch.no_grad()
def predict(
    model: Colorizer,
    L: Tensor,
    working_size: int,
    device: str | torch.device = "cpu",
    embedding: Tensor | None = None,
) -> Tensor:
    """Predict ab at a working size and lift it to the size of L.

    Args:
        model: the network, in evaluation mode.
        L: (B, 1, H, W) in [-1, 1].
        working_size: what H or W, whichever is shorter, is resized to; the
            longer side to four times that at most.
        device: where the network runs.
        embedding: (B, E), for a network with a global prior.

    Returns:
        ab: (B, 2, H, W) in [-1, 1], on the CPU.

    Raises:
        ColorlibError: a working size below 8.
    """
    check_options(working_size)
    H, W = L.shape[-2:]
    scale = working_size / min(H, W)
    size = [max(STRIDE, min(_LONGEST * working_size, round(side * scale))) for side in (H, W)]
    small = F.interpolate(L, size, mode="bilinear", antialias=True).clamp(-1, 1)
    if embedding is not None:
        embedding = embedding.to(device)
    ab = model.to(device)(small.to(device), embedding).float().cpu()
    return lift(ab, L)


def lift(ab: Tensor, L: Tensor) -> Tensor:
    """Enlarge ab to the size of L, so that colours end where the lightness has an edge.

    Joint bilateral upsampling: bicubic, then OpenCV's filter (Petschnigg et al. 2004):
    each pixel takes the mean of the colours around it, of those with nearly
    its own lightness. Reach (1.5 pixels of the small ab) and tolerance (2.5
    units of L) gave predictions the lowest error on training and validation photographs.

    Args:
        ab: (B, 2, h, w) in [-1, 1].
        L: (B, 1, H, W) in [-1, 1].

    Returns:
        (B, 2, H, W) in [-1, 1].
    """
    H, W = L.shape[-2:]
    large = F.interpolate(ab, (H, W), mode="bicubic").clamp(-1, 1)
    reach = 1.5 * min(H / ab.shape[-2], W / ab.shape[-1])
    if reach <= 1.5:
        return large
    lifted = []
    for colours, lightness in zip(large, (L + 1) / 2, strict=True):
        guide = lightness[0].numpy()
        # The filter wants one or three channels.
        source = np.dstack((*colours.numpy(), np.zeros_like(guide)))
        found = cv2.ximgproc.jointBilateralFilter(
            guide, source, 2 * round(2 * reach) + 1, 0.025, reach
        )
        lifted.append(torch.from_numpy(found[..., :2].copy()).permute(2, 0, 1))
    return torch.stack(lifted)


def check_options(working_size: int, strength: float = 1.0) -> None:
    """Refuse a working size or a strength that makes no sense.

    Raises:
        ColorlibError: a working size below 8, a strength that is no number from 0 up.
    """
    if working_size < STRIDE:
        raise ColorlibError(f"the working size must be at least {STRIDE}, not {working_size}")
    if not 0 <= strength < float("inf"):
        raise ColorlibError(f"the strength must be a number from 0 up, not {strength}")


_BICUBIC, _BILINEAR = Image.Resampling.BICUBIC, Image.Resampling.BILINEAR


def _strips(image: Image.Image) -> list[tuple[int, int]]:
    """First row and the one after the last of parts that fit into memory many times."""
    rows = max(1, _STRIP // image.width)
    return [(y, min(y + rows, image.height)) for y in range(0, image.height, rows)]


def _rows(photo: Image.Image, top: int, bottom: int) -> Tensor:
    """Some rows of an RGB image as Lab, (3, rows, W)."""
    rgb = np.array(photo.crop((0, top, photo.width, bottom)))
    return lab.rgb_to_lab(torch.from_numpy(rgb).permute(2, 0, 1).float() / 255)


def _gray(photo: Image.Image) -> Image.Image:
    """A photograph without its colours: 8-bit gray with the same L."""
    gray = Image.new("L", photo.size)
    for top, bottom in _strips(photo):
        part = _rows(photo, top, bottom)
        part[1:] = 0
        value = lab.lab_to_rgb(part)[0]
        gray.paste(Image.fromarray((value * 255).round().byte().numpy()), (0, top))
    return gray


def _lightness(gray: Image.Image) -> Tensor:
    """L of a gray image, (H, W) in [-1, 1]."""
    value = torch.from_numpy(np.array(gray)).float() / 255
    return lab.normalize(lab.rgb_to_lab(value.expand(3, -1, -1)))[0][0]


def _join(photo: Image.Image, ab: np.ndarray) -> Image.Image:
    """The photograph's own L with ab (2, h, w) in [-1, 1], enlarged: an RGB image."""
    painted = Image.new("RGB", photo.size)
    h, w = ab.shape[1:]
    planes = [Image.fromarray(np.ascontiguousarray(plane)) for plane in ab]
    for top, bottom in _strips(photo):
        part = _rows(photo, top, bottom)
        box = (0, top * h / photo.height, w, bottom * h / photo.height)
        for channel, plane in zip(part[1:], planes, strict=True):
            enlarged = plane.resize((photo.width, bottom - top), _BILINEAR, box)
            channel.copy_(torch.from_numpy(np.array(enlarged)) * lab.AB_SCALE)
        rgb = (lab.lab_to_rgb(part) * 255).round().byte().permute(1, 2, 0).contiguous()
        painted.paste(Image.fromarray(rgb.numpy()), (0, top))
    return painted
