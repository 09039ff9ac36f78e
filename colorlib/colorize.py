"""A photograph in, a colour photograph of the same size out."""

from importlib import resources
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from colorlib import data, lab
from colorlib.errors import ColorlibError
from colorlib.models import STRIDE, Colorizer, load_weights, read_about
from colorlib.priors import Prior

DEFAULT_WEIGHTS = "baseline"


def weights_path(weights: str | Path) -> Path:
    """The file behind a name of shipped weights, or behind a path.

    Raises:
        ColorlibError: neither.
    """
    shipped = Path(str(resources.files("colorlib"))) / "weights" / f"{weights}.safetensors"
    for path in (shipped, Path(weights)):
        if path.is_file():
            return path
    names = sorted(path.stem for path in shipped.parent.glob("*.safetensors"))
    raise ColorlibError(f"no weights file {weights}; shipped by name: {', '.join(names)}")


def colorize(
    image: Image.Image,
    weights: str | Path = DEFAULT_WEIGHTS,
    working_size: int | None = None,
    device: str | torch.device = "cpu",
) -> Image.Image:
    """Colorize one photograph; of a colour photograph only the lightness is used.

    The network sees the photograph with its shorter side at `working_size`;
    the predicted ab is enlarged to the photograph's own size and joined to
    its own L, so that no detail is lost.

    Args:
        image: any PIL image.
        weights: the name of shipped weights or a file of `models.save_weights`.
        working_size: in pixels; by default the size the weights were trained at.
        device: "cpu", "cuda", ...

    Returns:
        An RGB image of the same size, upright (EXIF orientation applied).

    Raises:
        ColorlibError: no such weights, or a working size below 8.
    """
    path = weights_path(weights)
    model, about = load_weights(path), read_about(path)
    working_size = working_size or about.get("size", 256)
    rgb = torch.from_numpy(np.array(data.upright(image)))
    photo = lab.rgb_to_lab(rgb.permute(2, 0, 1)[None].float() / 255)
    L, _ = lab.normalize(photo)
    embedding = Prior(**about["prior"])(L) if model.config.embedding else None
    ab = predict(model, L, working_size, device, embedding)
    colour = lab.lab_to_rgb(lab.denormalize(L, ab))
    return Image.fromarray(
        (colour[0] * 255).round().byte().permute(1, 2, 0).contiguous().numpy()
    )


@torch.no_grad()
def predict(
    model: Colorizer,
    L: Tensor,
    working_size: int,
    device: str | torch.device = "cpu",
    embedding: Tensor | None = None,
) -> Tensor:
    """Predict ab at a working size and enlarge it to the size of L.

    Args:
        model: the network, in evaluation mode.
        L: (B, 1, H, W) in [-1, 1].
        working_size: what H or W, whichever is shorter, is resized to.
        device: where the network runs.
        embedding: (B, E), for a network with a global prior.

    Returns:
        ab: (B, 2, H, W) in [-1, 1], on the CPU.

    Raises:
        ColorlibError: a working size below 8.
    """
    if working_size < STRIDE:
        raise ColorlibError(f"the working size must be at least {STRIDE}, not {working_size}")
    H, W = L.shape[-2:]
    scale = working_size / min(H, W)
    size = (max(STRIDE, round(H * scale)), max(STRIDE, round(W * scale)))
    small = F.interpolate(L, size, mode="bilinear", antialias=True).clamp(-1, 1)
    if embedding is not None:
        embedding = embedding.to(device)
    ab = model.to(device)(small.to(device), embedding).cpu()
    return F.interpolate(ab, (H, W), mode="bilinear", align_corners=False)
