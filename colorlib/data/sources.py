"""The photographs of data sets and of folders, by their names."""

import os
import warnings
from collections.abc import Sequence
from pathlib import Path

from colorlib.base.errors import ColorlibError, NotHere
from colorlib.data.cache import data_dir
from colorlib.data.catalogue import DataSet, find
from colorlib.data.folders import (
    BEFORE,
    SPLITS,
    Layout,
    Photo,
    describe,
    describe_left_out,
    everything_in,
    folder_splits,
    layout,
    listed,
)
from colorlib.files import user_path

Source = str | os.PathLike[str]
"""The name of a data set (`names`), a folder, or a text file that lists photographs. A `Path`, and
a string with a slash, such as ``./samples``, is always a folder or file; a leading ``~`` is the
home folder."""

_LISTS = (".txt", ".lst", ".list")


def photos(data: Source, split: str) -> list[Photo]:
    """The photographs of one split of a data set, in a fixed order.

    Args:
        data: the name of a data set (`names`), which is looked for in
            ``COLORLIB_DATA`` and among what `download` has fetched; or a
            folder, by its path or by its name in ``COLORLIB_DATA``. A `Path`,
            and a string with a slash such as ``./samples``, is always a folder. Or a text file
            (.txt) that lists photographs, one path a line.
        split: ``train``, ``val`` (validation) or ``test``.

    A folder may hold a folder for each split: ``train`` or ``training``;
    ``val``, ``valid``, ``validation`` or ``dev``; ``test`` or ``testing``;
    capitals do not matter, and ``set`` and a number may follow. Without one for
    training, all that is in none of the others is trained on. A validation or
    test split that is missing is a tenth of the training photographs, in
    the order of their SHA-256, so that names and dates do not matter. A file
    that is there several times is in one split only.

    Raises:
        NotHere: no such data set or folder.
        ColorlibError: no such split; a file that differs from the published
            one; too few photographs; a folder with two folders for one split.
        UnreadablePhotos: some files of a folder cannot be read.
    """
    return _splits(_resolve(data), [_known(split)])[split]


def everything(data: Source) -> tuple[list[Photo], str | None]:
    """What a network is to be judged by if nothing else is said, and which split that is.

    The test split of a data set that is known by name, and of a folder that has
    split folders; all photographs of any other folder, and None (so also those
    that a network has been trained on, if that was done with the same folder).
    Of a folder with validation photographs only, those.

    Raises:
        ColorlibError: as for `photos`.
    """
    source = _resolve(data)
    if isinstance(source, DataSet):
        return source.photos_of(["test"])["test"], "test"
    return everything_in(_layout(source))


def joined(data: Sequence[Source], split: str) -> list[Photo]:
    """The photographs of one split of several data sets, one after the other.

    What one data set tests on is in no other split of another one, and what it
    validates on is not trained on.

    Args:
        data: as for `photos`; one that is given twice counts twice.
        split: ``train``, ``val`` or ``test``.

    Raises:
        ColorlibError: as for `photos`.
    """
    sources = list(map(_resolve, data))
    keys = [os.path.realpath(source) if isinstance(source, Path) else str(source)
            for source in sources]
    different = dict(zip(keys, sources, strict=True))
    before = BEFORE[_known(split)] if len(different) > 1 else ()
    parts = {key: _splits(source, [split, *before]) for key, source in different.items()}
    known = {photo.sha256 for part in parts.values() for name in before for photo in part[name]}
    return [photo for key in keys for photo in parts[key][split] if photo.sha256 not in known]


def left_out(data: Source) -> str | None:
    """What of a folder is in none of its splits and why, in one line; None if nothing."""
    source = _as_divided(_resolve(data))
    return None if isinstance(source, DataSet) else describe_left_out(_layout(source))


def division(data: Source) -> str:
    """How photographs are divided, in a line; as in "split folders train/ and val/; ..."."""
    source = _as_divided(_resolve(data))
    return source.division if isinstance(source, DataSet) else describe(_layout(source))


def _as_divided(source: DataSet | Path) -> DataSet | Path:
    """A data set that is divided as any folder is, as that folder."""
    if isinstance(source, DataSet) and not (source.splits or source.by_md5):
        return source.root() or source
    return source


def _layout(source: Path) -> Layout:
    return listed(source) if os.path.isfile(source) else layout(source)


def _splits(source: DataSet | Path, splits: Sequence[str]) -> dict[str, list[Photo]]:
    """The photographs of some splits; each file is read once."""
    if isinstance(source, DataSet):
        return source.photos_of(splits)
    return folder_splits(_layout(source), splits)


def _known(split: str) -> str:
    if split not in SPLITS:
        raise ColorlibError(f"no split named {split!r}; there is {', '.join(SPLITS)}")
    return split


def _resolve(data: Source) -> DataSet | Path:
    """The data set of that name, or else the folder or list; a warning if both are there."""
    path = user_path(os.fspath(data))
    known = find(data) if isinstance(data, str) else None
    places, root = [path] if str(data) else [], data_dir()
    is_name = isinstance(data, str) and not data.startswith((".", "~")) and not path.is_absolute()
    if is_name and root is not None and data:
        places.append(root / path)
    folders = [place for place in places if os.path.isdir(place)]
    found: DataSet | Path
    if known is not None:
        found, taken = known, known.root()
    elif folders:
        found = taken = folders[0]
    else:
        return _list_file(data, path, places)
    for other in folders:
        if taken is None or not os.path.samefile(other, taken):
            what = "data set of that name" if known else f"folder {_as_path(folders[0])}"
            warnings.warn(
                f"{data!r} is taken for the {what}: write {_as_path(other)} for that folder",
                stacklevel=3,
            )
            break
    return found


def _as_path(folder: Path) -> str:
    """A folder written so that it cannot be a name."""
    return str(folder) if folder.is_absolute() else f"./{folder}"


def _list_file(data: Source, path: Path, places: list[Path]) -> Path:
    """The text file that is meant.

    Raises:
        NotHere: there is none.
    """
    for file in places:
        if os.path.isfile(file) and file.suffix.lower() in _LISTS:
            return file
    if os.path.isfile(path):
        raise NotHere(
            f"{path} is a file, neither a folder of photographs nor a list of them (.txt)"
        )
    if not isinstance(data, str) or os.sep in data:
        raise NotHere(f"there is no folder {path}")
    raise NotHere(
        f"no data set or folder named {data!r}: 'colorlib data' lists the data sets, such as "
        "samples, and a folder is named by its path or by its name in COLORLIB_DATA"
    )
