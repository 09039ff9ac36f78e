"""Photographs of one fixed size on disk, which train fast."""

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from colorlib import lab
from colorlib.base.errors import ColorlibError
from colorlib.data import rows
from colorlib.data.cache import atomic_folder, cache_dir
from colorlib.data.folders import Photo, UnreadablePhotos, some_of
from colorlib.data.resident import Resident
from colorlib.data.rows import Progress
from colorlib.files import squares
from colorlib.networks.inputs import Inputs

Which = slice | Sequence[int] | Sequence[bool] | np.ndarray | Tensor
"""Some of N photographs: their positions, in -N..N-1, a slice, or a mask of N booleans."""


NEAR_GRAY = 3.0
"""Lab units: a photograph whose mean chroma is lower teaches a network to predict gray. The
eye tells two even areas apart from about 2.3 units on."""


@dataclass(frozen=True)
class Packed:
    """Photographs of one fixed size on disk, read without decoding.

    Attributes:
        pixels: (N, S, S, 3) uint8 sRGB, memory-mapped: what a batch does not
            touch is not read, and what it touches the system may drop again.
        names: the photographs' names, in order.
        key: SHA-256 over content, order and size, and over what the embeddings depend on.
        index: the rows of `pixels` that this object stands for, in order.
        embeddings: (N, E), what a global prior makes of each photograph
            (`data.embed`); or None.
        mirrored_embeddings: (N, E), what it makes of their mirror images; or None.
        skipped: the photographs that `pack` left out because they cannot be read.
        pixels_key: like `key`, without the embeddings; by default `key`.

    Methods that take some of the photographs raise IndexError if there is no
    such one, and ValueError for a mask of another length or other numbers than
    whole ones.
    """

    pixels: np.ndarray
    names: tuple[str, ...]
    key: str
    index: np.ndarray
    embeddings: np.ndarray | None = None
    mirrored_embeddings: np.ndarray | None = None
    skipped: tuple[Photo, ...] = ()
    pixels_key: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "pixels_key", self.pixels_key or self.key)

    @property
    def size(self) -> int:
        """The side S of a photograph in pixels."""
        return self.pixels.shape[1]

    def __len__(self) -> int:
        return len(self.index)

    def _positions(self, which: Which | None) -> np.ndarray:
        """Some of the photographs as positions in 0..N-1, int64; all if None."""
        count = len(self)
        if which is None or isinstance(which, slice):
            return np.arange(count)[slice(None) if which is None else which]
        found = np.asarray(which.cpu() if isinstance(which, Tensor) else which)
        if found.dtype == bool:
            if found.shape != (count,):
                raise ValueError(f"a mask must have shape ({count},), not {found.shape}")
            return np.flatnonzero(found)
        if found.ndim != 1 or not (found.size == 0 or np.issubdtype(found.dtype, np.integer)):
            raise ValueError("photographs are chosen by a list of whole numbers, a mask or a slice")
        found = found.astype(np.int64)
        if outside := found[(found < -count) | (found >= count)].tolist():
            raise IndexError(f"there is no photograph {outside[0]}: there are {count}, from 0")
        return np.where(found < 0, found + count, found)

    def rgb(self, which: Which | None = None) -> Tensor:
        """Photographs as a uint8 tensor (B, 3, S, S), sRGB in 0..255; all by default."""
        rows = self.index[self._positions(which)]
        return torch.from_numpy(np.array(self.pixels[rows])).permute(0, 3, 1, 2)

    def lab(self, which: Which | None = None, device: str | torch.device = "cpu") -> Tensor:
        """Photographs as float32 Lab, (B, 3, S, S), L in [0, 100], on a device; all by default."""
        return lab.rgb_to_lab(self.rgb(which).to(device).float() / 255)

    def embedding(
        self,
        which: Which | None = None,
        mirrored: np.ndarray | Tensor | bool = False,
        device: str | torch.device = "cpu",
    ) -> Tensor | None:
        """The global prior's embeddings of photographs, (B, E) float32; None without a prior.

        Args:
            which: all by default.
            mirrored: those of the mirror images; B booleans choose for each.
            device: where the result lies.

        Raises:
            ValueError: there are none of mirror images.
        """
        if self.embeddings is None:
            return None
        rows = self.index[self._positions(which)]
        found = self.embeddings[rows]  # a copy
        chosen = mirrored.cpu().numpy() if isinstance(mirrored, Tensor) else mirrored
        swapped = np.broadcast_to(chosen, len(rows))
        if swapped.any():
            found[swapped] = self._of_mirror_images()[rows[swapped]]
        return torch.from_numpy(found).float().to(device)

    def inputs(
        self,
        which: Which | None = None,
        mirrored: np.ndarray | Tensor | bool = False,
        device: str | torch.device = "cpu",
    ) -> Inputs:
        """What a network is given of photographs; all by default.

        Args:
            which: some of them.
            mirrored: whether the embedding is that of mirror images; B booleans choose for each.
            device: where the result lies.
        """
        L, _ = lab.normalize(self.lab(which, device))
        return self.given(L, which, mirrored)

    def given(
        self, L: Tensor, which: Which | None = None, mirrored: np.ndarray | Tensor | bool = False
    ) -> Inputs:
        """The same where their lightness has been changed: L, (B, 1, H, W) in [-1, 1]."""
        return Inputs(L, self.embedding(which, mirrored, L.device))

    def _of_mirror_images(self) -> np.ndarray:
        if self.mirrored_embeddings is None:
            raise ValueError("there are no embeddings of mirror images: embed them, too")
        return self.mirrored_embeddings

    def with_embeddings(
        self, embeddings: np.ndarray, mirrored: np.ndarray | None = None
    ) -> "Packed":
        """The same photographs with embeddings, (N, E), one row for each of `pixels`.

        Args:
            embeddings: of the photographs.
            mirrored: of their mirror images, which need them if they are trained on.

        Raises:
            ValueError: another number of rows.
        """
        key = hashlib.sha256(self.key.encode())
        for found in (embeddings, mirrored):
            if found is None:
                continue
            if found.ndim != 2 or len(found) != len(self.pixels):
                raise ValueError(
                    f"embeddings must have shape ({len(self.pixels)}, E), not {found.shape}"
                )
            key.update(np.ascontiguousarray(found).data)
        return replace(
            self, key=key.hexdigest(), embeddings=embeddings, mirrored_embeddings=mirrored
        )

    def to(self, device: str | torch.device) -> Resident:
        """The same photographs and embeddings, copied into the memory of a device."""

        def moved(rows: np.ndarray | None) -> Tensor | None:
            return None if rows is None else torch.from_numpy(rows[self.index]).to(device)

        pixels = torch.from_numpy(np.ascontiguousarray(self.pixels[self.index])).to(device)
        return Resident(pixels, moved(self.embeddings), moved(self.mirrored_embeddings))

    @property
    def nbytes(self) -> int:
        """How many bytes `to` copies."""
        arrays = (self.pixels, self.embeddings, self.mirrored_embeddings)
        return sum(len(self) * rows[:1].nbytes for rows in arrays if rows is not None)

    def select(self, which: Which) -> "Packed":
        """The same photographs, fewer or in another order; nothing is copied."""
        positions = self._positions(which)
        names = tuple(self.names[i] for i in positions)
        key, pixels_key = self._keys_after(positions.tobytes())
        index = self.index[positions]
        return replace(self, names=names, key=key, index=index, pixels_key=pixels_key)

    def _keys_after(self, step: bytes) -> list[str]:
        """`key` and `pixels_key` of what a step makes of these photographs."""
        keys = (self.key, self.pixels_key)
        return [hashlib.sha256(key.encode() + step).hexdigest() for key in keys]

    def mirrored(self) -> "Packed":
        """The same photographs, left and right exchanged.

        Raises:
            ValueError: there are embeddings, but none of mirror images.
        """
        embeddings = None if self.embeddings is None else self._of_mirror_images()
        return self._turned("mirrored", self.pixels[:, :, ::-1], embeddings, self.embeddings)

    def upside_down(self, embeddings: np.ndarray | None = None) -> "Packed":
        """The same photographs, top and bottom exchanged.

        Args:
            embeddings: what the prior makes of them, (N, E); see `data.embed`.
        """
        return self._turned("upside down", self.pixels[:, ::-1], embeddings)

    def _turned(
        self,
        how: str,
        pixels: np.ndarray,
        embeddings: np.ndarray | None,
        mirrored: np.ndarray | None = None,
    ) -> "Packed":
        key, pixels_key = self._keys_after(f" {how}".encode())
        return replace(
            self, pixels=pixels, key=key, embeddings=embeddings, mirrored_embeddings=mirrored,
            pixels_key=pixels_key,
        )

    def chroma(self) -> np.ndarray:
        """Each photograph's mean chroma sqrt(a^2 + b^2) in Lab units, shape (N,).

        About 0 for a gray photograph, 10 to 30 for most colour ones.
        """
        found = [torch.hypot(*photos.lab()[:, 1:].unbind(1)).mean((1, 2)) for photos in self.some()]
        return torch.cat(found).numpy()

    def near_gray(self) -> np.ndarray:
        """Whether each photograph is near-gray: its `chroma` is below `NEAR_GRAY`; shape (N,)."""
        return self.chroma() < NEAR_GRAY

    def some(self, pixels: int = 2**18) -> Iterator["Packed"]:
        """The photographs, a few at a time.

        Args:
            pixels: how many they have together, so that it takes little memory.
        """
        step = max(1, pixels // self.size**2)
        for start in range(0, len(self), step):
            yield self.select(slice(start, start + step))

    def colourful(self, least: float) -> "Packed":
        """Only the photographs whose mean chroma is at least `least` Lab units.

        Raises:
            ColorlibError: there is none.
        """
        chroma = self.chroma()
        if not (chroma >= least).any():
            raise ColorlibError(
                f"none of {len(self)} photographs has a mean chroma of {least:g} Lab units; "
                f"the most is {chroma.max(initial=0):.1f}"
            )
        return self.select(chroma >= least)


def pack_pixels(
    items: Sequence[Photo],
    size: int,
    progress: Progress = iter,
    skip_damaged: bool = False,
) -> Packed:
    """Decode photographs once, to a fixed size, into a memory-mapped file.

    A photograph is turned upright (EXIF), its shorter side resized to `size`
    (bicubic, antialiased), its middle cut out. The file lies in the cache
    under a key of content and size, so a second call reads it at once. What takes
    longer than a second is done by all cores; after an interrupt it goes on where it was.

    Args:
        items: what `photos` returned; lists may be added together.
        size: side in pixels.
        progress: wraps the loop over the photographs, for example ``tqdm``.
        skip_damaged: leave out photographs that cannot be decoded, instead of
            raising; they are in `Packed.skipped`. (A file that may not be
            opened has no hash, so `photos` has refused it before.)

    Raises:
        UnreadablePhotos: some photographs cannot be read. All of them are named,
            and the others are kept: a call without them decodes nothing again.
        ColorlibError: no photographs, a bad size, or a cache that cannot be written.
    """
    if not items:
        raise ColorlibError("there are no photographs to pack")
    if size < 8:
        raise ColorlibError(f"photographs cannot be packed at {size} pixels: 8 is the least")
    key = _key(items, size)
    file = _folder(key) / _PIXELS
    if not file.is_file():
        try:
            with rows.locked(_folder(key)):
                _check_known_damage(items, size)
                _write_pack(items, size, progress)
        except UnreadablePhotos as error:
            damaged = set(error.files)
            good = [photo for photo in items if photo.path not in damaged]
            if not skip_damaged or not good:
                raise
            skipped = tuple(photo for photo in items if photo.path in damaged)
            return replace(pack_pixels(good, size, progress), skipped=skipped)
    pixels = np.load(file, mmap_mode="r")
    return Packed(pixels, tuple(photo.name for photo in items), key, np.arange(len(items)))


def unreadable(damaged: Mapping[Photo, str], total: int) -> UnreadablePhotos:
    """The error that names all photographs that cannot be read.

    Args:
        damaged: photograph -> why, in a sentence.
        total: how many photographs there are with them.
    """
    message = next(iter(damaged.values()))
    if len(damaged) > 1:
        names = some_of([photo.name for photo in damaged])
        message = f"{len(damaged)} of {total} photographs cannot be read: {names}"
    return UnreadablePhotos(message, [photo.path for photo in damaged])


_PIXELS = "pixels.npy"


def _folder(key: str) -> Path:
    # "packed" is version 0.1's, which misread images of other numbers than 8 bits.
    return cache_dir() / "packed-2" / key


def _key(items: Sequence[Photo], size: int) -> str:
    digest = hashlib.sha256(f"upright bicubic centre {size}".encode())
    for photo in items:
        digest.update(bytes.fromhex(photo.sha256))
    return digest.hexdigest()


def _write_pack(items: Sequence[Photo], size: int, progress: Progress) -> None:
    """Decode photographs into the cache.

    Raises:
        UnreadablePhotos: some cannot be read; the others have been packed
            without them, and those are remembered for `_check_known_damage`.
    """
    key = _key(items, size)
    kind = rows.Kind(_PIXELS, (size, size, 3), "|u1", chunk=32, threads=False)
    paths, make = [str(photo.path) for photo in items], partial(squares, size)
    failed = rows.fill(_folder(key), kind, paths, make, progress)
    if failed:
        good = [i for i in range(len(items)) if i not in failed]
        if good:
            pixels = rows.unfinished(_folder(key), kind, len(items))
            rows.fill(
                _folder(_key([items[i] for i in good], size)),
                kind._replace(threads=True),
                good,
                lambda some: (pixels[some], {}),
            )
            with atomic_folder(_folder(f"{key}-damaged")) as folder:
                np.save(folder / "positions.npy", list(failed))
        rows.discard(_folder(key))
        raise unreadable({items[i]: why for i, why in failed.items()}, len(items))


def _check_known_damage(items: Sequence[Photo], size: int) -> None:
    """Try the photographs that `_write_pack` could not read, so that it need not be repeated.

    Raises:
        UnreadablePhotos: none of them can be read yet.
    """
    folder = _folder(f"{_key(items, size)}-damaged")
    if not os.path.isdir(folder):
        return
    known = list(dict.fromkeys(items[i] for i in np.load(folder / "positions.npy")))
    _, problems = squares(size, [photo.path for photo in known])
    if len(problems) == len(known):
        raise unreadable({known[i]: why for i, why in problems.items()}, len(items))
    shutil.rmtree(folder, ignore_errors=True)
