"""The built pages in a real browser, one visit to each: complete, accessible, linked, light."""

from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin

import pytest
from browser import (
    CHROMIUM,
    MODES,
    REPORT,
    SITE,
    UNNAMED,
    Tab,
    barriers,
    browse,
    complaints,
)

PAGES = sorted(SITE.glob("book/*.html"))
WIDTHS = (1400, 400)
# What a page may load besides its text and pictures, in kB: styles, scripts and fonts.
HEAVIEST, HEAVIEST_WITH_FORMULAS = 950, 1850

pytestmark = [
    pytest.mark.skipif(not CHROMIUM, reason="needs Chromium"),
    pytest.mark.skipif(not PAGES, reason="the book is not built"),
]

LINKS = """[...document.querySelectorAll("a[href]")].map(a => a.getAttribute("href"))"""
IDS = """[...document.querySelectorAll("[id], a[name]")].map(e => e.id || e.name)"""


def kilobytes(tab: Tab) -> float:
    """The styles, scripts and fonts that the open page has loaded from files.

    Without the photographs that the page with the network offers, which are in a script.
    """
    files = {Path(unquote(url.split("?")[0].removeprefix("file://"))) for url in tab.requests()}
    design = [f for f in files if f.suffix in (".css", ".js", ".woff", ".woff2", ".ttf")
              and f.name != "about.js"]
    return sum(file.stat().st_size for file in design) / 1000


@pytest.fixture(scope="module")
def visits() -> dict[str, dict]:
    """What each page shows at both widths, loaded light and painted dark or the other way."""
    base = f"{SITE.as_uri()}/"

    async def look(tab: Tab, page: Path) -> dict:
        seen: dict = {"wrong": {}, "barriers": {}}
        for width, mode in zip(WIDTHS, MODES, strict=True):
            await tab.open(page.as_uri(), width, mode)
            if found := await barriers(tab):
                seen["barriers"][width, mode] = found
            for shade in (mode, *(m for m in MODES if m != mode)):
                await tab.paint(shade)
                await tab.until(f"document.documentElement.dataset.theme === '{shade}'")
                report = await tab.evaluate(REPORT)
                found = complaints(report, tab, base, shade)
                found += [f"no alternative text: {i}" for i in await tab.evaluate(UNNAMED)]
                if found:
                    seen["wrong"][width, shade] = found
        return seen | {
            "links": await tab.evaluate(LINKS),
            "ids": set(await tab.evaluate(IDS)),
            "formulas": report["maths"],
            "kilobytes": kilobytes(tab),
        }

    async def visit(tab: Tab) -> dict:
        return {page: await look(tab, page) for page in PAGES}

    return browse(visit)


def each(visits: dict, what: str) -> dict:
    return {page.name: seen[what] for page, seen in visits.items() if seen[what]}


def test_every_page_is_complete_on_every_screen_and_asks_nobody(visits):
    assert each(visits, "wrong") == {}


def test_every_page_passes_an_accessibility_check_in_light_and_dark(visits):
    assert each(visits, "barriers") == {}


def test_every_link_and_anchor_leads_somewhere(visits):
    for page, seen in visits.items():
        for link in seen["links"]:
            target, anchor = urldefrag(urljoin(page.as_uri(), link))
            if not target.startswith("file:"):
                continue
            path = Path(unquote(target.removeprefix("file://")))
            assert path.exists(), f"{page.name}: {link}"
            if anchor and path in visits:
                assert unquote(anchor) in visits[path]["ids"], f"{page.name}: {link}"


def test_no_page_loads_much_besides_its_text_and_pictures(visits):
    for page, seen in visits.items():
        most = HEAVIEST_WITH_FORMULAS if seen["formulas"] else HEAVIEST
        assert 300 < seen["kilobytes"] < most, page.name


RESULTS = """[...document.querySelectorAll("ul.search > li")].map(result => ({
  title: result.querySelector("a").textContent,
  excerpt: result.querySelector(".context")?.textContent ?? "",
  marked: [...result.querySelectorAll(".context .highlighted")].map(e => e.textContent),
  section: result.querySelector(".context a")?.getAttribute("href") ?? "",
}))"""


def test_the_search_shows_the_words_around_what_it_finds_also_in_files():
    async def visit(tab: Tab):
        found = {}
        for query in ("attention", "average of pooling", "qwertzuiop"):
            await tab.open(f"{SITE.as_uri()}/search.html?q={query}", 400, "light")
            await tab.until("document.querySelector('.search-summary')?.textContent")
            await tab.evaluate("new Promise(resolve => setTimeout(resolve, 100))")
            found[query] = await tab.evaluate(RESULTS)
        said = await tab.evaluate("document.querySelector('.search-summary').textContent")
        return found, said, await barriers(tab), tab.errors()

    found, said, barred, errors = browse(visit)
    for query in ("attention", "average of pooling"):
        excerpts = [result for result in found[query] if result["excerpt"]]
        assert len(excerpts) > 3
        for result in excerpts:
            if any(word in result["excerpt"].lower() for word in query.split(" of ")):
                assert {word.lower() for word in result["marked"]} - {"of"}, result
    pages = [r for r in found["attention"] if r["excerpt"] and r["title"][0].isdigit()]
    assert pages and all("attention" in result["excerpt"].lower() for result in pages)
    assert any(result["section"] and "#" in result["section"] for result in pages)
    assert found["qwertzuiop"] == [] and "did not match" in said
    # The theme has its two search fields on this page, both with the same name.
    assert [b for b in barred if not b.startswith("duplicate-id-active")] == []
    assert errors == []


def test_the_tool_is_complete_and_accessible_with_a_photograph_in_it():
    async def visit(tab: Tab) -> dict:
        await tab.open((SITE / "book" / "colorize.html").as_uri(), 400, "dark")
        await tab.evaluate("document.querySelector('.load').click()")
        await tab.until("!document.querySelector('.choose').hidden")
        await tab.evaluate("document.querySelector('.examples button').click()")
        await tab.until("!document.querySelector('.save').hidden")
        wrong = {}
        for mode in MODES:
            await tab.paint(mode)
            await tab.until(f"document.documentElement.dataset.theme === '{mode}'")
            report = await tab.evaluate(REPORT)
            found = complaints(report, tab, f"{SITE.as_uri()}/", mode) + await barriers(tab)
            if found:
                wrong[mode] = found
        return wrong

    assert browse(visit) == {}
