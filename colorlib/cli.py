"""The command line: thin verbs over the library.

What a verb needs is imported when it is called, so that help need not wait for torch.
"""

import json
import math
import os
import subprocess
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from colorlib import __version__, options, zoo
from colorlib.errors import ColorlibError
from colorlib.settings import PRESETS, STRIDE, Config, Settings, Spec
from colorlib.tables import table

if TYPE_CHECKING:
    from colorlib.data import Packed, Photo
    from colorlib.files import Job, LeftOut
    from colorlib.networks import Colorizer
    from colorlib.pipeline import Pipeline
    from colorlib.priors import Prior

app = typer.Typer(
    help="Colorize grayscale photographs, and train the networks that do.",
    epilog="Downloads and packed photographs are kept in the folder that the environment variable "
    "COLORLIB_CACHE names, else in the user's cache; data sets are looked for in COLORLIB_DATA.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run the command line; an error that the user can mend is one sentence and status 1."""
    # Threads of torch that wait would else keep processors from others. It is read once, so it
    # must be there before torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    warnings.showwarning = _show_warning
    try:
        app()
    except ColorlibError as error:
        _note(str(error))
        sys.exit(1)


def _path(text: str) -> Path:
    """Of `--out=~/photos` the shell leaves the ~."""
    return Path(os.path.expanduser(text))


# Typer's own check of paths would end everything for one file that may not be read.
_PATH: dict[str, Any] = {"parser": _path, "metavar": "PATH"}

Device = Annotated[str, typer.Option(help="cpu, cuda, mps, or auto for the best one here.")]
SkipDamaged = Annotated[
    bool, typer.Option("--skip-damaged", help="Leave out photos that cannot be read.")
]


def _show_version(asked: bool) -> None:
    if asked:
        print(f"colorlib {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    pass


# colorize --------------------------------------------------------------------


@app.command()
def colorize(
    photos: Annotated[list[str], typer.Argument(help="Photographs, and folders of them.")],
    out: Annotated[
        str,
        typer.Option(
            metavar="PATH",
            help="A file for one photograph, or a folder, made if need be; with a / at its end "
            "always a folder.",
        ),
    ],
    weights: Annotated[
        str,
        typer.Option(
            help="The library's own by name (see 'colorlib weights'), a file, or a run folder."
        ),
    ] = zoo.DEFAULT,
    working_size: Annotated[
        int | None,
        typer.Option(help="Shorter side the network is given; by default as it was trained."),
    ] = None,
    strength: Annotated[
        float, typer.Option(help="Factor on the colours: 0 is gray, 1 as predicted.")
    ] = 1.0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files of an earlier call.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be written.")
    ] = False,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", help="Write what became of each photograph here.", **_PATH),
    ] = None,
    device: Device = "auto",
) -> None:
    """Colorize photographs; their lightness, size, transparency and EXIF are kept.

    Ends with status 0 if every photograph was written, and else with 1.
    """
    from colorlib import files
    from colorlib.pipeline import Pipeline, check_options

    check_options(STRIDE if working_size is None else working_size, strength)
    jobs, left_out = files.plan(photos, out, overwrite)
    _check_report(json_file, jobs, overwrite)
    ready = any(job.error is None for job in jobs) and not dry_run
    pipeline = Pipeline(weights, _device(device)) if ready else None

    def one(job: "Job") -> dict[str, Any]:
        if pipeline is None:
            return {}
        return _colorize_file(job, pipeline, working_size, strength, overwrite)

    report, interrupted = _colorize_each(jobs, one, dry_run)
    if json_file is not None:
        files.write_text(json_file, _as_json(report), overwrite)
    failed = sum(row["error"] is not None for row in report)
    if len(jobs) > 1:
        what = "would be written" if dry_run else "written"
        rest = len(jobs) - len(report) + failed
        missing = f", {rest} not" if rest else ""
        print(f"{out}: {len(report) - failed} of {len(jobs)} photos {what}{missing}")
    elif pipeline is not None and not failed and not interrupted:
        print(f"{jobs[0].out}: {report[0]['width']} x {report[0]['height']} pixels")
    _say_what_is_missing(report, left_out)
    if failed or interrupted:
        raise typer.Exit(130 if interrupted else 1)


def _check_report(json_file: Path | None, jobs: Sequence["Job"], overwrite: bool) -> None:
    """Refuse a report that would replace a file, above all a photograph."""
    if json_file is None:
        return
    if json_file.exists() and not overwrite:
        raise ColorlibError(f"{json_file} exists already and is not overwritten")
    taken = {path.resolve() for job in jobs for path in (job.photo, job.out) if path}
    if json_file.resolve() in taken:
        raise ColorlibError(f"{json_file} is one of the photographs: give --json another name")


def _colorize_each(
    jobs: Sequence["Job"], one: Callable[["Job"], dict[str, Any]], dry_run: bool
) -> tuple[list[dict[str, Any]], bool]:
    """What became of each photograph, and whether the user interrupted."""
    from tqdm import tqdm

    report = []
    bar = tqdm(jobs, unit="photo", leave=False, disable=None if len(jobs) > 1 else True)
    try:
        for job in bar:
            row: dict[str, Any] = {
                "photo": str(job.photo), "out": job.out and str(job.out), "error": job.error
            }
            if job.error is None:
                row |= one(job)
            if row["error"]:
                bar.write(f"colorlib: {row['error']}", file=sys.stderr)
            elif dry_run:
                bar.write(f"{job.photo} -> {job.out}", file=sys.stdout)
            report.append(row)
    except KeyboardInterrupt:
        bar.close()
        _note("interrupted; what is written is whole")
        return report, True
    return report, False


def _colorize_file(
    job: "Job", pipeline: "Pipeline", working_size: int | None, strength: float, overwrite: bool
) -> dict[str, Any]:
    """Colorize one photograph: what to report of it, or its error in a sentence."""
    from colorlib import files

    assert job.out, "a job without an error has a place to write to"
    start = time.perf_counter()
    try:
        colorized = pipeline(job.photo, working_size, strength)
        not_carried = files.save(colorized, job.out, overwrite)
    except ColorlibError as error:
        return {"error": str(error)}
    except Exception as error:  # such as too little memory: the others go on
        lines = str(error).strip().splitlines() or [type(error).__name__]
        return {"error": f"{job.photo} cannot be colorized: {lines[0]}"}
    return {
        "width": colorized.width,
        "height": colorized.height,
        "not_carried": not_carried,
        "seconds": round(time.perf_counter() - start, 3),
    }


def _say_what_is_missing(report: Sequence[dict], left_out: Sequence["LeftOut"]) -> None:
    """A line on files that are no photographs, and one on what formats cannot hold."""
    from colorlib import files

    if text := files.describe(left_out):
        _note(text)
    lost = Counter(name for row in report for name in row.get("not_carried", ()))
    if lost:
        what = ", ".join(
            f"{name} of {count} photo{'s' * (count > 1)}" for name, count in lost.most_common()
        )
        _note(f"not carried, since the format of the new file cannot hold it: {what}")


# weights ---------------------------------------------------------------------


@app.command()
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
            print(_as_json(about))


# train -----------------------------------------------------------------------


@app.command()
@options.from_fields("settings", Settings)
@options.from_fields("network", Config, only=("width",))
def train(
    *,
    out: Annotated[
        Path, typer.Option(help="The run folder; a stopped run goes on there.", **_PATH)
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
    from colorlib import training

    device = _device(device)
    given = zoo.load(init) if init else None
    changes = network | options.assignments(change)
    model, its_prior = _network(given, preset, changes, options.assignments(prior), settings.seed)
    # Validation photographs are whole, of the size that training crops have.
    validation_size = size if settings.scale is None else settings.crop or size
    parts = {
        "train": (data_sets.joined(data, "train"), size),
        "val": (data_sets.joined(data, "val"), validation_size),
    }
    photographs, validation = _packed(parts, its_prior, device, skip_damaged)
    if min_chroma > 0:
        photographs = photographs.colourful(min_chroma)
    about = {
        "preset": None if given and not preset else preset or "baseline",
        "init": given.about if given else {},
        "prior": asdict(its_prior.spec) if its_prior else None,
        "data": dict(Counter(map(_name_of, data))),
        "settings": asdict(settings),
        "device": training.device_name(device),
        "colorlib": __version__,
        "commit": _commit(),
    }
    training.fit(
        model, photographs, validation, settings, out, device, progress=True, about=about
    )
    if os.environ.get("RANK", "0") == "0":  # of the processes that torchrun starts, one speaks
        _report_training(out / zoo.BEST, photographs, validation)
        _say_what_folders_hold_besides(data)


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


def _packed(
    parts: dict[str, tuple[list["Photo"], int]],
    prior: "Prior | None",
    device: str,
    skip_damaged: bool,
) -> list["Packed"]:
    """Packed photographs of each part, with what a prior makes of them.

    Args:
        parts: name -> photographs, and their size.

    Raises:
        ColorlibError: some cannot be read; those of all parts are named.
    """
    from tqdm import tqdm

    from colorlib.data import UnreadablePhotos
    from colorlib.priors import packed

    found, errors = [], []
    for name, (photos, size) in parts.items():
        bar = partial(tqdm, desc=f"reading {name}", leave=False)
        try:
            found.append(packed(photos, size, prior, device, bar, skip_damaged))
        except UnreadablePhotos as error:
            errors.append(error)
    if errors:
        text = "; ".join(map(str, errors))
        raise ColorlibError(text if skip_damaged else f"{text} (--skip-damaged leaves them out)")
    if skipped := sum(len(part.skipped) for part in found):
        total = sum(len(photos) for photos, _ in parts.values())
        _note(f"{skipped} of {total} photos cannot be read and are left out")
    return found


def _name_of(data: str) -> str:
    """How weights call a data set or folder that they were trained on."""
    return os.path.basename(os.path.abspath(os.path.expanduser(data)))


def _say_what_folders_hold_besides(data: Sequence[str]) -> None:
    """A line for each folder with files that belong to no split or are no photographs."""
    from colorlib.data import left_out

    for name in dict.fromkeys(data):
        if text := left_out(name):
            _note(f"{name}: {text}")


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


# evaluate --------------------------------------------------------------------


@app.command()
def evaluate(
    weights: Annotated[str, typer.Argument(help="A run folder, a weights file, or a name.")],
    data: Annotated[str, typer.Option(help="A data set or folder of photos.")] = "samples",
    split: Annotated[
        str | None,
        typer.Option(
            help="train, val or test. By default test; of a folder that is not divided and was "
            "not trained on, all photographs."
        ),
    ] = None,
    size: Annotated[
        int | None, typer.Option(help="Side of the photographs; by default as trained.")
    ] = None,
    skip_damaged: SkipDamaged = False,
    json_file: Annotated[
        Path | None,
        typer.Option(
            "--json",
            help="Write every photograph's scores here, too; null is one that is no finite number.",
            **_PATH,
        ),
    ] = None,
    device: Device = "auto",
) -> None:
    """Judge a network by photographs: a table with gray and mean colour for comparison."""
    from colorlib import files, metrics, training

    if json_file is not None and json_file.exists():
        raise ColorlibError(f"{json_file} exists already and is not overwritten")
    given, device = zoo.load(weights), _device(device)
    size = size or given.size
    if size < 11:
        raise ColorlibError(f"photos of {size} pixels are too small to judge: 11 is the least")
    split, photos = _photos_to_judge(data, split, given.about.get("data") or {})
    (photographs,) = _packed({"photos": (photos, size)}, given.prior(), device, skip_damaged)
    predictions = _trivial_predictions(data, photos if split is None else [], size)
    name = given.name if given.name not in predictions else f"network {given.name}"
    predictions[name] = metrics.network(given.model, device)
    scores = {
        name: metrics.scores(predict, photographs) for name, predict in predictions.items()
    }
    here = training.device_name(device)
    which = f"{data}, {split}," if split else data
    print(f"{len(photographs)} photos of {which} at {size} x {size}, on {here}")
    _print_scores(scores)
    if json_file is not None:
        about = given.about | {"data": data, "split": split, "size": size, "device": here}
        found = {"weights": str(given.path), "about": about, "photos": photographs.names,
                 "scores": scores}
        files.write_text(json_file, _as_json(found))
    _say_what_folders_hold_besides([data])


def _photos_to_judge(
    data: str, split: str | None, trained_on: Collection[str]
) -> tuple[str | None, list["Photo"]]:
    """The photographs that are asked for, and their split; None for all of a folder."""
    from colorlib import data as data_sets

    if split is not None or data in data_sets.names():
        split = split or "test"
    elif _name_of(data) in trained_on:
        split = "test"
        _note(f"trained on a folder named {_name_of(data)}, so judged by its test photos alone")
    else:
        return None, data_sets.everything(data)
    return split, data_sets.photos(data, split)


def _trivial_predictions(data: str, not_from: Sequence["Photo"], size: int) -> dict[str, Callable]:
    """Gray, and the mean colour of the training photographs.

    Args:
        data: where those are.
        not_from: photographs that are none of them, of which no mean may be taken.
        size: of the photographs.
    """
    import torch

    from colorlib import data as data_sets
    from colorlib import metrics

    predictions = {"gray": metrics.constant(torch.zeros(2))}
    try:
        photos = data_sets.photos(data, "train")
    except ColorlibError:
        photos = []
    if photos and not {photo.sha256 for photo in photos} & {photo.sha256 for photo in not_from}:
        train = data_sets.pack(photos, size, skip_damaged=True)
        predictions["mean colour"] = metrics.constant(metrics.mean_colour(train))
    else:
        _note(f"{data} has no photos to train on besides, so no row for their mean colour")
    return predictions


def _print_scores(scores: dict[str, dict[str, list[float]]]) -> None:
    """A row for each prediction, with the means of its scores."""
    import torch

    width = max(16, *(len(name) + 1 for name in scores))
    print(" " * width + "".join(f"{name:>14}" for name in next(iter(scores.values()))))
    for name, found in scores.items():
        # A gray photograph has no chroma ratio.
        means = (f"{torch.tensor(values).double().nanmean():14.4g}" for values in found.values())
        print(f"{name:{width}}" + "".join(means))


# reproduce, download ----------------------------------------------------------


@app.command()
def reproduce(
    scale: Annotated[
        str,
        typer.Option(help=f"One of: {', '.join(table('experiments/matrix.toml')['scales'])}."),
    ] = "seconds",
    only: Annotated[
        str | None,
        typer.Option(help="Runs whose name contains this, such as coast/attention or fusion/0."),
    ] = None,
    results: Annotated[
        Path, typer.Option(help="Where finished runs leave their files.", **_PATH)
    ] = Path("results"),
    work: Annotated[Path, typer.Option(help="Where stopped runs wait to go on.", **_PATH)] = Path(
        "runs/reproduce"
    ),
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only list the runs, and which are done.")
    ] = False,
    device: Device = "auto",
) -> None:
    """Run the experiment matrix, as far as its results are not there yet.

    Delete a run's folder under results to have it run again. On a CPU there
    is one process a core, on GPUs one a GPU.
    """
    from tqdm import tqdm

    from colorlib import experiments

    runs = experiments.matrix(scale, only)
    if dry_run:
        for run in runs:
            print(f"{run}  {'done' if run.done(results) else 'to do'}")
        return
    if work.resolve() == results.resolve():
        raise ColorlibError("--work and --results must be two folders: work is removed when done")
    failed = 0
    with tqdm(total=len(runs), initial=sum(run.done(results) for run in runs), unit="run") as bar:

        def tell(run: experiments.Run, error: str | None) -> None:
            nonlocal failed
            failed += error is not None
            bar.update()
            bar.set_postfix_str(str(run))
            if error:
                bar.write(f"colorlib: {run}: {error}", file=sys.stderr)

        experiments.work_through(runs, results, work, _devices(device), _commit(), tell)
    print(f"{results}: {len(runs) - failed} of {len(runs)} runs of {scale} are there")
    if failed:
        raise typer.Exit(1)


@app.command()
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


# -----------------------------------------------------------------------------


def _note(text: str) -> None:
    print(f"colorlib: {text}", file=sys.stderr)


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """A warning of the library without the line of code that Python would show."""
    if Path(filename).is_relative_to(Path(__file__).parent):
        _note(str(message))
    else:
        text = warnings.formatwarning(message, category, filename, lineno, line)
        print(text, end="", file=file or sys.stderr)


def _as_json(value: Any) -> str:
    """JSON, which has neither infinity nor nan: null in their place."""

    def finite(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: finite(inside) for key, inside in value.items()}
        if isinstance(value, list | tuple):
            return [finite(inside) for inside in value]
        return None if isinstance(value, float) and not math.isfinite(value) else value

    return json.dumps(finite(value), indent=1, allow_nan=False)


def _device(name: str) -> str:
    """A device that is there.

    Raises:
        ColorlibError: it is not.
    """
    import torch

    from colorlib.devices import auto_device

    device = auto_device() if name == "auto" else name
    if device == "cuda":  # one each for the processes that torchrun starts
        device = f"cuda:{os.environ.get('LOCAL_RANK', 0)}"
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ColorlibError(f"there is no device {device!r} here") from error
    return device


def _devices(name: str) -> list[str]:
    """One for each run that is done at a time: all GPUs, or a CPU's cores."""
    import torch

    device = _device(name)
    if device == "cpu":
        return ["cpu"] * (os.cpu_count() or 1)
    if name in ("auto", "cuda") and device.startswith("cuda"):
        return [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    return [device]


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
