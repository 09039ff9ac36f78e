"""``colorlib weights``: the weights that come with the library, and their cards."""

from typing import Annotated, Any

import typer

from colorlib import zoo
from colorlib.cli.common import as_json


def weights(
    name: Annotated[
        str | None, typer.Argument(help="Show one as a whole: a name, a file, or a run folder.")
    ] = None,
) -> None:
    """List the weights that come with the library, and what they are good and bad at."""
    for shown in [name] if name else zoo.names():
        path, card = zoo.find(shown), zoo.card(shown) if shown in zoo.names() else {}
        about = zoo.about(shown)
        print(f"{shown}: {card.get('summary', path)}")
        whose = f", the file of {card['weights']}" if "weights" in card else ""
        size = path.stat().st_size / 1e6
        print(f"    {size:.1f} MB{whose}, working size {about.get('size', 256)}")
        for data, found in card.get("scores", {}).items():
            error, gray = (found[row] / found["mean colour"] for row in ("network", "gray"))
            print(
                f"    {data}, {found['photos']} test photos of {found['size']} pixels: "
                f"error {error:.0%} of mean colour's (gray: {gray:.0%}), "
                f"chroma {found['chroma']:.2f}, {found['gap']:.0%} of the gap closed"
            )
        for sentence in card.get("bad_at", []):
            print(f"    bad at: {sentence}")
    print(
        "Error is the mean squared error of ab; photographs have a chroma of 1; the gap is "
        "that between what a classifier says of them in gray and in colour."
    )
    if name:
        print(as_json(_without_digests(about)))


def _without_digests(about: Any) -> Any:
    """Without long lists of SHA-256, which nobody reads."""
    if not isinstance(about, dict):
        return about
    return {name: _without_digests(value) for name, value in about.items()
            if not (name == "sha256" and len(value) > 64)}
