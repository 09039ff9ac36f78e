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

import requests

from colorlib.base.errors import ColorlibError
from colorlib.data import torchvision_sets
from colorlib.data.cache import atomic_folder, cache_dir
from colorlib.data.catalogue import DataSet, data_sets, find
from colorlib.data.folders import SPLITS
from colorlib.files import user_path


def download(name: str, url: str | None = None, progress: bool = True) -> Path:
    """Fetch a data set that is known by name; every file is verified by SHA-256.

    Nothing is fetched if the data set is already there; it is verified. Its folder appears
    when it is complete, or not at all; a failed call can simply be repeated.

    Args:
        name: such as ``open-country``; or ``torchvision:`` and one of torchvision's data sets.
        url: the archive, by its address or as a file; by default the published one.
        progress: show a progress bar.

    Returns:
        The folder of the data set.

    Raises:
        ColorlibError: no such data set or one that cannot be downloaded, no
            network, an incomplete transfer, an archive that is damaged, differs from the
            published one or does not hold the published files; a folder that does not.
    """
    if torchvision_sets.is_one(name):
        return torchvision_sets.find(name).download(progress)
    data_set = find(name) if isinstance(name, str) else None
    if data_set is None or data_set.url is None:
        known = ", ".join(name for name, entry in data_sets().items() if entry.url)
        raise ColorlibError(
            f"cannot download {str(name)!r}; there is {known}, and torchvision:NAME"
        )
    if folder := data_set.root():
        data_set.photos_of(SPLITS)  # a folder of that name may hold something else
        return folder
    folder = cache_dir() / data_set.folder
    url = url or data_set.url
    with atomic_folder(folder) as partial:
        file = user_path(url)
        archive = file if os.path.isfile(file) else _fetch(url, partial.parent, progress)
        _verify(archive, url, data_set)
        _extract(archive, data_set, partial)
    return folder


def _fetch(url: str, folder: Path, progress: bool) -> Path:
    import pooch  # here: it brings a progress bar that writes a warning into notebooks

    pooch.get_logger().setLevel("WARNING")  # the archive is verified afterwards
    try:
        return Path(
            pooch.retrieve(
                url, known_hash=None, fname="archive", path=folder, progressbar=progress
            )
        )
    except (requests.ConnectionError, requests.Timeout) as error:
        raise ColorlibError(f"cannot reach {url}: check the network and try again") from error
    except requests.HTTPError as error:
        status = getattr(error.response, "status_code", "no answer")
        raise ColorlibError(f"{url} could not be had ({status})") from error
    except requests.RequestException as error:
        raise ColorlibError(f"the download of {url} broke off: try again") from error
    except ValueError as error:
        raise ColorlibError(f"{url} is no address from which files can be fetched") from error
    except ftplib.all_errors as error:
        raise ColorlibError(f"{url} could not be had ({error})") from error


def _verify(archive: Path, url: str, data_set: DataSet) -> None:
    """Compare the archive with its published checksum, if there is one."""
    if data_set.checksum is None:
        return
    algorithm, _, digest = data_set.checksum.partition(":")
    with open(archive, "rb") as file:
        if hashlib.file_digest(file, algorithm).hexdigest() != digest:
            raise ColorlibError(
                f"{url} differs from the published archive of {data_set.name} ({algorithm} "
                f"{digest}): try again, or give another address"
            )


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
    except (
        zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, EOFError
    ) as error:
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
