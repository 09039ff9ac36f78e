"""Encoders: a photograph's lightness in, maps out.

To add one, write a class and a line in `ENCODERS`.
"""

import math
from collections.abc import Callable

from torch import Tensor, nn

from colorlib.networks.blocks import conv, init_he
from colorlib.settings import Config


class Encoder(nn.Module):
    """What an encoder is.

    Attributes:
        channels: of each of its maps, from the finest to the coarsest.
        strides: how many pixels of the photograph a position of each map is
            wide and high.

    Args of the call:
        x: (B, 1 or 3, H, W): L in [-1, 1], with `Config.coordinates` x and y
            too. H and W are multiples of the last stride.

    Returns:
        One map a stride, (B, channels[i], H / strides[i], W / strides[i]).
    """

    channels: tuple[int, ...]
    strides: tuple[int, ...]

    def forward(self, x: Tensor) -> list[Tensor]:
        raise NotImplementedError

    def initialise(self, config: Config) -> None:
        """Draw the first weights, once; one with pretrained weights keeps them instead."""
        init_he(self)


class PaperEncoder(nn.Sequential, Encoder):
    """(B, 1 or 3, H, W) -> [(B, 256, H/8, W/8)] by strides (section 3.4)."""

    # Output channels and stride of the 3x3 convolutions, as in Deep Koalarization.
    LAYERS = (
        (64, 2), (128, 1), (128, 2), (256, 1),
        (256, 2), (512, 1), (512, 1), (256, 1),
    )

    def __init__(self, config: Config):
        pooled = config.downsample == "max-pooling"
        inputs = 3 if config.coordinates else 1
        layers = []
        for full, stride in self.LAYERS:
            outputs = config.channels(full)
            step = 1 if pooled else stride
            layers.append(conv(inputs, outputs, step, config.batch_norm))
            if stride > step:
                layers[-1].append(nn.MaxPool2d(stride))
            inputs = outputs
        super().__init__(*layers)
        self.channels = (inputs,)
        self.strides = (math.prod(stride for _, stride in self.LAYERS),)

    def forward(self, x: Tensor) -> list[Tensor]:
        for layer in self:
            x = layer(x)
        return [x]


ENCODERS: dict[str, Callable[[Config], Encoder]] = {
    "paper": PaperEncoder,
}
"""Every encoder by its name in `Config.encoder`."""
