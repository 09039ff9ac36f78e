"""What a global prior makes of photographs, computed once and kept beside their packs."""

import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch

from colorlib import files, lab
from colorlib.base.devices import device_name, threads
from colorlib.data import rows
from colorlib.data.cache import cache_dir
from colorlib.data.folders import Photo
from colorlib.data.packed import Packed, pack_pixels, unreadable
from colorlib.data.rows import Progress
from colorlib.networks.priors import Prior


def embed(
    photos: Sequence[Photo],
    prior: Prior,
    device: str | torch.device = "cpu",
    progress: Progress = iter,
    mirrored: bool = False,
    upside_down: bool = False,
) -> np.ndarray:
    """The embeddings of photographs, computed once.

    They are kept in the cache under a key of the photographs' contents, the
    prior and its preprocessing, so a cache may be filled on another device; `made_on`
    tells which. A file there is complete or absent; what was interrupted goes on
    where it was. On a CPU all cores compute, each of them some photographs with one
    thread: more would change the last bits, and with them what a training makes of
    them. For the same reason they are kept in float32. On a GPU other processes read
    the photographs: threads would wait for each other's Python.

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
    on_cpu = _is_cpu(device)
    # The word "cpu" once was the kind of device. It stays, so that what is there is found.
    digest = hashlib.sha256(f"{prior.key} cpu {mirrored} {upside_down}".encode())
    for photo in photos:
        digest.update(photo.sha256.encode())
    # "embeddings-2" had those of mirror images beside each; "embeddings" is version 0.1's.
    folder = cache_dir() / "embeddings-3" / digest.hexdigest()
    array = rows.Kind(
        "embeddings.npy", (prior.features,), "<f4", chunk=16 if on_cpu else 64, threads=on_cpu
    )
    if not (folder / array.name).is_file():
        prior.to(device)
        flips = [axis for axis, wanted in ((-1, mirrored), (-2, upside_down)) if wanted]
        paths = [str(photo.path) for photo in photos]
        make = partial(_embeddings, prior, device, flips)
        read = partial(files.squares, prior.spec.size)
        with threads(1 if on_cpu else None):
            failed = rows.fill(folder, array, paths, make, progress, read)
        if failed:
            rows.discard(folder)
            raise unreadable({photos[i]: why for i, why in failed.items()}, len(photos))
        if not (folder / _DEVICE).is_file():  # unless another process has made them
            with threads(1 if on_cpu else None):
                files.write_text(folder / _DEVICE, device_name(str(device)), overwrite=True)
    return np.load(folder / array.name, mmap_mode="r")


_DEVICE = "device.txt"


def _is_cpu(device: str | torch.device) -> bool:
    return torch.device(device).type == "cpu"


def made_on(embeddings: np.ndarray) -> str | None:
    """What has computed embeddings that `embed` returned; None if that has not been noted."""
    file = getattr(embeddings, "filename", None)  # of what is memory-mapped
    path = file and Path(file).with_name(_DEVICE)
    return path.read_text(encoding="utf-8") if path and path.is_file() else None


def _embeddings(
    prior: Prior, device: str | torch.device, flips: list[int],
    squares: tuple[np.ndarray, dict[int, str]],
) -> tuple[np.ndarray, dict[int, str]]:
    """(N, E) of some photographs, and why some cannot be read; from `files.squares`."""
    pixels, problems = squares
    # Each thread of Python has a setting of its own.
    with threads(1 if _is_cpu(device) else None):
        rgb = torch.from_numpy(pixels).to(device).permute(0, 3, 1, 2).float() / 255
        L, _ = lab.normalize(lab.rgb_to_lab(rgb.flip(flips)))
        return prior(L).cpu().numpy(), problems


def pack(
    photos: Sequence[Photo],
    size: int,
    prior: Prior | None = None,
    device: str | torch.device = "cpu",
    progress: Progress = iter,
    skip_damaged: bool = False,
    mirrored: bool = False,
) -> Packed:
    """Photographs packed (`pack`), with the embeddings of a prior if there is one.

    Args:
        photos: from `photos`; lists may be added together.
        size: side in pixels.
        prior, device: as for `embed`.
        progress: wraps each of the loops.
        skip_damaged: leave out photographs that cannot be read; they are in
            `Packed.skipped`.
        mirrored: with the embeddings of mirror images, too, which cost as much
            again; `Settings.flip` and `Packed.mirrored` need them.

    Raises:
        UnreadablePhotos: some photographs cannot be read; all of them are named.
        ColorlibError: as for `pack`.
    """
    found = pack_pixels(photos, size, progress, skip_damaged)
    if prior is None:
        return found
    skipped = set(found.skipped)
    good = [photo for photo in photos if photo not in skipped]
    embeddings = embed(good, prior, device, progress)
    of_mirrored = embed(good, prior, device, progress, mirrored=True) if mirrored else None
    return found.with_embeddings(embeddings, of_mirrored)
