"""Global priors: frozen ImageNet classifiers that look at the gray photograph.

Paper, sections 3.1, 3.5 and 3.6. The paper's prior is Inception-ResNet-v2; the
default here is a small EfficientNet whose weights a package carries, so that it
needs no network. Either way the classifier sees lightness alone: shown the
colours, it would give the answer away.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from colorlib import classifiers, data, files, lab, rows
from colorlib.devices import device_name, threads
from colorlib.errors import ColorlibError
from colorlib.settings import Spec

_IMAGENET_MEAN = (123.68, 116.779, 103.939)  # of R, G, B in 0..255


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
    """What records and weights say of a prior: its `Spec`, and its key as "sha256"."""
    return asdict(prior.spec) | {"sha256": prior.key}


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


def embed(
    photos: Sequence[data.Photo],
    prior: Prior,
    device: str | torch.device = "cpu",
    progress: data.Progress = iter,
    mirrored: bool = False,
    upside_down: bool = False,
) -> np.ndarray:
    """The embeddings of photographs, computed once.

    They are kept in the cache under a key of the photographs' contents, the
    prior and its preprocessing, so a cache may be filled on another device; `made_on`
    tells which. A file there is complete or absent; what was interrupted goes on
    where it was. On a CPU all cores compute, each of them some photographs with one
    thread: more would change the last bits, and with them what a training makes of
    them. For the same reason they are kept in float32. On a GPU other processes read
    the photographs: threads would wait for each other's Python.

    Args:
        photos: from `data.photos`.
        prior: moved to `device`.
        device: where they are computed if they are not there: "cpu", "cuda", ...
        progress: wraps the photographs, for a bar.
        mirrored: exchange left and right first.
        upside_down: exchange top and bottom first.

    Returns:
        Memory-mapped float32 of shape (N, E).

    Raises:
        UnreadablePhotos: some photographs cannot be read; all of them are named.
        ColorlibError: the cache cannot be written.
    """
    on_cpu = _is_cpu(device)
    # The word "cpu" once was the kind of device. It stays, so that what is there is found.
    digest = hashlib.sha256(f"{prior.key} cpu {mirrored} {upside_down}".encode())
    for photo in photos:
        digest.update(photo.sha256.encode())
    # "embeddings-2" had those of mirror images beside each; "embeddings" is version 0.1's.
    folder = data.cache_dir() / "embeddings-3" / digest.hexdigest()
    array = rows.Kind(
        "embeddings.npy", (prior.features,), "<f4", chunk=16 if on_cpu else 64, threads=on_cpu
    )
    if not (folder / array.name).is_file():
        prior.to(device)
        flips = [axis for axis, wanted in ((-1, mirrored), (-2, upside_down)) if wanted]
        paths = [str(photo.path) for photo in photos]
        make = partial(_embeddings, prior, device, flips)
        read = partial(files.squares, prior.spec.size)
        with threads(1 if on_cpu else None):
            failed = rows.fill(folder, array, paths, make, progress, read)
        if failed:
            rows.discard(folder)
            raise data.unreadable({photos[i]: why for i, why in failed.items()}, len(photos))
        if not (folder / _DEVICE).is_file():  # unless another process has made them
            with threads(1 if on_cpu else None):
                files.write_text(folder / _DEVICE, device_name(str(device)), overwrite=True)
    return np.load(folder / array.name, mmap_mode="r")


_DEVICE = "device.txt"


def _is_cpu(device: str | torch.device) -> bool:
    return torch.device(device).type == "cpu"


def made_on(embeddings: np.ndarray) -> str | None:
    """What has computed embeddings that `embed` returned; None if that has not been noted."""
    file = getattr(embeddings, "filename", None)  # of what is memory-mapped
    path = file and Path(file).with_name(_DEVICE)
    return path.read_text(encoding="utf-8") if path and path.is_file() else None


def _embeddings(
    prior: Prior, device: str | torch.device, flips: list[int],
    squares: tuple[np.ndarray, dict[int, str]],
) -> tuple[np.ndarray, dict[int, str]]:
    """(N, E) of some photographs, and why some cannot be read; from `files.squares`."""
    pixels, problems = squares
    # Each thread of Python has a setting of its own.
    with threads(1 if _is_cpu(device) else None):
        rgb = torch.from_numpy(pixels).to(device).permute(0, 3, 1, 2).float() / 255
        L, _ = lab.normalize(lab.rgb_to_lab(rgb.flip(flips)))
        return prior(L).cpu().numpy(), problems


def packed(
    photos: Sequence[data.Photo],
    size: int,
    prior: Prior | None = None,
    device: str | torch.device = "cpu",
    progress: data.Progress = iter,
    skip_damaged: bool = False,
    mirrored: bool = False,
) -> data.Packed:
    """Photographs packed (`data.pack`), with the embeddings of a prior if there is one.

    Args:
        photos: from `data.photos`; lists may be added together.
        size: side in pixels.
        prior, device: as for `embed`.
        progress: wraps each of the loops.
        skip_damaged: leave out photographs that cannot be read; they are in
            `Packed.skipped`.
        mirrored: with the embeddings of mirror images, too, which cost as much
            again; `Settings.flip` and `Packed.mirrored` need them.

    Raises:
        UnreadablePhotos: some photographs cannot be read; all of them are named.
        ColorlibError: as for `data.pack`.
    """
    found = data.pack(photos, size, progress, skip_damaged)
    if prior is None:
        return found
    skipped = set(found.skipped)
    good = [photo for photo in photos if photo not in skipped]
    embeddings = embed(good, prior, device, progress)
    of_mirrored = embed(good, prior, device, progress, mirrored=True) if mirrored else None
    return found.with_embeddings(embeddings, of_mirrored)
