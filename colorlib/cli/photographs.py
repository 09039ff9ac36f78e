"""Photographs that verbs read: packed, named, and what of their folders is left out."""

import os
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from colorlib.cli.common import note
from colorlib.errors import ColorlibError

if TYPE_CHECKING:
    from colorlib.data import Packed, Photo
    from colorlib.priors import Prior


def packed(
    parts: dict[str, tuple[list["Photo"], int]],
    prior: "Prior | None",
    device: str,
    skip_damaged: bool,
) -> list["Packed"]:
    """Packed photographs of each part, with what a prior makes of them.

    Args:
        parts: name -> photographs, and their size.

    Raises:
        ColorlibError: some cannot be read; those of all parts are named.
    """
    from tqdm import tqdm

    from colorlib import priors
    from colorlib.data import UnreadablePhotos

    found, errors = [], []
    for name, (photos, size) in parts.items():
        bar = partial(tqdm, desc=f"reading {name}", leave=False)
        try:
            found.append(priors.packed(photos, size, prior, device, bar, skip_damaged))
        except UnreadablePhotos as error:
            errors.append(error)
    if errors:
        text = "; ".join(map(str, errors))
        raise ColorlibError(text if skip_damaged else f"{text} (--skip-damaged leaves them out)")
    if skipped := sum(len(part.skipped) for part in found):
        total = sum(len(photos) for photos, _ in parts.values())
        note(f"{skipped} of {total} photos cannot be read and are left out")
    return found


def name_of(data: str) -> str:
    """How weights call a data set or folder that they were trained on."""
    return os.path.basename(os.path.abspath(os.path.expanduser(data)))


def say_what_is_left_out(data: Sequence[str]) -> None:
    """A line for each folder with files that belong to no split or are no photographs."""
    from colorlib.data import left_out

    for name in dict.fromkeys(data):
        if text := left_out(name):
            note(f"{name}: {text}")
