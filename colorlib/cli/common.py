"""What several verbs share: types of options, lines on stderr, JSON."""

import json
import math
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer


def _path(text: str) -> Path:
    """Of `--out=~/photos` the shell leaves the ~."""
    from colorlib.files import user_path

    return user_path(text)


# Typer's own check of paths would end everything for one file that may not be read.
PATH: dict[str, Any] = {"parser": _path, "metavar": "PATH"}

Device = Annotated[str, typer.Option(
    help="cpu, cuda, cuda:1 (one of several GPUs), mps, or auto for the best one here."
)]
SkipDamaged = Annotated[
    bool,
    typer.Option(
        "--skip-damaged", help="Leave out damaged photos; those that may not be read stay an error."
    ),
]


def note(text: str) -> None:
    """Print a line on stderr."""
    print(f"colorlib: {text}", file=sys.stderr)


def counted(count: int, what: str) -> str:
    """As in "1 photo" and "2 photos"."""
    return f"{count} {what}{'' if count == 1 else 's'}"


@contextmanager
def can_go_on() -> Iterator[None]:
    """What the user may interrupt, and go on with later: then a line, and status 130."""
    try:
        yield
    except KeyboardInterrupt:
        note("interrupted; the same command goes on")
        raise typer.Exit(130) from None


def show_warnings_as_notes() -> None:
    """From now on a warning of the library is a `note`, each text once."""
    library = Path(__file__).parents[1]
    shown: set[str] = set()

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if not Path(filename).is_relative_to(library):
            text = warnings.formatwarning(message, category, filename, lineno, line)
            print(text, end="", file=file or sys.stderr)
        elif (text := str(message)) not in shown:
            shown.add(text)
            note(text)

    warnings.filterwarnings("always", module="colorlib")
    warnings.showwarning = show


def as_json(value: Any) -> str:
    """JSON, which has neither infinity nor nan: null in their place."""

    def finite(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: finite(inside) for key, inside in value.items()}
        if isinstance(value, list | tuple):
            return [finite(inside) for inside in value]
        return None if isinstance(value, float) and not math.isfinite(value) else value

    return json.dumps(finite(value), indent=1, allow_nan=False)
