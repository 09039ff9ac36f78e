"""Heads: what the last layer means, and the loss it is trained by.

To add one, write a class and a line in `HEADS`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from colorlib import colours, lab
from colorlib.base.options import Options, choice, number
from colorlib.networks.blocks import INITIALISATIONS
from colorlib.networks.decoders import Decoder
from colorlib.networks.parts import Common, Part


class Head(Part):
    """What a head is: the last convolution, from a decoder's features to ab.

    Args:
        decoder: whose features it is built for.
        settings: its own; those named in `ANSWERS` only say how it answers, and may be changed
            after training.
        common: those that all parts share.

    Args of the call:
        features: (B, C, h, w), the decoder's.

    Returns:
        z: (B, K, h, w); what it means is the head's own business.
    """

    ANSWERS: tuple[str, ...] = ()

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

    def loss(self, z: Tensor, ab: Tensor, L: Tensor) -> Tensor:
        """What training minimises: a scalar in float32.

        Args:
            z: as for `ab`.
            ab: the photographs' own, (B, 2, H, W) in [-1, 1].
            L: their lightness, (B, 1, H, W) in [-1, 1].
        """
        raise NotImplementedError

    def initialise(self, common: Common) -> None:
        INITIALISATIONS[common.decoder_init](self)


class RegressionHead(Head):
    """ab by tanh (section 3.2), trained by their mean squared error (section 4.2)."""

    @dataclass(frozen=True)
    class Settings(Options):
        """Of heads that predict ab itself.

        Attributes:
            output: "tanh", or, as written, its derivative, "1-tanh2" (section 3.2).
            output_gain: factor on the last layer's first weights. Below 1 the
                network starts near gray; at 1, plain Xavier, it starts with saturated
                random colours and long predicts nothing but their mean.
        """

        output: str = choice("tanh", "1-tanh2")
        output_gain: float = number(0.1, above=0)

    def __init__(self, decoder: Decoder, settings: Settings, common: Common):
        super().__init__()
        self.settings = settings
        self.last = nn.Conv2d(decoder.channels, 2, 3, padding=1)
        self.output = OUTPUTS[settings.output]()
        self.upsample = nn.Upsample(
            scale_factor=decoder.stride, mode=decoder.upsampling
        )

    def forward(self, features: Tensor) -> Tensor:
        return self.last(features)

    def ab(self, z: Tensor, size: Sequence[int]) -> Tensor:
        H, W = size
        # Two channels, one after the other: faster than channels-last.
        ab = self.upsample(self.output(z).contiguous())
        return ab if ab.shape[2:] == (H, W) else ab[..., :H, :W]

    def loss(self, z: Tensor, ab: Tensor, L: Tensor) -> Tensor:
        return F.mse_loss(self.ab(z, ab.shape[2:]).float(), ab)

    @torch.no_grad()
    def initialise(self, common: Common) -> None:
        super().initialise(common)
        self.last.weight *= self.settings.output_gain


class HuberHead(RegressionHead):
    """A regression in which a large error counts by its size, not its square.

    So colours that nobody could know pull the others less towards gray (Zhang et al. 2017,
    arXiv 1705.02999, section 3.1).
    """

    @dataclass(frozen=True)
    class Settings(RegressionHead.Settings):
        """Of Huber's loss.

        Attributes:
            delta: from which error of ab in [-1, 1] on it counts by its size.
        """

        delta: float = number(0.1, above=0)

    settings: Settings

    def loss(self, z: Tensor, ab: Tensor, L: Tensor) -> Tensor:
        return F.huber_loss(self.ab(z, ab.shape[2:]).float(), ab, delta=self.settings.delta)


class AdversarialHead(RegressionHead):
    """A regression that also has to look real to a critic, which learns beside it.

    As in pix2pix (Isola et al. 2017, arXiv 1611.07004): the critic is a small
    convolutional network that is shown L and ab, and judges patches. Its loss is the
    hinge (SAGAN, arXiv 1805.08318, equation 4), and all of them are one sum, so that
    one step teaches both: the network's part of it leaves the critic alone, and the
    critic's part the network.
    """

    @dataclass(frozen=True)
    class Settings(RegressionHead.Settings):
        """Of a regression with a critic.

        Attributes:
            critic_weight: of the critic's judgement beside the squared error.
        """

        critic_weight: float = number(1e-3, least=0)

    settings: Settings

    def __init__(self, decoder: Decoder, settings: Settings, common: Common):
        super().__init__(decoder, settings, common)
        widths = (3, *map(common.channels, (64, 128, 256)))
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            layers += [nn.Conv2d(inputs, outputs, 4, 2, padding=1), nn.LeakyReLU(0.2)]
        layers.append(nn.Conv2d(widths[-1], 1, 3, padding=1, bias=False))
        self.critic = nn.Sequential(*layers)

    def loss(self, z: Tensor, ab: Tensor, L: Tensor) -> Tensor:
        predicted = self.ab(z, ab.shape[2:]).float()
        true, false = torch.cat((L, ab), dim=1), torch.cat((L, predicted), dim=1)
        fixed = {name: p.detach() for name, p in self.critic.named_parameters()}
        looks_real = functional_call(self.critic, fixed, (false,)).float().mean()
        doubts = (1 - self.critic(true).float()).relu().mean()
        trusts = (1 + self.critic(false.detach()).float()).relu().mean()
        judged = self.settings.critic_weight * looks_real
        return F.mse_loss(predicted, ab) - judged + doubts + trusts


class QuantizedHead(Head):
    """A distribution over a grid of colours at each position (Zhang et al. 2016, section 2).

    Trained by cross-entropy, it need not answer with the mean of all colours that a thing may
    have. It differs from the paper in four things. A colour is divided among the four cells
    around it (`colours.divided`), not the five nearest. A pixel counts by the mean of their
    weights, not by that of the most probable one. The grid has 261 cells, not 313. And maps may
    have another size than a quarter of the photograph's.
    """

    @dataclass(frozen=True)
    class Settings(Options):
        """Of the quantized head.

        Attributes:
            rebalancing: of its loss, from 0, all pixels count the same, to 1, a pixel counts by
                the inverse of how frequent its colour is; 0.5 in Zhang et al. 2016.
            temperature: of its prediction, from 1, the mean of its distribution, down to 0.01,
                the most probable colour; 0.38 in Zhang et al.
            adjustment: of its prediction: a colour's probability is first divided by how
                frequent the colour is, to this power (logit adjustment, Menon et al. 2021). 0
                leaves it; 1 takes all colours for equally frequent, after training without
                `rebalancing`, which does a part of it already.
        """

        rebalancing: float = number(0.5, least=0, most=1)
        temperature: float = number(0.38, least=0.01)
        adjustment: float = number(0.0, least=0, most=1)

    ANSWERS = ("temperature", "adjustment")

    colours: Tensor
    weights: Tensor
    log_rarity: Tensor

    def __init__(self, decoder: Decoder, settings: Settings, common: Common):
        super().__init__()
        centres = colours.centres().float() / lab.AB_SCALE  # (Q, 2)
        self.last = nn.Conv2d(decoder.channels, len(centres), 1)
        self.upsample = nn.Upsample(scale_factor=decoder.stride, mode=decoder.upsampling)
        self.settings, self.stride = settings, decoder.stride
        self.register_buffer("colours", centres, persistent=False)
        weights = _rebalanced(settings.rebalancing).float()
        self.register_buffer("weights", weights, persistent=False)
        log_rarity = -colours.smoothed_frequencies().log().float().view(-1, 1, 1)
        self.register_buffer("log_rarity", settings.adjustment * log_rarity, persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        return self.last(features)  # (B, Q, h, w)

    def ab(self, z: Tensor, size: Sequence[int]) -> Tensor:
        """The annealed mean (section 2.3): of the distribution to the power 1 / T.

        Before, it may be adjusted, so that rare colours count more (`adjustment`).
        """
        H, W = size
        with torch.autocast(z.device.type, enabled=False):  # colours are not to be rounded
            probable = ((z.float() + self.log_rarity) / self.settings.temperature).softmax(dim=1)
            ab = torch.einsum("bqhw,qc->bchw", probable, self.colours)
        return self.upsample(ab)[..., :H, :W]

    def loss(self, z: Tensor, ab: Tensor, L: Tensor) -> Tensor:
        """Cross-entropy with the colours of the photograph, averaged to the size of z."""
        H, W = ab.shape[2:]
        h, w = (math.ceil(side / self.stride) for side in (H, W))
        z = z[..., :h, :w]  # without positions wholly beyond the photograph
        beyond = (0, w * self.stride - W, 0, h * self.stride - H)
        ab = F.avg_pool2d(F.pad(ab, beyond, mode="replicate"), self.stride)  # (B, 2, h, w)
        cells, shares = colours.divided(ab * lab.AB_SCALE)  # (B, 4, h, w) each
        surprise = -z.float().log_softmax(dim=1).gather(1, cells)  # (B, 4, h, w)
        weight = (shares * self.weights[cells]).sum(dim=1)
        return (weight * (shares * surprise).sum(dim=1)).mean()


def _rebalanced(share: float) -> Tensor:
    """What a pixel of each colour counts in the loss, 1 on average: (Q,) (equation 4).

    The inverse of the colours' frequencies, mixed with uniform ones; `share` is 1 - lambda.
    """
    frequency = colours.smoothed_frequencies()
    frequency = frequency / frequency.sum()
    weights = 1 / (share * frequency + (1 - share) / len(frequency))
    return weights / (weights * frequency).sum()


class TanhDerivative(nn.Module):
    """1 - tanh(z)^2, which section 3.2 writes for tanh. It is never negative."""

    def forward(self, z: Tensor) -> Tensor:
        return 1 - z.tanh() ** 2


OUTPUTS = {"tanh": nn.Tanh, "1-tanh2": TanhDerivative}

HEADS: dict[str, type[Head]] = {
    "regression": RegressionHead,
    "huber": HuberHead,
    "adversarial": AdversarialHead,
    "quantized": QuantizedHead,
}
"""Every head by its name in `Config.head`."""
