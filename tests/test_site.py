"""The site: a failing cell fails the build every time, and pages ask nothing of other hosts."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ROOT = Path(__file__).parents[1]
# What a browser fetches by itself when it opens a page, as opposed to a link.
FETCHED = re.compile(
    r"""<(?:script|img|iframe|source|video|audio)[^>]+src=["'](?:https?:)?//"""
    r"""|<link(?![^>]+rel=["']canonical)[^>]+href=["'](?:https?:)?//"""
    r"""|@import\s+(?:url\()?["']?(?:https?:)?//"""
    r"""|url\(["']?(?:https?:)?//""",
    re.IGNORECASE,
)


@pytest.fixture(scope="module")
def book(tmp_path_factory) -> Path:
    """A book of one page, built with the project's own settings."""
    root = tmp_path_factory.mktemp("book")
    shutil.copy(ROOT / "_config.yml", root)
    shutil.copytree(ROOT / "book" / "_static", root / "book" / "_static")
    (root / "_toc.yml").write_text("format: jb-book\nroot: book/page\n")
    return root


def build(book: Path, code: str) -> subprocess.CompletedProcess:
    """Build as the Makefile does."""
    page = new_notebook(
        cells=[new_markdown_cell("# A page\n\n$$e^{i\\pi} = -1$$ (eq-page)"), new_code_cell(code)],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    nbformat.write(page, book / "book" / "page.ipynb")
    recipe = re.search(r"^book:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    commands = recipe[1].replace("$(BIN)", str(Path(sys.executable).parent)).replace("\t@", "\t")
    script = "set -e\n" + commands.replace("\t", "")
    return subprocess.run(
        ["sh", "-c", script], cwd=book, capture_output=True, text=True,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )


def test_a_failing_cell_fails_the_build_also_the_second_time_until_it_is_mended(book):
    for _ in range(2):
        failed = build(book, "raise ValueError('on purpose')")
        assert failed.returncode != 0 and "on purpose" in failed.stdout + failed.stderr
    mended = build(book, "print(6 * 7)")
    assert mended.returncode == 0, mended.stdout + mended.stderr
    page = (book / "_build" / "html" / "book" / "page.html").read_text()
    assert ">42\n" in page
    assert not FETCHED.findall(page)
    assert "colab.research.google.com/github/colorlib/attention-colorization" in page
    assert "book/page.ipynb" in page


def test_the_built_book_asks_nothing_of_other_hosts():
    html = ROOT / "_build" / "html"
    if not html.is_dir():
        pytest.skip("the book is not built")
    pages = [*html.glob("*.html"), *(html / "book").glob("*.html")]
    styles = [*(html / "_static").glob("*.css"), *(html / "_static" / "styles").glob("*.css")]
    assert pages and styles
    for path in (*pages, *styles):
        assert not FETCHED.findall(path.read_text()), path


def test_a_request_to_another_host_would_be_seen():
    for bad in (
        '<script src="https://cdn.example/x.js"></script>',
        "<link rel='stylesheet' href='//fonts.example/a.css'>",
        "@import url(https://fonts.example/a.css)",
    ):
        assert FETCHED.search(bad)
    for good in ('<a href="https://example.org">', '<script src="_static/x.js">'):
        assert not FETCHED.search(good)
