"""Decoders: an encoder's maps in, features near the photograph's size out.

To add one, write a class and a line in `DECODERS`.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from colorlib.base.errors import ColorlibError
from colorlib.base.options import Options, number
from colorlib.networks.blocks import INITIALISATIONS, SelfAttention, conv
from colorlib.networks.encoders import Encoder
from colorlib.networks.parts import Common, Part


class Decoder(Part):
    """What a decoder is.

    Args:
        encoder: whose maps it is built for.
        settings: its own.
        common: those that all parts share.

    Attributes:
        channels: of its features.
        stride: how many pixels of the photograph a position is wide and high.
        upsampling: how the head is to enlarge its prediction, "nearest" or "bilinear".

    Args of the call:
        maps: the encoder's, fine to coarse; the last one after fusion and attention.

    Returns:
        (B, channels, H / stride, W / stride).
    """

    channels: int
    stride: int
    upsampling = "nearest"

    def forward(self, maps: list[Tensor]) -> Tensor:
        raise NotImplementedError

    def initialise(self, common: Common) -> None:
        INITIALISATIONS[common.decoder_init](self)


class PaperDecoder(nn.Sequential, Decoder):
    """[(B, 256, H/8, W/8)] -> (B, 32, H/2, W/2), by nearest-neighbour upsampling.

    It uses the coarsest map only. The last convolution works at half size and
    is the head's, as is the last upsampling (Deep Koalarization, table 1).
    """

    @dataclass(frozen=True)
    class Settings(Options):
        """Of the paper's decoder.

        Attributes:
            plain_layers: how many convolutions at its end have no batch
                normalisation; the head's, which is the last, never has.
        """

        plain_layers: int = number(2, least=1, most=5)

    # Output channels of the 3x3 convolutions; upsampling by two follows where marked.
    LAYERS = ((128, True), (64, False), (64, True), (32, False))

    def __init__(self, encoder: Encoder, settings: Settings, common: Common):
        normalised = len(self.LAYERS) + 1 - settings.plain_layers  # one is the head's
        layers: list[nn.Module] = []
        inputs, stride = encoder.channels[-1], encoder.strides[-1]
        for i, (full, upsample) in enumerate(self.LAYERS):
            outputs = common.channels(full)
            norm = common.batch_norm and i < normalised
            layers.append(conv(inputs, outputs, batch_norm=norm))
            if upsample:
                layers.append(nn.Upsample(scale_factor=2))
                stride //= 2
            inputs = outputs
        super().__init__(*layers)
        self.settings, self.channels, self.stride = settings, inputs, stride

    def forward(self, maps: list[Tensor]) -> Tensor:
        x = maps[-1]
        for layer in self:
            x = layer(x)
        return x


class UNetDecoder(Decoder):
    """An encoder's maps, the coarsest first: enlarge, join the next one, convolve.

    Ronneberger et al. 2015 (arXiv 1505.04597): what the encoder has lost of where
    things end is taken from its finer maps. Bilinear upsampling leaves no
    checkerboard. With `heads`, positions attend to each other where the map is
    a sixteenth of the photograph.

    [(B, C_i, H / s_i, W / s_i)] -> (B, 64, H / s_0, W / s_0), for five maps.

    Raises:
        ColorlibError: heads, and an encoder without a finer map at stride 16.
    """

    @dataclass(frozen=True)
    class Settings(Options):
        """Of the U-Net decoder.

        Attributes:
            heads: of self-attention at stride 16; 0 for none.
        """

        heads: int = number(0, least=0)

    upsampling = "bilinear"

    # Channels after each join, from the coarsest; more joins keep the last.
    LAYERS = (256, 128, 96, 64)

    def __init__(self, encoder: Encoder, settings: Settings, common: Common):
        super().__init__()
        if settings.heads and 16 not in encoder.strides[:-1]:
            raise ColorlibError(
                "heads need an encoder with a finer map at stride 16, "
                f"not strides {encoder.strides}"
            )
        self.settings = settings
        self.joins = nn.ModuleList()
        *finer, channels = encoder.channels
        joined = zip(finer[::-1], encoder.strides[-2::-1], strict=True)
        for i, (skip, stride) in enumerate(joined):
            full = self.LAYERS[min(i, len(self.LAYERS) - 1)]
            inputs, channels = channels + skip, common.channels(full)
            layers: list[nn.Module] = [
                conv(inputs, channels, batch_norm=common.batch_norm),
                conv(channels, channels, batch_norm=common.batch_norm),
            ]
            if settings.heads and stride == 16:
                layers.append(SelfAttention(channels, settings.heads))
            self.joins.append(nn.Sequential(*layers))
        self.channels, self.stride = channels, encoder.strides[0]

    def forward(self, maps: list[Tensor]) -> Tensor:
        *finer, x = maps
        for join, skip in zip(self.joins, reversed(finer), strict=True):
            x = F.interpolate(x, size=skip.shape[2:], mode="bilinear")
            x = join(torch.cat((x, skip), dim=1))
        return x


DECODERS: dict[str, type[Decoder]] = {
    "paper": PaperDecoder,
    "unet": UNetDecoder,
}
"""Every decoder by its name in `Config.decoder`."""
