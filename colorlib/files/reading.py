"""Reading: an image of any kind as 8-bit RGB, upright, and its transparency."""

import io
import os
import re
import warnings
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import cast

import numpy as np
from PIL import Image, ImageCms, ImageOps
from PIL.ExifTags import IFD, Base

from colorlib.base.errors import ColorlibError
from colorlib.files import formats
from colorlib.files.paths import open_file

_TRANSPOSE = dict(zip(range(2, 9), (  # by EXIF orientation; 1 is upright
    Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_180, Image.Transpose.FLIP_TOP_BOTTOM,
    Image.Transpose.TRANSPOSE, Image.Transpose.ROTATE_270, Image.Transpose.TRANSVERSE,
    Image.Transpose.ROTATE_90,
), strict=True))
_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
_SIGNED = 2  # of SampleFormat


def read(path: Path | str) -> Image.Image:
    """An image as its file holds it, decoded; of several frames, the first.

    Raises:
        ColorlibError: no such file, or one that may not be read, is no image,
            is damaged or has more than 179 million pixels (Pillow's limit);
            HEIC without `pillow-heif`.
    """
    path = os.path.expanduser(path)  # a Path takes its time, of which small photographs take little
    ignore_warnings()
    try:
        # Opened here: given a name, Pillow may map a file into memory and garble it when turned.
        with open_file(path) as file:
            without_heic = formats.is_heic(path, file.read(12)) and not formats.register_heic()
            file.seek(0)
            try:
                image = Image.open(file)
            except Image.UnidentifiedImageError:
                if without_heic:
                    raise ColorlibError(f"{path} {formats.NEEDS_PILLOW_HEIF}") from None
                raise
            with image:
                image.load()
                with suppress(Exception):  # damaged EXIF can fail in any way
                    if exif := image.getexif():
                        for part in (IFD.Exif, IFD.GPSInfo):  # while the file is open
                            exif.get_ifd(part)
                return image
    except ColorlibError:
        raise
    except (Image.DecompressionBombError, MemoryError) as error:
        raise ColorlibError(f"{path} has more pixels than can be held in memory") from error
    except Exception as error:  # a damaged file can fail in any way
        raise ColorlibError(f"{path} cannot be read as an image") from error


def upright(image: Image.Image) -> Image.Image:
    """Any PIL image as 8-bit RGB without alpha, turned as its EXIF orientation says.

    Numbers of RGB images stay as they are, so a colour profile still holds.
    Gray and CMYK images become sRGB, by their own profile if they have one.
    Images of more than 8 bits, and of floats, are scaled as `eight_bits` says.
    """
    original, deep = image, _is_deep(image)
    uses_profile = deep or image.mode in ("L", "LA", "CMYK")
    profile = image.info.get("icc_profile") if uses_profile else None
    if deep:  # which convert() would clip
        image = eight_bits(image)
    image = turned(image, original)
    if image.mode == "LA":
        image = image.convert("L")
    if profile:
        try:
            own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(image, own, _SRGB, outputMode="RGB")
            return cast(Image.Image, converted)  # None only if asked to work in place
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass  # a damaged profile, or one for another kind of image, says nothing
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    return image if image.mode == "RGB" else image.convert("RGB")


def square(path: Path | str, size: int) -> np.ndarray:
    """The middle square of a photograph, resized: (S, S, 3) uint8, sRGB.

    Turned upright (EXIF); the shorter side is resized to `size` pixels (bicubic,
    antialiased), the middle cut out.

    Raises:
        ColorlibError: as for `read`.
    """
    rgb = upright(read(path))
    if rgb.size != (size, size):
        rgb = ImageOps.fit(rgb, (size, size), Image.Resampling.BICUBIC)
    return np.asarray(rgb)


def squares(size: int, paths: Sequence[Path | str]) -> tuple[np.ndarray, dict[int, str]]:
    """The squares of several photographs.

    Returns:
        (N, S, S, 3) uint8, and why some cannot be read: position -> sentence; those are black.
    """
    rows, problems = np.zeros((len(paths), size, size, 3), np.uint8), {}
    for i, path in enumerate(paths):
        try:
            rows[i] = square(path, size)
        except ColorlibError as error:
            problems[i] = str(error)
    return rows, problems


def turned(image: Image.Image, of: Image.Image | None = None) -> Image.Image:
    """An image turned as its EXIF orientation (or that of another image) says."""
    of = of or image
    of.load()  # by which Pillow turns a TIFF image, and takes its orientation away
    ignore_warnings()
    try:
        orientation = of.getexif().get(Base.Orientation, 1)
    except Exception:  # damaged EXIF can fail in any way, and then says nothing
        return image
    return image.transpose(_TRANSPOSE[orientation]) if orientation in _TRANSPOSE else image


def alpha(image: Image.Image) -> Image.Image | None:
    """An image's transparency as 8-bit gray, upright; None if it has none."""
    if "A" in image.getbands():
        return turned(image.getchannel("A"), image)
    if _is_deep(image):  # one gray value may be transparent
        clear = image.info.get("transparency")
        if not isinstance(clear, int):
            return None
        opaque = np.where(np.asarray(image) == clear, 0, 255).astype(np.uint8)
        return turned(Image.fromarray(opaque), image)
    if "transparency" in image.info or "a" in image.getbands():
        return turned(image.convert("RGBA").getchannel("A"), image)
    return None


def eight_bits(image: Image.Image) -> Image.Image:
    """A gray image of integers or floats (modes I;16, I and F) as 8-bit gray, mode L.

    Zero is black. Values below it are clipped, and so are those above white,
    which is found so:

    - Floats: 1 if the largest value is at most 2, or if 99 of 100 values above
      zero are at most 1. Else the least of 255, 1023, 4095, 16383 and 65535
      that holds the values. Else the largest value. nan and -inf are black, inf
      is white.
    - Unsigned integers of up to 16 bits: the full scale of the file's bits,
      65535 for 16. So a dark photograph stays dark. Fewer bits stored in 16 are
      taken as such on evidence: a TIFF whose MaxSampleValue is 1023, 4095 or
      16383; or a largest value in the upper quarter of 10 or 12 bits (768 to
      1023, 3072 to 4095), which in 16 bits would be black to the eye.
    - Signed and 32-bit integers, of which no photograph uses all: the least of
      255, 4095 and 65535 (32767 if signed 16-bit) that holds the values. Else
      the full scale of the type.

    A scale holds the values if 99 of 100 values above zero exceed it by at most
    5 per cent, and none by more than 25: resizing overshoots.

    A TIFF whose zero is white (PhotometricInterpretation 0) is inverted after
    that; Pillow does so for 8 bits and fewer only.
    """
    image.load()
    pixels, tags = np.asarray(image), getattr(image, "tag_v2", {})
    if pixels.dtype.kind == "f":
        white = _white_of_floats(pixels)
    else:
        sixteen = image.mode != "I" or image.format in ("PNG", "PPM")
        bits = int(np.max(tags.get(Base.BitsPerSample, 16 if sixteen else 32)))
        signed = _SIGNED in np.atleast_1d(tags.get(Base.SampleFormat, 1))
        signed = signed or (bits > 16 and not tags)
        if bits > 16 and not signed:
            pixels = pixels.view(np.uint32)  # which Pillow reads as if they were signed
        declared = int(np.max(tags.get(Base.MaxSampleValue, 0)))
        white = _white_of_integers(pixels, bits, signed, declared)

    def scaled(values: np.ndarray) -> np.ndarray:
        values = np.nan_to_num(values, nan=0, posinf=white, neginf=0)
        shades = (values * (255 / white)).clip(0, 255).round().astype(np.uint8)
        return 255 - shades if tags.get(Base.PhotometricInterpretation) == 0 else shades

    if pixels.dtype.itemsize == 2:  # a table takes less memory than floats of all pixels
        return Image.fromarray(scaled(np.arange(65536))[pixels])
    shades = scaled(pixels.astype(np.float64))
    if pixels.dtype.kind == "f":
        shades[np.isnan(pixels)] = 0
    return Image.fromarray(shades)


def _is_deep(image: Image.Image) -> bool:
    """Whether an image has more than 8 bits, or floats."""
    return image.mode.startswith("I") or image.mode == "F"


def _white_of_floats(values: np.ndarray) -> float:
    positive = values[np.isfinite(values) & (values > 0)].astype(np.float64)
    if not positive.size:
        return 1.0
    most = float(positive.max())
    if most <= 2 or np.percentile(positive, 99) <= 1:
        return 1.0
    return _least_that_holds(positive, (255, 1023, 4095, 16383, 65535), otherwise=most)


def _white_of_integers(values: np.ndarray, bits: int, signed: bool, declared: int) -> float:
    """By the values, the file's bits, and the MaxSampleValue it declares."""
    full = 2.0 ** (bits - signed) - 1
    if signed or bits > 16:
        scales = (255, 4095, min(65535, full))
        return _least_that_holds(values[values > 0], scales, otherwise=full)
    most = float(values.max(initial=0))
    if declared in (1023, 4095, 16383) and most <= declared:
        return float(declared)
    if bits == 16:
        return next((few for few in (1023.0, 4095.0) if 0.75 * few < most <= few), full)
    return full


def _least_that_holds(positive: np.ndarray, scales: Iterable[float], otherwise: float) -> float:
    """The first of ascending scales that holds all values but a few, as `eight_bits` says."""
    if not positive.size:
        return float(next(iter(scales)))
    least = max(np.percentile(positive, 99) / 1.05, positive.max() / 1.25)
    return next((float(scale) for scale in scales if least <= scale), otherwise)


# Pillow's own modules, and the one that reads HEIC for it.
_IGNORE = ("ignore", None, Warning, re.compile(r"PIL\.|pillow_heif"), 0)
_filters = Lock()


def ignore_warnings() -> None:
    """From now on Pillow does not warn of damage that keeps no photograph from being read.

    For good: `warnings.catch_warnings` in several threads at once would leave
    the filters of one to the others.
    """
    with _filters:
        if not warnings.filters or warnings.filters[0] != _IGNORE:
            warnings.filterwarnings("ignore", module=_IGNORE[3].pattern)
