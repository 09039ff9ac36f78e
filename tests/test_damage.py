"""Odd and damaged files: no traceback, no hang, nothing overwritten.

COLORLIB_DAMAGED=2000 runs the fuzz test over that many files.
"""

import io
import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from colorlib import cli, files
from colorlib.tool.pipeline import Pipeline

FORMATS = {
    "JPEG": ["L", "RGB", "CMYK"],
    "PNG": ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"],
    "TIFF": ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F"],
    "WEBP": ["L", "RGB", "RGBA"],
    "BMP": ["1", "L", "P", "RGB"],
    "GIF": ["L", "P"],
    "AVIF": ["RGB", "RGBA"],
    "JPEG2000": ["L", "LA", "RGB", "RGBA"],
    "PPM": ["1", "L", "RGB"],
    "TGA": ["L", "LA", "P", "RGB", "RGBA"],
}
KINDS = [(kind, mode) for kind, modes in FORMATS.items() for mode in modes]


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return Pipeline()


def encoded(kind: str, mode: str, width: int, height: int, seed: int) -> bytes:
    random = np.random.default_rng(seed)
    if mode == "I;16":
        image = Image.fromarray(random.integers(0, 65536, (height, width), np.uint16))
    elif mode == "I":
        image = Image.fromarray(random.integers(0, 65536, (height, width), np.int32))
    elif mode == "F":
        image = Image.fromarray(random.random((height, width), np.float32))
    else:
        pixels = random.integers(0, 256, (height, width, 4), np.uint8)
        image = Image.fromarray(pixels, "RGBA").convert(mode)
    exif = Image.Exif()
    exif[0x0112] = int(random.integers(1, 9))
    file = io.BytesIO()
    image.save(file, kind, **({"exif": exif} if kind in ("JPEG", "PNG", "WEBP") else {}))
    return file.getvalue()


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from(KINDS),
    st.integers(1, 70),
    st.integers(1, 70),
    st.integers(0, 1000),
    st.sampled_from([".png", ".jpg", ".tif", ".webp", ".bmp", ".avif", ".jp2", ".tga"]),
)
def test_every_format_comes_back_in_its_size_with_its_lightness(
    pipeline, tmp_path_factory, kind, width, height, seed, suffix
):
    folder = tmp_path_factory.mktemp("odd")
    path = folder / "photo"
    path.write_bytes(encoded(*kind, width, height, seed))
    image = files.read(path)
    colorized = pipeline(image)
    before = files.upright(image)
    assert colorized.size == before.size and set(before.size) == {width, height}
    assert (colorized.mode == "RGBA") == (files.alpha(image) is not None)
    gray = pipeline(image, strength=0).convert("RGB")
    spread = np.ptp(np.asarray(gray, int), axis=-1)
    assert spread.max() <= 1  # gray, and of the photograph's own lightness:
    if kind[1] in ("1", "L", "LA", "I;16", "I", "F"):
        assert np.abs(np.asarray(gray, int) - np.asarray(before, int)).max() <= 1
    files.save(colorized, folder / f"out{suffix}")
    assert Image.open(folder / f"out{suffix}").size == before.size


def damaged(whole: bytes, random: np.random.Generator) -> bytes:
    broken = bytearray(whole)
    how = random.integers(4)
    if how == 0:  # cut off
        return bytes(broken[: random.integers(len(broken))])
    if how == 1:  # a hole
        start = random.integers(len(broken))
        del broken[start : start + random.integers(1, 50)]
    elif how == 2:  # noise anywhere
        for at in random.integers(len(broken), size=random.integers(1, 20)):
            broken[at] = random.integers(256)
    else:  # noise in the header
        for at in random.integers(min(64, len(broken)), size=random.integers(1, 6)):
            broken[at] = random.integers(256)
    return bytes(broken)


def write_damaged(folder: Path, count: int) -> None:
    """Make a folder of damaged files of every format, the same ones each time."""
    folder.mkdir()
    random = np.random.default_rng(0)
    for i in range(count):
        kind, mode = KINDS[i % len(KINDS)]
        size = random.integers(1, 40, size=2)
        broken = damaged(encoded(kind, mode, *size, seed=i), random)
        suffix = {"JPEG": ".jpg", "TIFF": ".tif", "JPEG2000": ".jp2"}.get(kind, f".{kind.lower()}")
        (folder / f"{i}{suffix}").write_bytes(broken)


def test_damaged_files_are_named_and_overwrite_nothing(tmp_path, monkeypatch, capfd):
    count = int(os.environ.get("COLORLIB_DAMAGED", 300))
    photos, out = tmp_path / "in", tmp_path / "out"
    write_damaged(photos, count)
    out.mkdir()
    before = {path: path.read_bytes() for path in photos.iterdir()}
    first = sorted(photos.iterdir())[0]
    kept = out / files.plan([photos], out)[0][0].out.name
    kept.write_text("mine")
    monkeypatch.setattr(sys, "argv", ["colorlib", "colorize", str(photos), "--out", str(out)])
    start = time.monotonic()
    with pytest.raises(SystemExit) as stop:
        cli.main()
    printed = capfd.readouterr()
    assert stop.value.code == 1 and "Traceback" not in printed.err
    sentences = [line for line in printed.err.splitlines() if line.startswith("colorlib: ")]
    written = [path for path in out.iterdir() if path != kept]
    assert len(sentences) + len(written) == count
    assert f"{len(written)} of {count} photos" in printed.out
    assert any(first.name in line or kept.name in line for line in sentences)
    assert kept.read_text() == "mine"
    assert {path: path.read_bytes() for path in photos.iterdir()} == before
    for path in written:
        Image.open(path).load()  # whole
    assert time.monotonic() - start < 60 + count  # it does not hang
    with capfd.disabled():
        print(f"\n{count} damaged files: {len(written)} colorized, {len(sentences)} refused")
