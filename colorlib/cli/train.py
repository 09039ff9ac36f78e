"""``colorlib train``: train a network on photographs."""

import os
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from colorlib import __version__, options, provenance, zoo
from colorlib.cli.common import PATH, Device, SkipDamaged
from colorlib.cli.photographs import name_of, packed, say_what_is_left_out
from colorlib.errors import ColorlibError
from colorlib.settings import PRESETS, Config, Settings, Spec

if TYPE_CHECKING:
    from colorlib.data import Packed
    from colorlib.networks import Colorizer
    from colorlib.priors import Prior


@options.from_fields("settings", Settings)
@options.from_fields("network", Config, only=("width",))
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
        str | None, typer.Option(help=f"One of: {', '.join(PRESETS)}. By default baseline.")
    ] = None,
    network: dict[str, Any],
    change: Annotated[
        list[str],
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Another value for a field of colorlib.settings.Config: "
            f"{options.names(Config, but=('width', 'embedding'))}.",
        ),
    ] = [],  # noqa: B006
    prior: Annotated[
        list[str],
        typer.Option(
            "--prior",
            metavar="NAME=VALUE",
            help="Another value for a field of colorlib.settings.Spec, the global prior: "
            f"{options.names(Spec)}.",
        ),
    ] = [],  # noqa: B006
    init: Annotated[
        str | None,
        typer.Option(
            help="Start from these weights (a name, a file, or a run folder); with --preset, from "
            "encoder, decoder and head."
        ),
    ] = None,
    size: Annotated[int, typer.Option(help="Side of the packed photographs.")] = 64,
    settings: Settings,
    min_chroma: Annotated[
        float, typer.Option(help="Leave out training photos grayer than this, in Lab units.")
    ] = 0.0,
    skip_damaged: SkipDamaged = False,
    device: Device = "auto",
) -> None:
    """Train a network and keep its metrics and weights in a run folder."""
    from colorlib import data as data_sets
    from colorlib import devices, training

    device = devices.find(device)
    given = zoo.load(init) if init else None
    changes = network | options.assignments(change)
    model, its_prior = _network(given, preset, changes, options.assignments(prior), settings.seed)
    # Validation photographs are whole, of the size that training crops have.
    validation_size = size if settings.scale is None else settings.crop or size
    parts = {
        "train": (data_sets.joined(data, "train"), size),
        "val": (data_sets.joined(data, "val"), validation_size),
    }
    photographs, validation = packed(parts, its_prior, device, skip_damaged)
    if min_chroma > 0:
        photographs = photographs.colourful(min_chroma)
    about = {
        "preset": None if given and not preset else preset or "baseline",
        "init": given.about if given else {},
        "prior": asdict(its_prior.spec) if its_prior else None,
        "data": dict(Counter(map(name_of, data))),
        "settings": asdict(settings),
        "device": devices.device_name(device),
        "colorlib": __version__,
        "commit": provenance.commit(),
    }
    training.fit(
        model, photographs, validation, settings, out, device, progress=True, about=about
    )
    if os.environ.get("RANK", "0") == "0":  # of the processes that torchrun starts, one speaks
        _report_training(out / zoo.BEST, photographs, validation)
        say_what_is_left_out(data)


def _network(
    given: zoo.Pretrained | None,
    preset: str | None,
    changes: dict[str, Any],
    prior: dict[str, Any],
    seed: int,
) -> tuple["Colorizer", "Prior | None"]:
    """What training starts from: the given weights as they are, or a fresh network."""
    from colorlib.training.prepare import network, prior_for

    if given is None or preset is not None:
        preset = preset or "baseline"
        its_prior = prior_for(preset, **prior)
        init = given.model if given else None
        return network(preset, its_prior, seed, init, **changes), its_prior
    if prior or changes not in ({"width": Config.width}, {"width": given.model.config.width}):
        raise ColorlibError("--init takes the network as it is; to change it, add --preset")
    return given.model, given.prior()


def _report_training(best: Path, photographs: "Packed", validation: "Packed") -> None:
    """The validation loss of the weights in a file beside those of the trivial baselines."""
    from colorlib import metrics
    from colorlib.networks import read_about

    about = read_about(best)
    print(f"{len(photographs)} photos for training, {len(validation)} for validation")
    rows = metrics.trivial_baselines(photographs, validation)
    rows[f"network, epoch {about['epoch']}"] = about["val_loss"]
    for name, loss in rows.items():
        print(f"{name:24} validation loss {loss:.5f}, {metrics.rmse_in_lab(loss):5.2f} Lab units")
    print(f"weights: {best}")
