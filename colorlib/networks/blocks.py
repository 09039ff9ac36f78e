"""The parts that networks are built of: convolutions, coordinates, fusion, attention.

References: fusion is that of Deep Koalarization (Baldassarre et al., arXiv
1712.03400; paper, section 3.5), attention that of Luong et al. (arXiv
1508.04025), coordinates are those of Liu et al. (arXiv 1807.03247). Batch
normalisation stands before the non-linearity (section 3.3).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from colorlib.base.errors import ColorlibError


def conv(
    inputs: int,
    outputs: int,
    stride: int = 1,
    batch_norm: bool = True,
    kernel: int = 3,
) -> nn.Sequential:
    """A convolution, optional batch normalisation, ReLU.

    (B, inputs, H, W) -> (B, outputs, H / stride, W / stride), rounded up.
    """
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


class Fusion(nn.Module):
    """Mixes a global prior into every position of a map (section 3.5).

    (B, C, H, W) and (B, E) -> (B, C, H, W), C = 256 at width 1: the embedding is
    repeated at every position, joined to the map, and mixed in by a 1x1 convolution,

        W [h; e] = W_h h + W_e e,

    of which the second term is the same everywhere, so computed once a photograph.
    """

    def __init__(self, channels: int, embedding: int, batch_norm: bool = True):
        super().__init__()
        self.mix = conv(
            channels + embedding, channels, batch_norm=batch_norm, kernel=1
        )

    def forward(self, features: Tensor, embedding: Tensor) -> Tensor:
        convolution, *rest = self.mix
        assert isinstance(convolution, nn.Conv2d)
        sizes = features.shape[1], embedding.shape[1]
        W_h, W_e = convolution.weight.split(sizes, dim=1)  # (C, C or E, 1, 1)
        x = F.conv2d(features, W_h, convolution.bias)  # (B, C, H, W)
        x = x + F.linear(embedding, W_e.flatten(1))[:, :, None, None]
        for layer in rest:
            x = layer(x)
        return x


class Attention(nn.Module):
    """Lets every position of a map attend to all positions of another (section 3.5).

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
            context at t is W_a h̄_t, so that no position attends to another.
        scaled: divide the scores by the square root of C.
        softmax: "sources", or "targets" for the paper's equation as written.

    Raises:
        ValueError: no such score.
    """

    SCORES = ("dot", "general", "concat", "pointwise")

    def __init__(
        self,
        channels: int,
        score: str = "general",
        scaled: bool = True,
        softmax: str = "sources",
    ):
        super().__init__()
        if score not in self.SCORES:
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
        h, h_bar = positions(target), positions(source)  # (B, T, C), (B, S, C)
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
        # (B, T, S, C) would not fit into memory: some targets at a time,
        # computed again for the gradient.
        at_s = self.W_s(h_bar)
        return torch.cat(
            [
                checkpoint(
                    self._concat, at_t, at_s,
                    use_reentrant=False, preserve_rng_state=False,
                )
                for at_t in self.W_t(h).split(64, dim=1)
            ],
            dim=1,
        )

    def _concat(self, at_t: Tensor, at_s: Tensor) -> Tensor:
        return self.v(torch.tanh(at_t[:, :, None] + at_s[:, None])).squeeze(-1)


class SelfAttention(nn.Module):
    """Residual multi-head self-attention: x + gamma * attention(x), gamma 0 at first.

    Each of several heads lets positions attend to each other in its own share of the
    channels (Vaswani et al. 2017, arXiv 1706.03762, section 3.2.2). What comes of it
    is added, times a learned scalar, so that training starts from the network without
    it (Zhang et al. 2018, SAGAN, arXiv 1805.08318, equation 3). Positions have no
    coordinates.

    (B, C, H, W) -> (B, C, H, W).

    Args:
        channels: C.
        heads: how many; they must divide C.

    Raises:
        ColorlibError: they do not.
    """

    def __init__(self, channels: int, heads: int):
        super().__init__()
        if channels % heads:
            raise ColorlibError(f"{heads} heads cannot share {channels} channels")
        self.heads = heads
        self.norm = nn.GroupNorm(1, channels)
        self.query_key_value = nn.Conv2d(channels, 3 * channels, 1, bias=False)
        self.mix = nn.Conv2d(channels, channels, 1)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self._by_head(x)
        found = F.scaled_dot_product_attention(q, k, v)  # (B, heads, T, C / heads)
        found = found.transpose(-1, -2).reshape(x.shape)  # heads side by side again
        return x + self.gamma * self.mix(found)

    def weights(self, x: Tensor) -> Tensor:
        """alpha_ts of each head, written out: (B, C, H, W) -> (B, heads, T, T)."""
        q, k, _ = self._by_head(x)
        return (q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5).softmax(dim=-1)

    def _by_head(self, x: Tensor) -> tuple[Tensor, ...]:
        """Queries, keys and values, (B, heads, T, C / heads) each."""
        parts = self.query_key_value(self.norm(x)).flatten(2)  # (B, 3 C, T)
        return parts.unflatten(1, (3, self.heads, -1)).transpose(-1, -2).unbind(1)


def positions(map_: Tensor) -> Tensor:
    """The positions of a map, row by row: (B, C, H, W) -> (B, H * W, C)."""
    return map_.flatten(2).transpose(1, 2)


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


INITIALISATIONS = {"xavier": init_xavier, "he": init_he}
"""By their names in `Common.decoder_init`."""
