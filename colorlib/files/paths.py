"""Paths: as a person writes them, whether they can be read, which are the same file."""

import os
import stat
from pathlib import Path

MAY_NOT_BE_READ = "may not be read"


def user_path(path: Path | str) -> Path:
    """A path as a person gave it, with a leading `~` or `~name` as that home folder."""
    if isinstance(path, Path) and not str(path).startswith("~"):
        return path
    return Path(os.path.expanduser(path))


def why_no_file(path: Path) -> str | None:
    """Why there is no file of that name to be opened, in a sentence; None if there is one."""
    try:
        if stat.S_ISREG(os.stat(path).st_mode):  # a pipe would block
            return None
    except PermissionError:
        return f"{path} {MAY_NOT_BE_READ}"
    except (OSError, ValueError):
        pass
    return f"there is no file {path}"


def why_unreadable(path: Path) -> str | None:
    """Why a file cannot be opened, in a sentence; None if it can."""
    if problem := why_no_file(path):
        return problem
    try:
        open(path, "rb").close()
    except PermissionError:
        return f"{path} {MAY_NOT_BE_READ}"
    except (OSError, ValueError):
        return f"there is no file {path}"
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
