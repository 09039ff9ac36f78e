"""By which weights know again the photographs that they were trained on."""

import os
from collections.abc import Collection, Iterable
from typing import Any

from colorlib.data.catalogue import find
from colorlib.data.folders import Photo
from colorlib.files import user_path

_DIGITS = 16  # of a SHA-256
_HIGHEST = "g" * _DIGITS  # above all digits
_LISTED = 500  # photographs


def fingerprint(photos: Iterable[Photo]) -> dict[str, Any]:
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

    def __contains__(self, photo: Photo) -> bool:
        return photo.sha256[:_DIGITS] in self._digests

    def knows(self, photo: Photo) -> bool:
        """Whether it is known if a photograph was trained on: of many, the lowest are listed."""
        return photo.sha256[:_DIGITS] <= self._known_up_to


def _published(names: str | Collection[str]) -> set[str]:
    """What is known of the photographs that data sets train and validate on."""
    known = map(find, [names] if isinstance(names, str) else names)
    return {
        row["sha256"][:_DIGITS]
        for data_set in known
        if data_set and data_set.splits
        for row in data_set.files()
        if row["split"] != "test"
    }


def name_of(data: str) -> str:
    """How weights call a data set, a folder or a list that they were trained on."""
    if known := find(data):
        return known.name
    path = os.path.abspath(user_path(data))
    parts = path.split(os.sep)
    return "/".join(parts[-2:]) if os.path.isfile(path) else parts[-1]
