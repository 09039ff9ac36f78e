"""torchvision's data sets, which torchvision downloads, verifies and unpacks."""

import contextlib
import inspect
import io
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from colorlib import files
from colorlib.base.errors import ColorlibError, NotHere
from colorlib.base.options import assignments
from colorlib.data.cache import atomic_folder, cache_dir, data_dir
from colorlib.data.folders import Layout

PREFIX = "torchvision:"

# What torchvision's classes call the splits.
_CALLED = {
    "train": ("train", "train-standard", "trainval"),
    "val": ("val", "valid"),
    "test": ("test",),
}
# Where they keep what their photographs are read from: paths, or tuples that begin with one.
_LISTS = ("samples", "_samples", "imgs", "images", "_images", "_image_files", "data", "img_info")
_PARAMETERS = ("split", "image_set")  # which choose the split


def is_one(name: Any) -> bool:
    """Whether it is the name of one of them, such as ``torchvision:Imagenette``."""
    return isinstance(name, str) and name.lower().startswith(PREFIX)


@dataclass(frozen=True)
class TorchvisionSet:
    """One of torchvision's data sets.

    Attributes:
        name: that of the class.
        options: its other arguments.
    """

    name: str
    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        options = "".join(f",{name}={value}" for name, value in self.options.items())
        return f"{PREFIX}{self.name}{options}"

    def layout(self) -> Layout:
        """Its photographs, by torchvision's splits; downloaded if they are not here.

        In ``COLORLIB_DATA``, as torchvision unpacks them there, or in the cache.

        Raises:
            ColorlibError: torchvision cannot get them; or it keeps no files of them.
        """
        found = self._find()
        if found is None:
            self.download()
            found = self._find()
        if found is None:
            raise ColorlibError(f"torchvision does not find {self.name} where it has unpacked it")
        return found

    def download(self, progress: bool = True) -> Path:
        """Its folder in the cache, where torchvision downloads it if it is not there.

        Raises:
            ColorlibError: torchvision cannot.
        """
        folder = self._folder()
        if folder.is_dir():
            return folder
        shown = sys.stderr if progress else io.StringIO()
        with (
            atomic_folder(folder) as partial,
            contextlib.redirect_stdout(shown),
            contextlib.redirect_stderr(shown),
        ):
            try:
                self._splits(partial, download=True)
            except ColorlibError:
                raise
            except Exception as error:  # whatever torchvision and the network raise
                raise ColorlibError(f"torchvision cannot download {self.name}: {error}") from error
        return folder

    def _folder(self) -> Path:
        return cache_dir() / "torchvision" / str(self).removeprefix(PREFIX).replace("/", "_")

    def _find(self) -> Layout | None:
        """What is here; None if nothing is."""
        for root in (data_dir(), self._folder()):
            if root is None or not os.path.isdir(root):
                continue
            try:
                splits = self._splits(root, download=False)
            except ColorlibError:
                raise
            except Exception:  # each class has its own error for what is not there
                continue
            if splits:
                return self._layout(root, splits)
        return None

    def _splits(self, root: Path, download: bool) -> dict[str, Any]:
        """Split -> torchvision's object for it; "" for a data set without splits."""
        kind = _class(self.name)
        parameters = inspect.signature(kind).parameters
        options: dict[str, Any] = dict(self.options)
        if "download" in parameters:
            options["download"] = download
        elif download:
            raise ColorlibError(f"torchvision does not download {self.name}")
        try:
            parameter = next((name for name in _PARAMETERS if name in parameters), None)
            if parameter is None or parameter in options:
                return {"": kind(str(root), **options)}
        except TypeError as error:
            raise ColorlibError(f"{self.name} takes no such options: {error}") from error
        found: dict[str, Any] = {}
        refused: ValueError | None = None
        for split, names in _CALLED.items():
            for name in names:
                try:
                    found[split] = kind(str(root), **{parameter: name}, **options)
                    break
                except ValueError as error:  # it has no split of that name; or takes no such option
                    if refused is None or f"'{name}'" not in str(error):
                        refused = error
        if refused and not found:
            raise refused
        return found

    def _layout(self, root: Path, splits: dict[str, Any]) -> Layout:
        parts = {}
        for split, photographs in splits.items():
            paths = sorted(_paths(photographs))
            if not paths and split == "":  # it keeps them all in its folder, and has it alone
                own = Path(getattr(photographs, "root", root))
                paths = [] if own == data_dir() else files.walk(own)[0]
            if not paths:
                raise ColorlibError(
                    f"torchvision's {self.name} keeps no photographs as files that it names"
                )
            parts[split] = paths
        loose = parts.pop("", [])
        given = {split: [split] for split in parts}
        return Layout(root, given, parts, loose, [])


def find(name: str) -> TorchvisionSet:
    """A data set by its name, such as ``torchvision:Imagenette,size=160px``.

    Raises:
        ColorlibError: torchvision has none of that name.
    """
    first, *options = name[len(PREFIX):].split(",")
    classes = {kind.lower(): kind for kind in _names()}
    if first.lower() not in classes:
        raise NotHere(
            f"torchvision has no data set named {first!r} that it can download; it has "
            f"{len(classes)} others, such as Imagenette, Flowers102 and Food101"
        )
    return TorchvisionSet(classes[first.lower()], assignments(options))


def _names() -> list[str]:
    """The data sets of images that torchvision downloads."""
    from torchvision import datasets

    kinds = {name: getattr(datasets, name) for name in datasets.__all__}
    return sorted(
        name for name, kind in kinds.items()
        if inspect.isclass(kind) and "download" in inspect.signature(kind).parameters
    )


def _class(name: str) -> Any:
    from torchvision import datasets

    return getattr(datasets, name)


def _paths(photographs: Any) -> Iterator[Path]:
    """The files that a data set of torchvision reads its photographs from."""
    for name in _LISTS:
        entries = getattr(photographs, name, None)
        if not isinstance(entries, list | tuple) or not entries:
            continue
        firsts = [_path_in(entry) for entry in entries]
        if all(isinstance(path, str | os.PathLike) for path in firsts):
            yield from (Path(path) for path in firsts)
            return


def _path_in(entry: Any) -> Any:
    """What an entry of such a list begins with, or says in a dict."""
    if isinstance(entry, dict):
        return entry.get("img_path")
    return entry[0] if isinstance(entry, tuple) and entry else entry
