"""The tables that come with the packages: data sets, experiments, claims, decisions."""

import tomllib
from functools import cache
from importlib.util import find_spec
from pathlib import Path


@cache
def table(name: str) -> dict:
    """A TOML file of a package, read once; not to be changed.

    Args:
        name: the package, which need not be imported, and the file in it, such as
            ``replication/matrix.toml``.
    """
    package, *path = name.split("/")
    spec = find_spec(package)
    assert spec and spec.submodule_search_locations, f"{package} comes along"
    return tomllib.loads(Path(spec.submodule_search_locations[0], *path).read_text("utf-8"))
