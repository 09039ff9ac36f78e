"""Where downloads and whatever is computed once are kept."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

from colorlib.base.errors import ColorlibError
from colorlib.files import user_path


def cache_dir() -> Path:
    """Where downloads and packed photographs are kept.

    ``COLORLIB_CACHE``, or the user's cache folder if that is not set.
    """
    return user_path(os.environ.get("COLORLIB_CACHE") or platformdirs.user_cache_dir("colorlib"))


def data_dir() -> Path | None:
    """Where the user's data sets are: ``COLORLIB_DATA``; None if that is not set."""
    folder = os.environ.get("COLORLIB_DATA")
    return user_path(folder) if folder else None


@contextmanager
def cannot_write(folder: Path) -> Iterator[None]:
    """Errors of the file system become one sentence that names COLORLIB_CACHE.

    Raises:
        ColorlibError: that sentence.
    """
    try:
        yield
    except OSError as error:
        raise ColorlibError(
            f"{folder} cannot be written ({error.strerror or error}): "
            "set COLORLIB_CACHE to a folder for such files"
        ) from error


@contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """Fill a folder atomically: it appears under its name when complete, or not at all.

    Several processes may fill the same folder at once; the first one to
    finish provides it.

    Args:
        folder: in `cache_dir`.

    Yields:
        An empty folder to fill, on the same file system.

    Raises:
        ColorlibError: the cache cannot be written.
    """
    with cannot_write(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".partial-") as partial:
            target = Path(partial) / folder.name
            target.mkdir()
            yield target
            try:
                target.rename(folder)
            except OSError:
                if not folder.is_dir():  # else another process was first
                    raise
