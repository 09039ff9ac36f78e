"""The tables that come with the library: data sets, experiments, claims, decisions."""

import tomllib
from functools import cache
from importlib import resources


@cache
def table(name: str) -> dict:
    """A TOML file of the package, read once; not to be changed.

    Args:
        name: its path inside the package, such as ``experiments/matrix.toml``.
    """
    with resources.files("colorlib").joinpath(*name.split("/")).open("rb") as file:
        return tomllib.load(file)
