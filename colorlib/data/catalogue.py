"""The data sets that are known by name: `catalogue.toml`, read and looked up."""

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from colorlib.data.cache import cache_dir, data_dir
from colorlib.data.folders import Photo, folder_splits, hash_of, some_of
from colorlib.errors import ColorlibError, NotHere
from colorlib.tables import table


@dataclass(frozen=True)
class DataSet:
    """An entry of ``catalogue.toml``, which explains the fields."""

    name: str
    about: str
    licence: str
    folder: str
    package: str | None = None
    splits: str | None = None
    category: str | None = None
    prefix: str = ""
    verified: bool = True
    url: str | None = None
    remedy: str | None = None
    aliases: tuple[str, ...] = ()

    def root(self) -> Path | None:
        """The folder that holds the photographs; None if it is not on this machine."""
        roots: list[Path | None] = [data_dir(), cache_dir()]
        if self.package is not None:
            try:
                roots = [Path(str(resources.files(self.package)))]
            except ModuleNotFoundError:
                roots = []
        for root in roots:
            if root is not None and os.path.isdir(root / self.folder):
                return root / self.folder
        return None

    def files(self) -> list[dict[str, str]]:
        """The rows of its table of splits, with ``file`` as the file is named in `root`."""
        assert self.splits is not None
        return [
            row | {"file": self.prefix + row["file"]}
            for row in _rows(self.splits)
            if self.category is None or row["category"] == self.category
        ]

    def photos(self, split: str) -> list[Photo]:
        """The photographs of a split; see `colorlib.data.photos`."""
        return self.photos_of([split])[split]

    def photos_of(self, splits: Sequence[str]) -> dict[str, list[Photo]]:
        """The photographs of some splits; each file is read once.

        Raises:
            NotHere: the data set is not on this machine.
            ColorlibError: as for `colorlib.data.photos`; all files at fault are named.
        """
        root = self.root()
        if root is None:
            raise NotHere(f"the photographs of {self.name} are not here: {self._how_to_get()}")
        if self.splits is None:
            return folder_splits(root, splits)
        found: dict[str, list[Photo]] = {split: [] for split in splits}
        wrong: dict[str, str] = {}  # file -> why, in a sentence
        for row in self.files():
            if row["split"] in found:
                try:
                    found[row["split"]].append(self._photo(root, row))
                except ColorlibError as error:
                    wrong[row["file"]] = str(error)
        if wrong:
            sentence = next(iter(wrong.values()))
            if len(wrong) > 1:
                names = some_of(list(wrong))
                sentence = f"{len(wrong)} files in {root} are missing or not as published: {names}"
            remedy = self.remedy or (
                f"delete {root} and run 'colorlib download {self.name}'" if self.url else None
            )
            raise ColorlibError(f"{sentence}: {remedy}" if remedy else sentence)
        return found

    def _photo(self, root: Path, row: dict[str, str]) -> Photo:
        path = root / row["file"]
        if not os.path.isfile(path):
            raise ColorlibError(f"{path} is missing")
        sha256 = hash_of(path)
        if self.verified and sha256 != row["sha256"]:
            raise ColorlibError(f"{path} differs from the published file")
        return Photo(row["file"], path, sha256)

    def _how_to_get(self) -> str:
        if self.package is not None:
            return self.remedy or f"install {self.package}"
        point = f"point COLORLIB_DATA at a folder that holds {self.folder}"
        return f"run 'colorlib download {self.name}', or {point}" if self.url else point


@cache
def data_sets() -> dict[str, DataSet]:
    """The data sets by their names."""
    read = table("data/catalogue.toml")
    found = {}
    for name, entry in read["sets"].items():
        fields = {key: value for key, value in entry.items() if key != "collection"}
        if "collection" in entry:
            fields = read["collections"][entry["collection"]] | fields
        found[name] = DataSet(name, **fields | {"aliases": tuple(entry.get("aliases", ()))})
    return found


def names() -> list[str]:
    """The names of the data sets that `photos` knows."""
    return list(data_sets())


def find(name: str) -> DataSet | None:
    """A data set by its name or an alias; None if there is none.

    Capitals do not matter, nor whether it is a hyphen or an underscore.
    """
    return _by_spelling().get(_spelling(name))


@cache
def _by_spelling() -> dict[str, DataSet]:
    return {
        _spelling(name): data_set
        for data_set in data_sets().values()
        for name in (data_set.name, *data_set.aliases)
    }


def _spelling(name: str) -> str:
    return name.lower().replace("_", "-")


@cache
def _rows(name: str) -> list[dict[str, str]]:
    text = resources.files("colorlib").joinpath("data", "splits", name).read_text()
    return list(csv.DictReader(text.splitlines()))
