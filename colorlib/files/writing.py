"""Writing: complete files or none, and nothing overwritten unless asked."""

import csv
import errno
import io
import os
import secrets
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from PIL import Image

from colorlib.base.errors import ColorlibError
from colorlib.files import formats, metadata
from colorlib.files.paths import user_path


def write(path: Path | str, fill: Callable[[Path], object], overwrite: bool = False) -> None:
    """Let `fill` write a file under a temporary name, then give it its own; folders are made.

    The temporary name is hidden, in the same folder and with the same suffix,
    and no other process or thread has it.

    Raises:
        ColorlibError: the file exists and may not be overwritten, or cannot be written.
    """
    path = user_path(path)
    part = path.with_name(f".partial-{secrets.token_hex(8)}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ColorlibError(f"there can be no folder {path.parent}: {error.strerror}") from error
    try:
        _create(part)
        fill(part)
        if overwrite:
            part.replace(path)
        else:
            _rename_to_free_name(part, path)
    except FileExistsError as error:
        raise ColorlibError(f"{path} exists already and is not overwritten") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ColorlibError(f"{path} cannot be written: {reason}") from error
    finally:
        with suppress(OSError):  # whatever kept it from being written
            part.unlink(missing_ok=True)


def _create(path: Path) -> None:
    """An empty new file, with the permissions of any, which those of `tempfile` have not."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))


def _rename_to_free_name(part: Path, path: Path) -> None:
    """Rename a file, unless another has that name by now: then FileExistsError."""
    try:
        os.link(part, path)
    except OSError as error:
        if error.errno == errno.EEXIST or os.path.lexists(path):
            raise FileExistsError from error
        _create(path)  # a file system without links: the name is taken first
        try:
            part.replace(path)
        except OSError:
            path.unlink()
            raise


def write_text(path: Path | str, text: str, overwrite: bool = False) -> None:
    """Write a text file in UTF-8 as `write` does, with its errors."""
    write(path, lambda part: part.write_text(text, encoding="utf-8"), overwrite)


def write_table(path: Path | str, columns: Sequence[str], rows: Iterable[Iterable]) -> None:
    """Write a CSV file, replacing one of that name; errors as in `write`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    write_text(path, text.getvalue(), overwrite=True)


def save(image: Image.Image, path: Path | str, overwrite: bool = False) -> list[str]:
    """Write an image, complete or not at all; the name's suffix says in which format.

    Alpha is dropped where the format has none. What `about` found, in
    `image.info`, is carried where Pillow writes it into the format.

    Returns:
        The names of what the new file does not carry, such as "EXIF", "XMP"
        or "text (Title)"; empty if all is there.

    Raises:
        ColorlibError: the file exists and may not be overwritten, or cannot be written.
    """
    path = user_path(path)
    kind = formats.COLOUR_FORMATS.get(path.suffix.lower(), "")
    if image.mode == "RGBA" and kind not in formats.WITH_ALPHA:
        image = image.convert("RGB")
    quality = formats.QUALITY.get(kind, {})
    carried, lost = metadata.divide_by_format(image.info, kind)
    plain = image.copy()
    plain.info = {}  # of which Pillow would write some by itself

    def fill(part: Path) -> None:
        without_exif = {name: value for name, value in carried.items() if name != "exif"}
        for kept in (carried, without_exif, {}):
            try:
                plain.save(part, **kept, **quality)
            except OSError:
                raise
            except Exception:  # odd EXIF can fail in any way; the picture matters more
                if not kept:
                    raise
            else:
                lost.extend(metadata.LABELS[name] for name in carried.keys() - kept)
                return

    write(path, fill, overwrite)
    return lost
