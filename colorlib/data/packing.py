"""Photographs decoded, and shown to a global prior, once: what comes of it is kept in the cache."""

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from colorlib import lab
from colorlib.base.devices import device_name, threads
from colorlib.base.errors import ColorlibError
from colorlib.data.arrays import Progress, cached
from colorlib.data.cache import cache_dir
from colorlib.data.folders import Photo, UnreadablePhotos, some_of
from colorlib.data.packed import Device, Packed
from colorlib.files import squares
from colorlib.networks.priors import Prior, describe


def pack(
    photos: Sequence[Photo],
    size: int,
    prior: Prior | None = None,
    device: Device = "cpu",
    progress: Progress = iter,
    skip_damaged: bool = False,
    mirrored: bool = False,
) -> Packed:
    """Decode photographs once, to a fixed size, into a memory-mapped file.

    A photograph is turned upright (EXIF), its shorter side resized to `size`
    (bicubic, antialiased), its middle cut out. The file lies in the cache
    under a key of content and size, so a second call reads it at once.

    Args:
        photos: from `photos`; lists may be added together.
        size: side in pixels.
        prior: a global prior, whose embeddings of them are added.
        device: where those are computed.
        progress: wraps each of the loops over photographs, for example ``tqdm``.
        skip_damaged: leave out photographs that cannot be decoded, instead of
            raising; they are in `Packed.skipped`. (A file that may not be
            opened has no hash, so `photos` has refused it before.)
        mirrored: with the embeddings of mirror images, too, which cost as much
            again; `Settings.flip` and `Packed.mirrored` need them.

    Raises:
        UnreadablePhotos: some photographs cannot be read; all of them are named.
        ColorlibError: no photographs, a bad size, or a cache that cannot be written.
    """
    if not photos:
        raise ColorlibError("there are no photographs to pack")
    if size < 8:
        raise ColorlibError(f"photographs cannot be packed at {size} pixels: 8 is the least")
    good, skipped = tuple(photos), tuple[Photo, ...]()
    pixels, problems = _decoded(good, size, progress)
    if problems:
        if not skip_damaged or len(problems) == len(photos):
            raise _unreadable({photos[i]: why for i, why in problems.items()}, len(photos))
        whole = pixels
        kept = [i for i in range(len(photos)) if i not in problems]
        good, skipped = tuple(photos[i] for i in kept), tuple(photos[i] for i in problems)
        file = _pixels_file(good, size)
        pixels, _ = cached(
            file, _squares(size), kept, lambda some: (whole[some].numpy(), {}), 32
        )
    names, key = tuple(photo.name for photo in good), _key(good, size)
    found = Packed(pixels, names, key, photos=good, skipped=skipped)
    if prior is None:
        return found
    about = describe(prior)
    file, of_mirrored = _file(good, about["sha256"]), None
    rows = _embeddings(file, good, prior, device, progress)
    if (made_on := file.with_name(_DEVICE)).is_file():
        about["embedded_on"] = made_on.read_text(encoding="utf-8")
    if mirrored:
        file = _file(good, about["sha256"], mirrored=True)
        of_mirrored = _embeddings(file, good, prior, device, progress, (-1,))
    return found.with_embeddings(rows, of_mirrored, about)


def embed(
    photos: Sequence[Photo],
    prior: Prior,
    device: Device = "cpu",
    progress: Progress = iter,
    mirrored: bool = False,
    upside_down: bool = False,
) -> Tensor:
    """The embeddings of photographs, computed once.

    They are kept in the cache under a key of the photographs' contents, the
    prior and its preprocessing, so a cache may be filled on another device. On a CPU
    all cores compute, each of them some photographs with one thread: more would change the
    last bits, and with them what a training makes of them. For the same reason they are kept
    in float32.

    Args:
        photos: from `photos`.
        prior: moved to `device`.
        device: where they are computed if they are not there: "cpu", "cuda", ...
        progress: wraps the photographs, for a bar.
        mirrored: exchange left and right first.
        upside_down: exchange top and bottom first.

    Returns:
        Memory-mapped float32 of shape (N, E).

    Raises:
        UnreadablePhotos: some photographs cannot be read; all of them are named.
        ColorlibError: the cache cannot be written.
    """
    flips = [axis for axis, wanted in ((-1, mirrored), (-2, upside_down)) if wanted]
    file = _file(photos, prior.key, mirrored, upside_down)
    return _embeddings(file, photos, prior, device, progress, flips)


def _embeddings(
    file: Path,
    photos: Sequence[Photo],
    prior: Prior,
    device: Device,
    progress: Progress,
    flips: Sequence[int] = (),
) -> Tensor:
    """`embed`, where the file is known: the prior's key is a hash of all its weights."""
    on_cpu = _is_cpu(device)
    paths = [str(photo.path) for photo in photos]

    def embedded(pixels: np.ndarray) -> np.ndarray:
        # Each thread of Python has a setting of its own.
        with threads(1 if on_cpu else None):
            rgb = torch.from_numpy(pixels).to(device).permute(0, 3, 1, 2).float() / 255
            L, _ = lab.normalize(lab.rgb_to_lab(rgb.flip(list(flips))))
            return prior.to(device)(L).cpu().numpy()

    def read_and_embedded(some: Sequence[str]) -> tuple[np.ndarray, dict[int, str]]:
        pixels, problems = squares(prior.spec.size, some)
        return embedded(pixels), problems

    row = np.dtype(("<f4", (prior.features,)))
    with threads(1 if on_cpu else None):
        notes = {_DEVICE: device_name(str(device))}
    if on_cpu:
        found, problems = cached(file, row, paths, read_and_embedded, 16, progress, notes=notes)
    else:  # one thread tells the GPU what to do, and the others read
        read = partial(squares, prior.spec.size)
        found, problems = cached(file, row, paths, read, 64, progress, embedded, notes)
    if problems:
        shutil.rmtree(file.parent, ignore_errors=True)
        raise _unreadable({photos[i]: why for i, why in problems.items()}, len(photos))
    return found


def _is_cpu(device: Device) -> bool:
    return torch.device(device).type == "cpu"


_DEVICE = "device.txt"  # what has computed the embeddings beside it


def _file(
    photos: Sequence[Photo], key: str, mirrored: bool = False, upside_down: bool = False
) -> Path:
    """Where the embeddings of a prior with that key are kept."""
    # The word "cpu" once was the kind of device. It stays, so that what is there is found.
    digest = hashlib.sha256(f"{key} cpu {mirrored} {upside_down}".encode())
    for photo in photos:
        digest.update(photo.sha256.encode())
    return cache_dir() / "embeddings-3" / digest.hexdigest() / "embeddings.npy"


def _decoded(
    photos: Sequence[Photo], size: int, progress: Progress
) -> tuple[Tensor, dict[int, str]]:
    """(N, S, S, 3) uint8, and why some cannot be decoded."""
    paths, make = [str(photo.path) for photo in photos], partial(squares, size)
    return cached(_pixels_file(photos, size), _squares(size), paths, make, 32, progress)


def _squares(size: int) -> np.dtype:
    return np.dtype(("|u1", (size, size, 3)))


def _pixels_file(photos: Sequence[Photo], size: int) -> Path:
    return cache_dir() / "packed-2" / _key(photos, size) / "pixels.npy"


def _key(photos: Sequence[Photo], size: int) -> str:
    digest = hashlib.sha256(f"upright bicubic centre {size}".encode())
    for photo in photos:
        digest.update(bytes.fromhex(photo.sha256))
    return digest.hexdigest()


def _unreadable(damaged: Mapping[Photo, str], total: int) -> UnreadablePhotos:
    """The error that names all photographs that cannot be read."""
    message = next(iter(damaged.values()))
    if len(damaged) > 1:
        names = some_of([photo.name for photo in damaged])
        message = f"{len(damaged)} of {total} photographs cannot be read: {names}"
    return UnreadablePhotos(message, [photo.path for photo in damaged])
