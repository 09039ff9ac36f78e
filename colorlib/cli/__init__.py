"""The command line: thin verbs over the library, a file each.

What a verb needs is imported when it is called, so that help need not wait for torch.
"""

import os
import sys
from typing import Annotated

import typer

from colorlib import __version__
from colorlib.base.errors import ColorlibError
from colorlib.cli import (
    colorize,
    common,
    data,
    download,
    evaluate,
    export,
    reproduce,
    train,
    weights,
)

app = typer.Typer(
    help="Colorize grayscale photographs, and train the networks that do.",
    epilog="Downloads and packed photographs are kept in the folder that the environment variable "
    "COLORLIB_CACHE names, else in the user's cache; data sets are looked for in COLORLIB_DATA; "
    "weights that are added are kept in COLORLIB_WEIGHTS, else in the user's data folder.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

for verb, epilog in (
    (colorize.colorize, None),
    (export.export, None),
    (train.train, train.FIELDS),
    (evaluate.evaluate, None),
    (reproduce.reproduce, None),
    (data.data, None),
    (download.download, None),
):
    app.command(epilog=epilog)(verb)
app.add_typer(weights.app, name="weights")


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
