"""Metadata: what a photograph says of itself, and what of that each format can carry."""

import re
import struct
from contextlib import suppress
from typing import Any

from PIL import Image, PngImagePlugin
from PIL.ExifTags import IFD, Base

from colorlib.files.reading import ignore_warnings

# What of `about` each format can hold.
_CARRIED_BY = {
    "JPEG": {"exif", "xmp", "iptc", "comment", "dpi", "icc_profile"},
    "PNG": {"exif", "xmp", "comment", "text", "dpi", "icc_profile"},
    "TIFF": {"exif", "xmp", "iptc", "dpi", "icc_profile"},
    "WEBP": {"exif", "xmp", "icc_profile"},
    "AVIF": {"exif", "xmp", "icc_profile"},
    "JPEG2000": {"comment"},
    "BMP": {"dpi"},
}
_LABELS = {
    "exif": "EXIF", "xmp": "XMP", "iptc": "IPTC", "comment": "comment", "text": "text",
    "dpi": "resolution", "icc_profile": "colour profile",
}
# EXIF that says something of the photograph, and not of how its file is laid out.
_EXIF_TAGS: tuple[int, ...] = (
    Base.DocumentName, Base.ImageDescription, Base.Make, Base.Model, Base.Software, Base.DateTime,
    Base.Artist, Base.HostComputer, Base.Rating, Base.Copyright,
    Base.XPTitle, Base.XPComment, Base.XPAuthor, Base.XPKeywords, Base.XPSubject,
)
_LAYOUT_IN_EXIF: tuple[int, ...] = (Base.ExifImageWidth, Base.ExifImageHeight, IFD.Interop)
_LAYOUT_IN_XMP = re.compile(
    rb"""\s*\b(?:tiff:Orientation|xmpNote:HasExtendedXMP)\s*=\s*(?:"[^"]*"|'[^']*')"""
    rb"|<(tiff:Orientation|xmpNote:HasExtendedXMP|(?:xmp|xap):Thumbnails)\b.*?</\1\s*>",
    re.DOTALL,
)
_JPEG_START = b"\xff\xd8\xff"
_PREVIEWS_IN_IPTC = ((2, 200), (2, 201), (2, 202))
_PHOTOSHOP, _IPTC_BLOCK = b"Photoshop 3.0\0", 0x0404  # where JPEG holds IPTC
_MOST_IN_SEGMENT = 65533  # bytes in one segment of a JPEG file


def about(image: Image.Image) -> dict[str, Any]:
    """What an image says of itself, for the `info` of another one, from where `save` takes it.

    Never the orientation, a thumbnail or another embedded preview.

    Returns:
        Those of these that there are: `exif` (bytes), `xmp` (bytes), `iptc`
        (bytes), `comment` (str), `text` (a dict, from PNG), `dpi` (two floats),
        `icc_profile` (bytes; of RGB images only, since others become sRGB).
    """
    ignore_warnings()
    kept: dict[str, Any] = {}
    if "icc_profile" in image.info and image.mode in ("RGB", "RGBA", "P"):
        kept["icc_profile"] = image.info["icc_profile"]
    for name, find in (
        ("exif", _find_exif), ("xmp", _find_xmp), ("iptc", _find_iptc), ("text", _find_text),
    ):
        # Damage can fail in any way, and then says nothing.
        with suppress(Exception):
            if found := find(image):
                kept[name] = found
    comment = image.info.get("comment") or kept.get("text", {}).pop("Comment", None)
    if not kept.get("text", True):
        del kept["text"]
    if isinstance(comment, bytes):
        comment = _decoded(comment)
    if comment and not str(comment).startswith("Created by OpenJPEG"):
        kept["comment"] = str(comment)
    dpi = image.info.get("dpi")
    with suppress(Exception):
        if dpi and all(0 < float(n) < 1e5 for n in dpi):
            kept["dpi"] = tuple(float(n) for n in dpi)
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


def _find_xmp(image: Image.Image) -> bytes | None:
    packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    packet = packet.encode() if isinstance(packet, str) else packet
    if not packet:
        return None
    packet.decode()  # what is no UTF-8 cannot be searched, and is not carried
    return _LAYOUT_IN_XMP.sub(b"", packet).rstrip(b"\0")


def _find_iptc(image: Image.Image) -> bytes:
    """The IPTC records, without previews."""
    records = image.info.get("iptc") or image.info.get("photoshop", {}).get(_IPTC_BLOCK)
    tags: Any = getattr(image, "tag_v2", {})
    if records is None and Base.IPTCNAA in tags:
        records = tags[Base.IPTCNAA]
        if isinstance(records, tuple):  # bytes that are declared as long numbers
            order = "<" if tags.prefix == b"II" else ">"
            records = struct.pack(f"{order}{len(records)}I", *records)
    kept, at = b"", 0
    while records and records[at : at + 1] == b"\x1c":
        record, number, size = struct.unpack(">BBH", records[at + 1 : at + 5])
        end = at + 5 + size
        if size >= 0x8000:  # the size of the size; only previews are that large
            end = at + 5 + size - 0x8000
            end += int.from_bytes(records[at + 5 : end], "big")
        elif (record, number) not in _PREVIEWS_IN_IPTC:
            kept += records[at:end]
        at = end
    return kept


def _find_text(image: Image.Image) -> dict[str, str]:
    """The text of a PNG file, without what is found elsewhere."""
    text = image.info.get("text") or getattr(image, "text", {})
    elsewhere = ("XML:com.adobe.xmp", "Raw profile type ")
    return {name: value for name, value in text.items() if not name.startswith(elsewhere)}


def _decoded(text: bytes) -> str:
    try:
        return text.decode().rstrip("\0")
    except UnicodeDecodeError:
        return text.decode("latin-1").rstrip("\0")


def divide_by_format(info: dict, kind: str) -> tuple[dict[str, Any], list[str]]:
    """What of `about` a format can carry, and the labels of the rest."""
    carried: dict[str, Any] = {}
    lost = []
    for name in _LABELS:
        value = info.get(name)
        if not value:
            continue
        fits = name in _CARRIED_BY.get(kind, ())
        if kind == "JPEG" and name in ("exif", "xmp", "iptc", "comment"):
            size = len(value.encode() if isinstance(value, str) else value)
            fits = size + 40 <= _MOST_IN_SEGMENT  # with the names before it
        if fits:
            carried[name] = value
        else:
            lost.append(label(name, value))
    return carried, lost


def label(name: str, value: Any) -> str:
    """What messages call an entry of `about`; of text, with its titles."""
    return _LABELS[name] + (f" ({', '.join(value)})" if name == "text" else "")


def save_options(carried: dict[str, Any], kind: str) -> dict[str, Any]:
    """What a format carries, as the options of Pillow's `save`."""
    options = dict(carried)
    if kind == "JPEG" and (records := options.pop("iptc", None)):
        head = struct.pack(">HHI", _IPTC_BLOCK, 0, len(records))
        block = _PHOTOSHOP + b"8BIM" + head + records
        block += b"\0" * (len(block) % 2)
        options["extra"] = b"\xff\xed" + struct.pack(">H", len(block) + 2) + block
    elif kind == "PNG":
        chunks = PngImagePlugin.PngInfo()
        for name, value in options.pop("text", {}).items():
            chunks.add_text(name, value)
        if comment := options.pop("comment", None):
            chunks.add_text("Comment", comment)
        if xmp := options.pop("xmp", None):
            chunks.add_itxt("XML:com.adobe.xmp", xmp.decode())
        options["pnginfo"] = chunks
    elif kind == "TIFF":
        exif = Image.Exif()
        exif.load(options.get("exif", b""))
        for tag, name in ((Base.XMLPacket, "xmp"), (Base.IPTCNAA, "iptc")):
            if name in options:
                exif[tag] = options.pop(name)
        options["exif"] = exif
    return options
