"""Data sets by download; every file is verified by its hash."""

import hashlib
import zipfile
import zlib
from pathlib import Path

import requests

from colorlib.data.cache import atomic_folder, cache_dir
from colorlib.data.catalogue import DataSet, data_sets, find
from colorlib.errors import ColorlibError


def download(name: str, url: str | None = None, progress: bool = True) -> Path:
    """Fetch a data set that is known by name; every file is verified by SHA-256.

    Nothing is fetched if the data set is already there. Its folder appears when
    it is complete, or not at all; a failed call can simply be repeated.

    Args:
        name: such as ``open-country``.
        url: the archive, a zip file; by default the published one.
        progress: show a progress bar.

    Returns:
        The folder of the data set.

    Raises:
        ColorlibError: no such data set or one that cannot be downloaded, no
            network, an incomplete transfer, an archive that is damaged or does
            not hold the published files.
    """
    data_set = find(name) if isinstance(name, str) else None
    if data_set is None or data_set.url is None:
        known = ", ".join(name for name, entry in data_sets().items() if entry.url)
        raise ColorlibError(f"cannot download {str(name)!r}; there is {known}")
    if folder := data_set.root():
        return folder
    folder = cache_dir() / data_set.folder
    with atomic_folder(folder) as partial:
        archive = _fetch(url or data_set.url, partial.parent, progress)
        _extract(archive, data_set, partial)
    return folder


def _fetch(url: str, folder: Path, progress: bool) -> Path:
    import pooch  # here: it brings a progress bar that writes a warning into notebooks

    pooch.get_logger().setLevel("WARNING")  # each file's hash is checked after unpacking
    try:
        return Path(
            pooch.retrieve(
                url, known_hash=None, fname="archive.zip", path=folder, progressbar=progress
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


def _extract(archive: Path, data_set: DataSet, folder: Path) -> None:
    """Write the published files of a data set, and no others, from the archive."""
    try:
        with zipfile.ZipFile(archive) as bundle:
            members = {Path(name).name: name for name in bundle.namelist()}
            for row in data_set.files():
                name = row["file"]
                if name not in members:
                    raise ColorlibError(
                        f"the archive lacks {name}: it is not the published collection"
                    )
                content = bundle.read(members[name])
                if hashlib.sha256(content).hexdigest() != row["sha256"]:
                    raise ColorlibError(f"{name} in the archive differs from the published file")
                (folder / name).write_bytes(content)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise ColorlibError("the downloaded archive is damaged: try again") from error
