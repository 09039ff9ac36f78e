"""The command line: thin verbs over the library, a file each.

A verb is imported when it is called, so that help and errors need not wait for torch.
"""

import os
import sys
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from colorlib import __version__
from colorlib.base.errors import ColorlibError
from colorlib.cli import common

VERBS = {
    "colorize": "Colorize photographs; their lightness, size, transparency and EXIF are kept.",
    "export": "Write a network as an ONNX file that takes photographs of any size, and check it.",
    "train": "Train a network and keep its metrics and weights in a run folder.",
    "evaluate": "Judge a network by photographs: a table with gray and mean colour for comparison.",
    "reproduce": "Run the experiment matrix, as far as its results are not there yet.",
    "data": "List the data sets; or say what one holds: counts, colours, near-duplicates.",
    "download": "Fetch a data set; every file is verified.",
    "weights": "List the library's own weights; or show all that is known of some.",
}
"""Each verb is the function of that name in the file of that name."""


class _Verbs(TyperGroup):
    def list_commands(self, ctx: Any) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """For the list of them, where a line is enough."""
        return TyperCommand(cmd_name, help=VERBS[cmd_name]) if cmd_name in VERBS else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The one that is called."""
        if args[0] not in VERBS:
            return super().resolve_command(ctx, args)
        return args[0], command(args[0]), args[1:]


def command(verb: str) -> Any:
    """A verb as a command of click; imports what it needs."""
    module = import_module(f"{__name__}.{verb}")
    alone = typer.Typer(add_completion=False)
    alone.command(epilog=getattr(module, "EPILOG", None))(getattr(module, verb))
    return typer.main.get_command(alone)


app = typer.Typer(
    cls=_Verbs,
    help="Colorize grayscale photographs, and train the networks that do.",
    epilog="Downloads and packed photographs are kept in the folder that the environment variable "
    "COLORLIB_CACHE names, else in the user's cache; data sets are looked for in COLORLIB_DATA.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run the command line; an error that the user can mend is one sentence and status 1."""
    # Threads of torch that wait would else keep processors from others. It is read once, so it
    # must be there before torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    common.show_warnings_as_notes()
    try:
        app()
    except ColorlibError as error:
        common.note(str(error))
        sys.exit(1)
    except (RuntimeError, MemoryError) as error:
        from colorlib.base.devices import is_out_of_memory

        if not is_out_of_memory(error):
            raise
        common.note("there is too little memory: end what else uses it, or give another --device")
        sys.exit(1)


def _show_version(asked: bool) -> None:
    if asked:
        print(f"colorlib {__version__}")
        raise typer.Exit


@app.callback()
def _global_options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    pass
