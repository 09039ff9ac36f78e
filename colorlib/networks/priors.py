"""Global priors: frozen ImageNet classifiers that look at the gray photograph.

Paper, sections 3.1, 3.5 and 3.6. The paper's prior is Inception-ResNet-v2; the
default here is a small EfficientNet whose weights a package carries, so that it
needs no network. Either way the classifier sees lightness alone: shown the
colours, it would give the answer away.
"""

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from colorlib import lab
from colorlib.base.errors import ColorlibError
from colorlib.base.options import Options, choice, number
from colorlib.networks import classifiers

_IMAGENET_MEAN = (123.68, 116.779, 103.939)  # of R, G, B in 0..255


@dataclass(frozen=True)
class Spec(Options):
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

    name: str = classifiers.EMBEDDED
    weights: str | None = None
    size: int = number(224, least=32)
    preprocessing: str = choice("timm", "mean", "trap")
    output: str = choice("logits", "softmax", "pooled")


class Prior(nn.Module):
    """A frozen classifier: lightness in, embedding out. It is never in training mode.

    Args:
        spec: a `Spec`, or its fields by name.

    Args of the call:
        L: (B, 1, H, W) in [-1, 1], any size; resized to a square of `spec.size`.

    Returns:
        (B, E): logits or probabilities, one a class (mostly 1000), or pooled features.

    Raises:
        ColorlibError: timm knows no such classifier; its weights cannot be
            had, or do not fit. Random weights are never used instead.
    """

    net: Any  # timm's classifiers share more methods than a Module has
    mean: Tensor
    std: Tensor
    features: int

    def __init__(self, spec: Spec | None = None, /, **fields):
        super().__init__()
        try:
            self.spec = spec or Spec(**fields)
        except TypeError as error:
            known = ", ".join(Spec.__dataclass_fields__)
            raise ColorlibError(f"a prior has no other settings than {known}") from error
        net = classifiers.create(self.spec.name, weights=self.spec.weights)
        self.net = net.requires_grad_(False)
        for name, values in classifiers.normalisation(self.net).items():
            self.register_buffer(name, values)
        pooled = self.spec.output == "pooled"
        self.features = self.net.head_hidden_size if pooled else self.net.num_classes
        self.train(False)

    def train(self, mode: bool = True) -> "Prior":
        """Stays in evaluation mode, whatever is asked for: its statistics stay too."""
        return super().train(False)

    def forward(self, L: Tensor) -> Tensor:
        return self.see(lab.gray(L))

    @torch.no_grad()
    def see(self, rgb: Tensor) -> Tensor:
        """The embedding of pictures as they are, (B, 3, H, W) sRGB in [0, 1].

        Given a colour photograph, this is the leak that `forward` rules out.
        """
        self.net.eval()  # also if somebody switched the classifier itself
        side = (self.spec.size, self.spec.size)
        rgb = F.interpolate(rgb, side, mode="bicubic", antialias=True).clamp(0, 1)
        if self.spec.preprocessing == "timm":
            x = (rgb - self.mean) / self.std
        elif self.spec.preprocessing == "mean":
            x = rgb * 255 - rgb.new_tensor(_IMAGENET_MEAN).view(3, 1, 1)
        else:
            x = rgb / 127.5 - 1
        if self.spec.output == "pooled":
            return self.net.forward_head(self.net.forward_features(x), pre_logits=True)
        logits = self.net(x)
        return logits.softmax(dim=-1) if self.spec.output == "softmax" else logits

    @property
    def key(self) -> str:
        """SHA-256 over what decides its answers: settings and weights."""
        spec = asdict(self.spec) | {"weights": None}  # not where they lie: what they are
        digest = hashlib.sha256(json.dumps(spec, sort_keys=True).encode())
        for tensor in self.net.state_dict().values():
            digest.update(tensor.cpu().numpy().tobytes())
        return digest.hexdigest()


def describe(prior: Prior) -> dict[str, Any]:
    """What records and weights say of a prior: its `Spec`, and its key as "sha256".

    A file of weights has its absolute path, so that the prior can be made anew from any folder.
    """
    file = prior.spec.weights
    own = {"weights": file and os.path.abspath(os.path.expanduser(file)), "sha256": prior.key}
    return asdict(prior.spec) | own


def classes(logits: Tensor, top: int = 3) -> list[list[tuple[str, float]]]:
    """What a classifier says it sees: (name, probability) of the `top` ImageNet classes.

    Args:
        logits: (B, 1000).
    """
    info = classifiers.timm().data.ImageNetInfo()
    best = logits.softmax(dim=-1).topk(top)
    return [
        [
            (info.index_to_description(i).split(",")[0], p)
            for i, p in zip(index, probability, strict=True)
        ]
        for index, probability in zip(best.indices.tolist(), best.values.tolist(), strict=True)
    ]
