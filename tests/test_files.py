import os
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from colorlib import files
from colorlib.errors import ColorlibError


def picture(mode: str = "RGB", size=(6, 4)) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 4), np.uint8)
    return Image.fromarray(pixels, "RGBA").convert(mode)


def saved(path: Path, mode: str = "RGB", **more) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(mode).save(path, **more)
    return path


def test_sixteen_bits_and_floats_are_scaled_not_clipped():
    ramp = np.linspace(0, 65535, 24).astype(np.uint16).reshape(4, 6)
    wanted = np.repeat((ramp / 257).round()[..., None], 3, axis=2)
    for image in (
        Image.fromarray(ramp),
        Image.fromarray(ramp.astype(np.int32)),
        Image.fromarray((ramp / 65535).astype(np.float32)),
    ):
        assert np.array_equal(np.asarray(files.upright(image)), wanted), image.mode


def profile(kind: str) -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile(kind)).tobytes()


def test_an_rgb_profile_is_carried_and_the_numbers_stay(tmp_path):
    image = picture()
    image.info["icc_profile"] = profile("sRGB")
    out = files.upright(image)
    assert out.tobytes() == image.tobytes()
    out.info = files.about(image)
    files.save(out, tmp_path / "a.png")
    assert Image.open(tmp_path / "a.png").info["icc_profile"] == profile("sRGB")


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
    found = files.jobs([tmp_path / "in"], tmp_path / "out")
    names = [str(job.out.relative_to(tmp_path / "out")) for job in found]
    assert names == ["a.jpg", "deep/b.PNG", "deep/er/c.gif.png"]
    assert all(job.error is None for job in found)


def test_results_inside_the_folder_are_not_taken_for_photographs(tmp_path):
    saved(tmp_path / "a.png")
    saved(tmp_path / "colour" / "a.png")
    (job,) = files.jobs([tmp_path], tmp_path / "colour", overwrite=True)
    assert job.photo == tmp_path / "a.png" and job.error is None


def errors(inputs, out, **more) -> list[str | None]:
    return [job.error for job in files.jobs(inputs, out, **more)]


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
    for out, says in (("x.xyz", ".png"), ("no/x.png", "no folder"), ("plain", ".png")):
        with pytest.raises(ColorlibError, match=says):
            files.jobs([a], tmp_path / out)
    for inputs, out in (([a, b], a), ([a, b], tmp_path / "new.png"), ([tmp_path], b)):
        with pytest.raises(ColorlibError, match="is no folder"):
            files.jobs(inputs, out)


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0, reason="everything may be read here"
)
def test_an_unreadable_folder_is_one_sentence(tmp_path):
    saved(tmp_path / "in" / "a.png")
    locked = tmp_path / "in" / "locked"
    locked.mkdir(mode=0)
    found = errors([tmp_path / "in"], tmp_path / "out")
    locked.chmod(0o700)
    assert found[0] is None and "may not be read" in found[1]


def test_an_unreadable_folder_as_the_system_tells_it(tmp_path, monkeypatch):
    saved(tmp_path / "in" / "a.png")
    walk = os.walk

    def denied(top, onerror):
        yield from walk(top)
        onerror(PermissionError(13, "Permission denied", str(top / "locked")))

    monkeypatch.setattr(os, "walk", denied)
    found = errors([tmp_path / "in"], tmp_path / "out")
    assert found[0] is None and "locked may not be read" in found[1]
