"""SHA-256 of files, computed once: remembered in the cache by size and time of change."""

import hashlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from colorlib.base.errors import ColorlibError
from colorlib.data.cache import cache_dir

_SETTLED = 2.0  # seconds after which a file that is changed has another time of change
_TABLE = """create table if not exists hashes (
    path text primary key, size integer, modified integer, changed integer, sha256 text)"""


@contextmanager
def remembered() -> Iterator[Callable[[Path], str]]:
    """A `hash_of` that reads a file again only if its size or its times have changed.

    Without a cache that can be written, every file is read.
    """
    try:
        cache_dir().mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(cache_dir() / "hashes.sqlite", timeout=10)
    except (OSError, sqlite3.Error):
        yield hash_of
        return
    with closing(database):
        try:
            database.execute(_TABLE)
            known = _Known(database)
        except sqlite3.Error:  # such as a file that is no database
            yield hash_of
            return
        try:
            yield known
        finally:
            known.keep()


class _Known:
    """What the table knows, and what is to be added to it."""

    def __init__(self, database: sqlite3.Connection):
        self._database = database
        self._new: list[tuple] = []

    def __call__(self, path: Path) -> str:
        try:
            status = os.stat(path)
        except (OSError, ValueError):
            return hash_of(path)  # which says why
        state = (os.path.abspath(path), status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        query = "select sha256 from hashes where path=? and size=? and modified=? and changed=?"
        try:
            found = self._database.execute(query, state).fetchone()
        except (sqlite3.Error, UnicodeError):  # a name that is no text
            return hash_of(path)
        if found and os.access(path, os.R_OK):
            return found[0]
        sha256 = hash_of(path)
        newest = max(status.st_mtime, status.st_ctime)
        if time.time() - newest > _SETTLED:
            self._new.append((*state, sha256))
            if len(self._new) >= 1000:
                self.keep()
        return sha256

    def keep(self) -> None:
        """Write what is new; what cannot be written is hashed again the next time."""
        new, self._new = self._new, []
        try:
            with self._database:
                self._database.executemany("replace into hashes values (?, ?, ?, ?, ?)", new)
        except (sqlite3.Error, UnicodeError):
            pass


def hash_of(path: Path) -> str:
    """SHA-256 of a file.

    Raises:
        ColorlibError: it cannot be read.
    """
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except PermissionError as error:
        raise ColorlibError(f"{path} may not be read") from error
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise ColorlibError(f"{path} cannot be read ({why})") from error
