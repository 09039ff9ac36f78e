"""Parts of pages in a real browser: widgets, scripts and styles, by mouse and keyboard."""

import asyncio
from pathlib import Path

import pytest
import torch
from browser import CHROMIUM, REPORT, UNNAMED, Tab, barriers, browse, complaints, press

from colorlib import lab
from replication.book import figures, widgets

STATIC = Path(__file__).parents[1] / "book" / "_static"

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="needs Chromium")


def test_what_is_wrong_would_be_seen(tmp_path):
    bad = tmp_path / "bad.html"
    bad.write_text(
        '<!doctype html><html lang="en" data-theme="light"><title>Bad</title>'
        '<meta name="viewport" content="width=device-width"><article>'
        '<p style="color: #aaa; background: #fff">pale</p><img src="data:,x">'
        '<div style="width: 500px">wide</div><script>throw Error("oops")</script>'
        '<link rel="stylesheet" href="http://127.0.0.1:9/x.css"></article></html>'
    )
    async def visit(tab: Tab):
        await tab.open(bad.as_uri(), 400, "light")
        found = complaints(await tab.evaluate(REPORT), tab, "file:///elsewhere/", "light")
        unnamed = await tab.evaluate(UNNAMED)
        return "\n".join(found), unnamed, "\n".join(await barriers(tab))

    found, unnamed, axe_found = browse(visit)
    for said in ("sideways", "did not load", "oops", "leaves this machine"):
        assert said in found, said
    assert len(unnamed) == 1
    assert "color-contrast" in axe_found and "image-alt" in axe_found


# The book's own scripts ----------------------------------------------------------

PICTURE = (
    "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' width='900' height='300'>"
    "<rect width='900' height='300'/></svg>"
)


@pytest.fixture
def chapter(tmp_path) -> str:
    """The address of a page with pictures, a table, code and formulas, in the book's design."""
    figure = '<figure id="{}"><a href="{}"><img alt="A plain field." src="{}"{}></a></figure>'
    wide = "<span class='math'><mjx-container>" + "x" * 90 + "</mjx-container></span>"
    narrow = "<span class='math'><mjx-container>x</mjx-container></span>"
    file = tmp_path / "chapter.html"
    file.write_text(
        '<!doctype html><html lang="en" data-theme="light"><title>A chapter</title>'
        '<meta name="viewport" content="width=device-width">'
        f'<link rel="stylesheet" href="{(STATIC / "custom.css").as_uri()}">'
        "<style>pre { width: 20rem } mjx-container { white-space: nowrap }</style>"
        f'<main class="bd-content"><article class="bd-article"><h1>A chapter</h1>'
        + figure.format("wide", PICTURE, PICTURE, ' style="width: 900px"')
        + figure.format("link", "https://example.org", PICTURE, "")
        + f'<div class="cl-widget"><figure><img alt="Of a widget." src="{PICTURE}"></figure></div>'
        f'<div class="highlight"><pre>{"long " * 40}</pre></div><pre>short</pre>'
        f"<p>{wide} and {narrow}</p>"
        "</article></main>"
        + "".join(f'<script src="{(STATIC / name).as_uri()}"></script>'
                  for name in ("enlarge.js", "wide.js"))
        + "</html>"
    )
    return file.as_uri()


OPEN = "document.querySelector('dialog').open"


def test_a_figure_opens_by_keyboard_and_mouse_and_closes_again(chapter):
    async def visit(tab: Tab):
        await tab.open(chapter, 400, "light")
        buttons = await tab.evaluate(
            "[...document.querySelectorAll('.cl-enlarge')].map(e => e.closest('figure').id)"
        )
        closed, states = await tab.evaluate(OPEN), []
        await press(tab, "#wide button", "Enter")
        shown = await tab.evaluate(
            """(() => {
              const dialog = document.querySelector("dialog"), image = dialog.querySelector("img");
              return [image.alt, image.width, dialog.scrollWidth - dialog.clientWidth,
                dialog.clientWidth, dialog.clientHeight];
            })()"""
        )
        barred = await barriers(tab)
        await press(tab, "dialog button", "Escape")
        states.append((await tab.evaluate(OPEN), await tab.evaluate(
            "document.activeElement.closest('figure')?.id")))
        await click(tab, "#wide img", 0.5, 0.5)
        states.append(await tab.evaluate(OPEN))
        await click(tab, "dialog img", 0.1, 0.5)
        states.append(await tab.evaluate(OPEN))
        await press(tab, "#wide button", "Enter")
        await press(tab, "dialog button", "Enter")
        states.append(await tab.evaluate(OPEN))
        await tab.open(chapter, 1400, "dark")
        await press(tab, "#wide button", "Enter")
        large = await tab.evaluate("document.querySelector('dialog img').width")
        return buttons, closed, shown, barred, states, large, tab.errors()

    buttons, closed, shown, barred, states, large, errors = browse(visit)
    assert buttons == ["wide"] and not closed
    # On a phone as wide as it is meant to be, on a wide screen as wide as the screen.
    assert shown == ["A plain field.", 900, 500, 400, 800] and large == 1400
    assert states == [(False, "wide"), True, False, False]
    assert barred == [] and errors == []


def test_what_is_too_wide_scrolls_in_a_box_that_the_keyboard_reaches(chapter):
    async def visit(tab: Tab):
        marks = """[...document.querySelectorAll("pre, span.math")].map(e =>
          [e.tabIndex, e.role, e.ariaLabel, [...e.classList].join(" "),
            getComputedStyle(e).overflowX])"""
        await tab.open(chapter, 400, "light")
        found = await tab.evaluate(marks)
        await tab.evaluate("document.querySelector('pre').scrollLeft = 50")
        await tab.until("document.querySelector('pre').matches('.more-left.more-right')")
        await tab.evaluate("document.querySelector('pre').scrollLeft = 9999")
        await tab.until("document.querySelector('pre').matches('.more-left:not(.more-right)')")
        sideways = (await tab.evaluate(REPORT))["sideways"]
        await tab.resize(1400, 900)
        await tab.until("!document.querySelector('.math.wide')")
        return found, sideways

    found, sideways = browse(visit)
    code, short, wide, narrow = found
    assert code == [0, "group", "Code", "more-right", "auto"]
    assert short[:4] == [-1, None, None, ""]
    assert wide == [0, "group", "Formula", "math wide more-right", "auto"]
    assert narrow == [-1, None, None, "math", "visible"]
    assert sideways == 0


# Widgets ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> str:
    """The address of a page with all widgets."""
    photos = lab.rgb_to_lab(torch.rand(2, 3, 64, 64, generator=torch.manual_seed(0)))
    left, right = figures.images(photos)
    alpha = torch.full((4, 4, 4, 4), 0.04)
    alpha[1, 2, 3, 0] = 0.4  # the position in row 2, column 3 looks at row 4, column 1
    alpha[1, 3, 0, 1] = 0.4
    parts = (
        widgets.compare(left, right, ("gray", "colorized"), "A tree", "tree"),
        widgets.lab_plane(60),
        widgets.attention(photos[0], alpha, (1, 2), "A tree", "eiffel-attention"),
    )
    file = tmp_path_factory.mktemp("page") / "page.html"
    file.write_text(
        '<!doctype html><html lang="en" data-theme="light"><title>Widgets</title>'
        "<main><h1>Widgets</h1>" + "".join(part.data for part in parts) + "</main></html>"
    )
    return file.as_uri()


async def box(tab: Tab, selector: str) -> dict:
    await tab.evaluate(f"document.querySelector({selector!r}).scrollIntoView({{block: 'center'}})")
    return await tab.evaluate(
        f"document.querySelector({selector!r}).getBoundingClientRect().toJSON()"
    )


async def click(tab: Tab, selector: str, x: float, y: float) -> None:
    """Press and release the mouse at a share of an element's width and height."""
    where = await box(tab, selector)
    at = {"x": where["x"] + x * where["width"], "y": where["y"] + y * where["height"]}
    for kind in ("mousePressed", "mouseReleased"):
        await tab.send("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **at)


def test_the_comparison_is_driven_by_mouse_and_keyboard(page):
    async def visit(tab: Tab):
        shown = "document.querySelector('#tree figure:last-of-type img').style.clipPath"
        await tab.open(page, 400, "light")
        found = [await tab.evaluate(shown)]
        await click(tab, "#tree .pictures", 0.2, 0.5)
        found.append(await tab.evaluate(shown))
        await press(tab, "#tree input", "ArrowRight", 3)
        found.append(await tab.evaluate(shown))
        return found, tab.errors()

    found, errors = browse(visit)
    assert [f"{at}%" in shown for at, shown in zip((50, 20, 23), found, strict=True)] == [True] * 3
    assert not errors


def test_the_plane_says_the_colours_that_the_library_says(page):
    async def visit(tab: Tab):
        output = "document.querySelector('#lab-plane output').textContent"
        await tab.open(page, 400, "light")
        found = [await tab.evaluate(output)]
        await click(tab, "#lab-plane canvas", 0.5, 0.5)
        found.append(await tab.evaluate(output))
        await press(tab, "#lab-plane input", "ArrowLeft", 10)  # L, down to 50
        await press(tab, "#lab-plane label:nth-of-type(2) input", "ArrowRight", 20)
        found.append(await tab.evaluate(output))
        await click(tab, "#lab-plane canvas", 0.01, 0.01)
        found.append(await tab.evaluate(output))
        return found

    *found, outside = browse(visit)
    for output in found:
        words = [word.strip(",:") for word in output.split()]
        numbers = [float(word) for word in words if word.strip("-").isdigit()]
        rgb = lab.lab_to_rgb(torch.tensor(numbers[:3]).view(3, 1, 1)).flatten() * 255
        assert torch.tensor(numbers[3:]) == pytest.approx(rgb, abs=1), output
    assert found[0].startswith("L 60, a -30, b 30") and found[2].startswith("L 50, a 20, b 0")
    assert "no screen" in outside


def test_the_viewer_shows_where_a_position_looks(page):
    async def visit(tab: Tab):
        output = "document.querySelector('#eiffel-attention output').textContent"
        await tab.open(page, 400, "light")
        found = [await tab.evaluate(output)]
        await press(tab, "#eiffel-attention label:nth-of-type(2) input", "ArrowRight")
        found.append(await tab.evaluate(output))
        await click(tab, "#eiffel-attention .pictures", 0.6, 0.3)  # row 2, column 3
        found.append(await tab.evaluate(output))
        return found

    first, second, third = browse(visit)
    assert "Row 2, column 3 attends most to row 4, column 1, with 6.4 times" in first
    assert "Row 2, column 4 attends most to row 1, column 2" in second
    assert third == first


def test_widgets_are_accessible_and_mean_something_without_javascript(page):
    async def visit(tab: Tab):
        await tab.open(page, 1400, "light")
        found = await barriers(tab)
        await tab.send("Emulation.setScriptExecutionDisabled", value=True)
        await tab.send("Page.navigate", url=page)
        await asyncio.sleep(1)
        seen = await tab.evaluate(
            "[...document.querySelectorAll('img')].filter(e => e.checkVisibility()).length"
        )
        return found, seen

    found, seen = browse(visit)
    assert found == []
    assert seen == 4  # two of the comparison, the plane, the photograph
