"""Sheets of a few validation photographs, on which a person sees colours come."""

from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from colorlib import files, lab
from colorlib.base.errors import ColorlibError
from colorlib.data import Packed
from colorlib.networks import Colorizer

PREVIEWS = "previews"
"""Of a run folder: ``epoch-0010.jpg`` and so on (`Settings.preview`)."""

MOST = 8  # photographs
_COMMENT = "preview of a training by colorlib"  # in every sheet: what has it may be replaced


@torch.no_grad()
def write_preview(
    run: Path,
    epoch: int,
    model: Colorizer,
    photographs: Packed,
    device: str | torch.device = "cpu",
    bf16: bool = False,
) -> None:
    """Write a sheet, whole or not at all: gray, as predicted after an epoch, and in colour.

    It has a column for each of up to eight photographs, at equal distances and the same in
    every sheet. No random number is drawn.

    Args:
        run: the run folder.
        epoch: from 1.
        model: the network, on `device`; it is left in evaluation mode.
        photographs: the validation photographs.
        device: where it is computed.
        bf16: compute convolutions in bfloat16.

    Raises:
        ColorlibError: it cannot be written, for example since the disk is full; a file has its
            name and is no such sheet.
    """
    count = min(MOST, len(photographs))
    which = torch.linspace(0, len(photographs) - 1, count).round().long().to(device)
    L, ab = lab.normalize(photographs.lab(which, device))
    with torch.autocast(torch.device(device).type, torch.bfloat16, bf16):
        predicted = model.eval()(photographs.given(L, which)).float()
    rows = torch.stack([lab.denormalize(L, row) for row in (0 * ab, predicted, ab)])
    rgb = lab.lab_to_rgb(rows.flatten(0, 1)).unflatten(0, (3, count))  # (3, B, 3, S, S)
    pixels = rgb.permute(0, 3, 1, 4, 2).flatten(2, 3).flatten(0, 1)  # (3 S, B S, 3)
    sheet = Image.fromarray((pixels * 255).round().cpu().numpy().astype(np.uint8))
    sheet.info["comment"] = _COMMENT
    path = run / PREVIEWS / f"epoch-{epoch:04}.jpg"
    if path.exists() and not _is_ours(path):
        raise ColorlibError(
            f"{path} is no preview of ours and is not overwritten: give another folder"
        )
    files.save(sheet, path, overwrite=True)


def _is_ours(sheet: Path) -> bool:
    with suppress(OSError), Image.open(sheet) as image:
        return image.info.get("comment") == _COMMENT.encode()
    return False
