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
    from colorlib.networks import read_about

    for shown in [name] if name else zoo.names():
        path, card = zoo.find(shown), zoo.card(shown) if shown in zoo.names() else {}
        about = read_about(path)
        print(f"{shown}: {card.get('summary', path)}")
        print(f"    {path.stat().st_size / 1e6:.1f} MB, working size {about.get('size', 256)}")
        for data, found in card.get("scores", {}).items():
            print(
                f"    {data}, {found['photos']} test photos: gray {found['gray']:.4f}, "
                f"mean colour {found['mean colour']:.4f}, network {found['network']:.4f}"
            )
        for sentence in card.get("bad_at", []):
            print(f"    bad at: {sentence}")
        if name:
            print(as_json(_without_digests(about)))


def _without_digests(about: Any) -> Any:
    """Without long lists of SHA-256, which nobody reads."""
    if not isinstance(about, dict):
        return about
    return {name: _without_digests(value) for name, value in about.items()
            if not (name == "sha256" and len(value) > 64)}
