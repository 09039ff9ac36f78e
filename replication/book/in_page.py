"""A Sphinx extension: what the page "Colorize a photograph" loads, written into the built book.

A page that is opened as a file can fetch nothing, but it can load scripts. So the weights are
written as scripts, in parts, so that a page can show how many it has. They are not committed:
a build makes them from the weights that come with the library.
"""

import base64
import json
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from colorlib import colours, data, files
from colorlib.tool import zoo
from replication.book import figures

if TYPE_CHECKING:
    from sphinx.application import Sphinx

PAGE = "book/colorize"
PART = 3 * 2**19
"""Bytes of the weights in each part, which are a third more as text."""

ANSWERS = ("unet", "vivid")
"""Cards of one weights file: the ways to answer between which a reader chooses."""

EXAMPLES = {
    "eiffel-1.png": "The Eiffel Tower behind a lawn",
    "campus/holdout/P1070511.png": "Palms in front of a building",
    "flowers8.png": "Tulips",
}
"""Test photographs of the samples, in gray, for readers who have none at hand -> what they show."""

_SIDE = 640  # pixels of an example's longer side


def setup(app: "Sphinx") -> dict[str, bool]:
    """What Sphinx calls when a build begins."""
    app.connect("build-finished", _finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _finish(app: "Sphinx", error: Exception | None) -> None:
    if error is None and app.builder.format == "html" and PAGE in app.env.found_docs:
        write(Path(app.outdir) / "_static")


def write(static: Path) -> None:
    """Write the scripts of the page, and the widgets' look and code, into a book's `_static`.

    ``colorize/about.js`` says what a page has to know before it loads the weights,
    ``colorize/1.js`` and so on hold them.

    Raises:
        ColorlibError: the weights or the samples are damaged.
    """
    folder = static / "colorize"
    folder.mkdir(parents=True, exist_ok=True)
    weights = zoo.find(ANSWERS[0]).read_bytes()
    parts = [weights[at : at + PART] for at in range(0, len(weights), PART)]
    scripts = [f'COLORIZE.part = "{base64.b64encode(part).decode()}";\n' for part in parts]
    for number, script in enumerate(scripts, start=1):
        (folder / f"{number}.js").write_text(script)
    facts = about() | {
        "bytes": len(weights), "parts": len(parts), "download": sum(map(len, scripts)),
    }
    (folder / "about.js").write_text(f"const COLORIZE = {json.dumps(facts)};\n")
    for name in ("widgets.css", "widgets.js"):
        text = resources.files("replication.book").joinpath(name).read_text()
        (static / name).write_text(text)


def about() -> dict[str, Any]:
    """What the network needs beside its weights, and photographs to try it on.

    Returns:
        "size": of the shorter side that it is given, in pixels; "colours": "centres", a and b of
        each colour of its grid in Lab units, and "rarity", minus the logarithm of how frequent it
        is; "answers": name -> "temperature" and "adjustment"; "examples": "name", "alt" and
        "jpeg", the file in base64.
    """
    pretrained = {name: zoo.load(name) for name in ANSWERS}
    settings = {name: weights.model.head.settings for name, weights in pretrained.items()}
    return {
        "size": pretrained[ANSWERS[0]].size,
        "colours": {
            "centres": colours.centres().tolist(),
            "rarity": (-colours.smoothed_frequencies().log()).tolist(),
        },
        "answers": {
            name: {"temperature": own.temperature, "adjustment": own.adjustment}
            for name, own in settings.items()
        },
        "examples": _examples(),
    }


def _examples() -> list[dict[str, str]]:
    paths = {photo.name: photo.path for photo in data.photos("samples", "test")}
    return [
        {
            "name": f"{Path(name).stem}.jpg",
            "alt": alt,
            "jpeg": base64.b64encode(figures.jpeg(_gray(paths[name]))).decode(),
        }
        for name, alt in EXAMPLES.items()
    ]


def _gray(path: Path) -> Image.Image:
    photo = files.upright(files.read(path))
    photo.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    (gray,) = figures.images(figures.gray(figures.batch([photo])))
    return gray
