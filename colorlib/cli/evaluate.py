"""``colorlib evaluate``: the metrics of a network beside those of trivial baselines."""

from pathlib import Path
from typing import Annotated

import typer

from colorlib.base.errors import ColorlibError
from colorlib.cli.common import PATH, Device, SkipDamaged, as_json, counted
from colorlib.cli.photographs import packed, say_what_is_left_out
from colorlib.tool import zoo


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
    from colorlib import files
    from colorlib.base import devices
    from colorlib.metrics import judging

    if json_file is not None and json_file.exists():
        raise ColorlibError(f"{json_file} exists already and is not overwritten")
    given, device = zoo.load(weights), devices.find(device)
    size = given.size if size is None else size
    if size < judging.LEAST:
        raise ColorlibError(
            f"photos of {size} pixels are too small to judge: {judging.LEAST} is the least"
        )
    photos, split = judging.unseen(data, split, given.about)
    say_what_is_left_out([data])
    (photographs,) = packed({"photos": (photos, size)}, given.prior(), device, skip_damaged)
    train = judging.to_compare_with(data, photos if split is None else [])
    scores = judging.compared(given.name, given.model, photographs, train, device)
    here = devices.device_name(device)
    which = f"{data}, {split}," if split else data
    print(f"{counted(len(photographs), 'photo')} of {which} at {size} x {size}, on {here}")
    _print_scores(scores)
    if json_file is not None:
        about = given.about | {"data": data, "split": split, "size": size, "device": here}
        found = {"name": given.name, "weights": str(given.path), "about": about,
                 "photos": photographs.names, "scores": scores}
        files.write_text(json_file, as_json(found))


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
    judged = [found["classifier_agreement"] for found in scores.values()]
    rows["classifier_gap_closed"] = [
        metrics.gap_closed(found, scores["gray"]["classifier_agreement"]) for found in judged
    ]
    widths = [max(12, len(name) + 2) for name in scores]
    print(" " * 22 + "".join(f"{name:>{n}}" for name, n in zip(scores, widths, strict=True)))
    for row, values in rows.items():
        means = (f"{value:{n}.4g}" for value, n in zip(values, widths, strict=True))
        print(f"{row:22}" + "".join(means))
