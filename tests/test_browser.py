"""Pages in a real browser: complete, self-contained, accessible; widgets by mouse and keyboard."""

import asyncio
import shutil
from collections.abc import Callable, Coroutine
from importlib import resources
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin

import pytest
import torch
from browser import MODES, REPORT, SITE, Tab, complaints, opened

from colorlib import lab
from colorlib.book import figures, widgets

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
PAGES = sorted(SITE.glob("book/*.html"))
WIDTHS = (1400, 400)

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="needs Chromium")
built = pytest.mark.skipif(not PAGES, reason="the book is not built")

LINKS = """[...document.querySelectorAll("a[href]")].map(a => a.getAttribute("href"))"""
IDS = """[...document.querySelectorAll("[id], a[name]")].map(e => e.id || e.name)"""
UNNAMED = """[...document.querySelectorAll("article img")]
  .filter(image => !image.hasAttribute("alt") || image.alt.length < 3)
  .map(image => image.src.slice(0, 80))"""
# Of WCAG 2 A and AA; formulas are MathJax's own, which brings a hidden copy for screen readers.
AXE = """axe.run({exclude: [["mjx-container"]]}, {runOnly: ["wcag2a", "wcag2aa"]}).then(found =>
  found.violations.map(v => v.id + ": " + v.help + " " +
    v.nodes.slice(0, 4).map(n => n.html.slice(0, 160)).join(" | ")))"""


@pytest.fixture(scope="module")
def browse() -> Callable[[Callable[[Tab], Coroutine]], object]:
    """Runs a coroutine function on a fresh tab."""

    def run(visit):
        async def all_of_it():
            async with opened(CHROMIUM) as tab:
                return await visit(tab)

        return asyncio.run(all_of_it())

    return run


@built
def test_every_page_is_complete_on_every_screen_and_asks_nobody(browse):
    base = f"{SITE.as_uri()}/"

    async def visit(tab: Tab) -> dict:
        wrong = {}
        for page in PAGES:
            for width in WIDTHS:
                for mode in MODES:
                    await tab.open(page.as_uri(), width, mode)
                    found = complaints(await tab.evaluate(REPORT), tab, base, mode)
                    found += [f"no alternative text: {i}" for i in await tab.evaluate(UNNAMED)]
                    if found:
                        wrong[page.name, width, mode] = found
        return wrong

    assert browse(visit) == {}


@built
def test_every_page_passes_an_accessibility_check_in_light_and_dark(browse):
    axe = resources.files("axe_core_python").joinpath("axe.min.js").read_text()

    async def visit(tab: Tab) -> dict:
        wrong = {}
        for page in PAGES:
            for width, mode in zip(WIDTHS, MODES, strict=True):
                await tab.open(page.as_uri(), width, mode)
                await tab.evaluate(axe + ";0")
                if found := await tab.evaluate(AXE):
                    wrong[page.name, width, mode] = found
        return wrong

    assert browse(visit) == {}


@built
def test_every_link_and_anchor_leads_somewhere(browse):
    async def visit(tab: Tab) -> tuple[dict, dict]:
        links, anchors = {}, {}
        for page in PAGES:
            await tab.open(page.as_uri(), 1400, "light")
            links[page], anchors[page] = await tab.evaluate(LINKS), set(await tab.evaluate(IDS))
        return links, anchors

    links, anchors = browse(visit)
    for page, found in links.items():
        for link in found:
            target, anchor = urldefrag(urljoin(page.as_uri(), link))
            if not target.startswith("file:"):
                continue
            path = Path(unquote(target.removeprefix("file://")))
            assert path.exists(), f"{page.name}: {link}"
            if anchor and path in anchors:
                assert unquote(anchor) in anchors[path], f"{page.name}: {link}"


def test_what_is_wrong_would_be_seen(browse, tmp_path):
    bad = tmp_path / "bad.html"
    bad.write_text(
        '<!doctype html><html lang="en" data-theme="light"><title>Bad</title>'
        '<meta name="viewport" content="width=device-width"><article>'
        '<p style="color: #aaa; background: #fff">pale</p><img src="data:,x">'
        '<div style="width: 500px">wide</div><script>throw Error("oops")</script>'
        '<link rel="stylesheet" href="http://127.0.0.1:9/x.css"></article></html>'
    )
    axe = resources.files("axe_core_python").joinpath("axe.min.js").read_text()

    async def visit(tab: Tab):
        await tab.open(bad.as_uri(), 400, "light")
        found = complaints(await tab.evaluate(REPORT), tab, "file:///elsewhere/", "light")
        unnamed = await tab.evaluate(UNNAMED)
        await tab.evaluate(axe + ";0")
        return "\n".join(found), unnamed, "\n".join(await tab.evaluate(AXE))

    found, unnamed, axe_found = browse(visit)
    for said in ("sideways", "did not load", "oops", "leaves this machine"):
        assert said in found, said
    assert len(unnamed) == 1
    assert "color-contrast" in axe_found and "image-alt" in axe_found


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


async def press(tab: Tab, selector: str, key: str, times: int = 1) -> None:
    await tab.evaluate(f"document.querySelector({selector!r}).focus()")
    for _ in range(times):
        for kind in ("keyDown", "keyUp"):
            await tab.send("Input.dispatchKeyEvent", type=kind, key=key, code=key,
                           windowsVirtualKeyCode={"ArrowRight": 39, "ArrowLeft": 37}[key])


def test_the_comparison_is_driven_by_mouse_and_keyboard(browse, page):
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


def test_the_plane_says_the_colours_that_the_library_says(browse, page):
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


def test_the_viewer_shows_where_a_position_looks(browse, page):
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


def test_widgets_are_accessible_and_mean_something_without_javascript(browse, page):
    axe = resources.files("axe_core_python").joinpath("axe.min.js").read_text()

    async def visit(tab: Tab):
        await tab.open(page, 1400, "light")
        await tab.evaluate(axe + ";0")
        found = await tab.evaluate(AXE)
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
