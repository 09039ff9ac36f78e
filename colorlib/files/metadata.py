"""Metadata: what a photograph says of itself, and what of that its new file can carry.

Carried are EXIF, colour profile, resolution and comment, as far as Pillow writes them into a
format by itself. XMP, IPTC and the texts of PNG are not, and that is said.
"""

from contextlib import suppress
from typing import Any

from PIL import Image
from PIL.ExifTags import IFD, Base

from colorlib.files.reading import ignore_warnings

_CARRIED_BY = {
    "JPEG": {"exif", "comment", "dpi", "icc_profile"},
    "PNG": {"exif", "dpi", "icc_profile"},
    "TIFF": {"exif", "dpi", "icc_profile"},
    "WEBP": {"exif", "icc_profile"},
    "AVIF": {"exif", "icc_profile"},
    "JPEG2000": {"comment"},
    "BMP": {"dpi"},
}
LABELS = {
    "exif": "EXIF", "comment": "comment", "dpi": "resolution", "icc_profile": "colour profile",
}
"""What messages call the entries of `about`."""

# EXIF that says something of the photograph, and not of how its file is laid out.
_EXIF_TAGS: tuple[int, ...] = (
    Base.DocumentName, Base.ImageDescription, Base.Make, Base.Model, Base.Software, Base.DateTime,
    Base.Artist, Base.HostComputer, Base.Rating, Base.Copyright,
    Base.XPTitle, Base.XPComment, Base.XPAuthor, Base.XPKeywords, Base.XPSubject,
)
_LAYOUT_IN_EXIF: tuple[int, ...] = (Base.ExifImageWidth, Base.ExifImageHeight, IFD.Interop)
_JPEG_START = b"\xff\xd8\xff"
_MOST_IN_SEGMENT = 65533  # bytes in one segment of a JPEG file
_IPTC_BLOCK = 0x0404  # where JPEG holds IPTC


def about(image: Image.Image) -> dict[str, Any]:
    """What an image says of itself, for the `info` of another one, from where `save` takes it.

    Never the orientation, a thumbnail or another embedded preview.

    Returns:
        Those of these that there are: `exif` (bytes), `comment` (str), `dpi` (two floats),
        `icc_profile` (bytes; of RGB images only, since others become sRGB); and
        `not_carried`, the names of what else there is, such as "XMP".
    """
    ignore_warnings()
    kept: dict[str, Any] = {}
    if "icc_profile" in image.info and image.mode in ("RGB", "RGBA", "P"):
        kept["icc_profile"] = image.info["icc_profile"]
    with suppress(Exception):  # damage can fail in any way, and then says nothing
        if exif := _find_exif(image):
            kept["exif"] = exif
    comment = image.info.get("comment")
    if isinstance(comment, bytes):
        comment = comment.decode("utf-8", "replace").rstrip("\0")
    if comment and not str(comment).startswith("Created by OpenJPEG"):
        kept["comment"] = str(comment)
    dpi = image.info.get("dpi")
    with suppress(Exception):
        if dpi and all(0 < float(n) < 1e5 for n in dpi):
            kept["dpi"] = tuple(float(n) for n in dpi)
    with suppress(Exception):
        if others := _others(image):
            kept["not_carried"] = others
    return kept


def _find_exif(image: Image.Image) -> bytes | None:
    found, exif = image.getexif(), Image.Exif()
    for tag in _EXIF_TAGS:
        if tag in found:
            exif[tag] = found[tag]
    for part in (IFD.Exif, IFD.GPSInfo):
        if inside := dict(found.get_ifd(part)):
            if part == IFD.Exif:
                for tag in _LAYOUT_IN_EXIF:
                    inside.pop(tag, None)
                note = inside.get(Base.MakerNote)
                if isinstance(note, bytes) and _JPEG_START in note:  # a preview
                    del inside[Base.MakerNote]
            exif.get_ifd(part).update(inside)
            exif[part] = exif.get_ifd(part)
    return exif.tobytes() if len(exif) else None


def _others(image: Image.Image) -> list[str]:
    """The names of what an image has besides."""
    tags: Any = getattr(image, "tag_v2", {})
    text = getattr(image, "text", {})
    titles = [name for name in text if not name.startswith(("XML:com.adobe.xmp", "Raw profile"))]
    there = {
        "XMP": image.info.get("xmp") or image.info.get("XML:com.adobe.xmp"),
        "IPTC": Base.IPTCNAA in tags or _IPTC_BLOCK in image.info.get("photoshop", {}),
        f"text ({', '.join(titles)})": titles,
    }
    return [name for name, value in there.items() if value]


def divide_by_format(info: dict, kind: str) -> tuple[dict[str, Any], list[str]]:
    """What of `about` a format carries, as options of Pillow's `save`; the names of the rest."""
    carried: dict[str, Any] = {}
    lost = list(info.get("not_carried", ()))
    for name, label in LABELS.items():
        value = info.get(name)
        if not value:
            continue
        fits = name in _CARRIED_BY.get(kind, ())
        if kind == "JPEG" and name in ("exif", "comment"):
            size = len(value.encode() if isinstance(value, str) else value)
            fits = size + 40 <= _MOST_IN_SEGMENT  # with the names before it
        if fits:
            carried[name] = value
        else:
            lost.append(label)
    return carried, lost
