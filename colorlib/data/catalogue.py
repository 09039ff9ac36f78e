"""The data sets that are known by name: `catalogue.toml`, read and looked up."""

import csv
import os
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from colorlib.data.cache import cache_dir, data_dir
from colorlib.data.folders import Photo, folder_split, hash_of
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
        root = self.root()
        if root is None:
            raise NotHere(f"the photographs of {self.name} are not here: {self._how_to_get()}")
        if self.splits is None:
            return folder_split(root, split)
        return [self._photo(root, row) for row in self.files() if row["split"] == split]

    def _photo(self, root: Path, row: dict[str, str]) -> Photo:
        path = root / row["file"]
        remedy = self.remedy or (
            f"delete {root} and run 'colorlib download {self.name}'" if self.url else None
        )
        then = f": {remedy}" if remedy else ""
        if not os.path.isfile(path):
            raise ColorlibError(f"{path} is missing{then}")
        sha256 = hash_of(path)
        if self.verified and sha256 != row["sha256"]:
            raise ColorlibError(f"{path} differs from the published file{then}")
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
