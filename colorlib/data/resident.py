"""Photographs in the memory of a device, where a batch is taken without asking the processor."""

from dataclasses import dataclass

import torch
from torch import Tensor

from colorlib import lab
from colorlib.networks.inputs import Inputs


@dataclass(frozen=True)
class Resident:
    """Packed photographs (`Packed.to`) as tensors on one device.

    Attributes:
        pixels: (N, S, S, 3) uint8 sRGB.
        embeddings: (N, E) float32, the global prior's; or None.
        mirrored_embeddings: (N, E), of the mirror images; or None.

    Methods take some of the photographs as a slice or as their positions, an int64
    tensor on the same device.
    """

    pixels: Tensor
    embeddings: Tensor | None = None
    mirrored_embeddings: Tensor | None = None

    @property
    def size(self) -> int:
        """The side S of a photograph in pixels."""
        return self.pixels.shape[1]

    def __len__(self) -> int:
        return len(self.pixels)

    def rgb(self, which: slice | Tensor) -> Tensor:
        """Photographs as a uint8 tensor (B, 3, S, S), sRGB in 0..255."""
        return self.pixels[which].permute(0, 3, 1, 2)

    def lab(self, which: slice | Tensor, device: str | torch.device | None = None) -> Tensor:
        """Photographs as float32 Lab, (B, 3, S, S), L in [0, 100]; by default here."""
        return lab.rgb_to_lab(self.rgb(which).to(device).float() / 255)

    def embedding(
        self,
        which: slice | Tensor,
        mirrored: Tensor | bool = False,
        device: str | torch.device | None = None,
    ) -> Tensor | None:
        """The global prior's embeddings of photographs, (B, E) float32; None without a prior.

        Args:
            which: some of them.
            mirrored: (B,) bool: which ones are to be those of mirror images.
            device: where the result lies; by default here.

        Raises:
            ValueError: there are none of mirror images.
        """
        if self.embeddings is None:
            return None
        found = self.embeddings[which]
        if mirrored is not False:
            if self.mirrored_embeddings is None:
                raise ValueError("there are no embeddings of mirror images: embed them, too")
            swapped = torch.as_tensor(mirrored, device=found.device).view(-1, 1)
            found = torch.where(swapped, self.mirrored_embeddings[which], found)
        return found.to(device)

    def inputs(
        self,
        which: slice | Tensor,
        mirrored: Tensor | bool = False,
        device: str | torch.device | None = None,
    ) -> Inputs:
        """What a network is given of photographs.

        Args:
            which: some of them.
            mirrored: whether the embedding is that of mirror images; B booleans choose for each.
            device: where the result lies.
        """
        L, _ = lab.normalize(self.lab(which, device))
        return self.given(L, which, mirrored)

    def given(self, L: Tensor, which: slice | Tensor, mirrored: Tensor | bool = False) -> Inputs:
        """The same where their lightness has been changed: L, (B, 1, H, W) in [-1, 1]."""
        return Inputs(L, self.embedding(which, mirrored, L.device))
