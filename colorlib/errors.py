"""The exceptions that are meant for people, and checks that raise them."""

import math
from collections.abc import Collection
from dataclasses import fields


class ColorlibError(Exception):
    """Something the caller can mend; its text is one clear sentence.

    The command line prints that sentence, without a traceback, and exits
    with status 1.
    """


class NotHere(ColorlibError):
    """A data set that this machine does not have; what is there but damaged is no such case."""


def check_types(settings) -> None:
    """That each field of a dataclass has the type of its default; those without one pass.

    Raises:
        ColorlibError: a word for a number, a number for true or false, infinity, and the like.
    """
    for field in fields(settings):
        kind: type = type(field.default)
        value = getattr(settings, field.name)
        wanted = {bool: "true or false", int: "a whole number", float: "a number", str: "a word"}
        allowed = (int, float) if kind is float else kind
        if kind not in wanted:
            continue
        if not isinstance(value, allowed) or (kind is not bool and isinstance(value, bool)):
            raise ColorlibError(f"{field.name} must be {wanted[kind]}, not {value!r}")
        if isinstance(value, float) and not math.isfinite(value):
            raise ColorlibError(f"{field.name} must be a finite number, not {value}")


def check_choice(settings, name: str, choices: Collection) -> None:
    """That a field is one of several.

    Raises:
        ColorlibError: it is none of them; they are listed.
    """
    value = getattr(settings, name)
    if value not in choices:
        known = ", ".join(map(repr, choices))
        raise ColorlibError(f"{name} must be one of {known}, not {value!r}")
