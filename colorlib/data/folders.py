"""Folders and lists of photographs, divided into training, validation and test."""

import hashlib
import os
import re
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from colorlib import files
from colorlib.base.errors import ColorlibError

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

    def __init__(self, message: str, files: Iterable[Path] = ()):
        super().__init__(message)
        self.files = tuple(files)


class Layout(NamedTuple):
    """What a folder of photographs, or a list of them, holds.

    Attributes:
        root: the folder.
        given: split -> its folder in `root`, for those that have one.
        parts: split -> its files, for those that are given.
        loose: the files in no such folder.
        left_out: what else is there, from `files.walk`.
        list_file: the list, if it is one.
    """

    root: Path
    given: dict[str, str]
    parts: dict[str, list[Path]]
    loose: list[Path]
    left_out: list[files.LeftOut]
    list_file: Path | None = None

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
        ColorlibError: the folder cannot be read, or holds two folders for one split.
    """
    paths, left_out = files.walk(root)
    given = _split_folders(root)
    of_folder = {name: split for split, name in given.items()}
    parts: dict[str, list[Path]] = {split: [] for split in given}
    loose: list[Path] = []
    for path in paths:
        split = of_folder.get(path.relative_to(root).parts[0])
        (parts[split] if split else loose).append(path)
    if "train" not in given:
        _warn_of_similar_folders(root, loose)
    return Layout(root, given, parts, loose, left_out)


def _split_folders(root: Path) -> dict[str, str]:
    """Split -> the name of its folder in `root`."""
    try:
        names = [name for name in os.listdir(root) if split_of(name) and (root / name).is_dir()]
    except OSError as error:
        raise ColorlibError(f"{root} cannot be read ({error.strerror or error})") from error
    given: dict[str, str] = {}
    for name in sorted(names, key=lambda name: ((root / name).is_symlink(), name)):
        split = split_of(name)
        assert split
        first = given.setdefault(split, name)
        if not os.path.samefile(root / name, root / first):
            raise ColorlibError(
                f"{root} holds two folders for the split {split}, {first} and {name}: "
                "leave or rename one"
            )
    return {split: given[split] for split in SPLITS if split in given}


def _warn_of_similar_folders(root: Path, paths: list[Path]) -> None:
    """Say so if what is trained on lies in folders that look like splits, such as my_test."""
    names = {part for path in paths for part in path.relative_to(root).parts[:-1]}
    words = {name: {split_of(word) for word in re.split(r"[\W_]+", name)} for name in names}
    if similar := sorted(name for name, found in words.items() if found & {"val", "test"}):
        warnings.warn(
            f"{some_of(similar)} in {root}: not taken for splits, and their photographs are "
            "trained on: folders for these lie in the one that is named, as train, val, test",
            stacklevel=2,
        )


def listed(file: Path) -> Layout:
    """The photographs that a text file lists, one a line.

    Paths are those from the file's own folder, or absolute. Empty lines and those that begin
    with ``#`` are skipped; a number after the path, a class as ImageNet's lists have it, too.

    Raises:
        ColorlibError: the file cannot be read, or lists files that are not there.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
        if "\0" in text:
            raise ValueError("no text")
    except (OSError, ValueError) as error:
        raise ColorlibError(f"{file} cannot be read as a list of photographs") from error
    paths: dict[str, Path] = {}  # each once
    missing: list[str] = []
    for line in map(str.strip, text.splitlines()):
        if not line or line.startswith("#"):
            continue
        names = (line, re.sub(r"\s+\d+$", "", line))
        path = next((file.parent / name for name in names if (file.parent / name).is_file()), None)
        if path is None:
            missing.append(str(file.parent / line))
        else:
            paths.setdefault(os.path.abspath(path), path)
    if missing:
        count = f"{len(missing)} files that are" if len(missing) > 1 else "a file that is"
        raise ColorlibError(f"{file} lists {count} not there: {some_of(missing)}")
    if not paths:
        raise ColorlibError(f"{file} lists no photographs")
    return Layout(file.parent, {}, {}, list(paths.values()), [], file)


def folder_splits(found: Layout, splits: Sequence[str]) -> dict[str, list[Photo]]:
    """The photographs of some splits of a folder; see `photos` for the rule.

    A file that is there several times is in one split only: in test rather
    than in validation, and there rather than in training. Each file is read once.

    Raises:
        ColorlibError: a split has no photographs.
        UnreadablePhotos: some cannot be read.
    """
    needed = set().union(*({split, *BEFORE[split]} for split in splits))
    parts = {
        name: hashed(found.parts[name], found.root)
        for name in needed
        if name in found.given and name != "train"
    }
    if any(name not in parts for name in needed):
        missing = [name for name in ("test", "val") if name not in found.given]
        cut = _cut(hashed(found.pool, found.root), missing)
        if cut is None and not parts.keys() >= set(splits):
            raise ColorlibError(_too_few(found, missing))
        parts |= cut or {}
    return {split: _only_in(split, parts, found) for split in splits}


BEFORE = {"train": ("test", "val"), "val": ("test",), "test": ()}
"""Split -> the splits in which a file is rather than in this one."""


def _only_in(split: str, parts: dict[str, list[Photo]], found: Layout) -> list[Photo]:
    """The photographs of a split that are in none of those before it."""
    known = {photo.sha256 for name in BEFORE[split] for photo in parts.get(name, [])}
    photos = [photo for photo in parts[split] if photo.sha256 not in known]
    if not photos:
        where = found.root / found.given.get(split, "")
        more = " that are not in another split" if parts[split] else ""
        raise ColorlibError(_and_left_out(f"{where} holds no photographs{more}", found))
    return photos


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
    where = found.list_file or found.root / found.given.get("train", "")
    count = f"{len(found.pool) or 'no'} photograph" + ("" if len(found.pool) == 1 else "s")
    if "train" not in found.given and found.given:
        count += " outside " + _listed(f"{name}/" for name in found.given.values())
    sentence = f"{where} holds {count}"
    if found.pool:
        sentence += f": too few to set some aside for {_in_words(missing)}"
    return _and_left_out(sentence, found)


def everything_in(found: Layout) -> tuple[list[Photo], str | None]:
    """All photographs of a folder without split folders, and None; else its test split, "test".

    Of a folder that holds validation photographs only, those and "val".

    Raises:
        ColorlibError: as for `folder_splits`.
    """
    only_val = found.given.keys() == {"val"} and not found.loose
    if found.given and not only_val:
        return folder_splits(found, ["test"])["test"], "test"
    paths = found.parts["val"] if only_val else found.loose
    if not paths:
        raise ColorlibError(_and_left_out(f"{found.root} holds no photographs", found))
    return hashed(paths, found.root), "val" if only_val else None


def describe(found: Layout) -> str:
    """How a folder is divided, in a line."""
    folders = [f"{name}/" for name in found.given.values()]
    missing = [name for name in ("val", "test") if name not in found.given]
    text = f"split folders {_listed(folders)}" if folders else "no split folders"
    if missing:
        each = " each" if len(missing) > 1 else ""
        text += f"; a tenth{each} of the training photos set aside for {_in_words(missing)}"
    return text


def describe_left_out(found: Layout) -> str | None:
    """What of a folder is in none of its splits, in one line; None if nothing."""
    line = files.describe(found.left_out)
    if "train" in found.given and found.loose:
        folders = _listed(f"{name}/" for name in found.given.values())
        what = "photograph" if len(found.loose) == 1 else "photographs"
        outside = f"{len(found.loose)} {what} outside {folders}"
        line = f"{line}, {outside}" if line else f"left out: {outside}"
    return line


def hashed(paths: Iterable[Path], root: Path) -> list[Photo]:
    """Photographs by their files.

    Raises:
        UnreadablePhotos: some cannot be read; all of them are named.
    """
    photos, failed = [], {}
    for path in paths:
        name = (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()
        try:
            photos.append(Photo(name, path, hash_of(path)))
        except ColorlibError as error:
            failed[path] = (name, str(error))
    if failed:
        names, messages = zip(*failed.values(), strict=True)
        message = messages[0]
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
    except FileNotFoundError as error:
        raise ColorlibError(f"{path} is missing") from error
    except PermissionError as error:
        raise ColorlibError(f"{path} may not be read") from error
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise ColorlibError(f"{path} cannot be read ({why})") from error


def some_of(names: Sequence[str]) -> str:
    """The first three names, and how many more there are."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _listed(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def _in_words(splits: Iterable[str]) -> str:
    return _listed("validation" if name == "val" else name for name in splits)


def _and_left_out(sentence: str, found: Layout) -> str:
    """A sentence on photographs that are not there, with what is there instead."""
    line = files.describe(found.left_out)
    return f"{sentence}; {line}" if line else sentence
