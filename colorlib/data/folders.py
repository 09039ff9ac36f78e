"""Folders of photographs, divided into training, validation and test."""

import os
import re
import warnings
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from colorlib import files
from colorlib.base.errors import ColorlibError
from colorlib.data import hashes

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
    """What a folder of photographs, or a list of them, holds.

    Attributes:
        root: the folder.
        given: split -> its folders in `root`, for those that have some.
        parts: split -> its files, for those that are given.
        loose: the files in no such folder.
        left_out: what else is there, from `files.walk`.
    """

    root: Path
    given: dict[str, list[str]]
    parts: dict[str, list[Path]]
    loose: list[Path]
    left_out: list[files.LeftOut]
    list_file: Path | None = None

    @property
    def pool(self) -> list[Path]:
        """The files to train on, and to cut missing splits from."""
        return self.parts.get("train", self.loose)

    def where(self, split: str) -> str:
        """The folder of a split that is given, as sentences name it."""
        first, *others = self.given[split]
        return f"{self.root / first}" + (f" and {len(others)} more" if others else "")


def split_of(name: str) -> str | None:
    """The split that a folder is for by its name, such as ``Validation`` or ``train2017``."""
    for split, names in _FOLDER_NAMES.items():
        if re.fullmatch(rf"({names})([-_ ]?set)?([-_ ]?\d+)?", name, re.IGNORECASE):
            return split
    return None


def layout(root: Path) -> Layout:
    """The photographs in a folder and all below it, by the split folders that it holds.

    Those are folders in `root`; where it has none, folders further down of which at least two
    lie side by side, such as ``Data/train`` and ``Data/val``, or ``cats/train``
    and ``cats/test`` beside ``dogs/train`` and ``dogs/test``.

    Raises:
        ColorlibError: the folder cannot be read; it holds two folders side by
            side for one split; or photographs outside of split folders that lie further down.
    """
    paths, left_out = files.walk(root)
    given = {split: [name] for split, name in _split_folders(root).items()}
    nested = _nested_split_folders(root, paths, [name for (name,) in given.values()])
    if given and nested:
        one, other = next(iter(given.values()))[0], next(iter(nested.values()))[0]
        raise ColorlibError(
            f"{root} holds split folders at two levels, such as {one} and {other}: "
            "name the folder that is meant"
        )
    given = given or nested
    parts: dict[str, list[Path]] = {split: [] for split in given}
    loose = []
    of_folder = {name: split for split, names in given.items() for name in names}
    of_parent: dict[Path, str | None] = {}  # a folder with photographs -> the split that it is in
    for path in paths:
        if path.parent not in of_parent:
            above = [folder.as_posix() for folder in path.relative_to(root).parents]
            splits = (of_folder[name] for name in reversed(above) if name in of_folder)
            of_parent[path.parent] = next(splits, None)
        split = of_parent[path.parent]
        parts[split].append(path) if split else loose.append(path)
    if nested and loose:
        two = " and ".join(str(root / names[0]) for names in given.values())
        raise ColorlibError(
            f"{root} holds split folders further down, {two}, and {len(loose)} photographs "
            f"outside of them, such as {loose[0]}: name the folder that is meant"
        )
    if "train" not in given:
        _warn_of_similar_names(root, loose, given)
    return Layout(root, given, parts, loose, left_out)


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
        lines = text.splitlines()
    except (OSError, ValueError) as error:
        raise ColorlibError(f"{file} cannot be read as a list of photographs") from error
    names = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    paths: list[Path] = []
    missing: list[Path] = []
    for name in names:
        path, without = file.parent / name, re.sub(r"\s+\d+$", "", name)
        if not os.path.isfile(path) and os.path.isfile(file.parent / without):
            path = file.parent / without
        (paths if os.path.isfile(path) else missing).append(path)
    if missing:
        names = [str(path) for path in missing]
        count = f"{len(missing)} files that are" if len(missing) > 1 else "a file that is"
        raise ColorlibError(f"{file} lists {count} not there: {some_of(names)}")
    if not paths:
        raise ColorlibError(f"{file} lists no photographs")
    different: dict[str, Path] = {}
    for path in paths:
        different.setdefault(os.path.abspath(path), path)
    return Layout(file.parent, {}, {}, list(different.values()), [], file)


def folder_splits(found: Layout, splits: Sequence[str]) -> dict[str, list[Photo]]:
    """The photographs of some splits of a folder; see `photos` for the rule.

    A file that is there several times is in one split only: in test rather
    than in validation, and there rather than in training. Each file is read once.

    Raises:
        ColorlibError: a split has no photographs.
        UnreadablePhotos: some cannot be read.
    """
    needed = set().union(*({split, *_BEFORE[split]} for split in splits))
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


_BEFORE = {"train": ("test", "val"), "val": ("test",), "test": ()}
"""Split -> the splits in which a file is rather than in this one."""


def _only_in(split: str, parts: dict[str, list[Photo]], found: Layout) -> list[Photo]:
    """The photographs of a split that are in none of those before it."""
    known = {photo.sha256 for name in _BEFORE[split] for photo in parts.get(name, [])}
    photos = [photo for photo in parts[split] if photo.sha256 not in known]
    if not photos:
        where = found.where(split) if split in found.given else found.root
        more = " that are not in another split" if parts[split] else ""
        raise ColorlibError(_and_left_out(f"{where} holds no photographs{more}", found))
    return photos


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
    folders = []
    for names in found.given.values():
        last = f"{Path(names[0]).name}/"
        folders.append(f"{names[0]}/" if len(names) == 1 else f"{last} in {len(names)} folders")
    missing = ["validation" if name == "val" else name for name in ("val", "test")
               if name not in found.given]
    text = f"split folders {_listed(folders)}" if folders else "no split folders"
    if missing:
        each = " each" if len(missing) > 1 else ""
        text += f"; a tenth{each} of the training photos set aside for {_listed(missing)}"
    return text


def hashed(paths: Iterable[Path], root: Path) -> list[Photo]:
    """Photographs by their files.

    Raises:
        UnreadablePhotos: some cannot be read; all of them are named.
    """
    photos, failed = [], {}
    with hashes.remembered() as hash_of:
        for path in paths:
            try:
                photos.append(Photo(_name(path, root), path, hash_of(path)))
            except ColorlibError as error:
                failed[path] = error
    if failed:
        names = [_name(path, root) for path in failed]
        message = str(next(iter(failed.values())))
        if len(failed) > 1:
            message = f"{len(failed)} photographs in {root} cannot be read: {some_of(names)}"
        raise UnreadablePhotos(message, failed)
    return photos


def _name(path: Path, root: Path) -> str:
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()


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
        folders = _listed(f"{names[0]}/" for names in found.given.values())
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
            raise _two_folders(root, split, given[split], name)
    return {split: given[split] for split in SPLITS if split in given}


def _nested_split_folders(
    root: Path, paths: list[Path], top: Collection[str]
) -> dict[str, list[str]]:
    """Split -> its folders below `root`, of which two or more lie side by side.

    Args:
        root: a folder.
        paths: the photographs in it.
        top: split folders in `root` itself, into which nobody looks.

    Raises:
        ColorlibError: two folders side by side for one split.
    """
    above = _folders(root, paths)
    parents = {folder.parent for folder in above if split_of(folder.name)} - {Path()}
    given: dict[str, list[str]] = {}
    for parent in sorted(parents):
        here = _split_folders(root / parent) if parent.parts[0] not in top else {}
        if len(here) > 1:
            for split, name in here.items():
                given.setdefault(split, []).append((parent / name).as_posix())
    return {split: given[split] for split in SPLITS if split in given}


def _folders(root: Path, paths: list[Path]) -> set[Path]:
    """The folders that hold files, themselves or further down, from `root`."""
    holding = {path.parent.relative_to(root) for path in paths}
    return holding.union(*(folder.parents for folder in holding))


def _two_folders(root: Path, split: str, one: str, other: str) -> ColorlibError:
    return ColorlibError(
        f"{root} holds two folders for the split {split}, {one} and {other}: leave or rename one"
    )


def _warn_of_similar_names(root: Path, paths: list[Path], given: dict[str, list[str]]) -> None:
    """Say so if folders look like splits, such as seg_train and seg_test, but are not used so."""
    alone = sorted(
        str(folder) for folder in _folders(root, paths) if split_of(folder.name) in ("val", "test")
    )
    if alone:
        warnings.warn(
            f"{some_of(alone)} in {root}: not taken for splits, since no other split lies beside, "
            "and their photographs are trained on",
            stacklevel=2,
        )
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
    where = found.where("train") if "train" in found.given else str(found.list_file or found.root)
    outside = [names[0] for split, names in found.given.items() if split != "train"]
    count = f"{len(found.pool) or 'no'} photograph" + ("" if len(found.pool) == 1 else "s")
    if "train" not in found.given and outside:
        count += " outside " + _listed(f"{name}/" for name in outside)
    if not found.pool:
        return _and_left_out(f"{where} holds {count}", found)
    splits = _listed("validation" if name == "val" else name for name in missing)
    sentence = f"{where} holds {count}: too few to set some aside for {splits}"
    return _and_left_out(sentence, found)
