"""A Sphinx extension: formulas drawn by the parts of MathJax that the book uses.

The package `sphinx-mathjax-offline` holds all of MathJax, 24 MB. Loaded as an extension it
copies all of it, and a page with a formula loads one file of 1.2 MB. The parts below are
0.8 MB: TeX, HTML with MathJax's fonts, and MathML for screen readers. What they lack is a
menu for every formula, and with it a stop of the Tab key at each.
"""

import importlib.util
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

PARTS = ["core", "input/tex", "output/chtml", "a11y/assistive-mml"]
"""Components, as MathJax names them."""


def setup(app: "Sphinx") -> dict[str, bool]:
    """What Sphinx calls when a build begins."""
    app.config.mathjax_path = "mathjax/startup.js"
    app.config.mathjax3_config = {"loader": {"load": PARTS}}
    app.connect("html-page-context", _drop, priority=900)  # after Sphinx has added it
    app.connect("build-finished", _copy)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _drop(app: Any, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    """No MathJax where the page has no formula; Sphinx counts those of the pages below it."""
    if 'class="math' not in context.get("body", ""):
        scripts = context["script_files"]
        scripts[:] = [
            script for script in scripts
            if "mathjax" not in f"{script.filename}{script.attributes.get('body')}".lower()
        ]


def _copy(app: Any, error: Exception | None) -> None:
    """The parts and what they load by themselves: fonts, and TeX's less used commands."""
    package = importlib.util.find_spec("sphinx-mathjax-offline")
    if error is not None or app.builder.format != "html":
        return
    assert package is not None and package.submodule_search_locations  # in the lock file
    source = Path(package.submodule_search_locations[0], "static", "mathjax")
    target = Path(app.outdir, "_static", "mathjax")
    for part in ("startup", *PARTS):
        (target / part).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / f"{part}.js", target / f"{part}.js")
    for folder in ("input/tex/extensions", "output/chtml/fonts"):
        shutil.copytree(source / folder, target / folder, dirs_exist_ok=True)

