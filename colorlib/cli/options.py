"""Command line options that come from dataclasses: each field is declared and described once."""

import functools
import inspect
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import MISSING, fields
from types import MappingProxyType
from typing import Annotated, Any, get_type_hints

import typer

_NO_CHOICES: Mapping[str, Iterable[Any]] = MappingProxyType({})


def from_fields(
    parameter: str,
    kind: type,
    only: Collection[str] | None = None,
    choices: Mapping[str, Iterable[Any]] = _NO_CHOICES,
) -> Callable[[Callable], Callable]:
    """A decorator that gives a typer command an option for each field of a dataclass.

    Name, type and default of an option are the field's; its help is what
    `descriptions` finds.

    Args:
        parameter: the command's keyword parameter in whose place the options
            come. The command gets the dataclass there; with `only`, a dict.
        kind: the dataclass.
        only: the fields to take; all by default.
        choices: field -> its values, to be named in the help.
    """
    hints, described = get_type_hints(kind), descriptions(kind)
    options = []
    for field in fields(kind):
        if only is not None and field.name not in only:
            continue
        if field.default is MISSING:
            raise TypeError(f"{kind.__name__}.{field.name} has no default, which an option needs")
        values = one_of(choices[field.name]) if field.name in choices else None
        text = typer.Option(help=described.get(field.name), metavar=values)
        option = inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=Annotated[hints[field.name], text],
        )
        options.append(option)

    def decorate(command: Callable) -> Callable:
        @functools.wraps(command)
        def called(**given: Any) -> Any:
            values = {option.name: given.pop(option.name) for option in options}
            return command(**given, **{parameter: values if only else kind(**values)})

        parameters: list[inspect.Parameter] = []
        for own in inspect.signature(command, eval_str=True).parameters.values():
            # Typer calls by name, so that options with and without a default may be mixed.
            keyword = own.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            parameters += options if own.name == parameter else [keyword]
        called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        called.__annotations__ = {one.name: one.annotation for one in parameters}
        return called

    return decorate


def descriptions(kind: type) -> dict[str, str]:
    """Field -> the first sentence of what a dataclass' docstring says under "Attributes:"."""
    found: dict[str, str] = {}
    for cls in reversed(kind.__mro__):
        attributes = inspect.cleandoc(cls.__doc__ or "").partition("Attributes:\n")[2]
        for name, text in re.findall(r"^    (\w+): (.+(?:\n {8}.+)*)", attributes, re.MULTILINE):
            sentence = re.split(r"(?<=\.)\s+(?=[A-Z])", " ".join(text.split()))[0]
            found[name] = sentence[0].upper() + sentence[1:].replace("`", "")
    return found


def one_of(choices: Iterable[Any]) -> str:
    """Values of an option as a help text shows them: "train | val | test"."""
    return " | ".join("null" if choice is None else str(choice) for choice in choices)


def listed(
    kind: type, but: Collection[str] = (), choices: Mapping[str, Iterable[Any]] = _NO_CHOICES
) -> str:
    """The fields of a dataclass with their values and descriptions, a paragraph each.

    Of a field that is no choice, the value is its default.

    Args:
        kind: the dataclass.
        but: fields to leave out.
        choices: field -> its values, of fields that are words.
    """
    hints, described = get_type_hints(kind), descriptions(kind)
    paragraphs = []
    for field in fields(kind):
        if field.name not in but:
            values = choices.get(field.name, [field.default])
            if hints[field.name] is bool:
                values = ["true", "false"]
            paragraphs.append(f"{field.name}={one_of(values)}: {described[field.name]}")
    return "\n\n".join(paragraphs)
