"""Paths: as a person writes them, whether they can be read, which are the same file."""

import os
import stat
from pathlib import Path
from typing import BinaryIO

from colorlib.base.errors import ColorlibError

MAY_NOT_BE_READ = "may not be read"


def user_path(path: Path | str) -> Path:
    """A path as a person gave it, with a leading `~` or `~name` as that home folder."""
    return Path(os.path.expanduser(path))


def open_file(path: Path | str) -> BinaryIO:
    """A file opened to be read; never something else that has a name, such as a pipe.

    Raises:
        ColorlibError: there is no such file, or it may not be read.
    """
    try:
        file = open(path, "rb", opener=_without_waiting)  # noqa: SIM115 - whoever reads it closes it
        if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return file
        file.close()
    except PermissionError as error:
        raise ColorlibError(f"{path} {MAY_NOT_BE_READ}") from error
    except (OSError, ValueError):
        pass
    raise ColorlibError(f"there is no file {path}")


def _without_waiting(path: str, flags: int) -> int:
    """Opens a pipe that nobody writes to at once."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def why_unreadable(path: Path) -> str | None:
    """Why a file cannot be opened, in a sentence; None if it can."""
    try:
        open_file(path).close()
    except ColorlibError as error:
        return str(error)
    return None


def identities(*paths: Path) -> set[tuple[int, int]]:
    """Device and inode of each file or folder, equal for all its names; of those that exist."""
    found = set()
    for path in paths:
        try:
            status = os.stat(path)
        except (OSError, ValueError):
            continue
        found.add((status.st_dev, status.st_ino))
    return found
