"""A colorization network, put together from encoder, decoder and head.

A photograph's lightness goes through an encoder to maps of a fraction of its
size; a global prior is fused into the coarsest map; attention lets its
positions attend to each other; a decoder and a head turn it into ab.
`Config` says which parts a `Colorizer` has.

References: the paper's network is that of Deep Koalarization (Baldassarre et
al., arXiv 1712.03400), on which it builds (sections 3.4, 3.5), with attention.
Xavier initialisation in the decoder is section 4.1.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from colorlib.base.errors import ColorlibError
from colorlib.networks.blocks import AddCoords, Attention, Fusion, SelfAttention, init_he, positions
from colorlib.networks.config import Config, configure
from colorlib.networks.decoders import DECODERS
from colorlib.networks.encoders import ENCODERS
from colorlib.networks.heads import HEADS
from colorlib.networks.inputs import Inputs

STRIDE = 8
"""Least side of a photograph in pixels; also how many a position of the paper's map is wide."""


class Colorizer(nn.Module):
    """Predicts a photograph's two colour channels from its lightness.

    Args:
        config: what it is made of.
        initialise: draw the first weights, or take pretrained ones; False where
            others will take their place.

    Attributes:
        about: what its weights say of how they were trained (`training.record`); {} for first ones.

    Args of the call:
        given: `Inputs` of B photographs; L alone, (B, 1, H, W) in [-1, 1], for a network
            without a prior. Any H and W from 8 up.
        target: ab of the same photographs, (B, 2, H, W) in [-1, 1], to train by.

    Returns:
        ab, (B, 2, H, W) in [-1, 1]; times 128 gives Lab units. Given a target,
        the head's loss instead, a scalar.

    Raises:
        ColorlibError: no such encoder, decoder or head; parts that do not fit; pretrained weights
            that cannot be had.
        ValueError: L has not one channel or is smaller than 8x8; an embedding
            that is missing, not asked for, or of another shape; a target of
            another shape.
    """

    def __init__(self, config: Config, initialise: bool = True):
        super().__init__()
        self.config, own = config, config.settings
        self.about: dict[str, Any] = {}
        # These three first: from one seed, variants in which they are alike draw the same.
        self.encoder = ENCODERS[config.encoder](own["encoder"], config)
        self.decoder = DECODERS[config.decoder](self.encoder, own["decoder"], config)
        self.head = HEADS[config.head](self.decoder, own["head"], config)
        if initialise:
            for part in (self.encoder, self.decoder, self.head):
                part.initialise(config)
        self.coordinates = AddCoords() if self.encoder.coordinates else nn.Identity()
        channels = self.encoder.channels[-1]
        self.fusion = self.attention = None
        if config.embedding:
            self.fusion = Fusion(channels, config.embedding, config.batch_norm)
            init_he(self.fusion)
        if config.attention:
            chosen = own["attention"]
            self.attention = Attention(
                channels, config.attention, chosen.attention_scaled, chosen.attention_softmax
            )

    def forward(self, given: Inputs | Tensor, target: Tensor | None = None) -> Tensor:
        inputs = _inputs(given)
        *finer, mixed, source = self.maps(inputs)
        B, _, *size = inputs.L.shape
        if target is not None and target.shape != (B, 2, *size):
            raise ValueError(
                f"the target must have shape {(B, 2, *size)}, not {tuple(target.shape)}"
            )
        if self.attention is not None:
            mixed = self.attention(mixed, source)
        z = self.head(self.decoder([*finer, mixed]))
        return self.head.ab(z, size) if target is None else self.head.loss(z, target, inputs.L)

    def maps(self, given: Inputs | Tensor) -> list[Tensor]:
        """What attention and decoder are given.

        Returns:
            The encoder's finer maps, if it has several; then the coarsest one
            with the prior fused in, and the one that it attends to: (B, C, h, w)
            each. H and W are rounded up to multiples of the encoder's stride.
        """
        inputs = _inputs(given)
        self._check(inputs)
        H, W = inputs.L.shape[2:]
        stride = self.encoder.strides[-1]
        x = self.coordinates(inputs.L)  # (B, 1 or 3, H, W)
        # Halvings and doublings return the same size only for multiples of
        # the stride: repeat the border up to there; the head cuts the answer back.
        x = F.pad(x, (0, -W % stride, 0, -H % stride), mode="replicate")
        *finer, encoded = self.encoder(x)
        fused = encoded if self.fusion is None else self.fusion(encoded, inputs.embedding)
        attends_to_fused = (
            self.attention is not None
            and self.config.settings["attention"].attention_source == "fused"
        )
        return [*finer, fused, fused if attends_to_fused else encoded]

    def example(self, batch: int, height: int, width: int) -> Inputs:
        """Inputs of the right shapes, always the same random ones, on the CPU."""
        random = torch.Generator().manual_seed(0)
        # Of noise a trained network predicts hardly any colour, of light and dark areas more.
        small = torch.rand(batch, 1, 6, 6, generator=random) * 2 - 1
        L = F.interpolate(small, (height, width), mode="bicubic").clamp(-1, 1)
        length = self.config.embedding
        return Inputs(L, torch.randn(batch, length, generator=random) if length else None)

    @property
    def attends(self) -> bool:
        """Whether it has positions that attend to each other."""
        return self._self_attention() is not None or (
            self.attention is not None and self.attention.score != "pointwise"
        )

    def attended(self, given: Inputs | Tensor) -> Tensor:
        """The weights alpha_ts of a network with attention: (B, T, S); with heads (B, heads, T, S).

        T and S count the positions of the map, row by row.

        Raises:
            ValueError: a network without either.
        """
        inputs = _inputs(given)
        if block := self._self_attention():
            seen: list[Tensor] = []
            with block.register_forward_pre_hook(lambda _, x: seen.extend(x)):
                self(inputs)
            return block.weights(seen[0])
        if self.attention is None:
            raise ValueError("a network without attention attends to nothing")
        mixed, source = self.maps(inputs)[-2:]
        return self.attention.weights(positions(mixed), positions(source))

    def _self_attention(self) -> SelfAttention | None:
        return next((m for m in self.decoder.modules() if isinstance(m, SelfAttention)), None)

    def _check(self, inputs: Inputs) -> None:
        L, embedding = inputs.L, inputs.embedding
        if L.ndim != 4 or L.shape[1] != 1 or min(L.shape[2:]) < STRIDE:
            raise ValueError(
                f"L must have shape (B, 1, H, W) with H and W of at least {STRIDE}, "
                f"not {tuple(L.shape)}"
            )
        wanted = (len(L), self.config.embedding) if self.fusion is not None else None
        found = None if embedding is None else tuple(embedding.shape)
        if found != wanted:
            raise ValueError(f"the embedding must be {_as_text(wanted)}, not {_as_text(found)}")


def _inputs(given: Inputs | Tensor) -> Inputs:
    return given if isinstance(given, Inputs) else Inputs(given)


def _as_text(shape: tuple[int, ...] | None) -> str:
    return "None" if shape is None else f"of shape {shape}"


def build(preset: str = "baseline", /, **changes) -> Colorizer:
    """Make a freshly initialised network; seed torch before the call to repeat it.

    Args:
        preset: a name in `PRESETS`.
        changes: names to set differently, as for `configure`.

    Raises:
        ColorlibError: as for `configure`.
    """
    return Colorizer(configure(preset, **changes))


def transfer(source: Colorizer, model: Colorizer) -> None:
    """Give a network the encoder, the decoder and the head of another, in place.

    Raises:
        ColorlibError: theirs are of another kind or shape, by width, coordinates, batch norm and
            its layers, backbone or heads.
    """
    for part in ("encoder", "decoder", "head"):
        try:
            getattr(model, part).load_state_dict(getattr(source, part).state_dict())
        except RuntimeError as error:
            raise ColorlibError(f"the weights to start from have another {part}") from error
    model.about = source.about
