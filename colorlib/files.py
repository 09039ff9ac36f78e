"""Files: images of any format in; whole files out, and nothing overwritten."""

import csv
import errno
import io
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
from PIL import Image, ImageCms

from colorlib.errors import ColorlibError

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif"}
"""What is looked for in folders; a file named by itself may be anything that Pillow reads."""

_COLOUR = SUFFIXES - {".gif"}  # formats that keep the colours of a photograph
_WITH_ALPHA = {".png", ".webp", ".tif", ".tiff"}
_QUALITY = {
    ".jpg": {"quality": 95, "subsampling": 0},
    ".jpeg": {"quality": 95, "subsampling": 0},
    ".webp": {"quality": 95},
}
_ORIENTATION, _EXIF, _GPS = 0x0112, 0x8769, 0x8825
_TURNS = dict(zip(range(2, 9), (
    Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_180, Image.Transpose.FLIP_TOP_BOTTOM,
    Image.Transpose.TRANSPOSE, Image.Transpose.ROTATE_270, Image.Transpose.TRANSVERSE,
    Image.Transpose.ROTATE_90,
), strict=True))
# What a photograph says about itself, and not about how its file is laid out.
_TOLD = (0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x8298)
_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


# Reading --------------------------------------------------------------------


def read(path: Path | str) -> Image.Image:
    """An image as its file holds it, decoded; of several frames, the first.

    Raises:
        ColorlibError: no such file, or one that is no image, damaged or of
            more than 179 million pixels (Pillow's limit).
    """
    path = Path(path)
    if not path.is_file():
        raise ColorlibError(f"there is no file {path}")
    try:
        # Opened here: given a name, Pillow may map a file into memory and garble it when turned.
        with _quiet(), open(path, "rb") as file, Image.open(file) as image:
            image.load()
            return image
    except Image.DecompressionBombError as error:
        raise ColorlibError(f"{path} has more pixels than can be held in memory") from error
    except PermissionError as error:
        raise ColorlibError(f"{path} may not be read") from error
    except Exception as error:  # a damaged file can fail in any way
        raise ColorlibError(f"{path} cannot be read as an image") from error


def upright(image: Image.Image) -> Image.Image:
    """Any PIL image as 8-bit RGB without alpha, turned as its EXIF orientation says.

    Numbers of RGB images stay as they are, so a colour profile still holds;
    gray and CMYK ones become sRGB, by their own profile if they have one.
    """
    deep = image.mode.startswith("I") or image.mode == "F"
    told = deep or image.mode in ("L", "LA", "CMYK")
    profile = image.info.get("icc_profile") if told else None
    image = turned(image)
    if deep:  # which convert() would clip
        image = Image.fromarray(_eight_bits(np.asarray(image)))
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


def alpha(image: Image.Image) -> Image.Image | None:
    """An image's transparency as 8-bit gray, upright; None if it has none."""
    if "A" in image.getbands():
        return turned(image.getchannel("A"), image)
    if "transparency" in image.info or "a" in image.getbands():
        return turned(image.convert("RGBA").getchannel("A"), image)
    return None


def turned(image: Image.Image, of: Image.Image | None = None) -> Image.Image:
    """An image turned as its EXIF orientation (or that of another image) says."""
    try:
        with _quiet():
            orientation = (of or image).getexif().get(_ORIENTATION, 1)
    except Exception:  # damaged EXIF can fail in any way, and then says nothing
        return image
    return image.transpose(_TURNS[orientation]) if orientation in _TURNS else image


def about(image: Image.Image) -> dict:
    """What `save` carries over: EXIF without orientation and thumbnail, resolution, RGB profile."""
    kept = {}
    if "icc_profile" in image.info and image.mode in ("RGB", "RGBA", "P"):
        kept["icc_profile"] = image.info["icc_profile"]
    try:
        with _quiet():
            found, exif = image.getexif(), Image.Exif()
            for tag in _TOLD:
                if tag in found:
                    exif[tag] = found[tag]
            for part in (_EXIF, _GPS):
                if inside := found.get_ifd(part):
                    exif.get_ifd(part).update(inside)
                    exif[part] = exif.get_ifd(part)
            if len(exif):
                kept["exif"] = exif.tobytes()
    except Exception:  # damaged EXIF can fail in any way, and then there is none to carry
        pass
    dpi = image.info.get("dpi")
    if dpi and all(0 < float(n) < 1e5 for n in dpi):
        kept["dpi"] = tuple(float(n) for n in dpi)
    return kept


@contextmanager
def _quiet() -> Iterator[None]:
    """No warnings of damage that does not keep a photograph from being read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _eight_bits(pixels: np.ndarray) -> np.ndarray:
    """16-bit integers, or floats of 0..1 or 0..255, as 8-bit ones."""
    if pixels.dtype.kind == "f":
        pixels = np.nan_to_num(pixels.astype(np.float64))
        full = 1.0 if pixels.max(initial=0) <= 1 else 255.0
    else:
        full = 65535.0
    return (pixels * (255 / full)).clip(0, 255).round().astype(np.uint8)


# Writing --------------------------------------------------------------------


def save(image: Image.Image, path: Path, overwrite: bool = False) -> None:
    """Write an image, whole or not at all; the name's ending says in which format.

    Alpha is dropped where the format has none. What `about` found, in
    `image.info`, is carried where the format can.

    Raises:
        ColorlibError: the file exists and may not be overwritten, or cannot be written.
    """
    suffix = path.suffix.lower()
    if image.mode == "RGBA" and suffix not in _WITH_ALPHA:
        image = image.convert("RGB")
    kept: dict[str, Any] = {
        name: image.info[name] for name in ("exif", "dpi", "icc_profile") if name in image.info
    }
    options: dict[str, Any] = _QUALITY.get(suffix, {})

    def fill(part: Path) -> None:
        try:
            image.save(part, **kept, **options)
        except OSError:
            raise
        except Exception:  # odd EXIF can fail in any way; the picture matters more
            image.save(part, **options)

    write(path, fill, overwrite)


def write(path: Path, fill: Callable[[Path], object], overwrite: bool = False) -> None:
    """Let `fill` write a file under a temporary name, then give it its own; folders are made.

    Raises:
        ColorlibError: the file exists and may not be overwritten, or cannot be written.
    """
    part = path.with_name(f".partial-{os.getpid()}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ColorlibError(f"there can be no folder {path.parent}: {error.strerror}") from error
    try:
        fill(part)
        if overwrite:
            part.replace(path)
        else:
            _name(part, path)
    except FileExistsError as error:
        raise ColorlibError(f"{path} exists already and is not overwritten") from error
    except (OSError, ValueError) as error:
        says = getattr(error, "strerror", None) or error
        raise ColorlibError(f"{path} cannot be written: {says}") from error
    finally:
        with suppress(OSError):  # whatever kept it from being written
            part.unlink(missing_ok=True)


def write_text(path: Path, text: str, overwrite: bool = False) -> None:
    """Write a text file as `write` does, with its errors."""
    write(path, lambda part: part.write_text(text), overwrite)


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Iterable]) -> None:
    """Write a CSV file, replacing one of that name; errors as in `write`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    write_text(path, text.getvalue(), overwrite=True)


def _name(part: Path, path: Path) -> None:
    """Rename a file, unless another has that name by now."""
    try:
        os.link(part, path)
    except OSError as error:
        if error.errno == errno.EEXIST or path.exists():
            raise FileExistsError from error
        part.rename(path)  # a file system without links


# Which files, and where to --------------------------------------------------


class Job(NamedTuple):
    """A photograph and the file that its colours go to, or why they cannot."""

    photo: Path
    out: Path | None
    error: str | None = None


def jobs(inputs: Sequence[Path], out: Path, overwrite: bool = False) -> list[Job]:
    """Every photograph of files and folders, and where to write it.

    A single file goes to the file `out`, unless that is a folder or ends like
    none. Otherwise `out` is a folder: files keep their names there, folders
    their structure; a format that cannot keep colours gets `.png` appended.

    Raises:
        ColorlibError: nothing can be written to `out` at all.
    """
    inputs = [Path(path) for path in inputs]
    single = len(inputs) == 1 and not inputs[0].is_dir()
    if not single and not out.is_dir() and (out.exists() or out.suffix.lower() in _COLOUR):
        raise ColorlibError(f"{out} is no folder, which several photos need")
    if single and not out.is_dir() and (out.suffix or out.exists()):
        if out.suffix.lower() not in _COLOUR:
            known = ", ".join(sorted(_COLOUR))
            raise ColorlibError(f"{out} does not end like an image in colour: {known}")
        if not out.parent.is_dir():
            raise ColorlibError(f"there is no folder {out.parent}")
        found = [Job(inputs[0], out)]
    else:
        found = [job for path in inputs for job in _found(path, out)]
    taken: set[Path] = set()
    photos = {job.photo.resolve() for job in found}
    return [_checked(job, taken, photos, overwrite) for job in found]


def _found(path: Path, out: Path) -> Iterator[Job]:
    if not path.is_dir():
        yield Job(path, out / _named(Path(path.name)))
        return
    problems: list[OSError] = []
    empty = True
    for folder, folders, names in os.walk(path, onerror=problems.append):
        # Not into what was written before, nor into hidden folders.
        folders[:] = sorted(
            name for name in folders
            if not name.startswith(".") and not _same(Path(folder, name), out)
        )
        for name in sorted(names):
            file = Path(folder, name)
            if file.suffix.lower() in SUFFIXES and not name.startswith("."):
                empty = False
                yield Job(file, out / _named(file.relative_to(path)))
    for problem in problems:
        yield Job(Path(problem.filename), None, f"{problem.filename} may not be read")
    if empty and not problems:
        yield Job(path, None, f"there are no photos in {path}")


def _named(name: Path) -> Path:
    return name if name.suffix.lower() in _COLOUR else name.with_name(name.name + ".png")


def _checked(job: Job, taken: set[Path], photos: set[Path], overwrite: bool) -> Job:
    if job.out is None:
        return job
    if not job.photo.is_file():
        return Job(job.photo, None, f"there is no file {job.photo}")
    if _same(job.photo, job.out):
        return Job(job.photo, None, f"{job.photo} would be overwritten by its own colours")
    if job.out.resolve() in photos:
        return Job(job.photo, None, f"{job.photo} would overwrite {job.out}, another of the photos")
    if job.out in taken:
        return Job(job.photo, None, f"{job.photo} would go to {job.out}, as another photo does")
    taken.add(job.out)
    if job.out.exists() and not overwrite:
        return Job(job.photo, None, f"{job.out} exists already and is not overwritten")
    return job


def _same(one: Path, other: Path) -> bool:
    return one.exists() and other.exists() and one.samefile(other)
