"""Command line options that come from dataclasses: each field is declared and described once."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import Annotated, Any, get_type_hints

import typer

from colorlib.base.options import descriptions, one_of, values


def from_fields(parameter: str, kind: type) -> Callable[[Callable], Callable]:
    """A decorator that gives a typer command an option for each field of a dataclass.

    Name, type and default of an option are the field's; its help is what
    `descriptions` finds.

    Args:
        parameter: the command's keyword parameter in whose place the options
            come. The command gets the dataclass there.
        kind: the dataclass.
    """
    hints, described = get_type_hints(kind), descriptions(kind)
    options = []
    for field in fields(kind):
        if field.default is MISSING:
            raise TypeError(f"{kind.__name__}.{field.name} has no default, which an option needs")
        choices = field.metadata.get("choices")
        text = typer.Option(help=described.get(field.name), metavar=choices and one_of(choices))
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
            own = kind(**{option.name: given.pop(option.name) for option in options})
            return command(**given, **{parameter: own})

        parameters: list[inspect.Parameter] = []
        for own in inspect.signature(command, eval_str=True).parameters.values():
            # Typer calls by name, so that options with and without a default may be mixed.
            keyword = own.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            parameters += options if own.name == parameter else [keyword]
        called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        called.__annotations__ = {one.name: one.annotation for one in parameters}
        return called

    return decorate


def listed(kind: type) -> str:
    """The fields of a dataclass with their values and descriptions, a paragraph each.

    Of a field that is no choice, the value is its default.
    """
    described, known = descriptions(kind), values(kind)
    return "\n\n".join(f"{name}={one_of(known[name])}: {described[name]}" for name in known)
