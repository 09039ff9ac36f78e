"""``colorlib weights``: weights with a name, and their cards."""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from colorlib.base.errors import ColorlibError
from colorlib.cli.common import as_json, counted, note
from colorlib.tool import zoo


class _ShowByDefault(TyperGroup):
    """What is no verb is the name of weights to show."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        verb = [] if self.get_command(ctx, args[0]) else ["show"]
        return super().resolve_command(ctx, [*verb, *args])


app = typer.Typer(cls=_ShowByDefault, invoke_without_command=True, subcommand_metavar="[NAME]")


@app.callback()
def weights(context: typer.Context) -> None:
    """List the weights that have a name; show some, or add yours."""
    if context.invoked_subcommand is None:
        for name in (*zoo.names(), *zoo.added()):
            try:
                _print(name, *zoo.look_up(name))
            except ColorlibError as error:  # anybody may have put a file there
                note(str(error))
        _explain()


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A name, a file, or a run folder.")],
) -> None:
    """Show all that is known of some weights; 'show' may be left out."""
    path, about, card = zoo.look_up(name)
    _print(name, path, about, card)
    _explain()
    print(as_json(_without_digests(about)))


@app.command()
def add(
    run: Annotated[str, typer.Argument(help="A run folder or a weights file.")],
    name: Annotated[
        str | None,
        typer.Option(help="Their name from now on; by default that of the folder or file."),
    ] = None,
    summary: Annotated[
        str | None,
        typer.Option(help="A line on what they are; by default what they were trained on."),
    ] = None,
    bad_at: Annotated[
        list[str], typer.Option(metavar="TEXT", help="What they are bad at; repeat it for more.")
    ] = [],  # noqa: B006 - typer needs a plain default and does not change it
) -> None:
    """Keep weights under a name that --weights takes, with a card that says what they are.

    To give them to others, send the two files that it names: with both in one folder, the same
    command adds them there, and the card verifies the file.
    """
    name = zoo.add(run, name, summary, bad_at)
    _print(name, *zoo.look_up(name))
    for suffix in ("safetensors", "json"):
        print(zoo.added_dir() / f"{name}.{suffix}")


def _print(name: str, path: Path, about: dict[str, Any], card: dict[str, Any]) -> None:
    """A line on weights, and some on what is known of them, as `zoo.look_up` gives it."""
    print(f"{name}: {card.get('summary', path)}")
    whose = f", the file of {card['weights']}" if "weights" in card else ""
    size = path.stat().st_size / 1e6
    print(f"    {size:.1f} MB{whose}, working size {about.get('size', 256)}")
    if trained := card.get("trained"):
        print(f"    {_sentence(trained)}")
    if errors := _errors(card.get("validation", {})):
        print(f"    validation: {errors}")
    for data, found in card.get("scores", {}).items():
        if errors := _errors(found):
            print(
                f"    {data}, {found['photos']} test photos of {found['size']} pixels: {errors}, "
                f"chroma {found['chroma']:.2f}, {found['gap']:.0%} of the gap closed"
            )
    for sentence in card.get("bad_at", []):
        print(f"    bad at: {sentence}")


def _errors(losses: dict[str, float]) -> str:
    """Errors beside mean colour's; empty if one is missing, or if that is near zero."""
    if not {"network", "gray", "mean colour"} <= {*losses} or not losses["mean colour"] > 1e-6:
        return ""
    error, gray = (losses[row] / losses["mean colour"] for row in ("network", "gray"))
    return f"error {error:.0%} of mean colour's (gray: {gray:.0%})"


def _sentence(trained: dict[str, Any]) -> str:
    """What a card says of a training."""
    parts = [f"trained on {', '.join(trained.get('data', ['unknown photos']))}"]
    if photos := trained.get("photos"):
        parts.append(f"{counted(photos, 'photo')} with those for validation")
    if before := trained.get("before"):
        parts.append(f"before that on {', '.join(before)}")
    if epoch := trained.get("epoch"):
        parts.append(f"epoch {epoch} of {trained.get('epochs', '?')}")
    if commit := trained.get("commit"):
        parts.append(f"colorlib {commit}")
    return "; ".join(parts)


def _explain() -> None:
    print(
        "Error is the mean squared error of ab; photographs have a chroma of 1; the gap is "
        "that between what a classifier says of them in gray and in colour."
    )


def _without_digests(about: Any) -> Any:
    """Without long lists of SHA-256, which nobody reads."""
    if not isinstance(about, dict):
        return about
    return {name: _without_digests(value) for name, value in about.items()
            if not (name == "sha256" and len(value) > 64)}
