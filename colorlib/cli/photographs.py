"""Photographs that verbs read: packed, known again, and what of their folders is left out."""

import os
from collections.abc import Collection, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

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


def name_of(data: str) -> str:
    """How weights call a data set, a folder or a list that they were trained on."""
    from colorlib.data import catalogue, torchvision_sets
    from colorlib.files import user_path

    if torchvision_sets.is_one(data):
        return str(torchvision_sets.find(data))
    if known := catalogue.find(data):
        return known.name
    path = os.path.abspath(user_path(data))
    parts = path.split(os.sep)
    return "/".join(parts[-2:]) if os.path.isfile(path) else parts[-1]


_DIGITS = 16  # of a SHA-256
_HIGHEST = "g" * _DIGITS  # above all digits
_LISTED = 500  # photographs


def fingerprint(photos: Iterable["Photo"]) -> dict[str, Any]:
    """What weights keep of the photographs that they were trained on: at most 8 kB.

    Returns:
        "count", and "sha256": the first 16 digits of each photograph's, joined;
        of more than 500 photographs, the 500 lowest.
    """
    digests = sorted({photo.sha256[:_DIGITS] for photo in photos})
    return {"count": len(digests), "sha256": "".join(digests[:_LISTED])}


class TrainedOn:
    """The photographs that weights were trained on, and on which they were validated.

    Older weights have no `fingerprint`. Of data sets that they name and whose
    splits are published, the photographs are known all the same.

    Args:
        about: what the weights say of themselves, and of those that they began with.

    Attributes:
        complete: whether all of them are known, and not only the lowest digests of many.
    """

    def __init__(self, about: dict[str, Any]):
        self._digests: set[str] = set()
        self._known_up_to = _HIGHEST
        while isinstance(about, dict) and about:
            if found := about.get("trained_on"):
                joined = found["sha256"]
                listed = {joined[i : i + _DIGITS] for i in range(0, len(joined), _DIGITS)}
                self._digests |= listed
                if len(listed) < found["count"]:
                    self._known_up_to = min(self._known_up_to, max(listed))
            else:
                self._digests |= _published(about.get("data") or ())
            about = about.get("init", {})

    @property
    def complete(self) -> bool:
        return self._known_up_to == _HIGHEST

    def __contains__(self, photo: "Photo") -> bool:
        return photo.sha256[:_DIGITS] in self._digests

    def knows(self, photo: "Photo") -> bool:
        """Whether it is known if a photograph was trained on: of many, the lowest are listed."""
        return photo.sha256[:_DIGITS] <= self._known_up_to


def _published(names: str | Collection[str]) -> set[str]:
    """What is known of the photographs that data sets train and validate on."""
    from colorlib.data.catalogue import find

    known = map(find, [names] if isinstance(names, str) else names)
    return {
        row["sha256"][:_DIGITS]
        for data_set in known
        if data_set and data_set.splits
        for row in data_set.files()
        if row["split"] != "test"
    }


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

    gray = photographs.near_gray()
    if gray.any():
        names = some_of([photographs.names[i] for i in gray.nonzero()[0]])
        note(
            f"{gray.sum()} of {counted(len(photographs), 'photo')} for training are near-gray "
            f"(mean chroma below {NEAR_GRAY:g} Lab units): {names}; "
            f"--min-chroma {NEAR_GRAY:g} leaves them out"
        )
