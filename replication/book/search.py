"""A Sphinx extension: the text of the pages as a script, for the excerpts of the search.

Sphinx's search fetches every page that it found and cuts the excerpt out of it. A page that
is opened as a file may fetch nothing, but it may load a script. So the build writes
`_static/search-text.js`, and the search page alone loads it, with `book/_static/search.js`.
"""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bs4 import BeautifulSoup

if TYPE_CHECKING:
    from sphinx.application import Sphinx

TEXT = "search-text.js"
"""The script's name; below `_static`."""


def setup(app: "Sphinx") -> dict[str, bool]:
    """What Sphinx calls when a build begins."""
    app.connect("html-page-context", _load)
    app.connect("build-finished", _write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def sections(html: str) -> list[tuple[str, str, str]]:
    """(anchor, title, text) of every section of a page, in their order.

    The text is that of the section itself, without its subsections, in one line.
    """
    article = BeautifulSoup(html, "html.parser").find("article")
    if article is None:
        return []
    for unread in article.select("script, style, .headerlink"):
        unread.decompose()
    found = []
    # The last first: what stands in a section has been taken out when its turn comes.
    for section in reversed(article.find_all("section", id=True)):
        section.replace_with(" ")
        heading = section.find(re.compile("^h[1-6]$"))
        title = heading.extract().get_text() if heading else ""
        found.append((str(section["id"]), title.strip(), " ".join(section.get_text().split())))
    return found[::-1]


def _load(app: Any, page: str, *_: object) -> None:
    if page == "search":
        for script in (TEXT, "search.js"):
            app.builder.add_js_file(script, defer="defer")


def _write(app: Any, error: Exception | None) -> None:
    """The sections of all pages, by their addresses below the site's root."""
    if error is not None or app.builder.format != "html":
        return
    root = Path(app.outdir)
    pages = [Path(app.builder.get_outfilename(name)) for name in sorted(app.env.found_docs)]
    text = {page.relative_to(root).as_posix(): sections(page.read_text()) for page in pages}
    script = f"const SEARCH_TEXT = {json.dumps(text, ensure_ascii=False)};\n"
    (root / "_static" / TEXT).write_text(script)
