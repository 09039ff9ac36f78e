"""A network judged by photographs that it was not trained on, beside trivial baselines."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch

from colorlib import data as data_sets
from colorlib.base.errors import ColorlibError
from colorlib.data import Packed, Photo
from colorlib.data.fingerprints import TrainedOn
from colorlib.metrics.baselines import mean_colour
from colorlib.metrics.evaluation import constant, network, scores
from colorlib.networks import Colorizer

LEAST = 11
"""Pixels: SSIM compares windows of that side."""


def compared(
    name: str,
    model: Colorizer,
    photographs: Packed,
    train: Sequence[Photo],
    device: str = "cpu",
) -> dict[str, dict[str, list[float]]]:
    """What every metric says of gray, of the mean colour and of a network.

    Args:
        name: of the network.
        model: the network.
        photographs: with the embeddings of their prior if they have one.
        train: photographs whose mean colour is one of the predictions; none for no such one.
        device: where it is computed.

    Returns:
        "gray", "mean colour" and the name of the network -> metric -> one value a photograph.
    """
    predictions: dict[str, Callable] = {"gray": constant(torch.zeros(2))}
    if train:
        packed = data_sets.pack(train, photographs.size, skip_damaged=True)
        predictions["mean colour"] = constant(mean_colour(packed))
    predictions[f"network {name}" if name in predictions else name] = network(model, device)
    return {
        name: scores(predict, photographs, device=device)
        for name, predict in predictions.items()
    }


def unseen(data: str, split: str | None, about: dict[str, Any]) -> tuple[list[Photo], str | None]:
    """The photographs to judge weights by: those of a split, or else those not trained on.

    Warns of photographs that were trained on, and where it is not known which.

    Args:
        data: a data set, or a folder.
        split: one of them; None for "test", or all of a folder that is not divided.
        about: what the weights say of themselves, and so of what they were trained on.

    Returns:
        The photographs, and their split; None for all of a folder.

    Raises:
        ColorlibError: all were trained on, or some, and of the others it is not known.
    """
    trained_on = TrainedOn(about)
    if split is not None:
        photos = data_sets.photos(data, split)
        if known := sum(photo in trained_on for photo in photos):
            warnings.warn(f"{known} of {len(photos)} photos were used in training", stacklevel=2)
        return photos, split
    photos, split = data_sets.everything(data)
    if split is None and not trained_on.complete and any(photo in trained_on for photo in photos):
        warnings.warn(
            f"trained on photos of {data}, so judged by its test photos alone", stacklevel=2
        )
        photos, split = data_sets.photos(data, "test"), "test"
    _refuse_if_many_are_unknown(photos, trained_on, data)
    left = [photo for photo in photos if photo not in trained_on]
    if not left:
        raise ColorlibError(
            f"all photos of {data} were used in training: with --split they are judged nevertheless"
        )
    if known := len(photos) - len(left):
        warnings.warn(
            f"{known} of {len(photos)} photos were used in training and are left out", stacklevel=2
        )
    return left, split


def to_compare_with(data: str, judged: Sequence[Photo]) -> list[Photo]:
    """The training photographs of a data set; none if there are none but those that are judged."""
    try:
        photos = data_sets.photos(data, "train")
    except ColorlibError:
        photos = []
    if not photos or {photo.sha256 for photo in photos} & {photo.sha256 for photo in judged}:
        warnings.warn(
            f"{data} has no photos to train on besides, so no column for their mean colour",
            stacklevel=2,
        )
        return []
    return photos


def _refuse_if_many_are_unknown(
    photos: Sequence[Photo], trained_on: TrainedOn, data: str
) -> None:
    """Of weights that were trained on many photographs, only some are known.

    Raises:
        ColorlibError: of the photographs of which it is known, some were trained on, so others
            were, too.
    """
    if trained_on.complete:
        return
    decided = [photo for photo in photos if trained_on.knows(photo)]
    if known := sum(photo in trained_on for photo in decided):
        raise ColorlibError(
            f"{known} of {len(decided)} photos of {data} of which it is known were used in "
            "training, so others were, too: with --split they are judged nevertheless"
        )
    if not decided:
        warnings.warn(
            "the weights list only some of the many photos that they were trained on: whether "
            f"those of {data} are among them is not known",
            stacklevel=3,
        )
