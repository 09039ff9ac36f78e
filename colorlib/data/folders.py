"""Folders of photographs, divided into training, validation and test."""

import hashlib
import os
import re
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from colorlib import files
from colorlib.errors import ColorlibError

SPLITS = ("train", "val", "test")

_FOLDER_NAMES = {
    "train": "train|training",
    "val": "val|valid|validation|dev",
    "test": "test|testing",
}


class Photo(NamedTuple):
    """One photograph: its name in the data set, its file, its content's SHA-256."""

    name: str
    path: Path
    sha256: str


class UnreadablePhotos(ColorlibError):
    """Photographs that cannot be read.

    Attributes:
        files: the paths of all of them.
    """

    files: tuple[Path, ...]

    def __init__(self, message: str, files: Iterable[Path] = ()):
        super().__init__(message)
        self.files = tuple(files)


class Layout(NamedTuple):
    """What a folder of photographs holds.

    Attributes:
        root: the folder.
        given: split -> the name of its folder, for those that have one.
        parts: split -> its files, for those that have a folder.
        loose: the files in no such folder.
        left_out: what else is there, from `files.walk`.
    """

    root: Path
    given: dict[str, str]
    parts: dict[str, list[Path]]
    loose: list[Path]
    left_out: list[files.LeftOut]

    @property
    def pool(self) -> list[Path]:
        """The files to train on, and to cut missing splits from."""
        return self.parts.get("train", self.loose)


def split_of(name: str) -> str | None:
    """The split that a folder is for by its name, such as ``Validation`` or ``train2017``."""
    for split, names in _FOLDER_NAMES.items():
        if re.fullmatch(rf"({names})([-_ ]?set)?([-_ ]?\d+)?", name, re.IGNORECASE):
            return split
    return None


def layout(root: Path) -> Layout:
    """The photographs in a folder and all below it, by the split folders that it holds.

    Raises:
        ColorlibError: the folder cannot be read; it holds two folders for one
            split; or its split folders lie further down.
    """
    given = _split_folders(root)
    paths, left_out = files.walk(root)
    parts: dict[str, list[Path]] = {split: [] for split in given}
    loose = []
    of_folder = {name: split for split, name in given.items()}
    for path in paths:
        first = path.relative_to(root).parts[0]  # a file in `root` is named like no folder there
        parts[of_folder[first]].append(path) if first in of_folder else loose.append(path)
    if not given:
        _refuse_nested(root, paths)
    if "train" not in given:
        _warn_of_similar_names(root, loose, given)
    return Layout(root, given, parts, loose, left_out)


def folder_split(root: Path, split: str) -> list[Photo]:
    """The photographs of one split of a folder; see `folder_splits`."""
    return folder_splits(root, [split])[split]


def folder_splits(root: Path, splits: Sequence[str]) -> dict[str, list[Photo]]:
    """The photographs of some splits of a folder; see `photos` for the rule.

    A file that is there several times is in one split only: in test rather
    than in validation, and there rather than in training. Each file is read once.

    Raises:
        ColorlibError: as for `layout`; or a split has no photographs.
        UnreadablePhotos: some cannot be read.
    """
    found = layout(root)
    needed = set().union(*({split, *_BEFORE[split]} for split in splits))
    parts = {
        name: hashed(found.parts[name], root)
        for name in needed
        if name in found.given and name != "train"
    }
    if any(name not in parts for name in needed):
        missing = [name for name in ("test", "val") if name not in found.given]
        cut = _cut(hashed(found.pool, root), missing)
        if cut is None and not parts.keys() >= set(splits):
            raise ColorlibError(_too_few(found, missing))
        parts |= cut or {}
    return {split: _only_in(split, parts, found) for split in splits}


_BEFORE = {"train": ("test", "val"), "val": ("test",), "test": ()}
"""Split -> the splits in which a file is rather than in this one."""


def _only_in(split: str, parts: dict[str, list[Photo]], found: Layout) -> list[Photo]:
    """The photographs of a split that are in none of those before it."""
    known = {photo.sha256 for name in _BEFORE[split] for photo in parts.get(name, [])}
    photos = [photo for photo in parts[split] if photo.sha256 not in known]
    if not photos:
        where = found.root / found.given[split] if split in found.given else found.root
        more = " that are not in another split" if parts[split] else ""
        raise ColorlibError(_and_left_out(f"{where} holds no photographs{more}", found))
    return photos


def everything_in(root: Path) -> tuple[list[Photo], str | None]:
    """All photographs of a folder without split folders, and None; else its test split, "test".

    Of a folder that holds validation photographs only, those and "val".

    Raises:
        ColorlibError: as for `folder_split`.
    """
    found = layout(root)
    only_val = found.given.keys() == {"val"} and not found.loose
    if found.given and not only_val:
        return folder_split(root, "test"), "test"
    paths = found.parts["val"] if only_val else found.loose
    if not paths:
        raise ColorlibError(_and_left_out(f"{root} holds no photographs", found))
    return hashed(paths, root), "val" if only_val else None


def hashed(paths: Iterable[Path], root: Path) -> list[Photo]:
    """Photographs by their files.

    Raises:
        UnreadablePhotos: some cannot be read; all of them are named.
    """
    photos, failed = [], {}
    for path in paths:
        try:
            photos.append(Photo(path.relative_to(root).as_posix(), path, hash_of(path)))
        except ColorlibError as error:
            failed[path] = error
    if failed:
        names = [path.relative_to(root).as_posix() for path in failed]
        message = str(next(iter(failed.values())))
        if len(failed) > 1:
            message = f"{len(failed)} photographs in {root} cannot be read: {some_of(names)}"
        raise UnreadablePhotos(message, failed)
    return photos


def hash_of(path: Path) -> str:
    """SHA-256 of a file.

    Raises:
        ColorlibError: it cannot be read.
    """
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except PermissionError as error:
        raise ColorlibError(f"{path} may not be read") from error
    except OSError as error:
        raise ColorlibError(f"{path} cannot be read ({error.strerror or error})") from error


def some_of(names: list[str]) -> str:
    """The first three names, and how many more there are."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _listed(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def describe_left_out(found: Layout) -> str | None:
    """What of a folder is in none of its splits, in one line; None if nothing."""
    line = files.describe(found.left_out)
    if "train" in found.given and found.loose:
        folders = _listed(f"{name}/" for name in found.given.values())
        what = "photograph" if len(found.loose) == 1 else "photographs"
        outside = f"{len(found.loose)} {what} outside {folders}"
        line = f"{line}, {outside}" if line else f"left out: {outside}"
    return line


def _and_left_out(sentence: str, found: Layout) -> str:
    """A sentence on photographs that are not there, with what is there instead."""
    line = files.describe(found.left_out)
    return f"{sentence}; {line}" if line else sentence


def _split_folders(root: Path) -> dict[str, str]:
    """Split -> the name of its folder in `root`."""
    try:
        names = sorted(
            name for name in os.listdir(root) if split_of(name) and os.path.isdir(root / name)
        )
    except OSError as error:
        raise ColorlibError(f"{root} cannot be read ({error.strerror or error})") from error
    given: dict[str, str] = {}
    for name in sorted(names, key=lambda name: (root / name).is_symlink()):
        split = split_of(name)
        assert split
        if split not in given:
            given[split] = name
        elif not os.path.samefile(root / name, root / given[split]):
            raise ColorlibError(
                f"{root} holds two folders for the split {split}, {given[split]} and {name}: "
                "leave or rename one"
            )
    return {split: given[split] for split in SPLITS if split in given}


def _refuse_nested(root: Path, paths: list[Path]) -> None:
    """Refuse split folders inside another one: pooled, what is for testing would be trained on."""
    beside: dict[Path, dict[str, Path]] = {}  # a folder -> split -> a folder for it
    for path in paths:
        for folder in path.relative_to(root).parents:
            if split := split_of(folder.name):
                here = beside.setdefault(folder.parent, {})
                here.setdefault(split, folder)
                if len(here) > 1:
                    two = " and ".join(str(folder) for folder in here.values())
                    raise ColorlibError(
                        f"{root} holds split folders further down, {two}: "
                        f"name {root / folder.parent} instead"
                    )


def _warn_of_similar_names(root: Path, paths: list[Path], given: dict[str, str]) -> None:
    """Say so if folders look like splits, such as seg_train and seg_test, but are not used so."""
    similar: dict[str, str] = {}  # split -> the first such folder
    for name in sorted({path.relative_to(root).parts[0] for path in paths}):
        for word in re.split(r"[\W_]+", name):
            if split := split_of(word):
                similar.setdefault(split, name)
    if similar.keys() & {"val", "test"} and len(similar.keys() | given.keys()) > 1:
        splits = [split for split in SPLITS if split in similar]
        warnings.warn(
            f"{_listed(similar[split] for split in splits)} in {root} are not taken for splits, "
            f"and their photographs are trained on: rename to {_listed(splits)} if they are",
            stacklevel=2,
        )


def _cut(pool: list[Photo], missing: list[str]) -> dict[str, list[Photo]] | None:
    """A tenth for each split that is missing, by content; the rest to train on.

    None if there are too few photographs.
    """
    pool = sorted(pool, key=lambda photo: photo.sha256)
    tenth = max(1, len(pool) // 10)
    if len(pool) <= tenth * len(missing):
        return None
    parts = {name: sorted(pool[i * tenth : (i + 1) * tenth]) for i, name in enumerate(missing)}
    return parts | {"train": sorted(pool[len(missing) * tenth :])}


def _too_few(found: Layout, missing: list[str]) -> str:
    where = found.root / found.given["train"] if "train" in found.given else found.root
    outside = [name for split, name in found.given.items() if split != "train"]
    count = f"{len(found.pool) or 'no'} photograph" + ("" if len(found.pool) == 1 else "s")
    if where == found.root and outside:
        count += " outside " + _listed(f"{name}/" for name in outside)
    if not found.pool:
        return _and_left_out(f"{where} holds {count}", found)
    splits = _listed("validation" if name == "val" else name for name in missing)
    sentence = f"{where} holds {count}: too few to set some aside for {splits}"
    return _and_left_out(sentence, found)
