"""Photographs that verbs read: packed, and what of their folders is left out."""

from collections.abc import Collection, Sequence
from functools import partial
from typing import TYPE_CHECKING

from colorlib.base.errors import ColorlibError
from colorlib.cli.common import counted, note

if TYPE_CHECKING:
    from colorlib.data import Packed, Photo
    from colorlib.networks.priors import Prior


def packed(
    parts: dict[str, tuple[list["Photo"], int]],
    prior: "Prior | None",
    device: str,
    skip_damaged: bool,
    mirrored: Collection[str] = (),
) -> list["Packed"]:
    """Packed photographs of each part, with what a prior makes of them.

    Args:
        parts: name -> photographs, and their size.
        mirrored: the parts that also need what it makes of mirror images.

    Raises:
        ColorlibError: some cannot be read; those of all parts are named.
    """
    from tqdm import tqdm

    from colorlib.data import UnreadablePhotos, pack

    found, errors = [], []
    for name, (photos, size) in parts.items():
        bar = partial(tqdm, desc=f"reading {name}", leave=False)
        try:
            found.append(
                pack(
                    photos, size, prior, device, bar, skip_damaged, mirrored=name in mirrored
                )
            )
        except UnreadablePhotos as error:
            errors.append(error)
    if errors:
        text = "; ".join(map(str, errors))
        raise ColorlibError(text if skip_damaged else f"{text} (--skip-damaged leaves them out)")
    if skipped := sum(len(part.skipped) for part in found):
        total = sum(len(photos) for photos, _ in parts.values())
        note(f"{skipped} of {counted(total, 'photo')} cannot be read and are left out")
    return found


def say_what_is_left_out(data: Sequence[str]) -> None:
    """A line for each folder with files that belong to no split or are no photographs."""
    from colorlib.data import left_out

    for name in dict.fromkeys(data):
        if text := left_out(name):
            note(f"{name}: {text}")


def say_how_divided(data: Sequence[str]) -> None:
    """A line for each data set or folder: where its splits come from."""
    from colorlib.data import division

    for name in dict.fromkeys(data):
        print(f"{name}: {division(name)}", flush=True)


def say_which_are_near_gray(photographs: "Packed") -> None:
    """A line that names training photographs with hardly any colour; none if there are none."""
    from colorlib.data import NEAR_GRAY
    from colorlib.data.folders import some_of

    gray = photographs.chroma() < NEAR_GRAY
    if gray.any():
        names = some_of([photographs.names[i] for i in gray.nonzero()[0]])
        note(
            f"{gray.sum()} of {counted(len(photographs), 'photo')} for training are near-gray "
            f"(mean chroma below {NEAR_GRAY:g} Lab units): {names}; "
            f"--min-chroma {NEAR_GRAY:g} leaves them out"
        )
