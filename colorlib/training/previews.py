"""Sheets of a few validation photographs, on which a person sees colours come."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from colorlib import files, lab
from colorlib.base.errors import ColorlibError
from colorlib.base.options import Options, number
from colorlib.networks import Colorizer
from colorlib.training.augment import Photographs

PREVIEWS = "previews"
"""Of a run folder."""

MOST = 8  # photographs
_COMMENT = "preview of a training by colorlib"  # in every sheet: what has it may be replaced


@dataclass(frozen=True)
class Previews(Options):
    """After which epochs a sheet ``previews/epoch-0010.jpg`` is written into a run folder.

    It has a column for each of up to eight validation photographs, at equal distances and the
    same in every sheet, and three rows: gray, as predicted after that epoch, and in colour.

    Attributes:
        every: how many epochs from one sheet to the next. The last epoch has one, too.

    Raises:
        ColorlibError: fewer than one.
    """

    every: int = number(1, least=1)

    def due(self, epoch: int, last: int) -> bool:
        """Whether an epoch has a sheet.

        Args:
            epoch: from 1.
            last: the last one of the training.
        """
        return epoch == last or epoch % self.every == 0

    def check(self, run: Path, epochs: range) -> None:
        """Make the folder, if there are epochs to come, before the training takes its time.

        Args:
            run: the run folder.
            epochs: those to come, from 1.

        Raises:
            ColorlibError: the folder cannot be made, or a file has the name of a sheet and is none.
        """
        if not epochs:
            return
        try:
            (run / PREVIEWS).mkdir(exist_ok=True)
        except OSError as error:
            says = error.strerror or error
            raise ColorlibError(f"there can be no folder {run / PREVIEWS}: {says}") from error
        for epoch in epochs:
            sheet = _sheet(run, epoch)
            if self.due(epoch, epochs[-1]) and sheet.exists() and not _is_ours(sheet):
                raise ColorlibError(
                    f"{sheet} is no preview of ours and is not overwritten: give another folder"
                )

    @torch.no_grad()
    def write(
        self,
        run: Path,
        epoch: int,
        model: Colorizer,
        photographs: Photographs,
        device: str | torch.device = "cpu",
        bf16: bool = False,
    ) -> None:
        """Write the sheet of an epoch, whole or not at all. No random number is drawn.

        Args:
            run: the run folder.
            epoch: from 1.
            model: the network, on `device`; it is left in evaluation mode.
            photographs: the validation photographs.
            device: where it is computed.
            bf16: compute convolutions in bfloat16.

        Raises:
            ColorlibError: it cannot be written, for example since the disk is full.
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
        files.save(sheet, _sheet(run, epoch), overwrite=True)


def _sheet(run: Path, epoch: int) -> Path:
    return run / PREVIEWS / f"epoch-{epoch:04}.jpg"


def _is_ours(sheet: Path) -> bool:
    with suppress(OSError), Image.open(sheet) as image:
        return image.info.get("comment") == _COMMENT.encode()
    return False
