"""Photographs of one fixed size, which train fast: on disk, or in the memory of a device."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from colorlib import lab
from colorlib.base.errors import ColorlibError
from colorlib.data.folders import Photo
from colorlib.networks.inputs import Inputs

Which = slice | Sequence[int] | Sequence[bool] | np.ndarray | Tensor
"""Some of N photographs: their positions, in -N..N-1, a slice, or a mask of N booleans."""

Device = str | torch.device

NEAR_GRAY = 3.0
"""Lab units: a photograph whose mean chroma is lower teaches a network to predict gray. The
eye tells two even areas apart from about 2.3 units on."""


@dataclass(frozen=True)
class Packed:
    """N photographs of one size, read without decoding.

    Attributes:
        pixels: (M, S, S, 3) uint8 sRGB; from `pack` it is memory-mapped: what a batch does
            not touch is not read, and what it touches the system may drop again.
        names: the photographs' names, in order.
        key: SHA-256 over content, order and size, and over what the embeddings depend on.
        index: (N,) int64, the rows of `pixels` that they are, in order; by default all.
        embeddings: (M, E), what a global prior makes of each photograph
            (`data.embed`); or None.
        mirrored_embeddings: (M, E), what it makes of their mirror images; or None.
        prior: what is to be known of that prior, from `priors.describe`; None if there is none.
        photos: the files that they were packed from, in order; () if that is not known.
        skipped: the photographs that `pack` left out because they cannot be read.
        pixels_key: like `key`, without the embeddings; by default `key`.

    Methods that take some of the photographs raise IndexError if there is no such one, for a
    mask of another length, and for other numbers than whole ones.
    """

    pixels: Tensor
    names: tuple[str, ...]
    key: str
    index: Tensor = None  # type: ignore[assignment]
    embeddings: Tensor | None = None
    mirrored_embeddings: Tensor | None = None
    prior: dict[str, Any] | None = None
    photos: tuple[Photo, ...] = ()
    skipped: tuple[Photo, ...] = ()
    pixels_key: str = ""

    def __post_init__(self) -> None:
        set_ = object.__setattr__
        set_(self, "pixels", torch.as_tensor(self.pixels))
        index = torch.arange(len(self.pixels)) if self.index is None else self.index
        set_(self, "index", torch.as_tensor(index, device=self.pixels.device))
        set_(self, "pixels_key", self.pixels_key or self.key)

    @property
    def size(self) -> int:
        """The side S of a photograph in pixels."""
        return self.pixels.shape[1]

    def __len__(self) -> int:
        return len(self.index)

    def _rows(self, which: Which | None) -> Tensor:
        """The rows of `pixels` of some photographs; of all if None."""
        return self.index if which is None else _chosen(self.index, which)

    def rgb(self, which: Which | None = None) -> Tensor:
        """Photographs as a uint8 tensor (B, 3, S, S), sRGB in 0..255; all by default."""
        return self.pixels[self._rows(which)].permute(0, 3, 1, 2)

    def lab(self, which: Which | None = None, device: Device | None = None) -> Tensor:
        """Photographs as float32 Lab, (B, 3, S, S), L in [0, 100]; all by default.

        Args:
            which: some of them.
            device: where the result lies; by default where they are.
        """
        return lab.rgb_to_lab(self.rgb(which).to(device).float() / 255)

    def embedding(
        self,
        which: Which | None = None,
        mirrored: Tensor | bool = False,
        device: Device | None = None,
    ) -> Tensor | None:
        """The global prior's embeddings of photographs, (B, E) float32; None without a prior.

        Args:
            which: all by default.
            mirrored: those of the mirror images; B booleans choose for each.
            device: where the result lies; by default where they are.

        Raises:
            ValueError: there are none of mirror images.
        """
        if self.embeddings is None:
            return None
        rows = self._rows(which)
        found = self.embeddings[rows]
        if mirrored is not False:
            swapped = torch.as_tensor(mirrored, device=found.device).view(-1, 1)
            found = torch.where(swapped, self._of_mirror_images()[rows], found)
        return found.float().to(device)

    def inputs(
        self,
        which: Which | None = None,
        mirrored: Tensor | bool = False,
        device: Device | None = None,
    ) -> Inputs:
        """What a network is given of photographs; all by default.

        Args:
            which: some of them.
            mirrored: whether the embedding is that of mirror images; B booleans choose for each.
            device: where the result lies; by default where they are.
        """
        L, _ = lab.normalize(self.lab(which, device))
        return self.given(L, which, mirrored)

    def given(
        self, L: Tensor, which: Which | None = None, mirrored: Tensor | bool = False
    ) -> Inputs:
        """The same where their lightness has been changed: L, (B, 1, H, W) in [-1, 1]."""
        return Inputs(L, self.embedding(which, mirrored, L.device))

    def _of_mirror_images(self) -> Tensor:
        if self.mirrored_embeddings is None:
            raise ValueError("there are no embeddings of mirror images: embed them, too")
        return self.mirrored_embeddings

    def with_embeddings(
        self,
        embeddings: Tensor | np.ndarray,
        mirrored: Tensor | np.ndarray | None = None,
        prior: dict[str, Any] | None = None,
    ) -> "Packed":
        """The same photographs with embeddings, (M, E), one row for each of `pixels`.

        Args:
            embeddings: of the photographs.
            mirrored: of their mirror images, which need them if they are trained on.
            prior: what is to be known of the prior.

        Raises:
            ValueError: another number of rows.
        """
        key, found = hashlib.sha256(self.key.encode()), []
        for given in (embeddings, mirrored):
            rows = None if given is None else torch.as_tensor(given)
            found.append(rows)
            if rows is None:
                continue
            if rows.ndim != 2 or len(rows) != len(self.pixels):
                raise ValueError(
                    f"embeddings must have shape ({len(self.pixels)}, E), not {tuple(rows.shape)}"
                )
            key.update(np.ascontiguousarray(rows.numpy()).data)
        own, of_mirrored = found
        return replace(
            self, key=key.hexdigest(), embeddings=own, mirrored_embeddings=of_mirrored, prior=prior
        )

    def to(self, device: Device) -> "Packed":
        """The same photographs and embeddings, copied into the memory of a device."""
        pixels, own, of_mirrored = (
            None if rows is None else rows[self.index].to(device)
            for rows in (self.pixels, self.embeddings, self.mirrored_embeddings)
        )
        assert pixels is not None
        return replace(
            self, pixels=pixels, index=torch.arange(len(self), device=device), embeddings=own,
            mirrored_embeddings=of_mirrored,
        )

    @property
    def nbytes(self) -> int:
        """How many bytes `to` copies."""
        arrays = (self.pixels, self.embeddings, self.mirrored_embeddings)
        return sum(len(self) * rows[:1].nbytes for rows in arrays if rows is not None)

    def select(self, which: Which) -> "Packed":
        """The same photographs, fewer or in another order; nothing is copied."""
        positions = _chosen(torch.arange(len(self)), which)
        key, pixels_key = self._keys_after(positions.numpy().tobytes())
        return replace(
            self,
            names=tuple(self.names[i] for i in positions.tolist()),
            photos=tuple(self.photos[i] for i in positions.tolist()) if self.photos else (),
            key=key,
            index=self.index[positions.to(self.index.device)],
            pixels_key=pixels_key,
        )

    def _keys_after(self, step: bytes) -> list[str]:
        """`key` and `pixels_key` of what a step makes of these photographs."""
        keys = (self.key, self.pixels_key)
        return [hashlib.sha256(key.encode() + step).hexdigest() for key in keys]

    def mirrored(self) -> "Packed":
        """The same photographs, left and right exchanged; they are copied.

        Raises:
            ValueError: there are embeddings, but none of mirror images.
        """
        embeddings = None if self.embeddings is None else self._of_mirror_images()
        return self._turned("mirrored", 2, embeddings, self.embeddings)

    def upside_down(self, embeddings: Tensor | np.ndarray | None = None) -> "Packed":
        """The same photographs, top and bottom exchanged; they are copied.

        Args:
            embeddings: what the prior makes of them, (M, E); see `data.embed`.
        """
        return self._turned(
            "upside down", 1, None if embeddings is None else torch.as_tensor(embeddings)
        )

    def _turned(
        self, how: str, axis: int, embeddings: Tensor | None, mirrored: Tensor | None = None
    ) -> "Packed":
        key, pixels_key = self._keys_after(f" {how}".encode())
        return replace(
            self, pixels=self.pixels.flip(axis), key=key, embeddings=embeddings,
            mirrored_embeddings=mirrored, pixels_key=pixels_key,
        )

    def chroma(self) -> np.ndarray:
        """Each photograph's mean chroma sqrt(a^2 + b^2) in Lab units, shape (N,).

        About 0 for a gray photograph, 10 to 30 for most colour ones.
        """
        found = [torch.hypot(*photos.lab()[:, 1:].unbind(1)).mean((1, 2)) for photos in self.some()]
        return torch.cat(found).numpy()

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


def _chosen(from_: Tensor, which: Which) -> Tensor:
    """Some of N numbers, (N,) -> (B,), on their device.

    Raises:
        IndexError: there is no such one; a mask of another length; no whole numbers.
    """
    try:
        if isinstance(which, slice):
            return from_[which]
        chosen = torch.as_tensor(which, device=from_.device)
        if chosen.dtype == torch.bool and len(chosen):
            return from_[chosen]
        if chosen.ndim != 1 or (len(chosen) and chosen.is_floating_point()):
            raise TypeError("no positions")
        return from_[chosen.long()]
    except (IndexError, TypeError, ValueError, RuntimeError) as error:
        raise IndexError(
            "photographs are chosen by a list of positions, a mask or a slice; "
            f"there are {len(from_)}, from 0"
        ) from error
