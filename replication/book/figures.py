"""Every figure and table of the book: each function takes data and returns one.

Figures are made without pyplot, so that a notebook shows them once, as the
value of their cell, and nowhere else.
"""

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
import torch
from IPython.display import Markdown, display
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import LogLocator, NullLocator
from PIL import Image
from torch import Tensor

from colorlib import lab

WIDTH = 7.5  # inches; the width of a page's text
HEIGHT = 15  # inches; of a tall grid of photographs: about two screens
CSS_PIXELS = 100  # of an inch on a page, so that WIDTH is 750 of them
DENSITY = 48  # pixels of a photograph to an inch, at least: less looks blurred

STYLE: dict[Any, Any] = {
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.labelsize": 11,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
    "legend.fontsize": 10,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "font.size": 11,
}


class Picture(Figure):
    """A matplotlib figure that weighs little where a notebook shows it.

    Photographs become JPEG, everything else PNG with a palette of 64 colours.
    (MyST-NB and nbval know nothing of WebP.)

    Args:
        photographs: whether it shows photographs, or other gradual colours.
        options: what `Figure` takes.
    """

    def __init__(self, photographs: bool = False, **options: Any) -> None:
        super().__init__(dpi=CSS_PIXELS, **options)
        self.photographs = photographs

    @property
    def pixels_per_inch(self) -> int:
        """Photographs: 1.2 to a pixel of the page. Lines and letters: 2."""
        return 120 if self.photographs else 2 * CSS_PIXELS

    def image(self) -> Image.Image:
        """The figure as an RGB image, cut to what is drawn."""
        file = io.BytesIO()
        with matplotlib.rc_context(STYLE):  # labels of axes are made here
            self.savefig(
                file, format="png", dpi=self.pixels_per_inch,
                bbox_inches="tight", pad_inches=0.02,
            )
        return Image.open(file).convert("RGB")

    def encoded(self) -> tuple[str, bytes, int]:
        """Its media type, its bytes, and how many pixels of a page wide it is shown."""
        image = self.image()
        width = round(image.width * CSS_PIXELS / self.pixels_per_inch)
        if self.photographs:
            return "image/jpeg", jpeg(image), width
        file = io.BytesIO()
        image.quantize(64, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
        return "image/png", file.getvalue(), width

    def _ipython_display_(self) -> None:
        # Not _repr_jpeg_: a notebook would add the PNG that it makes of every Figure.
        kind, data, width = self.encoded()
        display(
            {kind: base64.b64encode(data).decode(), "text/plain": repr(self)},
            metadata={kind: {"width": width}},
            raw=True,
        )


def jpeg(image: Image.Image) -> bytes:
    """An RGB image as a JPEG file, its colours at the resolution of its lightness."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=82, subsampling=0, optimize=True, progressive=True)
    return file.getvalue()


def gray(photos: Tensor) -> Tensor:
    """Lab photographs (B, 3, H, W) without their colour: a = b = 0."""
    return torch.cat((photos[:, :1], torch.zeros_like(photos[:, 1:])), dim=1)


def recolour(photos: Tensor, ab: Tensor) -> Tensor:
    """Lab photographs (B, 3, H, W) with other colours: ab (B, 2, H, W) in [-1, 1]."""
    return lab.denormalize(lab.normalize(photos)[0], ab)


def images(photos: Tensor) -> list[Image.Image]:
    """Lab photographs (B, 3, H, W) as PIL images, 8 bits a channel."""
    return [Image.fromarray((rgb * 255).round().astype(np.uint8)) for rgb in _rgb(photos)]


def batch(pictures: Sequence[Image.Image]) -> Tensor:
    """RGB images of one size as Lab photographs (B, 3, H, W): the inverse of `images`."""
    rgb = torch.from_numpy(np.stack([np.asarray(picture) for picture in pictures]))
    return lab.rgb_to_lab(rgb.permute(0, 3, 1, 2).float() / 255)


def grid(columns: Mapping[str, Tensor], rows: Sequence[str] = ()) -> Picture:
    """Photographs side by side: one column a title, one row a photograph.

    Args:
        columns: title -> Lab photographs (B, 3, H, W), all with the same B.
        rows: a name for each photograph, written at its left.
    """
    count = len(next(iter(columns.values())))
    title, margin = 0.28, 0.25 if rows else 0.02  # inches
    pixels = next(iter(columns.values())).shape[-1]
    side = min(
        2.2, (WIDTH - margin) / len(columns), HEIGHT / count, max(1.2, pixels / DENSITY)
    )
    width, height = margin + side * len(columns), title + side * count
    with matplotlib.rc_context(STYLE):
        figure = Picture(photographs=True, figsize=(width, height))
        axes = figure.subplots(count, len(columns), squeeze=False)
        figure.subplots_adjust(
            left=margin / width, right=1, bottom=0, top=1 - title / height,
            wspace=0.02, hspace=0.02,
        )
        for column, (name, photos) in enumerate(columns.items()):
            for row, rgb in enumerate(_rgb(photos)):
                _picture(axes[row, column], rgb)
            axes[0, column].set_title(name, pad=3)
        for axis, name in zip(axes[:, 0], rows, strict=False):
            axis.set_ylabel(name, fontsize=8, labelpad=2)
    return figure


def sheet(photos: Tensor, names: Sequence[str] = (), columns: int = 8) -> Picture:
    """A contact sheet of Lab photographs (B, 3, H, W), each with its name below.

    A name may have several lines; they are set larger where there is room.
    """
    rows = -(-len(photos) // columns)
    side = WIDTH / columns
    size = 7 if columns > 6 else 9  # of letters, in points
    below = 0.023 * size * max((name.count("\n") + 1 for name in names), default=0)
    with matplotlib.rc_context(STYLE):
        figure = Picture(
            photographs=True,
            figsize=(WIDTH, rows * (side + (below or 0.02))),
            layout=ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.01, wspace=0, hspace=0),
        )
        axes = figure.subplots(rows, columns, squeeze=False)
        for axis in axes.flat[len(photos) :]:
            axis.axis("off")
        for axis, rgb in zip(axes.flat, _rgb(photos), strict=False):
            _picture(axis, rgb)
        for axis, name in zip(axes.flat, names, strict=False):
            axis.set_xlabel(name, fontsize=size, labelpad=1)
    return figure


def channels(photo: Tensor) -> Picture:
    """One Lab photograph (3, H, W) as R, G, B and as L, a, b."""
    rgb = lab.lab_to_rgb(photo)
    zero = torch.full_like(photo[0], 60)
    with matplotlib.rc_context(STYLE):
        figure = Picture(
            photographs=True, figsize=(WIDTH, WIDTH / 2 + 0.4), layout="constrained"
        )
        axes = figure.subplots(2, 4)
        for axis, title, image in (
            (axes[0, 0], "photograph", rgb.permute(1, 2, 0)),
            (axes[1, 0], "L", photo[0] / 100),
            *zip(axes[0, 1:], ("R", "G", "B"), rgb, strict=True),
        ):
            _picture(axis, image.numpy())
            axis.set_title(title)
        for axis, title, only in (
            (axes[1, 1], "a: green to red", (photo[1], torch.zeros_like(zero))),
            (axes[1, 2], "b: blue to yellow", (torch.zeros_like(zero), photo[2])),
            (axes[1, 3], "a and b", (photo[1], photo[2])),
        ):
            _picture(axis, _rgb(torch.stack((zero, *only))[None])[0])
            axis.set_title(title)
    return figure


def lab_plane(lightnesses: Sequence[float]) -> Picture:
    """All colours of sRGB at a few lightnesses, over the plane of a and b."""
    axis_ab = torch.arange(-128.0, 129.0, 2)
    b, a = torch.meshgrid(axis_ab, axis_ab, indexing="ij")
    side = min(3.6, WIDTH / len(lightnesses))
    with matplotlib.rc_context(STYLE):
        figure = Picture(
            photographs=True,
            figsize=(side * len(lightnesses), side + 0.3),
            layout="constrained",
        )
        axes = figure.subplots(1, len(lightnesses), sharey=True, squeeze=False)
        for axis, L in zip(axes[0], lightnesses, strict=True):
            plane = torch.stack((torch.full_like(a, L), a, b))
            rgb = lab.lab_to_rgb(plane)
            inside = (lab.rgb_to_lab(rgb) - plane).square().sum(dim=0) < 0.25
            shown = torch.cat((rgb, inside[None])).permute(1, 2, 0)  # outside: transparent
            axis.imshow(shown.numpy(), origin="lower", extent=(-128, 128, -128, 128))
            axis.axhline(0, color="0.6", linewidth=0.6)
            axis.axvline(0, color="0.6", linewidth=0.6)
            axis.set(title=f"L = {L:g}", xlabel="a", xticks=(-100, 0, 100))
        axes[0, 0].set(ylabel="b", yticks=(-100, 0, 100))
    return figure


def lines(
    curves: Mapping[str, Sequence[float]],
    x: Sequence[float],
    xlabel: str,
    ylabel: str,
    log: bool = False,
) -> Picture:
    """Curves over a shared x, with a legend."""
    with matplotlib.rc_context(STYLE):
        figure = Picture(figsize=(WIDTH, 3), layout="constrained")
        axis = figure.subplots()
        for name, y in curves.items():
            axis.plot(x, y, label=name)
        axis.set(xlabel=xlabel, ylabel=ylabel, yscale="log" if log else "linear")
        axis.legend()
    return figure


def bars(values: Mapping[str, float], xlabel: str) -> Picture:
    """One horizontal bar a name, in the order given."""
    with matplotlib.rc_context(STYLE):
        figure = Picture(figsize=(WIDTH, 0.22 * len(values) + 0.7), layout="constrained")
        axis = figure.subplots()
        names = list(values)[::-1]
        axis.barh(names, [values[name] for name in names], color="tab:gray")
        axis.tick_params(axis="y", labelsize=8)
        axis.margins(y=0.01)
        axis.set(xlabel=xlabel)
    return figure


def mean_colours(sets: Mapping[str, Sequence[tuple[float, float]]]) -> Picture:
    """Photographs as points in the ab plane, each in its own mean colour; a panel a data set.

    Args:
        sets: title -> a and b of each photograph, in Lab units.
    """
    columns = min(len(sets), 2)
    rows = -(-len(sets) // columns)
    with matplotlib.rc_context(STYLE):
        figure = Picture(figsize=(2.7 * columns, 3.1 * rows), layout="constrained")
        panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        for axis, (title, points) in zip(panels.flat, sets.items(), strict=True):
            ab = torch.tensor(points)
            colours = torch.cat((torch.full_like(ab[:, :1], 65), ab), 1)  # L, a, b
            rgb = lab.lab_to_rgb(colours[..., None, None])
            axis.axhline(0, color="lightgray", linewidth=0.8, zorder=0)
            axis.axvline(0, color="lightgray", linewidth=0.8, zorder=0)
            axis.scatter(*ab.T.numpy(), s=14, c=rgb[:, :, 0, 0].numpy(), linewidths=0)
            axis.set(title=title, aspect="equal", xlim=(-45, 50), ylim=(-60, 60))
        for axis in panels[-1]:
            axis.set_xlabel("mean a (green to red)")
        for axis in panels[:, 0]:
            axis.set_ylabel("mean b (blue to yellow)")
    return figure


def table(
    head: Sequence[str], rows: Iterable[Sequence[object]], caption: str, name: str, words: int = 1
) -> Markdown:
    """A table that a built page numbers.

    Args:
        head: a title a column.
        rows: their cells.
        caption, name: what it shows, and the label to refer to it by.
        words: how many columns from the left hold words; the others are set to the right.
    """
    rule = ["---" if column < words else "---:" for column in range(len(head))]
    lines = (head, rule, *rows)
    return Markdown("\n".join((
        f":::{{table}} {caption}", f":name: {name}", "",
        *(f"| {' | '.join(map(str, line))} |" for line in lines), ":::",
    )))


def verdict(word: str) -> str:
    """One of `claims.VERDICTS` in its colour, for a table."""
    return f'<span class="verdict {word.split()[0]}">{word}</span>'


def loss_curves(
    history: Sequence[Mapping[str, float]], baselines: Mapping[str, float]
) -> Picture:
    """Training and validation loss side by side, on one scale, with the trivial baselines.

    Args:
        history: what `training.fit` returned.
        baselines: name -> validation loss, drawn as dashed lines.
    """
    with matplotlib.rc_context(STYLE):
        figure, axes = _loss_panels({"_network": [history]}, baselines, height=3.2)
        axes[1].legend(loc="upper right")
    return figure


def compare_losses(
    histories: Mapping[str, Sequence[Mapping[str, float]]], baselines: Mapping[str, float]
) -> Picture:
    """Training and validation loss of several networks, side by side, on one scale.

    Args:
        histories: name -> what `training.fit` returned.
        baselines: name -> validation loss, drawn as dashed lines.
    """
    return compare_seeds({name: [history] for name, history in histories.items()}, baselines)


def compare_seeds(
    histories: Mapping[str, Sequence[Sequence[Mapping[str, float]]]],
    baselines: Mapping[str, float],
) -> Picture:
    """The same for several seeds: a line for their mean, a band from lowest to highest.

    Args:
        histories: name -> for each seed what `training.fit` returned, of one length.
        baselines: name -> validation loss, drawn as dashed lines.
    """
    with matplotlib.rc_context(STYLE):
        figure, axes = _loss_panels(histories, baselines, height=3.6)
        handles, labels = axes[1].get_legend_handles_labels()
        ncols = len(labels) if len(labels) < 6 else -(-len(labels) // 2)
        figure.legend(handles, labels, loc="outside lower center", ncols=ncols)
    return figure


def _loss_panels(
    histories: Mapping[str, Sequence[Sequence[Mapping[str, float]]]],
    baselines: Mapping[str, float],
    height: float,
) -> tuple[Picture, np.ndarray]:
    """Training losses on the left, validation losses and baselines on the right, no legend."""
    figure = Picture(figsize=(WIDTH, height), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for axis, column, title in (
        (axes[0], "train_loss", "training photographs"),
        (axes[1], "val_loss", "validation photographs"),
    ):
        for name, seeds in histories.items():
            epochs = [row["epoch"] for row in seeds[0]]
            losses = np.array([[row[column] for row in history] for history in seeds])
            (line,) = axis.plot(epochs, losses.mean(axis=0), label=name)
            if len(seeds) > 1:
                axis.fill_between(
                    epochs, losses.min(axis=0), losses.max(axis=0),
                    color=line.get_color(), alpha=0.2, linewidth=0,
                )
        axis.set(title=title, xlabel="epoch", yscale="log")
        axis.locator_params(axis="x", integer=True)
    axes[0].set_ylabel("mean squared error of ab / 128")
    for (name, loss), style in zip(baselines.items(), ("--", ":", "-."), strict=False):
        axes[1].axhline(loss, color="0.35", linestyle=style, linewidth=1.2, label=name)
    axes[0].yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
    axes[0].yaxis.set_major_formatter("{x:.3g}")
    axes[0].yaxis.set_minor_locator(NullLocator())
    return figure, axes


def intervals(
    panels: Mapping[str, Mapping[str, tuple[float, float, float]]],
    xlabel: str,
    mark: float | None = 0,
) -> Picture:
    """Values with their intervals, one row a name, one panel a title, on shared axes.

    Args:
        panels: title -> name -> (value, lower end, upper end); the same names in all.
        mark: where a vertical line is drawn; an interval below it is blue, one above red.
    """
    names = list(next(iter(panels.values())))
    rows = np.arange(len(names))[::-1]
    with matplotlib.rc_context(STYLE):
        figure = Picture(figsize=(WIDTH, 0.28 * len(names) + 1.0), layout="constrained")
        axes = figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)
        for axis, (title, values) in zip(axes[0], panels.items(), strict=True):
            value, low, high = np.array([values[name] for name in names]).T
            colours = np.full(len(rows), "0.5", dtype=object)
            if mark is not None:
                colours[high < mark], colours[low > mark] = "tab:blue", "tab:red"
                axis.axvline(mark, color="0.35", linestyle="--", linewidth=1)
            axis.hlines(rows, low, high, colors=colours, linewidth=2)
            axis.scatter(value, rows, c=colours, s=22, zorder=3)
            axis.set(title=title, yticks=rows, ylim=(-0.6, len(names) - 0.4))
        axes[0, 0].set_yticklabels(names)
        figure.supxlabel(xlabel, fontsize=STYLE["axes.labelsize"])
    return figure


def attention(
    photos: Tensor, alpha: Tensor, queries: Sequence[Mapping[str, tuple[int, int]]]
) -> Picture:
    """What positions of photographs attend to, drawn over the gray photographs.

    One row a photograph: first itself with its positions marked, then one
    picture a position. The colour scale is shared, and 1 is the uniform
    weight: what each position would have if all had the same.

    Args:
        photos: Lab photographs (B, 3, H, W).
        alpha: (B, h, w, h, w), the weights of `networks.Attention` from each
            position of an h x w map to each.
        queries: for each photograph, title -> (row, column) on the map.
    """
    h, w = alpha.shape[1:3]
    extent = (-0.5, w - 0.5, h - 0.5, -0.5)  # pictures in units of the map's positions
    heat = [
        [alpha[i, row, column] * h * w for row, column in some.values()]
        for i, some in enumerate(queries)
    ]
    top = max(values.max().item() for some in heat for values in some)
    columns = 1 + max(map(len, queries))
    with matplotlib.rc_context(STYLE):
        figure = Picture(
            photographs=True,
            figsize=(WIDTH, (WIDTH - 0.8) / columns * len(photos) * h / w + 0.3 * len(photos)),
            layout="constrained",
        )
        axes = figure.subplots(len(photos), columns, squeeze=False)
        for row, (rgb, shade) in enumerate(zip(_rgb(photos), _rgb(gray(photos)), strict=True)):
            _picture(axes[row, 0], rgb, extent)
            axes[row, 0].set_title("photograph", pad=3)
            for axis in axes[row, 1 + len(queries[row]) :]:
                axis.axis("off")
            for i, (title, (y, x)) in enumerate(queries[row].items(), start=1):
                axis = axes[row, i]
                _picture(axis, shade, extent)
                shown = axis.imshow(
                    heat[row][i - 1], cmap="inferno", vmin=0, vmax=top, alpha=0.6, extent=extent
                )
                axis.set_title(title, pad=3)
                for marked in (axis, axes[row, 0]):
                    marked.plot(x, y, "s", markersize=9, color="none", markeredgecolor="white")
                    marked.plot(x, y, "s", markersize=7, color="none", markeredgecolor="black")
                axes[row, 0].annotate(
                    title, (x, y), (0, 8), textcoords="offset points", ha="center",
                    color="white", fontsize=9, bbox={"color": "black", "alpha": 0.6, "pad": 1},
                )
        figure.colorbar(shown, ax=axes, shrink=0.7, label="attention weight, uniform = 1")
    return figure


def _rgb(photos: Tensor) -> np.ndarray:
    return lab.lab_to_rgb(photos.float()).permute(0, 2, 3, 1).numpy()


def _picture(axis, image: np.ndarray, extent: Sequence[float] | None = None) -> None:
    """Draw an (H, W) or (H, W, 3) image in [0, 1] without ticks or frame."""
    axis.imshow(image, cmap="gray", vmin=0, vmax=1, extent=extent)
    axis.set(xticks=(), yticks=())
    axis.spines[:].set_visible(False)
