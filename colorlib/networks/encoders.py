"""Encoders: a photograph's lightness in, maps out.

To add one, write a class and a line in `ENCODERS`.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from colorlib import lab
from colorlib.base.errors import ColorlibError
from colorlib.base.options import Options, choice
from colorlib.networks import classifiers
from colorlib.networks.blocks import conv, init_he
from colorlib.networks.parts import Common, Part


class Encoder(Part):
    """What an encoder is.

    Args:
        settings: its own.
        common: those that all parts share.

    Attributes:
        channels: of each of its maps, from the finest to the coarsest.
        strides: how many pixels of the photograph a position of each map is
            wide and high.
        coordinates: whether it is given x and y of every pixel, too.

    Args of the call:
        x: (B, 1 or 3, H, W): L in [-1, 1], with coordinates x and y too. H and W
            are multiples of the last stride.

    Returns:
        One map a stride, (B, channels[i], H / strides[i], W / strides[i]).
    """

    channels: tuple[int, ...]
    strides: tuple[int, ...]
    coordinates = False

    def forward(self, x: Tensor) -> list[Tensor]:
        raise NotImplementedError

    def initialise(self, common: Common) -> None:
        """Draw the first weights, once; one with pretrained weights takes them instead."""
        init_he(self)


class PaperEncoder(nn.Sequential, Encoder):
    """(B, 1 or 3, H, W) -> [(B, 256, H/8, W/8)] by strides (section 3.4)."""

    @dataclass(frozen=True)
    class Settings(Options):
        """Of the paper's encoder.

        Attributes:
            coordinates: give it every pixel's x and y too (section 1).
            downsample: how it halves its map: by "stride" (section 3.4) or, what
                the paper chose to avoid, by "max-pooling".
        """

        coordinates: bool = False
        downsample: str = choice("stride", "max-pooling")

    # Output channels and stride of the 3x3 convolutions, as in Deep Koalarization.
    LAYERS = (
        (64, 2), (128, 1), (128, 2), (256, 1),
        (256, 2), (512, 1), (512, 1), (256, 1),
    )

    def __init__(self, settings: Settings, common: Common):
        pooled = settings.downsample == "max-pooling"
        inputs = 3 if settings.coordinates else 1
        layers = []
        for full, stride in self.LAYERS:
            outputs = common.channels(full)
            step = 1 if pooled else stride
            layers.append(conv(inputs, outputs, step, common.batch_norm))
            if stride > step:
                layers[-1].append(nn.MaxPool2d(stride))
            inputs = outputs
        super().__init__(*layers)
        self.settings, self.coordinates = settings, settings.coordinates
        self.channels = (inputs,)
        self.strides = (math.prod(stride for _, stride in self.LAYERS),)

    def forward(self, x: Tensor) -> list[Tensor]:
        for layer in self:
            x = layer(x)
        return [x]


_PROBE = 64  # side of what a network of timm is tried with


class TimmEncoder(Encoder):
    """The maps of a network of timm: a global prior before its pooling.

    It is given gray as its classifier was given colours: sRGB in three channels, normalised as
    in its training. (B, 1, H, W) -> one map for each size that it works at; of
    EfficientNet-Lite2 16, 24, 48, 120 and 352 channels at strides 2 to 32.

    Raises:
        ColorlibError: timm does not know it; it gives no maps, or not of photographs of any size;
            its weights cannot be had.
    """

    @dataclass(frozen=True)
    class Settings(Options):
        """Of an encoder of timm.

        Attributes:
            backbone: any network of timm that gives its maps.
            pretrained: start from the weights of its classifier; false for random ones.
        """

        backbone: str = classifiers.EMBEDDED
        pretrained: bool = True

    strides: tuple[int, ...] = ()
    mean: Tensor
    std: Tensor

    def __init__(self, settings: Settings, common: Common):
        super().__init__()
        self.settings = settings
        try:
            self.net = self._create(pretrained=False)
            self.channels = tuple(self.net.feature_info.channels())
            self.strides = tuple(self.net.feature_info.reduction())
            with torch.no_grad():  # some take photographs of one size only, or cut off borders
                maps = self.net.eval()(torch.zeros(1, 3, 2 * _PROBE, _PROBE))
        except (RuntimeError, AttributeError, AssertionError, NotImplementedError):
            maps = []
        sizes = [(2 * _PROBE // stride, _PROBE // stride) for stride in self.strides]
        if [tuple(x.shape[2:]) for x in maps] != sizes:
            raise ColorlibError(f"{settings.backbone} gives no maps of photographs of any size")
        self.net.train()
        for name, values in classifiers.normalisation(self.net).items():
            self.register_buffer(name, values, persistent=False)

    def forward(self, x: Tensor) -> list[Tensor]:
        # On a CPU always in float32: in bfloat16, gradients of depthwise convolutions take
        # ten times as long.
        with torch.autocast("cpu", enabled=False):
            return self.net((lab.gray(x.float()) - self.mean) / self.std)  # of (B, 3, H, W)

    def initialise(self, common: Common) -> None:
        if self.settings.pretrained:
            with torch.random.fork_rng(devices=()):  # timm draws weights before it replaces them
                trained = self._create(pretrained=True)
            self.net.load_state_dict(trained.state_dict())

    def _create(self, pretrained: bool) -> Any:
        advice, name = "set pretrained=false", self.settings.backbone
        return classifiers.create(name, pretrained, advice=advice, features_only=True)


ENCODERS: dict[str, type[Encoder]] = {
    "paper": PaperEncoder,
    "timm": TimmEncoder,
}
"""Every encoder by its name in `Config.encoder`."""
