"""The command line: thin verbs over the library."""

import json
import math
import os
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from tqdm import tqdm

from colorlib import __version__, experiments, files, metrics, zoo
from colorlib import data as data_sets
from colorlib import train as training
from colorlib.colorize import Painter, check_options, prior_of
from colorlib.errors import ColorlibError
from colorlib.models import (
    PRESETS,
    STRIDE,
    build,
    load_weights,
    preset_config,
    read_about,
    transfer,
)
from colorlib.priors import Prior, packed

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
    photos: Annotated[list[Path], typer.Argument(help="Photographs, and folders of them.")],
    out: Annotated[
        Path, typer.Option(help="A file for one photograph, or a folder, made if need be.")
    ],
    weights: Annotated[
        str, typer.Option(help="The library's own by name (see 'colorlib weights'), or a file.")
    ] = zoo.DEFAULT,
    working_size: Annotated[
        int | None,
        typer.Option(help="Shorter side the network sees; by default what it was trained at."),
    ] = None,
    strength: Annotated[
        float, typer.Option(help="Factor on the colours: 0 is gray, 1 as predicted.")
    ] = 1.0,
    overwrite: Annotated[bool, typer.Option(help="Replace files of an earlier call.")] = False,
    dry_run: Annotated[bool, typer.Option(help="Only say what would be written.")] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write what became of each photograph here.")
    ] = None,
    device: Device = "auto",
) -> None:
    """Colorize photographs; their lightness, size, transparency and EXIF are kept.

    Ends with status 0 if every photograph was written, and else with 1.
    """
    if json_file is not None and json_file.exists() and not overwrite:
        raise ColorlibError(f"{json_file} exists already and is not overwritten")
    check_options(STRIDE if working_size is None else working_size, strength)
    jobs = files.jobs(photos, out, overwrite)
    if json_file is not None:
        taken = {path.resolve() for job in jobs for path in (job.photo, job.out) if path}
        if json_file.resolve() in taken:
            raise ColorlibError(f"{json_file} is one of the photographs: give --json another name")
    ready = any(job.error is None for job in jobs) and not dry_run
    painter = Painter(weights, _device(device)) if ready else None
    report, interrupted = [], False
    bar = tqdm(jobs, unit="photo", leave=False, disable=None if len(jobs) > 1 else True)
    try:
        for job in bar:
            told: dict[str, Any] = {
                "photo": str(job.photo), "out": job.out and str(job.out), "error": job.error
            }
            start = time.perf_counter()
            if job.error is None and painter is not None:
                told |= _paint(job, painter, working_size, strength, overwrite)
                told["seconds"] = round(time.perf_counter() - start, 3)
            if told["error"]:
                bar.write(f"colorlib: {told['error']}", file=sys.stderr)
            elif dry_run:
                bar.write(f"{job.photo} -> {job.out}", file=sys.stdout)
            report.append(told)
    except KeyboardInterrupt:
        interrupted = True
        bar.close()
        print("colorlib: interrupted; what is written is whole", file=sys.stderr)
    failed = sum(told["error"] is not None for told in report)
    if json_file is not None:
        text = json.dumps(report, indent=1)
        files.write_text(json_file, text, overwrite)
    if len(jobs) > 1:
        what = "would be written" if dry_run else "written"
        rest = len(jobs) - len(report) + failed
        missing = f", {rest} not" if rest else ""
        print(f"{out}: {len(report) - failed} of {len(jobs)} photos {what}{missing}")
    elif painter is not None and not failed and not interrupted:
        print(f"{jobs[0].out}: {report[0]['width']} x {report[0]['height']} pixels")
    if failed or interrupted:
        raise typer.Exit(130 if interrupted else 1)


def _paint(
    job: files.Job, painter: Painter, working_size: int | None, strength: float, overwrite: bool
) -> dict:
    """Colorize one photograph: its size, or the error in a sentence."""
    assert job.out, "a job without an error has a place to write to"
    try:
        painted = painter(files.read(job.photo), working_size, strength)
        files.save(painted, job.out, overwrite)
    except ColorlibError as error:
        return {"error": str(error)}
    except Exception as error:  # such as too little memory: the others go on
        says = str(error).strip().splitlines() or [type(error).__name__]
        return {"error": f"{job.photo} cannot be painted: {says[0]}"}
    return {"width": painted.width, "height": painted.height}


@app.command()
def weights(
    name: Annotated[str | None, typer.Argument(help="Show one card as a whole.")] = None,
) -> None:
    """List the weights that come with the library, and what they are good and bad at."""
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
            print(json.dumps(about, indent=1))


@app.command()
def train(
    out: Annotated[Path, typer.Option(help="The run folder; a stopped run goes on there.")],
    data: Annotated[
        list[str],
        typer.Option(help="A data set or folder of photos; repeat it to join or weight several."),
    ] = ["samples"],  # noqa: B006 - typer needs a plain default and does not change it
    preset: Annotated[
        str | None, typer.Option(help=f"One of: {', '.join(PRESETS)}. By default baseline.")
    ] = None,
    change: Annotated[
        list[str],
        typer.Option("--set", help="Another value for a field of models.Config: NAME=VALUE."),
    ] = [],  # noqa: B006
    prior: Annotated[
        list[str],
        typer.Option("--prior", help="The global prior, as fields of priors.Spec: NAME=VALUE."),
    ] = [],  # noqa: B006
    width: Annotated[float, typer.Option(help="Factor on the channels of every layer.")] = 1.0,
    init: Annotated[
        str | None,
        typer.Option(help="Start from these weights; with --preset, from encoder and decoder."),
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
    optimizer: Annotated[
        str, typer.Option(help=f"One of: {', '.join(training.OPTIMIZERS)}.")
    ] = "adam",
    cosine: Annotated[bool, typer.Option(help="Let the learning rate fall to zero.")] = False,
    bf16: Annotated[bool, typer.Option(help="Compute in bfloat16.")] = False,
    compile: Annotated[bool, typer.Option(help="Compile the network first.")] = False,
    average: Annotated[
        float, typer.Option(help="Keep a running average of the weights, such as 0.999.")
    ] = 0.0,
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
        optimizer=optimizer,
        cosine=cosine,
        crop=crop,
        scale=scale,
        flip=flip,
        exposure=exposure,
        repeats=repeats,
        bf16=bf16,
        compile=compile,
        average=average,
        seed=seed,
    )
    device = _device(device)
    source = load_weights(zoo.find(init)) if init else None
    start = read_about(zoo.find(init)) if init else {}
    if source and init and not preset:
        if change or prior or width not in (1.0, source.config.width):
            raise ColorlibError("--init takes the network as it is; to change it, add --preset")
        watcher = prior_of(source, start, zoo.find(init))
        model = source
        torch.manual_seed(seed)
    else:
        preset = preset or "baseline"
        if prior and not preset_config(preset).embedding:
            raise ColorlibError(f"the preset {preset!r} has no prior to choose")
        watcher = Prior(**_fields(prior)) if preset_config(preset).embedding else None
        changes = {"width": width, **_fields(change)}
        if "embedding" in changes:
            raise ColorlibError("embedding follows from the prior: choose it by --prior")
        if watcher:
            changes["embedding"] = watcher.features
        torch.manual_seed(seed)
        model = build(preset, **changes)
        if source:
            transfer(source, model)
    # Held-out photographs are seen whole, at the size at which the network sees its crops.
    sizes = {"train": size, "val": size if scale is None else settings.crop or size}
    packs = {split: _packed(data, split, side, watcher, device) for split, side in sizes.items()}
    if min_chroma > 0:
        packs["train"] = packs["train"].colourful(min_chroma)
    history = training.fit(
        model,
        packs["train"],
        packs["val"],
        settings,
        out,
        device,
        progress=True,
        about={
            "preset": preset,
            "init": start,
            "prior": asdict(watcher.spec) if watcher else None,
            "data": dict(Counter(Path(name).name for name in data)),
            "settings": asdict(settings),
            "device": training.device_name(device),
            "colorlib": __version__,
            "commit": _commit(),
        },
    )
    if os.environ.get("RANK", "0") != "0":
        return  # of the processes that torchrun starts, one speaks
    best = min(history, key=lambda row: row["val_loss"])
    print(f"{len(packs['train'])} photos trained on, {len(packs['val'])} held out")
    rows = metrics.yardsticks(packs["train"], packs["val"])
    rows[f"network, epoch {best['epoch']}"] = best["val_loss"]
    for name, loss in rows.items():
        print(f"{name:24} held-out loss {loss:.5f}, {metrics.rmse_in_lab(loss):5.2f} Lab units")
    print(f"weights: {out / 'best.safetensors'}")


@app.command()
def evaluate(
    weights: Annotated[str, typer.Argument(help="A run folder, a weights file, or a name.")],
    data: Annotated[str, typer.Option(help="A data set or folder of photos.")] = "samples",
    split: Annotated[str, typer.Option(help="train, val or test.")] = "test",
    size: Annotated[
        int | None, typer.Option(help="Side of the photographs; by default as trained.")
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write every photograph's scores here, too.")
    ] = None,
    device: Device = "auto",
) -> None:
    """Judge a network by photographs: a table with gray and mean colour for comparison."""
    run = Path(weights) / "best.safetensors"
    path = run if run.is_file() else zoo.find(weights)
    if json_file is not None and json_file.exists():
        raise ColorlibError(f"{json_file} exists already and is not overwritten")
    model, about = load_weights(path), read_about(path)
    size, device = size or about.get("size", 256), _device(device)
    if size < 11:
        raise ColorlibError(f"photos of {size} pixels are too small to judge: 11 is the least")
    watcher = prior_of(model, about, path)
    photographs = _packed([data], split, size, watcher, device)
    mean = metrics.mean_colour(_packed([data], "train", size))
    rows = {
        name: metrics.scores(predict, photographs)
        for name, predict in {
            "gray": metrics.constant(torch.zeros(2)),
            "mean colour": metrics.constant(mean),
            path.parent.name if path == run else path.stem: metrics.network(model, device),
        }.items()
    }
    here = training.device_name(device)
    print(f"{len(photographs)} photos of {data}, {split}, at {size} x {size}, on {here}")
    print(f"{'':16}" + "".join(f"{name:>14}" for name in metrics.METRICS))
    for name, found in rows.items():
        # A gray photograph has no chroma ratio.
        means = (f"{torch.tensor(values).double().nanmean():14.4g}" for values in found.values())
        print(f"{name:16}" + "".join(means))
    if json_file is not None:
        about |= {"data": data, "split": split, "size": size, "device": here}
        scores = {  # JSON has no nan
            name: {
                metric: [None if math.isnan(value) else value for value in values]
                for metric, values in found.items()
            }
            for name, found in rows.items()
        }
        told = {"weights": str(path), "about": about, "photos": photographs.names, "scores": scores}
        text = json.dumps(told, indent=1)
        files.write_text(json_file, text)


@app.command()
def reproduce(
    scale: Annotated[
        str, typer.Option(help=f"One of: {', '.join(experiments.declared()['scales'])}.")
    ] = "seconds",
    only: Annotated[
        str | None,
        typer.Option(help="Runs whose name contains this, such as coast/attention or fusion/0."),
    ] = None,
    results: Annotated[Path, typer.Option(help="Where finished runs leave their files.")] = Path(
        "results"
    ),
    work: Annotated[Path, typer.Option(help="Where stopped runs wait to go on.")] = Path(
        "runs/reproduce"
    ),
    dry_run: Annotated[bool, typer.Option(help="Only list the runs, and which are done.")] = False,
    device: Device = "auto",
) -> None:
    """Run the experiment matrix, as far as its results are not there yet.

    Delete a run's folder under results to have it run again. On a CPU there
    is one process a core, on GPUs one a GPU.
    """
    runs = experiments.matrix(scale, only)
    if dry_run:
        for run in runs:
            print(f"{run}  {'done' if run.done(results) else 'to do'}")
        return
    if work.resolve() == results.resolve():
        raise ColorlibError("--work and --results must be two folders: work is removed when done")
    chosen = _device(device)
    if chosen == "cpu":
        devices = ["cpu"] * (os.cpu_count() or 1)
    else:
        many = device in ("auto", "cuda") and chosen.startswith("cuda")
        devices = [f"cuda:{i}" for i in range(torch.cuda.device_count())] if many else [chosen]
    failed = 0
    with tqdm(total=len(runs), initial=sum(run.done(results) for run in runs), unit="run") as bar:

        def tell(run: experiments.Run, error: str | None) -> None:
            nonlocal failed
            failed += error is not None
            bar.update()
            bar.set_postfix_str(str(run))
            if error:
                bar.write(f"colorlib: {run}: {error}", file=sys.stderr)

        experiments.work_through(runs, results, work, devices, _commit(), tell)
    print(f"{results}: {len(runs) - failed} of {len(runs)} runs of {scale} are there")
    if failed:
        raise typer.Exit(1)


@app.command()
def download(
    name: Annotated[str, typer.Argument(help="A class of the MIT CVCL collection.")],
    url: Annotated[str, typer.Option(help="Where the archive lies.")] = data_sets.CVCL_URL,
) -> None:
    """Fetch a data set; every file is verified."""
    print(data_sets.download(name, url))


def _device(name: str) -> str:
    device = training.auto_device() if name == "auto" else name
    if device == "cuda":  # one each for the processes that torchrun starts
        device = f"cuda:{os.environ.get('LOCAL_RANK', 0)}"
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ColorlibError(f"there is no device {device!r} here") from error
    return device


def _commit() -> str | None:
    """The library's git commit, with a + if it has changed since; None outside its checkout."""

    def git(*command: str) -> str:
        return subprocess.run(
            ["git", "-C", str(Path(__file__).parent), *command],
            capture_output=True, text=True, check=True,
        ).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", Path(__file__).name)  # else another's repository
        changed = git("status", "--porcelain", "--", ".")
        return git("rev-parse", "--short=7", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def _packed(
    names: list[str], split: str, size: int, prior: Prior | None = None, device: str = "cpu"
) -> data_sets.Packed:
    """Photographs of several data sets as one, with what a prior makes of them.

    None is trained on that another of the data sets holds out.
    """
    photos = [photo for name in names for photo in data_sets.photos(name, split)]
    if split == "train" and len(different := set(names)) > 1:
        held_out = {
            photo.sha256
            for name in different
            for part in ("val", "test")
            for photo in data_sets.photos(name, part)
        }
        photos = [photo for photo in photos if photo.sha256 not in held_out]
    bar = partial(tqdm, desc=f"reading {split}", leave=False)
    return packed(photos, size, prior, device, bar)


def _fields(settings: list[str]) -> dict:
    """NAME=VALUE as a dict; a value is a number, true, false, null, or else a word."""
    found = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise ColorlibError(f"{setting!r} is not of the form NAME=VALUE")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found
