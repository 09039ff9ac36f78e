"""Interactive figures in plain HTML, which need no server and no other library.

Each function returns an HTML object for a notebook; in a built page and on
Colab it is the same. Everything is worked by sliders, so also by keyboard, and
without JavaScript a still picture remains.
"""

import base64
import html
from importlib import resources

import torch
from IPython.display import HTML
from PIL import Image
from torch import Tensor

from replication.book import figures

WIDTH = 640  # pixels, at most, of a picture that is shown 512 wide


def compare(
    left: Image.Image, right: Image.Image, labels: tuple[str, str], alt: str, name: str
) -> HTML:
    """Two pictures of one size on top of each other, and a slider between them.

    Args:
        left, right: what is seen left and right of the slider.
        labels: what they are called.
        alt: what they show.
        name: of the widget, unique on its page.
    """
    one, other = (
        f"<figure>{_image(picture, f'{alt}: {label}')}<figcaption>{html.escape(label)}"
        "</figcaption></figure>"
        for picture, label in zip((left, right), labels, strict=True)
    )
    slider = _slider("", 0, 100, 50, f"Where {labels[0]} ends and {labels[1]} begins")
    ends = "".join(f"<span>{html.escape(label)}</span>" for label in labels)
    return _widget(
        "compare",
        name,
        f'<div class="pictures">{one}{other}</div>'
        f'<div class="needs-script"><div class="ends">{ends}</div>{slider}</div>',
    )


def lab_plane(L: int = 60, name: str = "lab-plane") -> HTML:
    """The plane of a and b at one lightness, a point in it, and its colour."""
    still = _image(figures.lab_plane([L]).image(), f"The plane at L = {L}")
    sliders = "".join(
        _slider(channel, low, high, value, f"{channel} of the colour")
        for channel, low, high, value in (
            ("L", 0, 100, L),
            ("a", -128, 127, -30),
            ("b", -128, 127, 30),
        )
    )
    return _widget(
        "plane",
        name,
        f'<div class="without-script">{still}</div>'
        '<div class="needs-script">'
        '<canvas width="256" height="256" role="img" aria-label="Colours of sRGB over the plane '
        'of a, from left to right, and b, from below to above"></canvas>'
        f'{sliders}<div class="swatch"></div><output aria-live="polite"></output></div>',
    )


def attention(photo: Tensor, alpha: Tensor, start: tuple[int, int], alt: str, name: str) -> HTML:
    """What each position of a photograph attends to: click one, or move the sliders.

    Args:
        photo: Lab (3, H, W).
        alpha: (h, w, h, w), the weights of `networks.Attention` from each position to each.
        start: row and column that are shown first, from 0.
        alt: what the photograph shows.
        name: of the widget, unique on its page.
    """
    h, w = alpha.shape[:2]
    largest = alpha.amax(dim=(2, 3), keepdim=True)  # of each position's weights
    weights = (alpha / largest * 255).round().byte().numpy().tobytes()
    ratios = " ".join(f"{ratio:.4f}" for ratio in (largest * h * w).flatten().tolist())
    pair = torch.stack((photo, figures.gray(photo[None])[0]))
    still, shade = (_image(image, alt) for image in figures.images(pair))
    sliders = _slider("row", 1, h, start[0] + 1, "Row of the position") + _slider(
        "column", 1, w, start[1] + 1, "Column of the position"
    )
    return _widget(
        "attention",
        name,
        f'<div class="without-script">{still}</div>'
        f'<div class="needs-script"><div class="pictures">{shade}'
        f'<canvas width="{32 * w}" height="{32 * h}" aria-hidden="true"></canvas></div>{sliders}'
        '<output aria-live="polite"></output></div>',
        {
            "rows": h,
            "columns": w,
            "largest": ratios,
            "weights": base64.b64encode(weights).decode(),
        },
    )


def _widget(kind: str, name: str, content: str, data: dict | None = None) -> HTML:
    attributes = "".join(f' data-{key}="{value}"' for key, value in (data or {}).items())
    return HTML(
        f"<style>{_file('widgets.css')}</style>"
        f'<div class="cl-widget cl-{kind}" id="{name}"{attributes}>{content}</div>'
        f"<script>(() => {{\n{_file('widgets.js')}\n"
        f'{kind}(document.getElementById("{name}"));\n}})();</script>'
    )


def _slider(label: str, low: int, high: int, value: int, described: str) -> str:
    shown = f"<span>{label}</span>" if label else ""
    return (
        f'<label>{shown}<input type="range" min="{low}" max="{high}" '
        f'value="{value}" aria-label="{html.escape(described)}"></label>'
    )


def _image(picture: Image.Image, alt: str) -> str:
    picture = picture.convert("RGB")
    picture.thumbnail((WIDTH, picture.height), Image.Resampling.LANCZOS)
    width, height = picture.size
    data = base64.b64encode(figures.jpeg(picture)).decode()
    return (
        f'<img src="data:image/jpeg;base64,{data}" alt="{html.escape(alt)}" '
        f'width="{width}" height="{height}">'
    )


def _file(name: str) -> str:
    return resources.files("replication.book").joinpath(name).read_text()
