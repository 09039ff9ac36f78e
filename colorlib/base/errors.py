"""The exceptions that are meant for people, and checks that raise them."""

import math
import types
from collections.abc import Collection, Mapping
from dataclasses import fields
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


class ColorlibError(Exception):
    """Something the caller can mend; its text is one clear sentence.

    The command line prints that sentence, without a traceback, and exits
    with status 1.
    """


class NotHere(ColorlibError):
    """A data set that this machine does not have; what is there but damaged is no such case."""


_WANTED = {bool: "true or false", int: "a whole number", float: "a number", str: "a word"}


def check_types(settings: Any) -> None:
    """Check that each field of a dataclass has the type of its annotation.

    Raises:
        ColorlibError: a word for a number, a number for true or false, infinity, and the like.
    """
    hints = get_type_hints(type(settings))
    for field in fields(settings):
        kind, optional = _without_none(hints[field.name])
        value = getattr(settings, field.name)
        if kind not in _WANTED or (optional and value is None):
            continue
        allowed = (int, float) if kind is float else kind
        # To Python, true and false are whole numbers.
        if not isinstance(value, allowed) or (kind is not bool and isinstance(value, bool)):
            wanted = _WANTED[kind] + (" or null" if optional else "")
            raise ColorlibError(f"{field.name} must be {wanted}, not {value!r}")
        if isinstance(value, float) and not math.isfinite(value):
            raise ColorlibError(f"{field.name} must be a finite number, not {value}")


def _without_none(hint: Any) -> tuple[Any, bool]:
    """A type without `| None`, and whether it had it."""
    if get_origin(hint) not in (Union, types.UnionType):
        return hint, False
    kinds = [kind for kind in get_args(hint) if kind is not types.NoneType]
    return kinds[0], len(kinds) < len(get_args(hint))


def check_choice(settings: Any, name: str, choices: Collection) -> None:
    """Check that a field is one of several.

    Raises:
        ColorlibError: it is none of them; they are listed.
    """
    value = getattr(settings, name)
    if value not in choices:
        known = ", ".join(map(repr, choices))
        raise ColorlibError(f"{name} must be one of {known}, not {value!r}")


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
