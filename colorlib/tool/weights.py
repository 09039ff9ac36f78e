"""Weights on disk: safetensors files that say what they are."""

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from colorlib import files
from colorlib.base.errors import ColorlibError
from colorlib.networks import HEADS, Colorizer, recorded

_FORMAT = "colorlib-weights-1"


def save_weights(model: Colorizer, path: Path | str, half: bool = False, **about) -> None:
    """Write a network's weights and config as one safetensors file, whole or not at all.

    Args:
        model: the network.
        path: where to; an existing file is replaced.
        half: store parameters as float16, half the size; running statistics
            of batch normalisation stay float32.
        about: anything JSON can say about the weights, such as the photo size they were
            trained at, besides what the network's own `about` says; `read_about` gives it back.

    Raises:
        ColorlibError: it cannot be written, for example since the disk is full.
    """
    tensors, metadata = snapshot(model, half, **model.about | about)
    write_tensors(tensors, path, metadata)


def snapshot(
    model: Colorizer, half: bool = False, **about
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """What `save_weights` writes, as it is now: tensors and metadata for `write_tensors`."""
    halved = {name for name, _ in model.named_parameters()} if half else set()
    tensors = {
        name: t.detach().to("cpu", torch.half if name in halved else t.dtype, copy=True)
        for name, t in model.state_dict().items()
    }
    metadata = {
        "format": _FORMAT,
        "config": json.dumps(model.config.flat()),
        "about": json.dumps(about),
    }
    return {name: tensor.contiguous() for name, tensor in tensors.items()}, metadata


def load_weights(path: Path | str, **changes: float) -> Colorizer:
    """Rebuild a network from a file of `save_weights`, in evaluation mode, as float32.

    Args:
        path: the file.
        changes: how its head is to answer differently: settings in its `ANSWERS`.

    Raises:
        ColorlibError: missing, damaged, or not such a file; a value that a setting cannot
            have; other changes.
    """
    path = files.user_path(path)
    with _open(path) as file:
        metadata = _metadata(file, path)
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    try:
        flat = json.loads(metadata["config"])
        answers = HEADS[recorded(flat).head].ANSWERS
        if others := sorted(set(changes) - set(answers)):
            raise ColorlibError(
                f"{others[0]!r} does not only say how a head answers, as {answers} do"
            )
        config = recorded(flat | changes)
        model = Colorizer(config, initialise=False)
        model.load_state_dict({name: t.float() if t.is_floating_point() else t
                               for name, t in current_names(tensors).items()})
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ColorlibError(f"{path} does not fit this version of colorlib") from error
    model.about = json.loads(metadata["about"])
    return model.eval()


def current_names(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a network that version 0.1 wrote, under the names of today's.

    There, the last convolution belonged to the decoder, and there was no head.
    """
    if any(name.removeprefix("module.").startswith("head.") for name in tensors):
        return tensors
    return {name.replace("decoder.6.", "head.last."): t for name, t in tensors.items()}


def read_about(path: Path | str) -> dict:
    """What the weights say about themselves: the `about` of `save_weights`.

    Raises:
        ColorlibError: missing, damaged, or not such a file.
    """
    path = files.user_path(path)
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

    files.write(path, fill, overwrite=True)


def _open(path: Path):
    if not path.is_file():
        raise ColorlibError(f"there is no weights file {path}")
    try:
        return safe_open(path, framework="pt")
    except (SafetensorError, OSError) as error:
        raise ColorlibError(f"{path} is damaged or not a safetensors file") from error


def _metadata(file, path: Path) -> dict[str, str]:
    metadata = file.metadata() or {}
    if metadata.get("format") != _FORMAT:
        raise ColorlibError(f"{path} was not written by colorlib")
    return metadata
