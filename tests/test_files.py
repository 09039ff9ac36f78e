import os
import shutil
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps, PngImagePlugin

from colorlib import files
from colorlib.base.errors import ColorlibError


def picture(mode: str = "RGB", size=(6, 4)) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 4), np.uint8)
    return Image.fromarray(pixels, "RGBA").convert(mode)


def saved(path: Path, mode: str = "RGB", **more) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(mode).save(path, **more)
    return path


def shades(values: np.ndarray, **more) -> np.ndarray:
    """An array as it comes out in 8-bit gray, by way of Pillow or of a TIFF file."""
    image = tiff_image(values, **more) if more else Image.fromarray(values)
    rgb = np.asarray(files.upright(image))
    assert (rgb == rgb[..., :1]).all()
    return rgb[..., 0]


def tiff(values: np.ndarray, bits=None, sample_format=None, white=False, most=None) -> bytes:
    """An uncompressed TIFF file of an array, or a deflated one, with tags as given."""
    kinds = {"u": 1, "i": 2, "f": 3}
    height, width = values.shape
    data = values.astype(values.dtype.newbyteorder("<")).tobytes()
    tags = {
        256: width, 257: height, 258: bits or 8 * values.itemsize, 259: 1, 262: 0 if white else 1,
        273: 8, 277: 1, 278: height, 279: len(data),
        339: sample_format or kinds[values.dtype.kind],
    } | ({} if most is None else {281: most})
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, n) for tag, n in sorted(tags.items()))
    ifd = struct.pack("<H", len(tags)) + entries + bytes(4)
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + ifd


def tiff_image(values: np.ndarray, **more) -> Image.Image:
    path = Path(tempfile.mkdtemp()) / "a.tif"
    try:
        path.write_bytes(tiff(values, **more))
        return files.read(path)
    finally:
        shutil.rmtree(path.parent)


RAMP = np.tile(np.linspace(0, 1, 160), (12, 1))
EIGHT = (RAMP * 255).round()


def close(found: np.ndarray, wanted: np.ndarray) -> bool:
    return bool(np.abs(found.astype(int) - wanted).max() <= 1)


def test_sixteen_bits_and_floats_are_scaled_not_clipped():
    ramp = np.linspace(0, 65535, 24).astype(np.uint16).reshape(4, 6)
    wanted = (ramp / 257).round()
    for values in (ramp, ramp.astype(np.int32), (ramp / 65535).astype(np.float32)):
        assert np.array_equal(shades(values), wanted), values.dtype


@pytest.mark.parametrize("full", [1, 255, 1023, 4095, 16383, 65535, 3e6])
def test_the_full_scale_of_floats(full):
    assert close(shades((RAMP * full).astype("f4")), EIGHT)


def test_floats_a_little_above_their_full_scale_are_clipped():
    for full in (1, 255):
        found = shades((RAMP * full * 1.02).astype("f4"))
        assert close(found, np.minimum(EIGHT * 1.02, 255))
    lamps = RAMP.astype("f4").copy()
    lamps[0, :10] = 40  # high dynamic range: half a per cent of the photograph
    assert close(shades(lamps)[1:], EIGHT[1:]) and (shades(lamps)[0, :10] == 255).all()


def test_floats_of_a_dark_photograph_stay_dark():
    assert close(shades((RAMP * 0.1).astype("f4")), EIGHT * 0.1)
    assert close(shades((RAMP * 100).astype("f4")), RAMP * 100)
    text = np.zeros((50, 50), "f4")
    text[0, :20] = np.linspace(0, 255, 20)  # little that is not black
    assert close(shades(text), text)


@pytest.mark.parametrize("full", [1, 255, 65535])
def test_what_is_no_number_is_black_or_white(full):
    values = (RAMP * full).astype("f4").copy()
    values[0, :3] = np.nan, np.inf, -np.inf
    for white in (False, True):
        found = shades(values, white=white)
        wanted = 255 - EIGHT if white else EIGHT
        assert close(found[1:], wanted[1:])
        assert found[0, :3].tolist() == ([0, 0, 255] if white else [0, 255, 0])
    assert shades(np.full((2, 2), np.nan, "f4")).max() == 0
    assert shades(np.zeros((2, 2), "f4")).max() == 0


@pytest.mark.parametrize("full", [255, 4095, 65535])
def test_the_full_scale_of_large_integers(full):
    for dtype in ("i4", "u4"):
        assert close(shades((RAMP * full).round().astype(dtype), white=False), EIGHT)
    assert close(shades((RAMP * full).round().astype("i4")), EIGHT)
    assert close(shades((RAMP * (2**31 - 1)).astype("i4")), EIGHT)
    assert close(shades((RAMP * (2**32 - 1)).astype("u4"), white=False), EIGHT)


def test_integers_a_little_above_their_full_scale_are_clipped():
    for full in (255, 4095):
        values = (RAMP * full * 1.02).round().astype("i4")
        assert close(shades(values), np.minimum(EIGHT * 1.02, 255))
    values = EIGHT.astype("i4")
    values[0, -1] = 256
    assert close(shades(values), EIGHT) and close(shades(values, white=False), EIGHT)
    values[0, -1] = 320  # too much
    assert shades(values).max() == 20
    assert shades(np.zeros((2, 2), "i4")).max() == 0


def test_signed_sixteen_bits():
    for full in (255, 4095, 32767):
        values = (RAMP * full).round().astype("i2")
        values[0, 0] = -300
        assert close(shades(values, white=False), EIGHT)


def test_fewer_bits_in_sixteen_are_taken_as_such_on_evidence(tmp_path):
    scan = (RAMP * 3900).astype(np.uint16)
    Image.fromarray(scan).save(tmp_path / "scan.png")
    Image.fromarray(scan).save(tmp_path / "scan.tif")
    for image in (Image.fromarray(scan), *map(files.read, sorted(tmp_path.iterdir()))):
        assert np.asarray(files.upright(image)).mean() == pytest.approx(3900 / 4095 * 127.5, abs=1)
    assert shades((RAMP * 1000).astype("u2")).max() == 249
    dark = (RAMP * 2000).astype("u2")
    assert shades(dark, most=4095).max() == shades(dark, bits=16, most=4095).max() == 125
    assert shades((RAMP * 6000).astype("u2"), most=16383).max() == 93
    assert shades((RAMP * 6000).astype("u2"), most=4095).max() == 23  # a false promise


@pytest.mark.parametrize("most", [200, 255, 600, 2000, 5000, 16000, 16383])
def test_a_dark_photograph_of_sixteen_bits_stays_dark(tmp_path, most):
    dark = (RAMP * most).astype(np.uint16)
    for suffix in (".png", ".tif"):
        Image.fromarray(dark).save(tmp_path / f"a{suffix}")
        found = np.asarray(files.upright(files.read(tmp_path / f"a{suffix}")))
        assert found.max() == round(most / 257)


def test_twelve_bits_of_a_file_that_says_so():
    packed = np.frombuffer(bytes([0x00, 0x0F, 0xFF, 0x40, 0x01, 0x00]), np.uint8)
    file = tiff(packed[None], bits=12)
    file = file.replace(struct.pack("<HHII", 256, 4, 1, 6), struct.pack("<HHII", 256, 4, 1, 4))
    path = Path(tempfile.mkdtemp()) / "a.tif"
    path.write_bytes(file)
    found = np.asarray(files.upright(files.read(path)))[0, :, 0]
    shutil.rmtree(path.parent)
    assert found.tolist() == [0, 255, 64, 16]


@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
def test_a_tiff_whose_zero_is_white_is_no_negative(tmp_path, dtype):
    full = {"u1": 255, "u2": 65535, "f4": 1}[dtype]
    values = (RAMP * full).astype(dtype)
    assert close(shades(values, white=False), EIGHT)
    assert close(shades(values, white=True), 255 - EIGHT)
    bits = Image.fromarray(RAMP > 0.5)
    bits.save(tmp_path / "a.tif", tiffinfo={262: 0})
    assert np.array_equal(np.asarray(files.upright(files.read(tmp_path / "a.tif")))[..., 0] > 0,
                          RAMP > 0.5)


def test_alpha_of_sixteen_bits(tmp_path):
    image = Image.fromarray((RAMP * 65535).astype(np.uint16))
    image.save(tmp_path / "a.png", transparency=0)
    alpha = np.asarray(files.alpha(files.read(tmp_path / "a.png")))
    assert set(alpha[:, 0]) == {0} and set(alpha[:, 1:].ravel()) == {255}
    assert files.alpha(image) is None


def profile(kind: str) -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile(kind)).tobytes()


def test_an_rgb_profile_is_carried_and_the_numbers_stay(tmp_path):
    image = picture()
    srgb = image.info["icc_profile"] = profile("sRGB")  # it holds the time of day
    out = files.upright(image)
    assert out.tobytes() == image.tobytes()
    out.info = files.about(image)
    files.save(out, tmp_path / "a.png")
    assert Image.open(tmp_path / "a.png").info["icc_profile"] == srgb


def gray_profile(gamma: float) -> bytes:
    """A minimal ICC profile of gray with a gamma curve."""
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    curve = b"curv\0\0\0\0" + struct.pack(">IHxx", 1, round(gamma * 256))
    text = b"text\0\0\0\0none\0\0\0\0"
    tags = {b"wtpt": white, b"kTRC": curve, b"cprt": text, b"desc": text}
    table, body, at = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        table += name + struct.pack(">II", at + len(body), len(content))
        body += content
    kind = (b"mntr", b"GRAY", b"XYZ ", b"acsp")
    head = struct.pack(">I4xI4s4s4s12x4s", at + len(body), 0x02100000, *kind).ljust(68, b"\0")
    return head + white[8:].ljust(60, b"\0") + table + body


@pytest.mark.parametrize(("mode", "half"), [("L", 128), ("LA", (128, 255)), ("I;16", 128 * 257)])
def test_a_gray_profile_is_obeyed_and_a_damaged_one_ignored(mode, half):
    image = Image.new(mode, (2, 2), half)
    image.info["icc_profile"] = gray_profile(1.0)  # linear light: half of it looks bright
    assert files.upright(image).getpixel((0, 0))[0] == pytest.approx(188, abs=2)
    image.info["icc_profile"] = b"no profile"
    assert files.upright(image).getpixel((0, 0)) == (128, 128, 128)


@pytest.mark.parametrize("mode", ["LA", "RGBA", "PA"])
def test_alpha_is_found(mode):
    alpha = files.alpha(picture(mode))
    assert alpha.mode == "L" and len(np.unique(alpha)) > 5
    assert files.alpha(picture("RGB")) is None


def test_a_transparent_palette_has_alpha(tmp_path):
    image = picture("RGB").quantize(4)
    image.save(tmp_path / "p.png", transparency=0)
    assert set(np.unique(files.alpha(files.read(tmp_path / "p.png")))) == {0, 255}


def exif(orientation: int = 6) -> Image.Exif:
    found = Image.Exif()
    found[0x0112], found[0x010F] = orientation, "a camera"
    found.get_ifd(0x8769)[0x9003] = "2001:02:03 04:05:06"
    found[0x8769] = found.get_ifd(0x8769)
    return found


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_exif_and_resolution_are_carried_but_not_the_orientation(tmp_path, suffix):
    saved(tmp_path / "in.jpg", exif=exif(), dpi=(300, 300))
    image = files.read(tmp_path / "in.jpg")
    out = files.upright(image).copy()
    assert out.size == (4, 6)  # turned
    out.info = files.about(image)
    files.save(out, tmp_path / f"out{suffix}")
    found = Image.open(tmp_path / f"out{suffix}")
    assert found.getexif()[0x010F] == "a camera" and found.getexif().get(0x0112, 1) == 1
    assert found.getexif().get_ifd(0x8769)[0x9003] == "2001:02:03 04:05:06"
    if suffix != ".webp":
        assert round(float(found.info["dpi"][0])) == 300


XMP = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"
 dc:title="Caf\xc3\xa9"><tiff:Orientation>6</tiff:Orientation><xmp:Thumbnails><rdf:Alt>secret
</rdf:Alt></xmp:Thumbnails></rdf:Description></x:xmpmeta>"""
IPTC = b"\x1c\x02\x78" + struct.pack(">H", 9) + b"A caption"
PREVIEW = b"\x1c\x02\xca" + struct.pack(">H", 6) + b"secret"


def with_everything(folder: Path, suffix: str) -> Path:
    """A photograph of 20 x 10 pixels, to be turned, with all that its format can say."""
    about = exif()
    about.get_ifd(0x8825)[0x001D] = "2001:02:03"
    about[0x8825] = about.get_ifd(0x8825)
    image, path = picture(size=(20, 10)), folder / f"in{suffix}"
    more = {}
    if suffix == ".jpg":
        block = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(IPTC + PREVIEW)) + IPTC + PREVIEW
        segment = b"Photoshop 3.0\0" + block + b"\0" * (len(block) % 2)
        more = {
            "xmp": XMP, "comment": "Café", "dpi": (300, 300),
            "extra": b"\xff\xed" + struct.pack(">H", len(segment) + 2) + segment,
        }
    elif suffix == ".png":
        chunks = PngImagePlugin.PngInfo()
        chunks.add_text("Title", "a title")
        chunks.add_text("Author", "Łukasz")
        chunks.add_text("Comment", "Café")
        chunks.add_itxt("XML:com.adobe.xmp", XMP.decode())
        more = {"pnginfo": chunks, "dpi": (300, 300)}
    elif suffix == ".tif":
        about[700], about[33723] = XMP, IPTC + PREVIEW
        more = {"dpi": (300, 300)}
    else:
        more = {"xmp": XMP}
    image.save(path, exif=about, **more)
    return path


CARRIED = {
    ".jpg": {"exif", "comment", "dpi"},
    ".png": {"exif", "dpi"},
    ".tif": {"exif", "dpi"},
    ".webp": {"exif"},
    ".avif": {"exif"},
    ".jp2": {"comment"},
    ".bmp": {"dpi"},
    ".tga": set(),
}


@pytest.mark.parametrize("suffix", CARRIED)
@pytest.mark.parametrize("source", [".jpg", ".png", ".tif", ".webp", ".avif"])
def test_what_a_photograph_says_is_carried_or_named(tmp_path, source, suffix):
    image = files.read(with_everything(tmp_path, source))
    out = files.upright(image).copy()
    assert out.size == (10, 20)
    out.info = files.about(image)
    others = {".jpg": ["XMP", "IPTC"], ".tif": ["XMP", "IPTC"],
              ".png": ["XMP", "text (Title, Author, Comment)"]}.get(source, ["XMP"])
    assert set(out.info) == CARRIED[source] | {"not_carried"}
    lost = files.save(out, tmp_path / f"out{suffix}")
    names = {"exif": "EXIF", "dpi": "resolution"}
    missing = [names.get(x, x) for x in CARRIED[source] - CARRIED[suffix]]
    assert sorted(lost) == sorted(missing + others)

    again = files.read(tmp_path / f"out{suffix}")
    assert files.upright(again).size == (10, 20)  # nothing turns it once more
    found = files.about(again)
    assert set(found) - {"dpi"} == (CARRIED[source] & CARRIED[suffix]) - {"dpi"}
    if "exif" in found:
        found_exif = again.getexif()
        assert found_exif[0x010F] == "a camera" and found_exif.get(0x0112, 1) == 1
        assert found_exif.get_ifd(0x8769)[0x9003] == "2001:02:03 04:05:06"
        assert found_exif.get_ifd(0x8825)[0x001D] == "2001:02:03"
    assert found.get("comment", "Café") == "Café"
    if "dpi" in CARRIED[source] & CARRIED[suffix]:
        assert round(found["dpi"][0]) == 300
    content = (tmp_path / f"out{suffix}").read_bytes()
    assert b"secret" not in content and b"Thumbnails" not in content


def test_the_date_of_a_tiff_of_several_pages_is_carried(tmp_path):
    page = picture(size=(20, 10))
    page.save(tmp_path / "a.tif", exif=exif(), save_all=True, append_images=[page])
    image = files.read(tmp_path / "a.tif")
    out = files.upright(image).copy()
    out.info = files.about(image)
    assert files.save(out, tmp_path / "b.jpg") == [] and out.size == (10, 20)
    found = Image.open(tmp_path / "b.jpg").getexif()
    assert found.get_ifd(0x8769)[0x9003] == "2001:02:03 04:05:06"


def test_a_tiff_that_pillow_has_opened_but_not_loaded_is_turned_once(tmp_path):
    saved(tmp_path / "a.tif", exif=exif())
    with Image.open(tmp_path / "a.tif") as image:
        assert files.upright(image).size == (4, 6)
        assert "exif" in files.about(image)


def test_previews_are_not_carried(tmp_path):
    about = exif()
    inside = about.get_ifd(0x8769)
    inside[0x927C], inside[0xA002], inside[0xA005] = b"note \xff\xd8\xff secret", 6, 99
    about[0x8769] = inside
    thumbnail = saved(tmp_path / "small.jpg").read_bytes() + b"secret"
    about.get_ifd(1).update({0x0201: 0, 0x0202: len(thumbnail)})
    saved(tmp_path / "a.jpg", exif=about.tobytes() + thumbnail)
    found = files.about(files.read(tmp_path / "a.jpg"))["exif"]
    assert b"2001:02:03" in found and b"secret" not in found
    kept = Image.Exif()
    kept.load(found)
    assert set(kept.get_ifd(0x8769)) == {0x9003}
    inside[0x927C] = b"only words"
    saved(tmp_path / "b.jpg", exif=about)
    assert b"only words" in files.about(files.read(tmp_path / "b.jpg"))["exif"]


def test_what_is_too_long_for_a_jpeg_is_named_and_the_rest_carried(tmp_path):
    image = picture()
    image.info = {"comment": "x" * 70_000, "exif": exif(1).tobytes()}
    assert files.save(image, tmp_path / "a.jpg") == ["comment"]
    assert Image.open(tmp_path / "a.jpg").getexif()[0x010F] == "a camera"
    image.info = {"comment": "kept", "exif": "damaged"}
    assert files.save(image, tmp_path / "b.jpg") == ["EXIF"]
    assert Image.open(tmp_path / "b.jpg").info["comment"] == b"kept"


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "I;16"])
def test_uncompressed_tiffs_are_turned_without_harm(tmp_path, mode, orientation):
    image = picture("RGB", (20, 12)).convert("L" if mode == "I;16" else mode)
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image).astype(np.uint16) * 257)
    image.save(tmp_path / "a.tif", tiffinfo={0x0112: orientation})
    plain = files.upright(image)
    image.getexif()[0x0112] = orientation
    wanted = ImageOps.exif_transpose(plain_with(plain, orientation))
    assert files.upright(files.read(tmp_path / "a.tif")).tobytes() == wanted.tobytes()


def plain_with(image: Image.Image, orientation: int) -> Image.Image:
    image = image.copy()
    image.getexif()[0x0112] = orientation
    return image


def test_damaged_exif_says_nothing(tmp_path):
    saved(tmp_path / "in.jpg", exif=b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\xff\xff\x01\x12")
    image = files.read(tmp_path / "in.jpg")
    assert files.upright(image).size == (6, 4) and "exif" not in files.about(image)


def test_the_first_frame_of_several(tmp_path):
    frames = [Image.new("RGB", (5, 5), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    r, _, b = files.upright(files.read(tmp_path / "a.gif")).getpixel((2, 2))
    assert r > 200 and b < 50


def test_warnings_of_damage_are_not_shown(tmp_path):
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x0f\x01\x02\0\xff\0\0\0\xff\xff\0\0"  # cut off
    path = saved(tmp_path / "a.jpg", exif=exif)
    with pytest.warns(UserWarning, match="larger than file"):
        Image.open(path).getexif().get(0x010F)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        image = files.read(path)
        files.upright(image)
        files.about(image)


def test_warnings_of_others_are_not_lost_when_threads_read(tmp_path, monkeypatch):
    """One begins, then another; the first one ends, then the other."""
    paths = [saved(tmp_path / name) for name in ("a.png", "b.png")]
    begun, may_end = ([threading.Event() for _ in paths] for _ in range(2))
    is_heic = files.formats.is_heic

    def waits(path, start):  # while the file is being read
        begun[paths.index(Path(path))].set()
        assert may_end[paths.index(Path(path))].wait(20)
        return is_heic(path, start)

    monkeypatch.setattr(files.formats, "is_heic", waits)
    with ThreadPoolExecutor(2) as pool:
        reading = []
        for path, event in zip(paths, begun, strict=True):
            reading.append(pool.submit(files.read, path))
            assert event.wait(20)
        for one, event in zip(reading, may_end, strict=True):
            event.set()
            one.result(20)
    with warnings.catch_warnings(record=True) as said:
        warnings.warn("mine", stacklevel=1)
    assert [str(warning.message) for warning in said] == ["mine"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "cannot be read"),
        (b"a poem", "cannot be read"),
        (b"\x89PNG\r\n\x1a\n", "cannot be read"),
    ],
)
def test_what_is_no_image_is_one_sentence(tmp_path, content, says):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(ColorlibError, match=says):
        files.read(tmp_path / "a.png")


def test_a_truncated_photograph_and_a_bomb(tmp_path):
    whole = saved(tmp_path / "a.jpg", quality=95).read_bytes()
    (tmp_path / "half.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ColorlibError, match=r"half\.jpg cannot be read"):
        files.read(tmp_path / "half.jpg")
    bomb = bytearray(saved(tmp_path / "a.bmp").read_bytes())
    bomb[18:26] = struct.pack("<ii", 100_000, 100_000)
    (tmp_path / "bomb.bmp").write_bytes(bomb)
    with pytest.raises(ColorlibError, match="more pixels"):
        files.read(tmp_path / "bomb.bmp")


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    files.save(picture(), tmp_path / "a.png")
    before = (tmp_path / "a.png").read_bytes()
    with pytest.raises(ColorlibError, match="not overwritten"):
        files.save(picture("L"), tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes() == before

    def full(self, path, *_, **__):
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    for overwrite in (False, True):
        with pytest.raises(ColorlibError, match="No space left"):
            files.save(picture(), tmp_path / ("a.png" if overwrite else "b.png"), overwrite)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    assert (tmp_path / "a.png").read_bytes() == before


def test_two_writers_do_not_overwrite_each_other(tmp_path):
    def meanwhile(part):
        part.write_text("late")
        (tmp_path / "a.txt").write_text("early")

    with pytest.raises(ColorlibError, match="not overwritten"):
        files.write(tmp_path / "a.txt", meanwhile)
    assert (tmp_path / "a.txt").read_text() == "early"
    assert len(list(tmp_path.iterdir())) == 1


def colours(number: int) -> Image.Image:
    return Image.new("RGB", (40, 40), (number, 255 - number, number // 2))


def test_many_threads_write_into_one_folder(tmp_path):
    def write(thread: int) -> None:
        for number in range(thread * 25, thread * 25 + 25):
            files.save(colours(number), tmp_path / f"{number}.png")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    assert len(list(tmp_path.iterdir())) == 200
    wrong = [
        number for number in range(200)
        if Image.open(tmp_path / f"{number}.png").getpixel((0, 0))
        != colours(number).getpixel((0, 0))
    ]
    assert not wrong


def test_two_processes_with_one_id_write_into_one_folder(tmp_path):
    code = """
import os, sys, time
os.getpid = lambda: 1  # as in two containers
from pathlib import Path
from colorlib import files
def fill(part):
    part.write_text(sys.argv[2])
    time.sleep(0.05)
for number in range(10):
    files.write(Path(sys.argv[1], f"{sys.argv[2]}{number}.txt"), fill)
"""
    folder = Path(files.__file__).parents[2]
    writers = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path), name], cwd=folder)
        for name in "ab"
    ]
    assert [writer.wait() for writer in writers] == [0, 0]
    found = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert len(found) == 20 and all(name[0] == text for name, text in found.items())


def test_a_temporary_name_is_hidden_beside_its_own_and_ends_alike(tmp_path):
    parts = []
    barrier = threading.Barrier(2)

    def fill(part: Path) -> None:
        barrier.wait(10)
        parts.append(part)
        part.write_text("a")

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda name: files.write(tmp_path / name, fill), ["a.png", "b.png"]))
    assert len(set(parts)) == 2
    for part in parts:
        assert part.parent == tmp_path and part.name[0] == "." and part.suffix == ".png"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png"]


@pytest.mark.skipif(sys.platform == "win32", reason="no such permissions")
@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_files_have_the_permissions_of_any_new_file(tmp_path, mask):
    before = os.umask(mask)
    try:
        files.write_text(tmp_path / "a.txt", "a")
        files.save(picture(), tmp_path / "a.png")
    finally:
        os.umask(before)
    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask


def test_a_file_system_without_links(tmp_path, monkeypatch):
    def no_links(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    files.write(tmp_path / "a.txt", lambda part: part.write_text("a"))
    assert (tmp_path / "a.txt").read_text() == "a"
    with pytest.raises(ColorlibError, match="not overwritten"):
        files.write(tmp_path / "a.txt", lambda part: part.write_text("b"))


def test_folders_keep_their_structure(tmp_path):
    for name in ("a.jpg", "deep/b.PNG", "deep/er/c.gif", "deep/notes.txt", ".hidden/d.png"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    found = files.plan([tmp_path / "in"], tmp_path / "out")[0]
    names = [str(job.out.relative_to(tmp_path / "out")) for job in found]
    assert names == ["a.jpg", "deep/b.PNG", "deep/er/c.gif.png"]
    assert all(job.error is None for job in found)


def test_every_photograph_that_pillow_reads_is_found(tmp_path):
    names = ["a.avif", "a.bmp", "a.gif", "a.jfif", "a.jp2", "a.jpe", "a.jpg", "a.mpo", "a.png",
             "a.ppm", "a.tga", "a.tif", "a.webp"]
    for name in names:
        saved(tmp_path / "in" / name)
    for name in ("a.pdf", "a.eps", "a.ico", "a.mpg", "a.h5", "a.txt", "notes", ".hidden.jpg"):
        (tmp_path / "in" / name).write_bytes(b"")
    photos, left_out = files.walk(tmp_path / "in")
    assert [path.name for path in photos] == names
    assert {path.suffix for path in photos} <= files.formats.photograph_suffixes()
    assert sorted(item.path.name for item in left_out) == [
        "a.eps", "a.h5", "a.ico", "a.mpg", "a.pdf", "a.txt", "notes"
    ]
    for path in photos:
        assert files.upright(files.read(path)).size == (6, 4)
    outs = [job.out.name for job in files.plan([tmp_path / "in"], tmp_path / "out")[0]]
    assert outs == [name + ".png" if name == "a.gif" else name for name in names]
    for path, out in zip(photos, outs, strict=True):
        files.save(files.upright(files.read(path)), tmp_path / "out" / out)
        assert files.read(tmp_path / "out" / out).mode == "RGB"


def test_photographs_that_are_called_jpeg_in_other_ways_are_as_good(tmp_path):
    image = picture(size=(64, 64))
    sizes = set()
    for suffix in (".jpg", ".jpe", ".jfif", ".mpo"):
        files.save(image, tmp_path / f"a{suffix}")
        sizes.add((tmp_path / f"a{suffix}").stat().st_size)
    assert len(sizes) == 1


def test_what_was_left_out_is_said_in_one_line(tmp_path):
    for name in ("a.txt", "b.TXT", "c.mov", "a.png", "notes", "a.heic", ".hidden"):
        (tmp_path / name).write_bytes(b"")
    line = files.describe(files.walk(tmp_path)[1])
    assert line.startswith("left out: 4 files that are no images (.txt 2, .mov 1, no suffix 1)")
    jobs, left_out = files.plan([tmp_path], tmp_path / "out")
    heic = files.formats.photograph_suffixes() & {".heic"}
    assert files.describe(left_out) == line and len(jobs) == len(heic) + 1
    assert files.describe([]) is None


@pytest.fixture
def without_heif(monkeypatch):
    """A machine without `pillow-heif`."""
    monkeypatch.setattr(files.formats, "register_heic", lambda: False)
    monkeypatch.setattr(files.formats, "photograph_suffixes", lambda: {".jpg", ".png"})


def test_heic_without_pillow_heif_names_it(tmp_path, without_heif):
    content = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)
    for name in ("photo.heic", "photo"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ColorlibError, match=f"{name} needs pillow-heif: pip install"):
            files.read(tmp_path / name)
    saved(tmp_path / "really.png").rename(tmp_path / "really.heic")
    assert files.read(tmp_path / "really.heic").size == (6, 4)
    photos, left_out = files.walk(tmp_path)
    assert not photos
    assert "2 HEIC photographs (pip install pillow-heif)" in files.describe(left_out)


def test_heic_with_pillow_heif(tmp_path):
    heif = pytest.importorskip("pillow_heif")
    heif.from_pillow(picture(size=(64, 48))).save(tmp_path / "a.heic")
    (tmp_path / "plain").write_bytes((tmp_path / "a.heic").read_bytes())
    photos, left_out = files.walk(tmp_path)
    assert [path.name for path in photos] == ["a.heic"] and len(left_out) == 1
    for name in ("a.heic", "plain"):
        assert files.upright(files.read(tmp_path / name)).size == (64, 48)
    (job,) = files.plan([tmp_path], tmp_path / "out")[0]
    assert job.out.name == "a.heic.png"


def link(path: Path, target: Path | str) -> None:
    path.symlink_to(target, target_is_directory=True)


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right of their own")
def test_links_are_followed_once(tmp_path):
    top = tmp_path / "in"
    for name in ("in/z/1.png", "in/z/deep/2.png", "other/3.png", "other/deep/4.png", "5.png"):
        saved(tmp_path / name)
    link(top / "a", top / "z")  # before its folder by name
    link(top / "b", tmp_path / "other")
    link(top / "c", tmp_path / "other" / "deep")
    link(tmp_path / "other" / "loop", tmp_path / "other")
    link(top / "z" / "self", top)
    link(top / "up", "..")
    link(top / ".hidden", tmp_path / "other")
    (top / "six.png").symlink_to(tmp_path / "5.png")
    (top / "nothing.png").symlink_to(tmp_path / "nowhere.png")
    photos, left_out = files.walk(top)
    names = [str(path.relative_to(top)) for path in photos]
    assert names == ["b/3.png", "b/deep/4.png", "six.png", "z/1.png", "z/deep/2.png"]
    reasons = {str(item.path.relative_to(top)): item.reason for item in left_out}
    already = "links to a folder that is read already"
    assert reasons == {
        "a": already, "b/loop": already, "c": already, "z/self": already,
        "up": "links to a folder around it", "nothing.png": "is no file",
    }
    line = files.describe(left_out)
    assert "4 links to folders that are read already, 1 link to a folder around it" in line
    assert [job.error for job in files.plan([top], tmp_path / "out")[0]] == [None] * 5
    with pytest.raises(ColorlibError, match="there is no folder"):
        files.walk(tmp_path / "none")


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right of their own")
def test_a_link_to_the_results_is_not_followed(tmp_path):
    saved(tmp_path / "in" / "a.png")
    saved(tmp_path / "out" / "b.png")
    link(tmp_path / "in" / "results", tmp_path / "out")
    (job,) = files.plan([tmp_path / "in"], tmp_path / "out")[0]
    assert job.photo.name == "a.png"


def test_results_inside_the_folder_are_not_taken_for_photographs(tmp_path):
    saved(tmp_path / "a.png")
    saved(tmp_path / "colour" / "a.png")
    (job,) = files.plan([tmp_path], tmp_path / "colour", overwrite=True)[0]
    assert job.photo == tmp_path / "a.png" and job.error is None


def errors(inputs, out, **more) -> list[str | None]:
    return [job.error for job in files.plan(inputs, out, **more)[0]]


def test_what_cannot_be_done_is_said_before_anything_is(tmp_path):
    a, b = saved(tmp_path / "a.png"), saved(tmp_path / "b" / "a.png")
    (tmp_path / "empty").mkdir()
    assert errors([a], tmp_path / "new.png") == [None]
    assert errors([a], tmp_path / "new") == [None]  # a folder
    assert "by its own colours" in errors([a], a, overwrite=True)[0]
    assert "by its own colours" in errors([tmp_path], tmp_path, overwrite=True)[0]
    assert "not overwritten" in errors([a], b)[0]
    assert errors([a], b, overwrite=True) == [None]
    assert errors([a, b], tmp_path / "out")[0] is None
    assert "another photo" in errors([a, b], tmp_path / "out")[1]
    assert "no photos" in errors([tmp_path / "empty"], tmp_path / "out")[0]
    assert "no file" in errors([tmp_path / "none.png"], tmp_path / "out")[0]
    # Nor is any other of the photographs lost:
    found = errors([a, tmp_path / "b"], tmp_path / "b", overwrite=True)
    assert "another of the photos" in found[0] and "by its own" in found[1]
    plain = tmp_path / "plain"
    plain.write_text("mine")
    for out, says in (
        ("x.gif", ".png"), ("x.heic", ".png"), ("x.pdf", ".png"), ("no/x.png", "no folder"),
        ("plain", ".png"), ("plain/", "is no folder"),
    ):
        with pytest.raises(ColorlibError, match=says):
            files.plan([a], f"{tmp_path}/{out}")[0]
    for inputs, out in (([a, b], a), ([a, b], tmp_path / "new.png"), ([tmp_path], b)):
        with pytest.raises(ColorlibError, match="is no folder"):
            files.plan(inputs, out)[0]


@pytest.mark.parametrize("out", ["scans.2024/", "scans.2024", "scans.png/", "scans", "scans/"])
def test_an_out_that_ends_like_no_image_is_a_folder(tmp_path, out):
    a = saved(tmp_path / "a.png")
    (job,) = files.plan([str(a)], f"{tmp_path}/{out}")[0]
    assert job.error is None and job.out == tmp_path / out.strip("/") / "a.png"


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.chdir(saved(tmp_path / "elsewhere" / "a.png").parent)
    saved(tmp_path / "in" / "a.png")
    (job,) = files.plan([Path("~/in")], Path("~/out"))[0]
    assert job == (tmp_path / "in" / "a.png", tmp_path / "out" / "a.png", None)
    files.save(files.read("~/in/a.png"), "~/out/b.png")
    files.write_text("~/out/b.txt", "b")
    assert len(files.walk("~/in")[0]) == 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["b.png", "b.txt"]
    assert [path.name for path in Path.cwd().iterdir()] == ["a.png"]


@pytest.fixture
def locked():
    """A folder with photographs, one of them in a subfolder without permission."""
    if sys.platform == "win32":
        pytest.skip("no such permissions")
    top = Path(tempfile.mkdtemp())  # which others than its owner can enter, unlike tmp_path
    top.chmod(0o777)
    for name in ("in/a.png", "in/locked/b.png", "in/unreadable.png"):
        saved(top / name)
    (top / "in" / "unreadable.png").chmod(0)
    (top / "in" / "locked").chmod(0)
    Image.init()
    user = os.geteuid()
    if user == 0:  # who may read everything
        os.seteuid(65534)
    try:
        yield top
    finally:
        os.seteuid(user)
        (top / "in" / "locked").chmod(0o700)
        shutil.rmtree(top)


def test_what_may_not_be_read_is_one_sentence_and_the_others_go_on(locked):
    photos = locked / "in"
    closed, inside = photos / "locked", photos / "locked" / "b.png"
    found, left_out = files.walk(photos)
    assert [path.name for path in found] == ["a.png", "unreadable.png"]
    assert left_out == [(closed, "may not be read")]
    assert files.describe(left_out) == "left out: 1 that may not be read"
    assert files.walk(closed) == ([], [(closed, "may not be read")])
    for path in (inside, photos / "unreadable.png"):
        with pytest.raises(ColorlibError, match=f"{path.name} may not be read"):
            files.read(path)
    jobs, left_out = files.plan([photos], locked / "out")
    assert not left_out and [job.photo.name for job in jobs if not job.error] == ["a.png"]
    assert sorted(job.error for job in jobs if job.error) == [
        f"{closed} may not be read", f"{photos}/unreadable.png may not be read"
    ]
    named = [inside, photos / "a.png", photos / "none.png"]
    assert [job.error is None for job in files.plan(named, locked / "out")[0]] == [
        False, True, False
    ]
    assert errors([inside], locked / "out") == [f"{inside} may not be read"]
    (job,) = files.plan([photos / "a.png"], closed / "out")[0]
    with pytest.raises(ColorlibError, match="Permission denied"):
        files.save(picture(), job.out)
    with pytest.raises(ColorlibError, match="Permission denied"):
        files.write_text(closed / "a.txt", "a")


def test_an_unreadable_folder_as_the_system_tells_it(tmp_path, monkeypatch):
    saved(tmp_path / "in" / "a.png")
    walk = os.walk

    def denied(top, onerror):
        yield from walk(top)
        onerror(PermissionError(13, "Permission denied", str(top / "locked")))

    monkeypatch.setattr(os, "walk", denied)
    found = errors([tmp_path / "in"], tmp_path / "out")
    assert found[0] is None and "locked may not be read" in found[1]
