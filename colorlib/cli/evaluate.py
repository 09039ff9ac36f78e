"""``colorlib evaluate``: the metrics of a network beside those of trivial baselines."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from colorlib.base.errors import ColorlibError
from colorlib.cli.common import PATH, Device, SkipDamaged, as_json, counted, note
from colorlib.cli.photographs import TrainedOn, packed, say_what_is_left_out
from colorlib.tool import zoo

if TYPE_CHECKING:
    from colorlib.data import Photo


def evaluate(
    weights: Annotated[str, typer.Argument(help="A run folder, a weights file, or a name.")],
    data: Annotated[str, typer.Option(help="A data set or folder of photos.")] = "samples",
    split: Annotated[
        str | None,
        typer.Option(
            metavar="train | val | test",
            help="By default test, or all of a folder that is not divided, without the photographs "
            "that the network was trained on.",
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
            **PATH,
        ),
    ] = None,
    device: Device = "auto",
) -> None:
    """Judge a network by photographs: a table with gray and mean colour for comparison.

    The network alone, on square photographs: what 'colorize' does besides, the mean with the
    mirror image and upsampling, is in the scores of 'colorlib weights'.
    """
    from colorlib import files, metrics
    from colorlib.base import devices

    if json_file is not None and json_file.exists():
        raise ColorlibError(f"{json_file} exists already and is not overwritten")
    given, device = zoo.load(weights), devices.find(device)
    size = given.size if size is None else size
    if size < 11:
        raise ColorlibError(f"photos of {size} pixels are too small to judge: 11 is the least")
    photos, split = _photos_to_judge(data, split, given.about)
    say_what_is_left_out([data])
    (photographs,) = packed({"photos": (photos, size)}, given.prior(), device, skip_damaged)
    predictions = _trivial_predictions(data, photos if split is None else [], size)
    name = given.name if given.name not in predictions else f"network {given.name}"
    predictions[name] = metrics.network(given.model, device)
    scores = {
        name: metrics.scores(predict, photographs, device=device)
        for name, predict in predictions.items()
    }
    here = devices.device_name(device)
    which = f"{data}, {split}," if split else data
    print(f"{counted(len(photographs), 'photo')} of {which} at {size} x {size}, on {here}")
    _print_scores(scores)
    if json_file is not None:
        about = given.about | {"data": data, "split": split, "size": size, "device": here}
        found = {"name": given.name, "weights": str(given.path), "about": about,
                 "photos": photographs.names, "scores": scores}
        files.write_text(json_file, as_json(found))


def _photos_to_judge(
    data: str, asked: str | None, about: dict[str, Any]
) -> tuple[list["Photo"], str | None]:
    """The photographs of the split that is asked for; else those not trained on, and their split.

    Args:
        about: what the weights say of themselves.

    Returns:
        The photographs, and the split; None for all of a folder.
    """
    from colorlib import data as data_sets

    trained_on = TrainedOn(about)
    if asked is not None:
        photos = data_sets.photos(data, asked)
        if known := sum(photo in trained_on for photo in photos):
            note(f"{known} of {counted(len(photos), 'photo')} were used in training")
        return photos, asked
    photos, split = data_sets.everything(data)
    if split is None and not trained_on.complete and any(photo in trained_on for photo in photos):
        note(f"trained on photos of {data}, so judged by its test photos alone")
        photos, split = data_sets.photos(data, "test"), "test"
    _refuse_if_many_are_unknown(photos, trained_on, data)
    unseen = [photo for photo in photos if photo not in trained_on]
    if not unseen:
        raise ColorlibError(
            f"all photos of {data} were used in training: with --split they are judged nevertheless"
        )
    if known := len(photos) - len(unseen):
        of = counted(len(photos), "photo")
        note(f"{known} of {of} were used in training and are left out")
    return unseen, split


def _refuse_if_many_are_unknown(
    photos: Sequence["Photo"], trained_on: TrainedOn, data: str
) -> None:
    """Of weights that were trained on many photographs, only some are known.

    Raises:
        ColorlibError: of the photographs of which it is known, some were trained on, so others
            were, too.
    """
    if trained_on.complete:
        return
    decided = [photo for photo in photos if trained_on.knows(photo)]
    known = sum(photo in trained_on for photo in decided)
    if known:
        raise ColorlibError(
            f"{known} of {counted(len(decided), 'photo')} of {data} of which it is known were used "
            "in training, so others were, too: with --split they are judged nevertheless"
        )
    if not decided:
        note(
            "the weights list only some of the many photos that they were trained on: whether "
            f"those of {data} are among them is not known"
        )


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
        note(f"{data} has no photos to train on besides, so no column for their mean colour")
    return predictions


def _print_scores(scores: dict[str, dict[str, list[float]]]) -> None:
    """A column for each prediction, with the means of its scores.

    The last row is `metrics.gap_closed`.
    """
    import torch

    from colorlib import metrics

    rows = {  # A gray photograph has no chroma ratio.
        metric: [
            torch.tensor(found[metric]).double().nanmean().item() for found in scores.values()
        ]
        for metric in metrics.METRICS
    }
    judged = {name: found["classifier_agreement"] for name, found in scores.items()}
    rows["classifier_gap_closed"] = [
        metrics.gap_closed(found, judged["gray"]) for found in judged.values()
    ]
    widths = [max(12, len(name) + 2) for name in scores]
    print(" " * 22 + "".join(f"{name:>{n}}" for name, n in zip(scores, widths, strict=True)))
    for row, values in rows.items():
        means = (f"{value:{n}.4g}" for value, n in zip(values, widths, strict=True))
        print(f"{row:22}" + "".join(means))
