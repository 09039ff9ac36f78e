"""``colorlib download``: a data set from its publisher."""

from typing import Annotated

import typer


def download(
    name: Annotated[
        str, typer.Argument(help="A data set, such as a class of the MIT CVCL collection.")
    ],
    url: Annotated[
        str | None, typer.Option(help="Where the archive lies, if not at its publisher's.")
    ] = None,
) -> None:
    """Fetch a data set; every file is verified."""
    from colorlib import data

    print(data.download(name, url))
