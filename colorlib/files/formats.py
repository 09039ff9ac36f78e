"""Formats: what Pillow reads and writes here, and what each can hold."""

import os
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image

# Formats of drawings and documents, films, icons, textures and brushes, faxes, measurements.
NO_PHOTOGRAPHS = {
    "EPS", "WMF", "PDF", "MPEG", "FLI", "ICO", "CUR", "ICNS", "XBM", "XPM", "MSP", "BLP", "DDS",
    "FTEX", "GBR", "DCX", "BUFR", "FITS", "GRIB", "HDF5", "IPTC",
}
HEIC_SUFFIXES = {".heic", ".heics", ".heif", ".heifs", ".hif"}
HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
NEEDS_PILLOW_HEIF = "needs pillow-heif: pip install pillow-heif"

# The suffixes under which a photograph keeps its colours, and how it is written there.
COLOUR_FORMATS = {
    ".jpg": "JPEG", ".jpeg": "JPEG", ".jpe": "JPEG", ".jfif": "JPEG", ".mpo": "JPEG",
    ".png": "PNG", ".webp": "WEBP", ".avif": "AVIF", ".tif": "TIFF", ".tiff": "TIFF",
    ".jp2": "JPEG2000", ".bmp": "BMP", ".tga": "TGA", ".ppm": "PPM",
}
WITH_ALPHA = {"PNG", "WEBP", "AVIF", "TIFF", "JPEG2000", "TGA"}
QUALITY: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"quality": 95},
    "AVIF": {"quality": 90, "subsampling": "4:4:4"},
}


@cache
def photograph_suffixes() -> frozenset[str]:
    """The suffixes of photographs, in lower case.

    All that Pillow reads here, and HEIC if `pillow-heif` is installed, without
    those of `NO_PHOTOGRAPHS`. A file named by itself may be anything that
    Pillow reads.
    """
    register_heic()
    known = Image.registered_extensions()
    readable = {*Image.OPEN, "MPO"} - NO_PHOTOGRAPHS  # MPO is opened as JPEG
    return frozenset(suffix for suffix, kind in known.items() if kind in readable)


def colour_suffixes() -> set[str]:
    """The suffixes under which a photograph can be written in colour here."""
    Image.init()
    return {suffix for suffix, kind in COLOUR_FORMATS.items() if kind in Image.SAVE}


def image_suffixes() -> set[str]:
    """The suffixes of all images that Pillow knows, and of HEIC."""
    return {*Image.registered_extensions(), *HEIC_SUFFIXES}


def is_heic(path: Path | str, start: bytes) -> bool:
    """Whether a file is HEIC, by its name or its first 12 bytes."""
    named = os.path.splitext(path)[1].lower() in HEIC_SUFFIXES
    return named or (start[4:8] == b"ftyp" and start[8:12] in HEIC_BRANDS)


@cache
def register_heic() -> bool:
    """Let Pillow read HEIC, once; False if there is no `pillow-heif`."""
    try:
        import pillow_heif
    except ImportError:
        return False
    pillow_heif.register_heif_opener()
    return True
