"""The exception that is meant for people, and a check that raises it."""

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
        ColorlibError: a word for a number, a number for true or false, and the like.
    """
    for field in fields(settings):
        value, kind = getattr(settings, field.name), type(field.default)
        wanted = {bool: "true or false", int: "a whole number", float: "a number", str: "a word"}
        allowed = (int, float) if kind is float else kind
        if kind not in wanted:
            continue
        if not isinstance(value, allowed) or (kind is not bool and isinstance(value, bool)):
            raise ColorlibError(f"{field.name} must be {wanted[kind]}, not {value!r}")
