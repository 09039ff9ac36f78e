"""Settings as dataclasses that check themselves; what they may be is declared beside their default.

Each field is described once, in the docstring of its class; the command line makes its help of it.
This file imports no torch.
"""

import inspect
import json
import math
import re
import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Union, get_args, get_origin, get_type_hints

from colorlib.base.errors import ColorlibError

_WANTED = {bool: "true or false", int: "a whole number", float: "a number", str: "a word"}


def choice(default: Any, *others: Any) -> Any:
    """A field that is one of several values."""
    return field(default=default, metadata={"choices": (default, *others)})


def number(default: Any, *, least: float | None = None, above: float | None = None,
           most: float | None = None, below: float | None = None) -> Any:
    """A field within limits; None, where its type allows it, is within all."""
    limits = {"at least": least, "above": above, "at most": most, "below": below}
    return field(default=default, metadata={"limits": limits})


@dataclass(frozen=True)
class Options:
    """Settings that are checked when they are made.

    Raises:
        ColorlibError: a value of another type or beyond its limits, or none of the choices.
    """

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for one in fields(self):
            value, optional = getattr(self, one.name), _is_optional(hints[one.name])
            if value is None and optional:
                continue
            _check_type(one.name, value, hints[one.name], optional)
            choices = one.metadata.get("choices")
            if choices and value not in choices:
                known = ", ".join(map(repr, choices))
                raise ColorlibError(f"{one.name} must be one of {known}, not {value!r}")
            _check_limits(one.name, value, one.metadata.get("limits", {}))


def _check_type(name: str, value: Any, hint: Any, optional: bool) -> None:
    kind = next(one for one in get_args(hint) if one is not types.NoneType) if optional else hint
    if kind not in _WANTED:
        return
    allowed = (int, float) if kind is float else kind
    # To Python, true and false are whole numbers.
    if not isinstance(value, allowed) or (kind is not bool and isinstance(value, bool)):
        wanted = _WANTED[kind] + (" or null" if optional else "")
        raise ColorlibError(f"{name} must be {wanted}, not {value!r}")
    if isinstance(value, float) and not math.isfinite(value):
        raise ColorlibError(f"{name} must be a finite number, not {value}")


def _check_limits(name: str, value: float, limits: Mapping[str, float | None]) -> None:
    keeps = {
        "at least": lambda limit: value >= limit, "above": lambda limit: value > limit,
        "at most": lambda limit: value <= limit, "below": lambda limit: value < limit,
    }
    given = {words: limit for words, limit in limits.items() if limit is not None}
    if not all(keeps[words](limit) for words, limit in given.items()):
        wanted = " and ".join(f"{words} {limit:g}" for words, limit in given.items())
        raise ColorlibError(f"{name} must be {wanted}, not {value}")


def _is_optional(hint: Any) -> bool:
    return get_origin(hint) in (Union, types.UnionType) and types.NoneType in get_args(hint)


def names(kind: type) -> list[str]:
    """The fields of a class of settings."""
    return [one.name for one in fields(kind)]


def descriptions(kind: type) -> dict[str, str]:
    """Field -> the first sentence of what the docstrings of its class say under "Attributes:"."""
    found: dict[str, str] = {}
    for cls in reversed(kind.__mro__):
        attributes = inspect.cleandoc(cls.__doc__ or "").partition("Attributes:\n")[2]
        for name, text in re.findall(r"^    (\w+): (.+(?:\n {8}.+)*)", attributes, re.MULTILINE):
            sentence = re.split(r"(?<=\.)\s+(?=[A-Z])", " ".join(text.split()))[0]
            found[name] = sentence[0].upper() + sentence[1:].replace("`", "")
    return found


def values(kind: type) -> dict[str, list[Any]]:
    """Field -> its choices, or true and false; of others the default alone."""
    hints = get_type_hints(kind)
    return {
        one.name: list(one.metadata.get("choices", ()))
        or ([True, False] if hints[one.name] is bool else [one.default])
        for one in fields(kind)
    }


def one_of(choices: Iterable[Any]) -> str:
    """Values as a help text shows them: "train | val | test"."""
    return " | ".join(one if isinstance(one, str) else json.dumps(one) for one in choices)


def assignments(settings: Iterable[str]) -> dict[str, Any]:
    """NAME=VALUE as a dict; a value is a number, true, false, null, or else a word.

    Raises:
        ColorlibError: not of that form.
    """
    found = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise ColorlibError(f"{setting!r} is not of the form NAME=VALUE")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found
