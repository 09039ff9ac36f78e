"""The colorization networks, and how their weights are kept.

A photograph's lightness goes through an encoder to a map of an eighth of its
size; a global prior is fused into the map; attention lets its positions look at
each other; a decoder paints. `Config` says which of these a `Colorizer` has.

References: encoder, fusion and decoder are those of Deep Koalarization
(Baldassarre et al., arXiv 1712.03400), on which the paper builds (sections 3.4,
3.5); attention is Luong et al., arXiv 1508.04025; coordinates are Liu et al.,
arXiv 1807.03247. Batch normalisation stands before every non-linearity except
in the decoder's last layers (section 3.3), Xavier initialisation in the decoder
(section 4.1).
"""

import json
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import cast

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from colorlib import files
from colorlib.errors import ColorlibError, check_choice, check_types

# (output channels, stride) of the encoder's 3x3 convolutions.
ENCODER = ((64, 2), (128, 1), (128, 2), (256, 1), (256, 2), (512, 1), (512, 1), (256, 1))
# Output channels of the decoder's 3x3 convolutions; upsampling by two follows where marked.
DECODER = ((128, True), (64, False), (64, True), (32, False), (2, True))
STRIDE = 8


@dataclass(frozen=True)
class Config:
    """What a `Colorizer` is made of; each field is one decision.

    Where the paper's words and its sense part, the default is what it
    intends, and what it writes is named here as "as written".

    Attributes:
        width: factor on the channels of every hidden layer; 1 is the paper's size.
        coordinates: give the encoder every pixel's x and y too (section 1).
        embedding: length of the global prior's vector, fused into the
            encoder's map (section 3.5); 0 for no prior.
        attention: how a position scores another: "dot", "general" or "concat"
            (Luong et al.; the paper leaves `score` open). "pointwise" is the
            control: the weights of "general", but every position sees only
            itself. None for no attention.
        attention_source: what the fused map attends to: the "encoder"'s map or
            the "fused" map itself.
        attention_softmax: over which positions the weights sum to one: all
            "sources" of a target, or, as written, all "targets" of a source.
        attention_scaled: divide scores by the square root of the channels, so
            that the softmax does not begin saturated; as written, False.
        downsample: how the encoder halves its map: by "stride" (section 3.4) or,
            what the paper chose to avoid, by "max-pooling".
        batch_norm: batch normalisation before the non-linearities (section 3.3).
        plain_layers: how many convolutions at the decoder's end go without it;
            the last one always does.
        decoder_init: "xavier" (section 4.1) or "he", as encoder and fusion.
        output_gain: factor on the last layer's first weights. Below 1 the
            network starts near gray; at 1, plain Xavier, it starts with
            saturated random colours and long sees nothing but their mean.
        output: "tanh", or, as written, its derivative, "1-tanh2" (section 3.2).
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

    def __post_init__(self) -> None:
        check_types(self)
        for name, choices in _CHOICES.items():
            check_choice(self, name, choices)
        for name in ("width", "output_gain"):
            if not getattr(self, name) > 0:
                raise ColorlibError(f"{name} must be positive, not {getattr(self, name)}")
        if self.embedding < 0:
            raise ColorlibError(f"embedding must not be negative, as {self.embedding} is")
        if not 1 <= self.plain_layers <= len(DECODER):
            raise ColorlibError(
                f"plain_layers must lie between 1 and {len(DECODER)}, not {self.plain_layers}"
            )

    def channels(self, full: int) -> int:
        """How many channels a layer of `full` channels has at this width."""
        return max(1, round(full * self.width))


_CHOICES = {
    "attention": (None, "dot", "general", "concat", "pointwise"),
    "attention_source": ("encoder", "fused"),
    "attention_softmax": ("sources", "targets"),
    "downsample": ("stride", "max-pooling"),
    "decoder_init": ("xavier", "he"),
    "output": ("tanh", "1-tanh2"),
}

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
}
"""The paper's networks by name, as intended, and the last one as it is written."""


def build(preset: str = "baseline", **changes) -> "Colorizer":
    """Make a freshly initialised network; seed torch before the call to repeat it.

    Args:
        preset: a name in `PRESETS`.
        changes: fields of `Config` to set differently.

    Raises:
        ColorlibError: no such preset, field or value.
    """
    config = preset_config(preset)
    known = {field.name for field in fields(Config)}
    if unknown := sorted(set(changes) - known):
        raise ColorlibError(
            f"no setting named {unknown[0]!r}; there is {', '.join(sorted(known))}"
        )
    return Colorizer(replace(config, **changes))


def preset_config(preset: str) -> Config:
    """The settings behind a name in `PRESETS`.

    Raises:
        ColorlibError: no such preset.
    """
    if preset not in PRESETS:
        raise ColorlibError(f"no preset named {preset!r}; there is {', '.join(PRESETS)}")
    return PRESETS[preset]


def conv(
    inputs: int,
    outputs: int,
    stride: int = 1,
    batch_norm: bool = True,
    kernel: int = 3,
) -> nn.Sequential:
    """A convolution, optional batch normalisation, ReLU."""
    bias = not batch_norm  # its shift makes the convolution's bias redundant
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=bias)
    ]
    if batch_norm:
        layers.append(nn.BatchNorm2d(outputs))
    return nn.Sequential(*layers, nn.ReLU(inplace=True))


class AddCoords(nn.Module):
    """(B, C, H, W) -> (B, C + 2, H, W): each pixel's x, y in [-1, 1] (section 1)."""

    def forward(self, x: Tensor) -> Tensor:
        B, _, H, W = x.shape
        across = torch.linspace(-1, 1, W, device=x.device, dtype=x.dtype)
        down = torch.linspace(-1, 1, H, device=x.device, dtype=x.dtype)
        return torch.cat(
            (
                x,
                across.view(1, 1, 1, W).expand(B, 1, H, W),
                down.view(1, 1, H, 1).expand(B, 1, H, W),
            ),
            dim=1,
        )


class Encoder(nn.Sequential):
    """(B, 1 or 3, H, W) -> (B, 256, H/8, W/8) by strides (section 3.4)."""

    def __init__(self, config: Config):
        pooled = config.downsample == "max-pooling"
        inputs = 3 if config.coordinates else 1
        layers = []
        for full, stride in ENCODER:
            outputs = config.channels(full)
            step = 1 if pooled else stride
            layers.append(conv(inputs, outputs, step, config.batch_norm))
            if stride > step:
                layers[-1].append(nn.MaxPool2d(stride))
            inputs = outputs
        super().__init__(*layers)


class Fusion(nn.Module):
    """Mixes a global prior into every position of a map (section 3.5).

    (B, 256, H, W) and (B, E) -> (B, 256, H, W): the embedding is repeated at
    every position, joined to the map, and mixed in by a 1x1 convolution.
    """

    def __init__(self, channels: int, embedding: int, batch_norm: bool = True):
        super().__init__()
        self.mix = conv(
            channels + embedding, channels, batch_norm=batch_norm, kernel=1
        )

    def forward(self, features: Tensor, embedding: Tensor) -> Tensor:
        H, W = features.shape[2:]
        everywhere = embedding[:, :, None, None].expand(-1, -1, H, W)  # (B, E, H, W)
        return self.mix(torch.cat((features, everywhere), dim=1))  # (B, 256, H, W)


class Attention(nn.Module):
    """Lets every position of a map look at all positions of another (section 3.5).

    The paper's three equations, with the slips mended, for the positions t of
    the target map h and s of the source map h̄::

        weights    alpha_ts = softmax over s of score(h_t, h̄_s)
        context    c_t = sum over s of alpha_ts h̄_s
        output     tanh(W_c [c_t; h_t])

    and the scores of Luong et al., section 3.1::

        dot        h_t . h̄_s
        general    h_t . W_a h̄_s
        concat     v . tanh(W_a [h_t; h̄_s])

    Target and source are (B, C, H, W) and may differ in size; the output has
    the target's shape. The cost grows with the product of their positions.

    Args:
        channels: C.
        score: "dot", "general", "concat", or "pointwise" for the control whose
            context at t is W_a h̄_t, so that no position sees another.
        scaled: divide the scores by the square root of C.
        softmax: "sources", or "targets" for the paper's equation as written.
    """

    def __init__(
        self,
        channels: int,
        score: str = "general",
        scaled: bool = True,
        softmax: str = "sources",
    ):
        super().__init__()
        if score not in ("dot", "general", "concat", "pointwise"):
            raise ValueError(f"no score named {score!r}")
        self.score, self.softmax = score, softmax
        self.scale = channels**-0.5 if scaled else 1.0
        if score in ("general", "pointwise"):
            self.W_a = nn.Linear(channels, channels, bias=False)
        elif score == "concat":
            # W_a [h_t; h̄_s] in two halves, each applied once a position, not a pair.
            self.W_t = nn.Linear(channels, channels, bias=False)
            self.W_s = nn.Linear(channels, channels, bias=False)
            self.v = nn.Linear(channels, 1, bias=False)
        self.W_c = nn.Linear(2 * channels, channels)
        for layer in self.children():
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(self.W_c.bias)

    def forward(self, target: Tensor, source: Tensor) -> Tensor:
        h, h_bar = _positions(target), _positions(source)  # (B, T, C), (B, S, C)
        context = self.context(h, h_bar)  # (B, T, C)
        out = torch.tanh(self.W_c(torch.cat((context, h), dim=-1)))  # (B, T, C)
        return out.transpose(1, 2).unflatten(2, target.shape[2:])  # (B, C, H, W)

    def context(self, h: Tensor, h_bar: Tensor) -> Tensor:
        """c_t of positions (B, T, C) and (B, S, C): (B, T, C), the fastest way."""
        if self.score == "pointwise":
            return self.W_a(h_bar)
        if self.score == "concat" or self.softmax == "targets":
            return self.weights(h, h_bar) @ h_bar
        keys = self.W_a(h_bar) if self.score == "general" else h_bar
        # One head: (B, 1, T, C) and (B, 1, S, C).
        h, keys, h_bar = (x[:, None] for x in (h, keys, h_bar))
        context = F.scaled_dot_product_attention(h, keys, h_bar, scale=self.scale)
        return context[:, 0]

    def weights(self, h: Tensor, h_bar: Tensor) -> Tensor:
        """alpha_ts, written out: (B, T, C) and (B, S, C) -> (B, T, S)."""
        if self.score == "pointwise":
            own = torch.eye(h.shape[1], device=h.device, dtype=h.dtype)
            return own.expand(len(h), -1, -1)
        scores = self.scores(h, h_bar) * self.scale
        return scores.softmax(dim=-1 if self.softmax == "sources" else -2)

    def scores(self, h: Tensor, h_bar: Tensor) -> Tensor:
        """score(h_t, h̄_s) of every pair: (B, T, C) and (B, S, C) -> (B, T, S)."""
        if self.score == "dot":
            return h @ h_bar.transpose(1, 2)
        if self.score == "general":
            return h @ self.W_a(h_bar).transpose(1, 2)
        # (B, T, S, C) would not fit: some targets at a time, twice for the gradient.
        at_s = self.W_s(h_bar)
        return torch.cat(
            [
                checkpoint(self._concat, at_t, at_s, use_reentrant=False)
                for at_t in self.W_t(h).split(64, dim=1)
            ],
            dim=1,
        )

    def _concat(self, at_t: Tensor, at_s: Tensor) -> Tensor:
        return self.v(torch.tanh(at_t[:, :, None] + at_s[:, None])).squeeze(-1)


def _positions(map_: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, H * W, C)."""
    return map_.flatten(2).transpose(1, 2)


class Decoder(nn.Sequential):
    """(B, 256, H/8, W/8) -> (B, 2, H, W) in [-1, 1] by tanh.

    The last convolution works at half size; its output is enlarged once more,
    as in Deep Koalarization.
    """

    def __init__(self, config: Config):
        layers: list[nn.Module] = []
        inputs = config.channels(ENCODER[-1][0])
        for i, (full, enlarge) in enumerate(DECODER):
            if i < len(DECODER) - 1:
                outputs = config.channels(full)
                norm = config.batch_norm and i < len(DECODER) - config.plain_layers
                layers.append(conv(inputs, outputs, batch_norm=norm))
                inputs = outputs
            else:
                layers.append(nn.Conv2d(inputs, full, 3, padding=1))
                layers.append(OUTPUTS[config.output]())
            if enlarge:
                layers.append(nn.Upsample(scale_factor=2))
        super().__init__(*layers)

    @property
    def last(self) -> nn.Conv2d:
        """The convolution that paints: to a and b."""
        return cast(nn.Conv2d, self[-3])


class TanhDerivative(nn.Module):
    """1 - tanh(z)^2, which section 3.2 writes for tanh. It is never negative."""

    def forward(self, z: Tensor) -> Tensor:
        return 1 - z.tanh() ** 2


OUTPUTS = {"tanh": nn.Tanh, "1-tanh2": TanhDerivative}


class Colorizer(nn.Module):
    """Predicts a photograph's two colour channels from its lightness.

    Args of the call:
        L: (B, 1, H, W) in [-1, 1], any H and W from 8 up.
        embedding: (B, E), what a global prior makes of the same photographs;
            only for a network with one.

    Returns:
        ab: (B, 2, H, W) in [-1, 1]; times 128 gives Lab units.

    Raises:
        ValueError: L has not one channel or is smaller than 8x8; an embedding
            that is missing, not asked for, or of another shape.
    """

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        channels = config.channels(ENCODER[-1][0])
        self.coordinates = AddCoords() if config.coordinates else nn.Identity()
        # Encoder and decoder first: from one seed, variants whose two are alike draw the same.
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        init_he(self.encoder)
        {"xavier": init_xavier, "he": init_he}[config.decoder_init](self.decoder)
        with torch.no_grad():
            self.decoder.last.weight *= config.output_gain
        self.fusion = self.attention = None
        if config.embedding:
            self.fusion = Fusion(channels, config.embedding, config.batch_norm)
            init_he(self.fusion)
        if config.attention:
            self.attention = Attention(
                channels, config.attention, config.attention_scaled, config.attention_softmax
            )

    def forward(self, L: Tensor, embedding: Tensor | None = None) -> Tensor:
        mixed, source = self.maps(L, embedding)
        if self.attention is not None:
            mixed = self.attention(mixed, source)
        H, W = L.shape[2:]
        return self.decoder(mixed)[..., :H, :W]

    def maps(self, L: Tensor, embedding: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The fused map and the one that it attends to, (B, 256, H/8, W/8) each.

        H and W are rounded up to multiples of 8.
        """
        self._check(L, embedding)
        H, W = L.shape[2:]
        x = self.coordinates(L)  # (B, 1 or 3, H, W)
        # Three halvings and three doublings return the same size only for
        # multiples of 8: repeat the border up to there, and cut the answer back.
        x = F.pad(x, (0, -W % STRIDE, 0, -H % STRIDE), mode="replicate")
        encoded = self.encoder(x)
        fused = encoded if self.fusion is None else self.fusion(encoded, embedding)
        return fused, encoded if self.config.attention_source == "encoder" else fused

    def attended(self, L: Tensor, embedding: Tensor | None = None) -> Tensor:
        """The weights alpha_ts of a network with attention: (B, T, S).

        T and S count the positions of the map, row by row.

        Raises:
            ValueError: a network without attention.
        """
        if self.attention is None:
            raise ValueError("a network without attention attends to nothing")
        mixed, source = self.maps(L, embedding)
        return self.attention.weights(_positions(mixed), _positions(source))

    def _check(self, L: Tensor, embedding: Tensor | None) -> None:
        if L.ndim != 4 or L.shape[1] != 1 or min(L.shape[2:]) < STRIDE:
            raise ValueError(
                f"L must have shape (B, 1, H, W) with H and W of at least {STRIDE}, "
                f"not {tuple(L.shape)}"
            )
        wanted = (len(L), self.config.embedding) if self.fusion is not None else None
        given = None if embedding is None else tuple(embedding.shape)
        if given != wanted:
            raise ValueError(f"the embedding must be {_said(wanted)}, not {_said(given)}")


def _said(shape: tuple[int, ...] | None) -> str:
    return "None" if shape is None else f"of shape {shape}"


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


def transfer(source: "Colorizer", model: "Colorizer") -> None:
    """Give a network the encoder and the decoder of another, in place.

    Raises:
        ColorlibError: theirs are of another shape, by width, coordinates or batch norm and its
            layers.
    """
    for part in ("encoder", "decoder"):
        try:
            getattr(model, part).load_state_dict(getattr(source, part).state_dict())
        except RuntimeError as error:
            raise ColorlibError(f"the weights to start from have another {part}") from error


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

    Raises:
        ColorlibError: it cannot be written, for example since the disk is full.
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
    """Write a safetensors file, whole or not at all; one of that name is replaced.

    Raises:
        ColorlibError: it cannot be written, for example since the disk is full.
    """

    def fill(part: Path) -> None:
        try:
            save_file(tensors, part, metadata)
        except SafetensorError as error:
            raise OSError(str(error)) from error
        part.chmod(0o644)

    files.write(Path(path), fill, overwrite=True)


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
