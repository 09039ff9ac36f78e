"""``colorlib weights``: the weights that have a name, and what any weights say of themselves."""

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from colorlib.cli.common import as_json, counted
from colorlib.tool import zoo


def weights(
    name: Annotated[
        str | None, typer.Argument(help="A name, a file, or a run folder; by default all names.")
    ] = None,
) -> None:
    """List the library's own weights; or show all that is known of some."""
    for one in zoo.names() if name is None else [name]:
        about = _print(one)
    print(
        "Error is the mean squared error of ab; photographs have a chroma of 1; the gap is "
        "that between what a classifier says of them in gray and in colour."
    )
    if name is not None:
        print(as_json(_without_digests(about)))


def _print(name: str) -> dict[str, Any]:
    """A line on weights, and some on what is known of them; returns what they say."""
    from colorlib.tool.weights import read_about

    path, card = zoo.find(name), zoo.card(name)
    about = read_about(path)
    print(f"{name}: {card.summary if card else path}")
    whose = f", the file of {card.weights}" if card and card.weights else ""
    size = path.stat().st_size / 1e6
    print(f"    {size:.1f} MB{whose}, working size {about.get('size', 256)}")
    print(f"    {'; '.join(_training(about))}")
    losses = _inside(about, "baselines") | {"network": about.get("val_loss")}
    if errors := _errors(losses):
        print(f"    validation: {errors}")
    if card is None:
        return about
    for data, found in card.scores.items():
        if errors := _errors(found):
            print(
                f"    {data}, {found['photos']} test photos of {found['size']} pixels: {errors}, "
                f"chroma {found['chroma']:.2f}, {found['gap']:.0%} of the gap closed"
            )
    for sentence in card.bad_at:
        print(f"    bad at: {sentence}")
    return about | ({"changes": card.changes} if card.changes else {})


def _inside(about: dict[str, Any], key: str) -> dict[str, Any]:
    """A dict that weights say under a key; those that others wrote may say anything there."""
    found = about.get(key)
    return found if isinstance(found, dict) else {}


def _errors(losses: dict[str, Any]) -> str:
    """Errors beside mean colour's; empty if one is missing, or if that is near zero."""
    rows = [losses.get(row) for row in ("network", "gray", "mean colour")]
    known = [loss for loss in rows if isinstance(loss, int | float)]
    if len(known) < len(rows) or not known[-1] > 1e-6:
        return ""
    error, gray, mean_colour = known
    return f"error {error / mean_colour:.0%} of mean colour's (gray: {gray / mean_colour:.0%})"


def _training(about: dict[str, Any]) -> Iterator[str]:
    """What weights say of how they were trained."""
    yield f"trained on {', '.join(zoo.data_of(about)) or 'unknown photos'}"
    if photos := _inside(about, "trained_on").get("count"):
        yield f"{counted(photos, 'photo')} with those for validation"
    before, begun = _inside(about, "init"), dict[str, None]()
    while before:
        begun |= dict.fromkeys(zoo.data_of(before))
        before = _inside(before, "init")
    if begun:
        yield f"before that on {', '.join(begun)}"
    if epoch := about.get("epoch"):
        yield f"epoch {epoch} of {_inside(about, 'settings').get('epochs', '?')}"
    if commit := about.get("commit"):
        yield f"colorlib {commit}"


def _without_digests(about: Any) -> Any:
    """Without long lists of SHA-256, which nobody reads."""
    if not isinstance(about, dict):
        return about
    return {name: _without_digests(value) for name, value in about.items()
            if not (name == "sha256" and len(value) > 64)}
