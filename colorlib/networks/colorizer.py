"""A colorization network, put together from encoder, decoder and head.

A photograph's lightness goes through an encoder to maps of a fraction of its
size; a global prior is fused into the coarsest map; attention lets its
positions attend to each other; a decoder and a head turn it into ab.
`Config` says which parts a `Colorizer` has.

References: the paper's network is that of Deep Koalarization (Baldassarre et
al., arXiv 1712.03400), on which it builds (sections 3.4, 3.5), with attention.
Xavier initialisation in the decoder is section 4.1.
"""

from torch import Tensor, nn
from torch.nn import functional as F

from colorlib.base.errors import ColorlibError, find
from colorlib.base.settings import STRIDE, Config, preset_config
from colorlib.networks.blocks import AddCoords, Attention, Fusion, SelfAttention, init_he, positions
from colorlib.networks.decoders import DECODERS
from colorlib.networks.encoders import ENCODERS
from colorlib.networks.heads import HEADS


class Colorizer(nn.Module):
    """Predicts a photograph's two colour channels from its lightness.

    Args:
        config: what it is made of.
        initialise: draw the first weights, or take pretrained ones; False where
            others will take their place.

    Args of the call:
        L: (B, 1, H, W) in [-1, 1], any H and W from 8 up.
        embedding: (B, E), the global prior's of the same photographs; only for
            a network with a prior.
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
        self.config = config
        self.coordinates = AddCoords() if config.coordinates else nn.Identity()
        # These three first: from one seed, variants in which they are alike draw the same.
        self.encoder = find(ENCODERS, config.encoder, "encoder")(config)
        self.decoder = find(DECODERS, config.decoder, "decoder")(self.encoder, config)
        self.head = find(HEADS, config.head, "head")(self.decoder, config)
        if config.heads and not any(isinstance(m, SelfAttention) for m in self.decoder.modules()):
            raise ColorlibError(
                f"heads need the decoder 'unet' and an encoder with a finer map at stride 16, "
                f"not {config.decoder!r} and strides {self.encoder.strides}"
            )
        if initialise:
            for part in (self.encoder, self.decoder, self.head):
                part.initialise(config)
        channels = self.encoder.channels[-1]
        self.fusion = self.attention = None
        if config.embedding:
            self.fusion = Fusion(channels, config.embedding, config.batch_norm)
            init_he(self.fusion)
        if config.attention:
            self.attention = Attention(
                channels, config.attention, config.attention_scaled, config.attention_softmax
            )

    def forward(
        self, L: Tensor, embedding: Tensor | None = None, target: Tensor | None = None
    ) -> Tensor:
        *finer, mixed, source = self.maps(L, embedding)
        size = L.shape[2:]
        if target is not None and target.shape != (len(L), 2, *size):
            raise ValueError(
                f"the target must have shape {(len(L), 2, *size)}, not {tuple(target.shape)}"
            )
        if self.attention is not None:
            mixed = self.attention(mixed, source)
        z = self.head(self.decoder([*finer, mixed]))
        return self.head.ab(z, size) if target is None else self.head.loss(z, target, L)

    def maps(self, L: Tensor, embedding: Tensor | None = None) -> list[Tensor]:
        """What attention and decoder are given.

        Returns:
            The encoder's finer maps, if it has several; then the coarsest one
            with the prior fused in, and the one that it attends to: (B, C, h, w)
            each. H and W are rounded up to multiples of the encoder's stride.
        """
        self._check(L, embedding)
        H, W = L.shape[2:]
        stride = self.encoder.strides[-1]
        x = self.coordinates(L)  # (B, 1 or 3, H, W)
        # Halvings and doublings return the same size only for multiples of
        # the stride: repeat the border up to there; the head cuts the answer back.
        x = F.pad(x, (0, -W % stride, 0, -H % stride), mode="replicate")
        *finer, encoded = self.encoder(x)
        fused = encoded if self.fusion is None else self.fusion(encoded, embedding)
        source = encoded if self.config.attention_source == "encoder" else fused
        return [*finer, fused, source]

    def attended(self, L: Tensor, embedding: Tensor | None = None) -> Tensor:
        """The weights alpha_ts of a network with attention: (B, T, S); with heads (B, heads, T, S).

        T and S count the positions of the map, row by row.

        Raises:
            ValueError: a network without either.
        """
        if blocks := [m for m in self.decoder.modules() if isinstance(m, SelfAttention)]:
            given: list[Tensor] = []
            with blocks[0].register_forward_pre_hook(lambda _, x: given.extend(x)):
                self(L, embedding)
            return blocks[0].weights(given[0])
        if self.attention is None:
            raise ValueError("a network without attention attends to nothing")
        mixed, source = self.maps(L, embedding)[-2:]
        return self.attention.weights(positions(mixed), positions(source))

    def _check(self, L: Tensor, embedding: Tensor | None) -> None:
        if L.ndim != 4 or L.shape[1] != 1 or min(L.shape[2:]) < STRIDE:
            raise ValueError(
                f"L must have shape (B, 1, H, W) with H and W of at least {STRIDE}, "
                f"not {tuple(L.shape)}"
            )
        wanted = (len(L), self.config.embedding) if self.fusion is not None else None
        given = None if embedding is None else tuple(embedding.shape)
        if given != wanted:
            raise ValueError(f"the embedding must be {_as_text(wanted)}, not {_as_text(given)}")


def _as_text(shape: tuple[int, ...] | None) -> str:
    return "None" if shape is None else f"of shape {shape}"


def build(preset: str = "baseline", /, **changes) -> Colorizer:
    """Make a freshly initialised network; seed torch before the call to repeat it.

    Args:
        preset: a name in `PRESETS`.
        changes: fields of `Config` to set differently.

    Raises:
        ColorlibError: no such preset, field or value.
    """
    return Colorizer(preset_config(preset, **changes))


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
