"""A photograph of any size in, a colour photograph of the same size out.

The network is given the photograph small. The ab that it predicts is upsampled
to the photograph's own size, along the edges of its lightness, and joined to
its own L.
"""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from colorlib import files, lab
from colorlib.base.errors import ColorlibError
from colorlib.networks import STRIDE, Colorizer, Inputs
from colorlib.tool import zoo

GUIDED = 256
"""Upsampling along edges ends where the shorter side has so many pixels, or twice the working
size, if that is more. From there a plain enlargement goes on, with the same error (`benchmarks/
README.md`), so that a large photograph does not take much longer."""

_LONGEST = 4  # times the shorter side: a longer photograph is squeezed to that
_STRIP = 1 << 18  # pixels that are worked on at once in full size

Photograph = Image.Image | np.ndarray | str | Path
"""What can be colorized; see `colorize`."""


class Pipeline:
    """Weights made ready to colorize one photograph after the other.

    Args:
        weights: as for `zoo.find`: a name of the library's own, a file, or a run folder.
        device: "cpu", "cuda", ...

    Raises:
        ColorlibError: no such weights, damaged or foreign ones; an OpenCV
            without its contributed modules.
    """

    def __init__(self, weights: str | Path = zoo.DEFAULT, device: str | torch.device = "cpu"):
        _joint_bilateral_filter()  # its lack is better noticed before the first photograph
        self.device = torch.device(device)
        pretrained = zoo.load(weights)
        self.model, self.size = pretrained.model.to(device), pretrained.size
        prior = pretrained.prior()
        self.prior = prior and prior.to(self.device)

    def __call__(
        self, image: Photograph, working_size: int | None = None, strength: float = 1.0
    ) -> Image.Image:
        """Colorize one photograph; arguments, result and errors as in `colorize`."""
        size = self.size if working_size is None else working_size
        check_options(size, strength)
        photo = _image(image)
        rgb = files.upright(photo)
        gray = _gray(rgb)
        guided = max(GUIDED, 2 * size)
        scale = min(1.0, guided / min(rgb.size))
        sides = [min(_LONGEST * guided, max(1, round(side * scale))) for side in rgb.size]
        reduced = gray.resize(sides, _BICUBIC)
        L = _lightness(reduced)[None, None]
        with torch.inference_mode():
            embedding = self.prior(_middle(L).to(self.device)) if self.prior else None
        ab = strength * predict(self.model, L, size, self.device, embedding)
        colorized = _join(rgb, ab[0].numpy())
        if (alpha := files.alpha(photo)) is not None:
            colorized.putalpha(alpha)
        colorized.info.update(files.about(photo))
        return colorized


def _image(given: Photograph) -> Image.Image:
    """Whatever stands for a photograph, as an image."""
    if isinstance(given, Image.Image):
        return given
    if isinstance(given, str | Path):
        return files.read(given)
    if isinstance(given, np.ndarray):
        return _from_array(given)
    raise TypeError(
        "a photograph must be a PIL image, a numpy array or the path of a file, "
        f"not {type(given).__name__}"
    )


def _from_array(pixels: np.ndarray) -> Image.Image:
    """An 8-bit image from an array, whose numbers mean what `files.eight_bits` says."""
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.ndim != 3 or pixels.shape[-1] not in (1, 3, 4) or not pixels.size:
        raise ValueError(
            "an array must have shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), "
            f"not {pixels.shape}"
        )
    H, W, channels = pixels.shape
    if pixels.dtype != np.uint8:
        kinds = {"b": np.float32, "f": np.float32, "i": np.int32, "u": np.int32}
        if pixels.dtype.kind not in kinds:
            raise TypeError(f"an array must hold numbers, not {pixels.dtype}")
        if pixels.dtype.kind in "iu" and not -(2**31) <= pixels.min() <= pixels.max() < 2**31:
            raise ValueError("an array must hold integers of at most 31 bits")
        kind = np.uint16 if pixels.dtype == np.uint16 else kinds[pixels.dtype.kind]
        flat = np.ascontiguousarray(pixels.reshape(H, W * channels), kind)
        pixels = np.asarray(files.eight_bits(Image.fromarray(flat))).reshape(H, W, channels)
    return Image.fromarray(np.ascontiguousarray(pixels[..., 0] if channels == 1 else pixels))


def _middle(L: Tensor) -> Tensor:
    """The middle square of (B, 1, H, W): what a prior was given of a photograph in training."""
    H, W = L.shape[-2:]
    side = min(H, W)
    y, x = (H - side) // 2, (W - side) // 2
    return L[..., y : y + side, x : x + side]


def colorize(
    image: Photograph,
    weights: str | Path = zoo.DEFAULT,
    working_size: int | None = None,
    device: str | torch.device = "cpu",
    strength: float = 1.0,
) -> Image.Image:
    """Colorize one photograph; of a colour photograph only the lightness is used.

    For many photographs, make one `Pipeline`.

    Args:
        image: a file's path; any PIL image: 8 or 16 bits, gray, palette, RGB,
            CMYK, with alpha; or a numpy array (H, W), (H, W, 1), (H, W, 3) in
            RGB or (H, W, 4) in RGBA. An array holds 0..255 as uint8, 0..65535
            as uint16 or 0..1 as floats; how numbers that evidently have
            another range are scaled, all channels alike, says `files.eight_bits`.
        weights: a name of the library's own, a file, or a run folder.
        working_size: what the network is given, as the photograph's shorter
            side in pixels; by default the size the weights were trained at.
        device: "cpu", "cuda", ...
        strength: factor on the chroma: 0 for gray, 1 as predicted, 2 for twice as colourful.

    Returns:
        An RGB image of the same size, upright (EXIF orientation applied); RGBA
        if the image has alpha. Its L is the photograph's own, up to rounding
        and to colours that a screen cannot show. EXIF, resolution and an RGB
        profile are in its `info`, from where `files.save` takes them.

    Raises:
        ColorlibError: a file that cannot be read, no such weights, a working
            size below 8, a strength below 0.
        TypeError: something else than a photograph, or an array of no numbers.
        ValueError: an array of another shape, or of integers of more than 31 bits.
    """
    return Pipeline(weights, device)(image, working_size, strength)


@torch.no_grad()
def predict(
    model: Colorizer,
    L: Tensor,
    working_size: int,
    device: str | torch.device = "cpu",
    embedding: Tensor | None = None,
) -> Tensor:
    """Predict ab at a working size and upsample it to the size of L.

    The mean of what the network predicts for the photograph and for its mirror image, with the
    same embedding: `benchmarks/README.md` tells what that gains.

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
    # As photographs are packed for training: softer ones are predicted worse.
    small = F.interpolate(L, size, mode="bicubic", antialias=True).clamp(-1, 1)
    both = Inputs(small, None if embedding is None else embedding.cpu()).with_mirror_images()
    ab, mirrored = model.to(device)(both.to(device)).float().cpu().chunk(2)
    return upsample((ab + mirrored.flip(-1)) / 2, L)


def upsample(ab: Tensor, L: Tensor) -> Tensor:
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

    Raises:
        ColorlibError: an OpenCV without its contributed modules.
    """
    H, W = L.shape[-2:]
    large = F.interpolate(ab, (H, W), mode="bicubic").clamp(-1, 1)
    reach = 1.5 * min(H / ab.shape[-2], W / ab.shape[-1])
    if reach <= 1.5:
        return large
    joint_bilateral_filter = _joint_bilateral_filter()
    upsampled = []
    for colours, lightness in zip(large, (L + 1) / 2, strict=True):
        guide = lightness[0].numpy()
        # The filter wants one or three channels.
        source = np.dstack((*colours.numpy(), np.zeros_like(guide)))
        found = joint_bilateral_filter(guide, source, 2 * round(2 * reach) + 1, 0.025, reach)
        upsampled.append(torch.from_numpy(found[..., :2].copy()).permute(2, 0, 1))
    return torch.stack(upsampled)


def _joint_bilateral_filter() -> Callable:
    """OpenCV's, which is among its contributed modules.

    Raises:
        ColorlibError: this OpenCV has none; packages of several kinds of it overwrite each other.
    """
    try:
        return cv2.ximgproc.jointBilateralFilter
    except AttributeError as error:
        raise ColorlibError(
            "the OpenCV installed here lacks its contributed modules: "
            "pip install --force-reinstall opencv-contrib-python-headless"
        ) from error


def check_options(working_size: int | None, strength: float = 1.0) -> None:
    """Refuse a working size or a strength that makes no sense.

    Raises:
        ColorlibError: a working size below 8, a strength that is no number from 0 up.
    """
    if working_size is not None and working_size < STRIDE:
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
    colorized = Image.new("RGB", photo.size)
    h, w = ab.shape[1:]
    planes = [Image.fromarray(np.ascontiguousarray(plane)) for plane in ab]
    for top, bottom in _strips(photo):
        part = _rows(photo, top, bottom)
        box = (0, top * h / photo.height, w, bottom * h / photo.height)
        for channel, plane in zip(part[1:], planes, strict=True):
            enlarged = plane.resize((photo.width, bottom - top), _BILINEAR, box)
            channel.copy_(torch.from_numpy(np.array(enlarged)) * lab.AB_SCALE)
        rgb = (lab.lab_to_rgb(part) * 255).round().byte().permute(1, 2, 0).contiguous()
        colorized.paste(Image.fromarray(rgb.numpy()), (0, top))
    return colorized
