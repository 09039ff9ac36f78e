"""Heads: what the last layer means, and the loss it is trained by.

To add one, write a class and a line in `HEADS`.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from colorlib.networks.blocks import INITIALISATIONS
from colorlib.networks.decoders import Decoder
from colorlib.settings import Config


class Head(nn.Module):
    """What a head is: the last convolution, from a decoder's features to ab.

    Args of the call:
        features: (B, C, h, w), the decoder's.

    Returns:
        z: (B, K, h, w); what it means is the head's own business.
    """

    def forward(self, features: Tensor) -> Tensor:
        raise NotImplementedError

    def ab(self, z: Tensor, size: Sequence[int]) -> Tensor:
        """The prediction at the photograph's own size: (B, 2, H, W) in [-1, 1].

        Args:
            z: what the call returned. It may reach beyond the photograph at the
                right and below, where H and W were padded.
            size: H, W.
        """
        raise NotImplementedError

    def loss(self, z: Tensor, ab: Tensor) -> Tensor:
        """What training minimises: a scalar in float32.

        Args:
            z: as for `ab`.
            ab: the photographs' own, (B, 2, H, W) in [-1, 1].
        """
        raise NotImplementedError

    def initialise(self, config: Config) -> None:
        """Draw the first weights, once.

        A head with an output to scale multiplies its last weights by
        `config.output_gain`.
        """
        INITIALISATIONS[config.decoder_init](self)


class RegressionHead(Head):
    """ab by tanh (section 3.2), trained by their mean squared error (section 4.2)."""

    def __init__(self, decoder: Decoder, config: Config):
        super().__init__()
        self.last = nn.Conv2d(decoder.channels, 2, 3, padding=1)
        self.output = OUTPUTS[config.output]()
        self.upsample = nn.Upsample(scale_factor=decoder.stride)

    def forward(self, features: Tensor) -> Tensor:
        return self.last(features)

    def ab(self, z: Tensor, size: Sequence[int]) -> Tensor:
        H, W = size
        # Two channels, one after the other: faster than channels-last.
        ab = self.upsample(self.output(z).contiguous())
        return ab if ab.shape[2:] == (H, W) else ab[..., :H, :W]

    def loss(self, z: Tensor, ab: Tensor) -> Tensor:
        return F.mse_loss(self.ab(z, ab.shape[2:]).float(), ab)

    @torch.no_grad()
    def initialise(self, config: Config) -> None:
        super().initialise(config)
        self.last.weight *= config.output_gain


class TanhDerivative(nn.Module):
    """1 - tanh(z)^2, which section 3.2 writes for tanh. It is never negative."""

    def forward(self, z: Tensor) -> Tensor:
        return 1 - z.tanh() ** 2


OUTPUTS = {"tanh": nn.Tanh, "1-tanh2": TanhDerivative}

HEADS: dict[str, Callable[[Decoder, Config], Head]] = {
    "regression": RegressionHead,
}
"""Every head by its name in `Config.head`."""
