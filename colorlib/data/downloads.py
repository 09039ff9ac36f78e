"""Data sets by download; every file is verified by its hash."""

import ftplib
import gzip
import hashlib
import lzma
import os
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from colorlib.base.errors import ColorlibError
from colorlib.data.cache import atomic_folder, cache_dir
from colorlib.data.catalogue import DataSet, data_sets, find
from colorlib.data.folders import SPLITS
from colorlib.files import user_path

_DAMAGED = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, EOFError
)


def download(name: str, url: str | None = None, progress: bool = True) -> Path:
    """Fetch a data set that is known by name; every file is verified by SHA-256.

    Nothing is fetched if the data set is already there; it is verified. Its folder appears
    when it is complete, or not at all; a failed call can simply be repeated.

    Args:
        name: such as ``open-country``.
        url: the archive, by its address or as a file; by default the published one.
        progress: show a progress bar.

    Returns:
        The folder of the data set.

    Raises:
        ColorlibError: no such data set or one that cannot be downloaded, no
            network, an incomplete transfer, an archive that is damaged, differs from the
            published one or does not hold the published files; a folder that does not.
    """
    data_set = find(name) if isinstance(name, str) else None
    if data_set is None or data_set.url is None:
        known = ", ".join(name for name, entry in data_sets().items() if entry.url)
        raise ColorlibError(f"cannot download {str(name)!r}; there is {known}")
    if folder := data_set.root():
        data_set.photos_of(SPLITS)  # a folder of that name may hold something else
        return folder
    folder = cache_dir() / data_set.folder
    with atomic_folder(folder) as partial:
        archive = _archive(url or data_set.url, data_set, partial.parent, progress)
        _extract(archive, data_set, partial)
    return folder


def _archive(url: str, data_set: DataSet, folder: Path, progress: bool) -> Path:
    """The archive, fetched if it is no file, and compared with its published checksum."""
    import pooch  # here: it brings a progress bar that writes a warning into notebooks

    pooch.get_logger().setLevel("WARNING")
    file = user_path(url)
    if not os.path.isfile(file):
        try:
            fetched = pooch.retrieve(
                url, known_hash=None, fname="archive", path=folder, progressbar=progress
            )
        except (OSError, EOFError, ValueError, ftplib.Error) as error:  # requests' are OSErrors
            answer = getattr(error, "response", None)
            why = f" ({answer.status_code})" if answer is not None else ""
            raise ColorlibError(
                f"{url} could not be had{why}: check the address and the network, and try again"
            ) from error
        file = Path(fetched)
    algorithm, _, digest = (data_set.checksum or "").partition(":")
    if digest and pooch.file_hash(str(file), alg=algorithm) != digest:
        raise ColorlibError(
            f"{url} differs from the published archive of {data_set.name} ({algorithm} "
            f"{digest}): try again, or give another address"
        )
    return file


def _extract(archive: Path, data_set: DataSet, folder: Path) -> None:
    """Write the published files of a data set, and no others, from the archive."""
    try:
        wanted: dict[str, list[tuple[str, str]]] = {}  # name in the archive -> splits and files
        for place, name in data_set.wanted(_names(archive)).items():
            wanted.setdefault(name, []).append(place)
        known = {} if data_set.by_md5 else {row["file"]: row["sha256"] for row in data_set.files()}
        for name, content in _contents(archive, set(wanted)):
            for split, file in wanted[name]:
                if not hashlib.sha256(content).hexdigest().startswith(known.get(file, "")):
                    raise ColorlibError(f"{file} in the archive differs from the published file")
                path = data_set.path(folder, file, split)
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(content)
    except _DAMAGED as error:
        raise ColorlibError("the downloaded archive is damaged: try again") from error


def _names(archive: Path) -> list[str]:
    """The names of the files in an archive."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as bundle:
            return bundle.namelist()
    with tarfile.open(archive) as bundle:
        return [member.name.removeprefix("./") for member in bundle if member.isfile()]


def _contents(archive: Path, names: set[str]) -> Iterator[tuple[str, bytes]]:
    """The files of an archive that have these names, and what is in them."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as bundle:
            yield from ((name, bundle.read(name)) for name in bundle.namelist() if name in names)
        return
    with tarfile.open(archive) as bundle:
        for member in bundle:
            name = member.name.removeprefix("./")
            if name in names and (file := bundle.extractfile(member)):
                yield name, file.read()
