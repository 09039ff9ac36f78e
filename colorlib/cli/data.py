"""``colorlib data``: which data sets there are, and what one of them holds."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from colorlib.base.errors import ColorlibError
from colorlib.cli.common import PATH, SkipDamaged, can_go_on, note
from colorlib.cli.photographs import packed

if TYPE_CHECKING:
    from PIL import Image

    from colorlib.data import Photo
    from colorlib.data.catalogue import DataSet

_ON_A_SHEET = 48


def data(
    name: Annotated[
        str | None, typer.Argument(help="A data set, a folder, or a list of photos.")
    ] = None,
    sheet: Annotated[
        Path | None, typer.Option(help="Write a contact sheet of 48 photos to this image.", **PATH)
    ] = None,
    size: Annotated[int, typer.Option(help="Side at which photos are measured.")] = 64,
    skip_damaged: SkipDamaged = False,
) -> None:
    """List the data sets; or say what one holds: counts, colours, near-duplicates."""
    from colorlib import data as data_sets
    from colorlib import files
    from colorlib.data import breadth
    from colorlib.data.catalogue import find

    if name is None:
        if sheet:
            raise ColorlibError("--sheet needs the name of a data set")
        _print_catalogue(list(data_sets.data_sets().values()))
        return
    if sheet is not None and sheet.exists():
        raise ColorlibError(f"{sheet} exists already and is not overwritten")
    known = find(name)
    if known is not None:
        _print_entry(known)
    print(f"division     {data_sets.division(name)}")
    if text := data_sets.left_out(name):
        note(text)
    with can_go_on():
        parts = {split: (part, size) for split, part in _photographs(name).items()}
        packs = packed(parts, None, "cpu", skip_damaged)
    _print_splits(breadth.summary(dict(zip(parts, packs, strict=True))))
    if sheet is not None:
        files.save(_contact_sheet([photo for pack in packs for photo in pack.photos]), sheet)


def _print_catalogue(entries: list["DataSet"]) -> None:
    """A row for each data set: what is here, and what a download costs."""
    print(f"{'':20}{'train':>7}{'val':>6}{'test':>6}  here")
    for entry in entries:
        counts = entry.photographs()
        numbers = "".join(f"{counts.get(split, ''):>{width}}"
                          for split, width in (("train", 7), ("val", 6), ("test", 6)))
        here = "yes" if entry.root() else entry.cost() or "no"
        print(f"{entry.name:20}{numbers}  {here:14}  {entry.about}")
    print("\nAlso a folder of photos; a text file that lists some. "
          "'colorlib data NAME' says more, and how to get it.")


def _print_entry(entry: "DataSet") -> None:
    root = entry.root()
    rows = {
        "about": entry.about, "pixels": entry.pixels, "source": entry.source,
        "cite": entry.citation, "licence": entry.licence,
        "here": str(root) if root else f"no: {entry.how_to_get()}",
    }
    for name, text in rows.items():
        if text:
            print(f"{name:12} {text}")


def _photographs(name: str) -> dict[str, list["Photo"]]:
    """The splits that there are.

    Raises:
        ColorlibError: there are none.
    """
    from colorlib.data import SPLITS, photos

    found, errors = {}, []
    for split in SPLITS:
        try:
            found[split] = photos(name, split)
        except ColorlibError as error:
            errors.append(error)
    if not found:
        raise errors[0]
    for problem in errors:
        note(str(problem))
    return found


def _print_splits(splits: dict[str, dict[str, Any]]) -> None:
    titles = ("photos", "chroma", "near-gray", "mean a", "mean b", "spread", "duplicates")
    print(" " * 12 + "".join(f"{title:>11}" for title in titles))
    for split, found in splits.items():
        a, b = found["mean_colour"]
        duplicates = found.get("near_duplicates", "")
        gray = f"{100 * found['near_gray'] / found['photographs']:.1f} %"
        print(f"{split:12}{found['photographs']:11}{found['chroma']:11.1f}{gray:>11}"
              f"{a:11.1f}{b:11.1f}{found['colour_spread']:11.1f}{duplicates:>11}")
    print("(chroma, a, b in Lab units; spread of the photos' mean colours; duplicates: photos with "
          "a near-duplicate in train)")


def _contact_sheet(photos: list["Photo"]) -> "Image.Image":
    """Photographs from the beginning to the end of all."""
    import numpy as np
    import torch
    from PIL import Image
    from torchvision.utils import make_grid

    from colorlib import files

    which = np.linspace(0, len(photos) - 1, min(_ON_A_SHEET, len(photos))).round().astype(int)
    pixels, _ = files.squares(128, [photos[i].path for i in which])
    grid = make_grid(torch.from_numpy(pixels).movedim(-1, 1), nrow=8, pad_value=255)
    return Image.fromarray(grid.movedim(0, -1).numpy())
