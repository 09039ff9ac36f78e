"""Photographs: where they are, which are held out, and a packed form that trains fast.

Paper, section 3.6. A data set is known by name: ``samples`` (photographs that
the package ``mvtb-data`` carries), a class of the MIT CVCL collection such as
``open-country``, or any folder of photos. Each is divided, once and for all,
into ``train``, ``val`` (to choose when to stop) and ``test`` (to report).
"""

import csv
import hashlib
import os
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import numpy as np
import platformdirs
import requests
import torch
from PIL import Image, ImageOps
from torch import Tensor

from colorlib import lab
from colorlib.errors import ColorlibError, NotHere
from colorlib.files import SUFFIXES, read, upright

SPLITS = ("train", "val", "test")
CVCL_URL = (
    "https://people.csail.mit.edu/torralba/code/spatialenvelope/"
    "spatial_envelope_256x256_static_8outdoorcategories.zip"
)


class Photo(NamedTuple):
    """One photograph: its name in the data set, its file, its content's SHA-256."""

    name: str
    path: Path
    sha256: str


def photos(data: str | Path, split: str) -> list[Photo]:
    """The photographs of one split of a data set, in a fixed order.

    Args:
        data: ``samples``; a CVCL class (``coast``, ``forest``, ``highway``,
            ``inside-city``, ``mountain``, ``open-country``, ``street``,
            ``tall-building``), found under ``COLORLIB_DATA`` or among what
            `download` has fetched; ``open-country-64``, thumbnails of that
            class under ``COLORLIB_DATA``; or a folder, by its path or by its
            name under ``COLORLIB_DATA``. A folder may hold
            ``train``, ``val`` and ``test`` folders (without ``train``, all that is
            in neither of the others is trained on); a held-out split that it
            lacks is a tenth of the training photos, in the order of their
            SHA-256, so that names and dates do not matter.
        split: ``train``, ``val`` or ``test``.

    Raises:
        NotHere: no such data set.
        ColorlibError: no such split, a file that differs from the published
            list, too few photos.
    """
    if split not in SPLITS:
        raise ColorlibError(f"no split named {split!r}; there is {', '.join(SPLITS)}")
    name = str(data)
    if name == "samples":
        return _samples(split)
    if (category := _category(name)) is not None:
        return _cvcl(category, split)
    if name == "open-country-64":
        return _thumbnails(split)
    for folder in (Path(data), (_data_dir() or Path()) / name):
        if folder.is_dir():
            return _folder(folder, split)
    raise NotHere(
        f"no data set or folder named {name!r}; there is samples, "
        f"{', '.join(sorted(_cvcl_names()))}, or a folder of photos, also by its name in "
        "COLORLIB_DATA"
    )


# The embedded photographs ---------------------------------------------------


def _samples(split: str) -> list[Photo]:
    root = Path(str(resources.files("mvtbdata"))) / "images"
    rows = [row for row in _table("samples.csv") if row["split"] == split]
    return [
        _verified(root / row["file"], row["file"], row["sha256"], "install mvtb-data==1.6.1")
        for row in rows
    ]


# The MIT CVCL collection ----------------------------------------------------


def download(category: str, url: str = CVCL_URL, progress: bool = True) -> Path:
    """Fetch one class of the MIT CVCL collection; every file is verified by SHA-256.

    Nothing is fetched if the class is already there. The folder appears whole
    or not at all, and a failed call can simply be repeated.

    Args:
        category: a CVCL class, such as ``open-country``.
        url: the archive (a zip file).
        progress: show a progress bar.

    Returns:
        The folder of the class.

    Raises:
        ColorlibError: no such class, no network, an incomplete transfer, an
            archive that is damaged or does not hold the published files.
    """
    key = _category(category)
    if key is None:
        raise ColorlibError(
            f"cannot download {category!r}; there is {', '.join(sorted(_cvcl_names()))}"
        )
    if folder := _cvcl_folder(key):
        return folder
    folder = cache_dir() / "cvcl" / key
    with whole(folder) as partial:
        archive = _fetch(url, partial.parent, progress)
        _extract(archive, key, partial)
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


def _extract(archive: Path, category: str, folder: Path) -> None:
    """Write the published files of a class, and no others, from the archive."""
    try:
        with zipfile.ZipFile(archive) as bundle:
            members = {Path(name).name: name for name in bundle.namelist()}
            for row in _cvcl_rows(category):
                member = f"{category}_{row['file']}"
                if member not in members:
                    raise ColorlibError(
                        f"the archive lacks {member}: it is not the published collection"
                    )
                content = bundle.read(members[member])
                if hashlib.sha256(content).hexdigest() != row["sha256"]:
                    raise ColorlibError(f"{member} in the archive differs from the published file")
                (folder / member).write_bytes(content)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise ColorlibError("the downloaded archive is damaged: try again") from error


def _cvcl(category: str, split: str) -> list[Photo]:
    folder = _cvcl_folder(category)
    if folder is None:
        raise NotHere(
            f"the photos of {category} are not here: run 'colorlib download {category}', "
            "or point COLORLIB_DATA at a folder that holds cvcl/" + category
        )
    return [
        _verified(
            folder / f"{category}_{row['file']}",
            f"{category}_{row['file']}",
            row["sha256"],
            f"delete {folder} and run 'colorlib download'",
        )
        for row in _cvcl_rows(category)
        if row["split"] == split
    ]


def _cvcl_folder(category: str) -> Path | None:
    for root in (_data_dir(), cache_dir()):
        if root is not None and (root / "cvcl" / category).is_dir():
            return root / "cvcl" / category
    return None


def _cvcl_rows(category: str) -> list[dict[str, str]]:
    return [row for row in _table("cvcl.csv") if row["category"] == category]


def _cvcl_names() -> dict[str, str]:
    return {row["category"].replace("_", "-"): row["category"] for row in _table("cvcl.csv")} | {
        "open-country": "opencountry",
        "tall-building": "tallbuilding",
    }


def _category(name: str) -> str | None:
    """The collection's own spelling of a class; hyphen or underscore do not matter."""
    return _cvcl_names().get(name.lower().replace("_", "-"))


def _thumbnails(split: str) -> list[Photo]:
    root = _data_dir()
    if root is None or not (root / "cvcl64" / "opencountry").is_dir():
        raise NotHere("open-country-64 needs COLORLIB_DATA to hold cvcl64/opencountry")
    paths = [
        root / "cvcl64" / "opencountry" / f"opencountry_{row['file']}"
        for row in _cvcl_rows("opencountry")
        if row["split"] == split
    ]
    for path in paths:
        if not path.is_file():
            raise ColorlibError(f"{path} is missing")
    return [Photo(path.name, path, _sha256(path)) for path in paths]


# A folder of photos ---------------------------------------------------------


def _folder(root: Path, split: str) -> list[Photo]:
    """A split of a folder; a file that lies there twice is in one split only."""
    given = [name for name in SPLITS if (root / name).is_dir()]
    held_out = [name for name in ("test", "val") if name in given]
    parts: dict[str, list[Photo]] = {name: _find(root / name, root) for name in held_out}
    if split not in parts or "test" not in parts:
        rest = _find(root / "train" if "train" in given else root, root)
        pool = [photo for photo in rest if photo.name.split("/")[0] not in parts]
        parts |= _cut(pool, [name for name in ("test", "val") if name not in given], root)
    known: set[str] = set()
    for name in ("test", "val", "train"):
        parts[name] = [photo for photo in parts.get(name, []) if photo.sha256 not in known]
        known |= {photo.sha256 for photo in parts[name]}
    return parts[split]


def _cut(pool: list[Photo], missing: list[str], root: Path) -> dict[str, list[Photo]]:
    """A tenth for each split that is missing, by content; the rest to train on."""
    pool = sorted(pool, key=lambda photo: photo.sha256)
    tenth = max(1, len(pool) // 10)
    if len(pool) <= tenth * len(missing):
        raise ColorlibError(f"{root} holds {len(pool)} photos: too few to hold some out")
    parts = {name: sorted(pool[i * tenth : (i + 1) * tenth]) for i, name in enumerate(missing)}
    return parts | {"train": sorted(pool[len(missing) * tenth :])}


def _find(folder: Path, root: Path) -> list[Photo]:
    return [
        Photo(path.relative_to(root).as_posix(), path, _sha256(path))
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in SUFFIXES and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]


# Packed photographs ---------------------------------------------------------


@dataclass(frozen=True)
class Packed:
    """Photographs of one fixed size on disk, read without decoding.

    Attributes:
        pixels: (N, S, S, 3) uint8 sRGB, memory-mapped: what a batch does not
            touch is not read, and what it touches the system may drop again.
        names: the photographs' names, in order.
        key: SHA-256 over content, order and size, and over what the embeddings depend on.
        index: the rows of `pixels` that this object stands for, in order.
        embeddings: (N, 2, E) float32, what a global prior makes of each
            photograph and of its mirror image (`priors.embed`); or None.
    """

    pixels: np.ndarray
    names: tuple[str, ...]
    key: str
    index: np.ndarray
    embeddings: np.ndarray | None = None

    @property
    def size(self) -> int:
        """The side S of a photograph in pixels."""
        return self.pixels.shape[1]

    def __len__(self) -> int:
        return len(self.index)

    def rgb(self, which: Sequence[int] | np.ndarray | Tensor | None = None) -> Tensor:
        """Photographs as a uint8 tensor (B, 3, S, S), sRGB in 0..255; all by default."""
        rows = self.index if which is None else self.index[np.asarray(which)]
        return torch.from_numpy(np.array(self.pixels[rows])).permute(0, 3, 1, 2)

    def lab(self, which: Sequence[int] | np.ndarray | Tensor | None = None) -> Tensor:
        """Photographs as float32 Lab, (B, 3, S, S), L in [0, 100]; all by default."""
        return lab.rgb_to_lab(self.rgb(which).float() / 255)

    def embedding(
        self,
        which: Sequence[int] | np.ndarray | Tensor | None = None,
        mirrored: np.ndarray | bool = False,
        device: str | torch.device = "cpu",
    ) -> Tensor | None:
        """What the global prior sees in photographs, (B, E), or in their mirror images.

        None where there is no prior.
        """
        if self.embeddings is None:
            return None
        rows = self.index if which is None else self.index[np.asarray(which)]
        found = self.embeddings[rows, np.asarray(mirrored, int)]  # a copy
        return torch.from_numpy(found).to(device)

    def with_embeddings(self, embeddings: np.ndarray) -> "Packed":
        """The same photographs with embeddings (N, 2, E), one row for each of `pixels`.

        Raises:
            ValueError: another number of rows.
        """
        if embeddings.shape[:2] != (len(self.pixels), 2):
            raise ValueError(
                f"embeddings must have shape ({len(self.pixels)}, 2, E), not {embeddings.shape}"
            )
        key = hashlib.sha256(self.key.encode())
        key.update(np.ascontiguousarray(embeddings).data)
        return replace(self, key=key.hexdigest(), embeddings=embeddings)

    def select(self, which: Sequence[int] | np.ndarray) -> "Packed":
        """The same photographs, fewer or in another order; nothing is copied."""
        which = np.asarray(which, dtype=np.int64)
        key = hashlib.sha256(self.key.encode() + which.tobytes()).hexdigest()
        names = tuple(self.names[i] for i in which)
        return replace(self, names=names, key=key, index=self.index[which])

    def mirrored(self) -> "Packed":
        """The same photographs, left and right exchanged."""
        seen = None if self.embeddings is None else self.embeddings[:, ::-1]
        return self._turned("mirrored", self.pixels[:, :, ::-1], seen)

    def upside_down(self, embeddings: np.ndarray | None = None) -> "Packed":
        """The same photographs, top and bottom exchanged.

        Args:
            embeddings: what the prior makes of them, (N, 2, E); see `priors.embed`.
        """
        return self._turned("upside down", self.pixels[:, ::-1], embeddings)

    def _turned(self, how: str, pixels: np.ndarray, embeddings: np.ndarray | None) -> "Packed":
        key = hashlib.sha256(f"{self.key} {how}".encode()).hexdigest()
        return replace(self, pixels=pixels, key=key, embeddings=embeddings)

    def chroma(self) -> np.ndarray:
        """Each photograph's mean chroma sqrt(a^2 + b^2) in Lab units, shape (N,).

        About 0 for a gray photograph, 10 to 30 for most colour ones.
        """
        means = [self.lab([i])[0, 1:].norm(dim=0).mean().item() for i in range(len(self))]
        return np.array(means)

    def colourful(self, least: float) -> "Packed":
        """Only the photographs whose mean chroma is at least `least` Lab units."""
        return self.select(np.flatnonzero(self.chroma() >= least))


def pack(
    items: Sequence[Photo],
    size: int,
    progress: Callable[[Iterable], Iterable] = iter,
) -> Packed:
    """Decode photographs once, to a fixed size, into a memory-mapped file.

    A photograph is turned upright (EXIF), its shorter side resized to `size`
    (bicubic, antialiased), its middle cut out. The file lies in the cache
    under a key of content and size, so a second call reads it at once.

    Args:
        items: what `photos` returned; lists may be added together.
        size: side in pixels.
        progress: wraps the loop over the photographs, for example ``tqdm``.

    Raises:
        ColorlibError: no photographs, a bad size, or a file that is no image.
    """
    if not items:
        raise ColorlibError("there are no photos to pack")
    if size < 8:
        raise ColorlibError(f"photos cannot be packed at {size} pixels: 8 is the least")
    digest = hashlib.sha256(f"upright bicubic centre {size}".encode())
    for photo in items:
        digest.update(bytes.fromhex(photo.sha256))
    key = digest.hexdigest()
    folder = cache_dir() / "packed" / key
    if not (folder / "pixels.npy").is_file():
        _write_pack(items, size, folder, progress)
    pixels = np.load(folder / "pixels.npy", mmap_mode="r")
    return Packed(pixels, tuple(photo.name for photo in items), key, np.arange(len(items)))


def _write_pack(items: Sequence[Photo], size: int, folder: Path, progress: Callable) -> None:
    header = {"descr": "|u1", "fortran_order": False, "shape": (len(items), size, size, 3)}
    with whole(folder) as partial, open(partial / "pixels.npy", "wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for photo in progress(items):
            file.write(decode(photo.path, size).tobytes())


def decode(path: Path, size: int) -> np.ndarray:
    """The middle square of a photograph as (S, S, 3) uint8, as `pack` keeps it."""
    rgb = upright(read(path))
    return np.asarray(ImageOps.fit(rgb, (size, size), Image.Resampling.BICUBIC))


# Shared ---------------------------------------------------------------------


def cache_dir() -> Path:
    """Where packed photographs and downloads are kept: ``COLORLIB_CACHE``, or the user's cache."""
    return Path(os.environ.get("COLORLIB_CACHE") or platformdirs.user_cache_dir("colorlib"))


@contextmanager
def whole(folder: Path) -> Iterator[Path]:
    """A folder to fill, which then appears under its name whole, or not at all."""
    try:
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
    except OSError as error:
        raise ColorlibError(f"{folder} cannot be written: {error.strerror or error}") from error


def _data_dir() -> Path | None:
    folder = os.environ.get("COLORLIB_DATA")
    return Path(folder) if folder else None


def _table(name: str) -> list[dict[str, str]]:
    text = resources.files("colorlib").joinpath("splits", name).read_text()
    return list(csv.DictReader(text.splitlines()))


def _verified(path: Path, name: str, sha256: str, remedy: str) -> Photo:
    if not path.is_file():
        raise ColorlibError(f"{path} is missing: {remedy}")
    if _sha256(path) != sha256:
        raise ColorlibError(f"{path} differs from the published file: {remedy}")
    return Photo(name, path, sha256)


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
