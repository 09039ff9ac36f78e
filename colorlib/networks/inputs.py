"""What a network is given of photographs: one value, which moves and is divided as a whole.

A further input is a field here, made by the data (`Packed.inputs`, `Pipeline`) and read by a
part of a network. What lies between them, the training loop, metrics, previews and export, hands
it on and need not know it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor


@dataclass(frozen=True)
class Inputs:
    """What a network is given of B photographs. What has four dimensions is a map of pixels.

    Attributes:
        L: lightness, (B, 1, H, W) in [-1, 1].
        embedding: what a global prior makes of each, (B, E) float32; None without a prior.
    """

    L: Tensor
    embedding: Tensor | None = None

    def __len__(self) -> int:
        return len(self.L)

    def __getitem__(self, which: slice | Tensor | Sequence[int]) -> "Inputs":
        """Some of the photographs."""
        return self.each(lambda tensor: tensor[which])

    def tensors(self) -> dict[str, Tensor]:
        """Those that there are, by their names."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: tensor for name, tensor in found.items() if tensor is not None}

    def each(self, change: Callable[[Tensor], Tensor]) -> "Inputs":
        """The same after a change of every tensor."""
        return Inputs(**{name: change(tensor) for name, tensor in self.tensors().items()})

    def to(self, device: str | torch.device) -> "Inputs":
        """The same on a device."""
        return self.each(lambda tensor: tensor.to(device))

    def split(self, sizes: Sequence[int]) -> list["Inputs"]:
        """The photographs in groups of so many each."""
        groups = {name: tensor.split(list(sizes)) for name, tensor in self.tensors().items()}
        return [Inputs(**dict(zip(groups, parts, strict=True)))
                for parts in zip(*groups.values(), strict=True)]

    def with_mirror_images(self) -> "Inputs":
        """2 B photographs: these, then their mirror images; what is no map is repeated."""
        return self.each(
            lambda tensor: torch.cat((tensor, tensor.flip(-1) if tensor.ndim == 4 else tensor))
        )
