"""The exceptions that are meant for people, and a look-up that raises one."""

from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")


class ColorlibError(Exception):
    """Something the caller can mend; its text is one clear sentence.

    The command line prints that sentence, without a traceback, and exits
    with status 1.
    """


class NotHere(ColorlibError):
    """A data set that this machine does not have; what is there but damaged is no such case."""


def find(registry: Mapping[str, T], name: str, kind: str) -> T:
    """The entry of a registry by its name.

    Args:
        registry: name -> entry.
        name: what is looked for.
        kind: what the entries are, for the sentence.

    Raises:
        ColorlibError: no such entry; the names that there are, are listed.
    """
    if name not in registry:
        raise ColorlibError(f"no {kind} named {name!r}; there is {', '.join(registry)}")
    return registry[name]
