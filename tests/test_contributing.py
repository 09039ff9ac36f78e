"""The worked examples of CONTRIBUTING.md are run."""

import re
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from parts import check_network
from PIL import Image

from colorlib import data, networks
from colorlib.base import tables
from colorlib.base.errors import NotHere
from colorlib.data import catalogue

TEXT = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def test_the_encoder_of_the_example_passes_what_every_encoder_must(monkeypatch, tmp_path):
    monkeypatch.delitem(networks.ENCODERS, "pooling", raising=False)  # and takes it out again
    space: dict = {}
    encoder, test = blocks("python")
    exec(encoder, space)
    exec(test, space)
    check_network(networks.Config(encoder="pooling", width=0.25), tmp_path)


def test_the_data_set_of_the_example_is_found(monkeypatch, tmp_path):
    (entry,) = blocks("toml")
    table = tables.table("colorlib/data/catalogue.toml")
    table = table | {"sets": table["sets"] | tomllib.loads(entry)["sets"]}
    monkeypatch.setattr(catalogue, "table", lambda name: table)
    monkeypatch.setenv("COLORLIB_DATA", str(tmp_path))
    with fresh_catalogue():
        with pytest.raises(NotHere, match="lakes"):
            data.photos("lakes", "train")
        (tmp_path / "lakes").mkdir()
        for i in range(12):
            pixels = np.full((8, 8, 3), i, np.uint8)
            Image.fromarray(pixels).save(tmp_path / "lakes" / f"{i}.png")
        assert [len(data.photos("lakes", split)) for split in data.SPLITS] == [10, 1, 1]


@contextmanager
def fresh_catalogue() -> Iterator[None]:
    """The table read anew, and forgotten afterwards."""
    for part in (catalogue.data_sets, catalogue._by_spelling):
        part.cache_clear()
    yield
    for part in (catalogue.data_sets, catalogue._by_spelling):
        part.cache_clear()
