"""The colorization networks, and how their weights are kept.

The encoder and decoder are those of Deep Koalarization (Baldassarre et al.,
arXiv 1712.03400), on which the paper builds (section 3.4): strided 3x3
convolutions down to an eighth of the size, then convolutions and upsampling
back to two channels. Batch normalisation before every non-linearity except
in the decoder's last two layers (section 3.3), Xavier initialisation in the
decoder (section 4.1).
"""

import json
import os
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from colorlib.errors import ColorlibError

# (output channels, stride) of the encoder's 3x3 convolutions.
ENCODER = ((64, 2), (128, 1), (128, 2), (256, 1), (256, 2), (512, 1), (512, 1), (256, 1))
STRIDE = 8


@dataclass(frozen=True)
class Config:
    """What a `Colorizer` is made of; each field is one decision.

    Attributes:
        width: factor on the channels of every hidden layer; 1 is the paper's size.
        batch_norm: batch normalisation before the non-linearities (section 3.3).
        decoder_init: "xavier" (section 4.1) or "he", as everywhere else.
        output_gain: factor on the last layer's first weights. Below 1 the
            network starts near gray; at 1, plain Xavier, it starts with
            saturated random colours and long sees nothing but their mean.
    """

    width: float = 1.0
    batch_norm: bool = True
    decoder_init: str = "xavier"
    output_gain: float = 0.1

    def __post_init__(self) -> None:
        if not self.width > 0:
            raise ColorlibError(f"width must be positive, not {self.width}")
        if self.decoder_init not in ("xavier", "he"):
            raise ColorlibError(
                f"decoder_init must be 'xavier' or 'he', not {self.decoder_init!r}"
            )
        if not self.output_gain > 0:
            raise ColorlibError(f"output_gain must be positive, not {self.output_gain}")

    def channels(self, full: int) -> int:
        """How many channels a layer of `full` channels has at this width."""
        return max(1, round(full * self.width))


PRESETS = {"baseline": Config()}
"""The paper's networks by name."""


def build(preset: str = "baseline", **changes) -> "Colorizer":
    """Make a freshly initialised network; seed torch before the call to repeat it.

    Args:
        preset: a name in `PRESETS`.
        changes: fields of `Config` to set differently.

    Raises:
        ColorlibError: no such preset, field or value.
    """
    if preset not in PRESETS:
        raise ColorlibError(f"no preset named {preset!r}; there is {', '.join(PRESETS)}")
    known = {field.name for field in fields(Config)}
    if unknown := sorted(set(changes) - known):
        raise ColorlibError(
            f"no setting named {unknown[0]!r}; there is {', '.join(sorted(known))}"
        )
    return Colorizer(replace(PRESETS[preset], **changes))


def conv(
    inputs: int, outputs: int, stride: int = 1, batch_norm: bool = True
) -> nn.Sequential:
    """A 3x3 convolution, optional batch normalisation, ReLU."""
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=not batch_norm)
    ]
    if batch_norm:  # its shift makes the convolution's bias redundant
        layers.append(nn.BatchNorm2d(outputs))
    return nn.Sequential(*layers, nn.ReLU(inplace=True))


class Encoder(nn.Sequential):
    """(B, 1, H, W) -> (B, 256, H/8, W/8): strides, no pooling (section 3.4)."""

    def __init__(self, config: Config):
        channels = [1] + [config.channels(c) for c, _ in ENCODER]
        super().__init__(
            *(
                conv(channels[i], channels[i + 1], stride, config.batch_norm)
                for i, (_, stride) in enumerate(ENCODER)
            )
        )


class Decoder(nn.Sequential):
    """(B, 256, H/8, W/8) -> (B, 2, H, W) in [-1, 1] by tanh.

    The last convolution works at half size; its output is enlarged once more,
    as in Deep Koalarization.
    """

    def __init__(self, config: Config):
        c, norm = config.channels, config.batch_norm
        super().__init__(
            conv(c(256), c(128), batch_norm=norm),
            nn.Upsample(scale_factor=2),
            conv(c(128), c(64), batch_norm=norm),
            conv(c(64), c(64), batch_norm=norm),
            nn.Upsample(scale_factor=2),
            conv(c(64), c(32), batch_norm=False),
            nn.Conv2d(c(32), 2, 3, padding=1),
            nn.Tanh(),
            nn.Upsample(scale_factor=2),
        )

    @property
    def last(self) -> nn.Conv2d:
        """The convolution that paints: to a and b."""
        return self[-3]


class Colorizer(nn.Module):
    """Predicts a photograph's two colour channels from its lightness.

    Args of the call:
        L: (B, 1, H, W) in [-1, 1], any H and W from 8 up.

    Returns:
        ab: (B, 2, H, W) in [-1, 1]; times 128 gives Lab units.

    Raises:
        ValueError: not one channel, or smaller than 8x8.
    """

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        init_he(self.encoder)
        {"xavier": init_xavier, "he": init_he}[config.decoder_init](self.decoder)
        with torch.no_grad():
            self.decoder.last.weight *= config.output_gain

    def forward(self, L: Tensor) -> Tensor:
        if L.ndim != 4 or L.shape[1] != 1 or min(L.shape[2:]) < STRIDE:
            raise ValueError(
                f"L must have shape (B, 1, H, W) with H and W of at least {STRIDE}, "
                f"not {tuple(L.shape)}"
            )
        H, W = L.shape[2:]
        # Three halvings and three doublings return the same size only for
        # multiples of 8: repeat the border up to there, cut the answer back.
        L = F.pad(L, (0, -W % STRIDE, 0, -H % STRIDE), mode="replicate")
        return self.decoder(self.encoder(L))[..., :H, :W]


def init_xavier(module: nn.Module) -> None:
    """Xavier-uniform weights, zero biases, in every convolution (Glorot & Bengio 2010)."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def init_he(module: nn.Module) -> None:
    """He-normal weights, zero biases, in every convolution (He et al. 2015)."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


# Weights on disk -----------------------------------------------------------

_FORMAT = "colorlib-weights-1"


def save_weights(model: Colorizer, path: Path | str, half: bool = False, **about) -> None:
    """Write a network's weights and config as one safetensors file, whole or not at all.

    Args:
        model: the network.
        path: where to; an existing file is replaced.
        half: store parameters as float16, half the size; running statistics
            of batch normalisation stay float32.
        about: anything JSON can say about the weights, such as the photo size
            they were trained at; `read_about` gives it back.
    """
    parameters = {name for name, _ in model.named_parameters()}
    tensors = {
        name: (t.half() if half and name in parameters else t).detach().cpu().contiguous()
        for name, t in model.state_dict().items()
    }
    metadata = {
        "format": _FORMAT,
        "config": json.dumps(asdict(model.config)),
        "about": json.dumps(about),
    }
    write_tensors(tensors, path, metadata)


def load_weights(path: Path | str) -> Colorizer:
    """Rebuild a network from a file of `save_weights`, in evaluation mode, as float32.

    Raises:
        ColorlibError: missing, damaged, or not such a file.
    """
    with _open(path) as file:
        metadata = _metadata(file, path)
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    try:
        model = Colorizer(Config(**json.loads(metadata["config"])))
        model.load_state_dict({name: t.float() if t.is_floating_point() else t
                               for name, t in tensors.items()})
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ColorlibError(f"{path} does not fit this version of colorlib") from error
    return model.eval()


def read_about(path: Path | str) -> dict:
    """What `save_weights` was told about the weights.

    Raises:
        ColorlibError: missing, damaged, or not such a file.
    """
    with _open(path) as file:
        return json.loads(_metadata(file, path)["about"])


def write_tensors(tensors: dict[str, Tensor], path: Path | str, metadata: dict[str, str]) -> None:
    """Write a safetensors file under a temporary name, then rename it: never half a file."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        save_file(tensors, partial, metadata)
        partial.chmod(0o644)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _open(path: Path | str):
    if not Path(path).is_file():
        raise ColorlibError(f"there is no weights file {path}")
    try:
        return safe_open(path, framework="pt")
    except (SafetensorError, OSError) as error:
        raise ColorlibError(f"{path} is damaged or not a safetensors file") from error


def _metadata(file, path: Path | str) -> dict[str, str]:
    metadata = file.metadata() or {}
    if metadata.get("format") != _FORMAT:
        raise ColorlibError(f"{path} was not written by colorlib")
    return metadata
