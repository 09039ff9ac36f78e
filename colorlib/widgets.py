"""Things to touch in a page: plain HTML that needs no server and no library.

Each function returns an HTML object for a notebook; in a built page and on
Colab it is the same. Everything is worked by sliders, so also by keyboard, and
without JavaScript a still picture remains.
"""

import base64
import html
import io
from importlib import resources

from IPython.display import HTML
from PIL import Image
from torch import Tensor

from colorlib import figures


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
    still = figures.lab_plane([L])
    picture = io.BytesIO()
    still.savefig(picture, format="png")
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
        f'<div class="without-script">{_image(Image.open(picture), f"The plane at L = {L}")}</div>'
        '<div class="needs-script">'
        '<canvas width="256" height="256" role="img" aria-label="Colours of sRGB over the plane '
        'of a, from left to right, and b, from below to above"></canvas>'
        f'{sliders}<div class="swatch"></div><output aria-live="polite"></output></div>',
    )


def attention(photo: Tensor, alpha: Tensor, start: tuple[int, int], alt: str, name: str) -> HTML:
    """What each position of a photograph attends to: click one, or move the sliders.

    Args:
        photo: Lab (3, H, W).
        alpha: (h, w, h, w), the weights of `models.Attention` from each position to each.
        start: row and column that are shown first, from 0.
        alt: what the photograph shows.
        name: of the widget, unique on its page.
    """
    h, w = alpha.shape[:2]
    tops = alpha.amax(dim=(2, 3), keepdim=True)  # of each position's weights
    weights = (alpha / tops * 255).round().byte().numpy().tobytes()
    shares = " ".join(f"{top:.4f}" for top in (tops * h * w).flatten().tolist())
    (still,) = figures.images(photo[None])
    sliders = _slider("row", 1, h, start[0] + 1, "Row of the position") + _slider(
        "column", 1, w, start[1] + 1, "Column of the position"
    )
    shade = _image(figures.images(figures.gray(photo[None]))[0].resize((384, 384 * h // w)), alt)
    return _widget(
        "attention",
        name,
        f'<div class="without-script">{_image(still, alt)}</div>'
        f'<div class="needs-script"><div class="pictures">{shade}'
        f'<canvas width="{32 * w}" height="{32 * h}" aria-hidden="true"></canvas></div>{sliders}'
        '<output aria-live="polite"></output></div>',
        {
            "rows": h,
            "columns": w,
            "tops": shares,
            "weights": base64.b64encode(weights).decode(),
        },
    )


def _widget(kind: str, name: str, content: str, told: dict | None = None) -> HTML:
    attributes = "".join(f' data-{key}="{value}"' for key, value in (told or {}).items())
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
    file = io.BytesIO()
    picture.convert("RGB").save(file, "JPEG", quality=90, subsampling=0)
    data = base64.b64encode(file.getvalue()).decode()
    width, height = picture.size
    return (
        f'<img src="data:image/jpeg;base64,{data}" alt="{html.escape(alt)}" '
        f'width="{width}" height="{height}">'
    )


def _file(name: str) -> str:
    return resources.files("colorlib").joinpath(name).read_text()
