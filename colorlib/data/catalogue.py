"""The data sets that are known by name: `catalogue.toml`, read and looked up."""

import csv
import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path

from colorlib.base.errors import ColorlibError, NotHere
from colorlib.base.tables import table
from colorlib.data.cache import cache_dir, data_dir
from colorlib.data.folders import SPLITS, Photo, folder_splits, hash_of, layout, some_of


@dataclass(frozen=True)
class Rule:
    """How a split is chosen from an archive, by the MD5 of the names in it; see the table."""

    published: Sequence[str]
    count: int
    digest: str
    skip: int = 0

    def name_in_archive(self, file: str) -> str | None:
        """The published name of a file; None if the rule is not for such files."""
        return _expanded(self.published, file)

    def order(self, files: Iterable[str]) -> list[str]:
        """The files that the rule is for, in its order."""
        names = {file: name for file in files if (name := self.name_in_archive(file))}
        return sorted(names, key=lambda file: hashlib.md5(names[file].encode()).digest())

    def chosen(self, members: Iterable[str]) -> dict[str, str]:
        """File -> its name in the archive, of those that the rule chooses there."""
        files = {Path(name).name: name for name in members}
        ours = [file for file, name in files.items() if self.name_in_archive(file) == name]
        return {file: files[file] for file in self.order(ours)[self.skip : self.skip + self.count]}


@dataclass(frozen=True)
class DataSet:
    """An entry of ``catalogue.toml``, which explains the fields."""

    name: str
    about: str
    licence: str
    folder: str
    pixels: str = ""
    source: str = ""
    citation: str = ""
    package: str | None = None
    by_split: bool = False
    url: str | None = None
    checksum: str | None = None
    megabytes: int | None = None
    published: Sequence[str] | None = None
    hyphens: bool = False
    division: str = "by SHA-256, as any folder: a tenth for testing, a tenth for validation"
    splits: str | None = None
    category: str | None = None
    prefix: str = ""
    verified: bool = True
    by_md5: dict[str, Rule] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    remedy: str | None = None
    aliases: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name

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

    def path(self, root: Path, file: str, split: str) -> Path:
        """Where a file of a split lies."""
        return root / split / file if self.by_split else root / file

    def files(self) -> list[dict[str, str]]:
        """The rows of its table of splits, with ``file`` as the file is named in `root`."""
        assert self.splits is not None
        return [
            row | {"file": self.prefix + row["file"]}
            for row in _rows(self.splits)
            if self.category is None or row["category"] == self.category
        ]

    def photographs(self) -> dict[str, int]:
        """How many photographs each split has, as far as that is known without them."""
        if self.by_md5:
            return {split: rule.count for split, rule in self.by_md5.items()}
        if self.splits is None:
            return self.counts
        found = Counter(row["split"] for row in self.files())
        return {split: found[split] for split in SPLITS}

    def photos_of(self, splits: Sequence[str]) -> dict[str, list[Photo]]:
        """The photographs of some splits; each file is read once.

        Raises:
            NotHere: the data set is not on this machine.
            ColorlibError: as for `colorlib.data.photos`; all files at fault are named.
        """
        root = self.root()
        if root is None:
            raise NotHere(f"the photographs of {self.name} are not here: {self.how_to_get()}")
        if self.by_md5:
            return {split: self._by_rule(root, split) for split in splits}
        if self.splits is not None:
            return self._by_table(root, splits)
        return folder_splits(layout(root), splits)

    def _by_table(self, root: Path, splits: Sequence[str]) -> dict[str, list[Photo]]:
        found: dict[str, list[Photo]] = {split: [] for split in splits}
        wrong: dict[str, str] = {}  # file -> why, in a sentence
        for row in self.files():
            if row["split"] not in found:
                continue
            path = self.path(root, row["file"], row["split"])
            try:
                sha256 = hash_of(path)
            except ColorlibError as error:
                wrong[row["file"]] = str(error)
                continue
            if self.verified and not sha256.startswith(row["sha256"]):
                wrong[row["file"]] = f"{path} differs from the published file"
            found[row["split"]].append(Photo(row["file"], path, sha256))
        if wrong:
            sentence = next(iter(wrong.values()))
            if len(wrong) > 1:
                names = some_of(list(wrong))
                sentence = f"{len(wrong)} files in {root} are missing or not as published: {names}"
            raise self._fault(root, sentence)
        return found

    def _by_rule(self, root: Path, split: str) -> list[Photo]:
        rule, folder = self.by_md5[split], self.path(root, "", split)
        try:
            files = rule.order(os.listdir(folder))
        except OSError as error:
            why = error.strerror or error
            raise self._fault(root, f"{folder} cannot be read ({why})") from error
        photos = [Photo(file, folder / file, hash_of(folder / file)) for file in files]
        digest = hashlib.sha256(b"".join(bytes.fromhex(photo.sha256) for photo in photos))
        if len(photos) != rule.count or digest.hexdigest() != rule.digest:
            count = f" ({len(photos)}, not {rule.count})" if len(photos) != rule.count else ""
            sentence = f"{folder} does not hold the published photographs of {self.name}{count}"
            raise self._fault(root, sentence)
        return photos

    def _fault(self, root: Path, sentence: str) -> ColorlibError:
        """An error that says what to do, too."""
        remedy = self.remedy
        if remedy is None and root.is_relative_to(cache_dir()):
            remedy = f"delete {root} and run 'colorlib download {self.name}'"
        elif remedy is None:
            remedy = "if these are photographs of your own, name the folder by its path"
        return ColorlibError(f"{sentence}: {remedy}" if remedy else sentence)

    def wanted(self, members: Sequence[str]) -> dict[tuple[str, str], str]:
        """(split, file) -> its name in an archive, of all files of the data set.

        Args:
            members: the names in the archive.

        Raises:
            ColorlibError: the archive lacks some.
        """
        if self.by_md5:
            found = {
                (split, file): name
                for split, rule in self.by_md5.items()
                for file, name in rule.chosen(members).items()
            }
            lacking = sum(rule.count for rule in self.by_md5.values()) - len(found)
            names = [f"{lacking} photographs"] if lacking else []
        else:
            known = {name if self.published else Path(name).name: name for name in members}
            places = {(row["split"], row["file"]): row["file"] for row in self.files()}
            there = {place: known.get(self._name_in_archive(file))
                     for place, file in places.items()}
            found = {place: name for place, name in there.items() if name is not None}
            names = [file for place, file in places.items() if place not in found]
        if names:
            raise ColorlibError(
                f"the archive lacks {some_of(names)} of {self.name}: "
                "it is not the published collection"
            )
        return found

    def _name_in_archive(self, file: str) -> str:
        name = _expanded(self.published, file) if self.published else file
        assert name is not None, f"{file} is not named as the table says"
        return name.replace("-", "/") if self.hyphens else name

    def cost(self) -> str | None:
        """What a download would cost, in words; None if there is none."""
        if self.url is None:
            return None
        return f"{self.megabytes} MB to get" if self.megabytes else "to get"

    def how_to_get(self) -> str:
        """What to do to have it here."""
        if self.package is not None:
            return self.remedy or f"install {self.package}"
        point = f"point COLORLIB_DATA at a folder that holds {self.folder}"
        return f"run 'colorlib download {self.name}', or {point}" if self.url else point


def _expanded(published: Sequence[str], file: str) -> str | None:
    """A file's published name, by a regular expression and a template; None if it is no match."""
    pattern, template = published
    match = re.fullmatch(pattern, file)
    return match and match.expand(template)


@cache
def data_sets() -> dict[str, DataSet]:
    """The data sets by their names."""
    read = table("colorlib/data/catalogue.toml")
    found = {}
    for name, entry in read["sets"].items():
        fields = {key: value for key, value in entry.items() if key != "collection"}
        if "collection" in entry:
            fields = read["collections"][entry["collection"]] | fields
        rules = {split: Rule(**rule) for split, rule in fields.pop("by_md5", {}).items()}
        aliases = tuple(fields.pop("aliases", ()))
        found[name] = DataSet(name, by_md5=rules, aliases=aliases, **fields)
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
