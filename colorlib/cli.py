"""The command line: thin verbs over the library."""

import subprocess
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import torch
import typer
from PIL import Image
from tqdm import tqdm

from colorlib import __version__, metrics
from colorlib import data as data_sets
from colorlib import train as training
from colorlib.colorize import DEFAULT_WEIGHTS, weights_path
from colorlib.colorize import colorize as colorize_image
from colorlib.errors import ColorlibError
from colorlib.models import PRESETS, build, load_weights, read_about

app = typer.Typer(
    help="Colorize grayscale photographs, and train the networks that do.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Device = Annotated[str, typer.Option(help="cpu, cuda, mps, or auto for the best one here.")]


def main() -> None:
    """Run the command line; an error that the user can mend is one sentence and status 1."""
    try:
        app()
    except ColorlibError as error:
        print(f"colorlib: {error}", file=sys.stderr)
        sys.exit(1)


@app.command()
def colorize(
    photo: Annotated[Path, typer.Argument(help="A photograph, gray or in colour.")],
    out: Annotated[Path, typer.Option(help="Where to write the colour photograph.")],
    weights: Annotated[
        str, typer.Option(help="The name of shipped weights, or a file.")
    ] = DEFAULT_WEIGHTS,
    working_size: Annotated[
        int | None,
        typer.Option(help="Shorter side the network sees; by default what it was trained at."),
    ] = None,
    device: Device = "auto",
) -> None:
    """Colorize a photograph; its lightness and size are kept."""
    if out.exists():
        raise ColorlibError(f"{out} exists already and is not overwritten")
    if out.suffix.lower() not in Image.registered_extensions():
        raise ColorlibError(f"{out} does not end like an image file, such as .png or .jpg")
    if not out.parent.is_dir():
        raise ColorlibError(f"there is no folder {out.parent}")
    result = colorize_image(data_sets.read(photo), weights, working_size, _device(device))
    _save(result, out)
    print(f"{out}: {result.width} x {result.height} pixels")


@app.command()
def train(
    out: Annotated[Path, typer.Option(help="The run folder; a stopped run goes on there.")],
    data: Annotated[
        list[str],
        typer.Option(help="A data set or folder of photos; repeat it to join or weight several."),
    ] = ["samples"],  # noqa: B006 - typer needs a plain default and does not change it
    preset: Annotated[str, typer.Option(help=f"One of: {', '.join(PRESETS)}.")] = "baseline",
    width: Annotated[float, typer.Option(help="Factor on the channels of every layer.")] = 1.0,
    init: Annotated[
        str | None, typer.Option(help="Start from these weights instead of --preset and --width.")
    ] = None,
    size: Annotated[int, typer.Option(help="Side of the packed photographs.")] = 64,
    crop: Annotated[int | None, typer.Option(help="Train on random crops of this side.")] = None,
    scale: Annotated[
        float | None,
        typer.Option(help="Crops cover this share of a photograph's side or more, resized."),
    ] = None,
    flip: Annotated[bool, typer.Option(help="Mirror photographs at random.")] = False,
    exposure: Annotated[
        float, typer.Option(help="Vary lightness by powers up to exp(this), as a camera might.")
    ] = 0.0,
    epochs: Annotated[int, typer.Option()] = 60,
    repeats: Annotated[int, typer.Option(help="Visits to each photograph an epoch.")] = 1,
    batch_size: Annotated[int, typer.Option()] = 16,
    learning_rate: Annotated[float, typer.Option()] = 1e-3,
    cosine: Annotated[bool, typer.Option(help="Let the learning rate fall to zero.")] = False,
    bf16: Annotated[bool, typer.Option(help="Compute in bfloat16.")] = False,
    min_chroma: Annotated[
        float, typer.Option(help="Leave out training photos grayer than this, in Lab units.")
    ] = 0.0,
    seed: Annotated[int, typer.Option()] = 0,
    device: Device = "auto",
) -> None:
    """Train a network and keep its metrics and weights in a run folder."""
    settings = training.Settings(
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        cosine=cosine,
        crop=crop,
        scale=scale,
        flip=flip,
        exposure=exposure,
        repeats=repeats,
        bf16=bf16,
        seed=seed,
    )
    torch.manual_seed(seed)
    model = load_weights(weights_path(init)) if init else build(preset, width=width)
    # Held-out photographs are seen whole, at the size at which the network sees its crops.
    sizes = {"train": size, "val": size if scale is None else settings.crop}
    packs = {
        split: data_sets.pack(
            [photo for name in data for photo in data_sets.photos(name, split)],
            side,
            progress=lambda items, split=split: tqdm(items, desc=f"packing {split}"),
        )
        for split, side in sizes.items()
    }
    if min_chroma > 0:
        packs["train"] = packs["train"].colourful(min_chroma)
    device = _device(device)
    history = training.fit(
        model,
        packs["train"],
        packs["val"],
        settings,
        out,
        device,
        progress=True,
        about={
            "preset": None if init else preset,
            "init": init and read_about(weights_path(init)),
            "data": dict(Counter(Path(name).name for name in data)),
            "settings": asdict(settings),
            "device": _device_name(device),
            "colorlib": __version__,
            "commit": _commit(),
        },
    )
    best = min(history, key=lambda row: row["val_loss"])
    print(f"{len(packs['train'])} photos trained on, {len(packs['val'])} held out")
    rows = metrics.yardsticks(packs["train"], packs["val"])
    rows[f"network, epoch {best['epoch']}"] = best["val_loss"]
    for name, loss in rows.items():
        print(f"{name:24} held-out loss {loss:.5f}, {metrics.rmse_in_lab(loss):5.2f} Lab units")
    print(f"weights: {out / 'best.safetensors'}")


@app.command()
def download(
    name: Annotated[str, typer.Argument(help="A class of the MIT CVCL collection.")],
    url: Annotated[str, typer.Option(help="Where the archive lies.")] = data_sets.CVCL_URL,
) -> None:
    """Fetch a data set; every file is verified."""
    print(data_sets.download(name, url))


def _device(name: str) -> str:
    device = training.auto_device() if name == "auto" else name
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ColorlibError(f"there is no device {device!r} here") from error
    return device


def _device_name(device: str) -> str:
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else device


def _commit() -> str | None:
    """The library's git commit, with a + if files have changed since; None outside a checkout."""
    git = ["git", "-C", str(Path(__file__).parent)]
    try:
        commit = subprocess.run(
            [*git, "describe", "--always", "--dirty=+", "--exclude=*"],
            capture_output=True, text=True, check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit.stdout.strip()


def _save(image: Image.Image, path: Path) -> None:
    """Write an image under a temporary name first: whole or not at all."""
    partial = path.with_name(f".partial-{path.name}")
    try:
        image.save(partial)
        partial.rename(path)
    except OSError as error:
        raise ColorlibError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)
