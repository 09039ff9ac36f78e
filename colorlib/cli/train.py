"""``colorlib train``: train a network on photographs."""

import math
import os
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from colorlib import data as data_sets
from colorlib import metrics, training
from colorlib.base import devices
from colorlib.base.errors import ColorlibError
from colorlib.base.options import assignments
from colorlib.cli import options
from colorlib.cli.common import PATH, Device, SkipDamaged, can_go_on, counted
from colorlib.cli.photographs import (
    packed,
    say_how_divided,
    say_what_is_left_out,
    say_which_are_near_gray,
)
from colorlib.data.fingerprints import name_of
from colorlib.networks import PRESETS, Colorizer
from colorlib.networks.config import PARTS
from colorlib.networks.parts import Common
from colorlib.networks.priors import Prior, Spec
from colorlib.tool import zoo
from colorlib.tool.weights import read_about

_PARTS = "\n\n".join(
    f"{role}={name}\n\n{options.listed(part.Settings)}".rstrip()
    for role, parts in PARTS.items() if role != "attention"
    for name, part in parts.items()
)
EPILOG = f"""For --set, the network, with all values or the default:

{options.listed(Common)}

attention={options.one_of((None, *PARTS["attention"]))}

{options.listed(PARTS["attention"]["general"].Settings)}

{_PARTS}

For --prior, the classifier that is the global prior, with the defaults:

{options.listed(Spec)}
"""
"""What help says of fields that are no options of their own."""


def _fields_of(name: str, whose: str) -> Any:
    """An option that takes such fields."""
    text = f"Another value for one choice of {whose}; they are listed below."
    return typer.Option(name, metavar="NAME=VALUE", help=text)


@options.from_fields("settings", training.Settings)
def train(
    *,
    out: Annotated[
        Path, typer.Option(help="The run folder; a stopped run goes on there.", **PATH)
    ],
    data: Annotated[
        list[str],
        typer.Option(help="A data set or folder of photos; repeat it to join or weight several."),
    ] = ["samples"],  # noqa: B006 - typer needs a plain default and does not change it
    preset: Annotated[
        str | None,
        typer.Option(metavar=options.one_of(PRESETS), help="The network; by default baseline."),
    ] = None,
    change: Annotated[list[str], _fields_of("--set", "the network")] = [],  # noqa: B006
    prior: Annotated[list[str], _fields_of("--prior", "its global prior")] = [],  # noqa: B006
    init: Annotated[
        str | None,
        typer.Option(
            help="Start from these weights (a name, a file, or a run folder); with --preset, from "
            "encoder, decoder and head."
        ),
    ] = None,
    size: Annotated[int, typer.Option(help="Side of the packed photographs.")] = 64,
    settings: training.Settings,
    min_chroma: Annotated[
        float, typer.Option(help="Leave out training photos grayer than this, in Lab units.")
    ] = 0.0,
    skip_damaged: SkipDamaged = False,
    device: Device = "auto",
) -> None:
    """Train a network and keep its metrics and weights in a run folder."""
    if not 0 <= min_chroma < math.inf:
        raise ColorlibError(f"--min-chroma must be a number from 0 up, not {min_chroma:g}")
    device = devices.find(device)
    model, its_prior = _network(init, preset, assignments(change), assignments(prior), settings)
    # Validation photographs are whole, of the size that training crops have.
    validation_size = size if settings.scale is None else settings.crop or size
    parts = {
        "train": (data_sets.joined(data, "train"), size),
        "val": (data_sets.joined(data, "val"), validation_size),
    }
    with can_go_on():
        photographs, validation = packed(
            parts, its_prior, device, skip_damaged, mirrored=("train",) if settings.flip else ()
        )
    if min_chroma > 0:
        photographs = photographs.colourful(min_chroma)
    first = os.environ.get("RANK", "0") == "0"  # of the processes that torchrun starts
    if first:
        print(f"{counted(len(photographs), 'photo')} for training, {len(validation)} "
              "for validation", flush=True)
        say_how_divided(data)
        say_what_is_left_out(data)
        if min_chroma < data_sets.NEAR_GRAY:
            say_which_are_near_gray(photographs)
    about = {
        "preset": None if init and not preset else preset or "baseline",
        "data": dict(Counter(map(name_of, data))),
    }
    with can_go_on():
        training.fit(
            model, photographs, validation, settings, out, device, progress=True, about=about
        )
    if first:
        _report(out / zoo.BEST)
        # A run that was finished without previews has none.
        if settings.preview and (out / training.PREVIEWS).exists():
            print(f"previews: {out / training.PREVIEWS}")


def _network(
    init: str | None,
    preset: str | None,
    changes: dict[str, Any],
    prior: dict[str, Any],
    settings: training.Settings,
) -> tuple[Colorizer, Prior | None]:
    """What training starts from: the given weights as they are, or a fresh network."""
    given = zoo.load(init) if init else None
    if given is None or preset is not None:
        preset = preset or "baseline"
        its_prior = training.prior_for(preset, **prior)
        begin = given.model if given else None
        return training.network(preset, its_prior, settings.seed, begin, **changes), its_prior
    if prior or not changes.items() <= given.model.config.flat().items():
        raise ColorlibError("--init takes the network as it is; to change it, add --preset")
    return given.model, given.prior()


def _report(best: Path) -> None:
    """The validation loss of the weights in a file beside those of the trivial baselines."""
    about = read_about(best)
    losses = about["baselines"] | {f"network, epoch {about['epoch']}": about["val_loss"]}
    for name, loss in losses.items():
        print(f"{name:24} validation loss {loss:.5f}, {metrics.rmse_in_lab(loss):5.2f} Lab units")
    print(f"weights: {best}")
