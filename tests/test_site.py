"""The site: a failing cell fails the build every time, and pages ask nothing of other hosts."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from replication.book import search

ROOT = Path(__file__).parents[1]
# What a browser fetches by itself when it opens a page, as opposed to a link.
FETCHED = re.compile(
    r"""<(?:script|img|iframe|source|video|audio)[^>]+src=["'](?:https?:)?//"""
    r"""|<link(?![^>]+rel=["']canonical)[^>]+href=["'](?:https?:)?//"""
    r"""|@import\s+(?:url\()?["']?(?:https?:)?//"""
    r"""|url\(["']?(?:https?:)?//""",
    re.IGNORECASE,
)

# What a reader would like to follow, and can only where it is a link.
REFERENCE = re.compile(r"\b[Cc]hapters?\s+\d+|\barXiv:?\s*\d{4}\.\d{4,5}")


@pytest.fixture(scope="module")
def book(tmp_path_factory) -> Path:
    """A book of one page, built with the project's own settings."""
    root = tmp_path_factory.mktemp("book")
    shutil.copy(ROOT / "_config.yml", root)
    for folder in ("_static", "_templates"):
        shutil.copytree(ROOT / "book" / folder, root / "book" / folder)
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
    html = book / "_build" / "html"
    page = (html / "book" / "page.html").read_text()
    assert ">42\n" in page
    assert not FETCHED.findall(page)
    assert "colab.research.google.com/github/colorlib/attention-colorization" in page
    assert "book/page.ipynb" in page
    for link in re.findall(r'(?:href|src)="([^"#:?]*_static/[^"#?]*)', page):
        assert (html / "book" / link).exists(), link  # book/_templates names files of the theme
    # The search page loads the text of the pages, and MathJax is there in parts.
    assert search.TEXT in (html / "search.html").read_text() and search.TEXT not in page
    text = (html / "_static" / search.TEXT).read_text()
    assert text.startswith('const SEARCH_TEXT = {"book/page.html": [["a-page", "A page", ')
    assert "_static/mathjax/startup.js" in page
    assert not list((html / "_static" / "mathjax").rglob("*svg*"))


def test_the_text_of_a_page_is_cut_into_its_sections():
    page = """<nav>elsewhere</nav><article><section id="a"><h1>A<a class="headerlink">#</a></h1>
      <p>one <em>two</em></p><section id="b"><h2>B</h2><pre>x = 1
      </pre><script>no()</script></section><p>three</p></section></article>"""
    assert search.sections(page) == [("a", "A", "one two three"), ("b", "B", "x = 1")]
    assert search.sections("<p>no article</p>") == []


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


def loose(html: str) -> list[str]:
    """The references in the text of a page that are no links."""
    article = BeautifulSoup(html, "html.parser").find("article")
    for apart in article.select("a, nav, code, pre, script, style, h1, h2, h3, h4, h5, h6"):
        apart.replace_with("|")
    return REFERENCE.findall(article.get_text())


def test_chapters_and_papers_are_links_wherever_they_are_named():
    html = ROOT / "_build" / "html" / "book"
    if not html.is_dir():
        pytest.skip("the book is not built")
    # The library's docstrings are written for editors and terminals, too.
    pages = [page for page in sorted(html.glob("*.html")) if page.stem != "api"]
    assert pages
    found = {page.name: loose(page.read_text()) for page in pages}
    assert {name: references for name, references in found.items() if references} == {}


def test_a_reference_that_is_no_link_would_be_seen():
    page = "<nav>chapter 9</nav><article><h2>Chapter 1</h2>{}</article>"
    for bad in (
        "<p>as chapter 3 says</p>", "<p>Chapter\n12: how</p>", "<li>chapter&nbsp;4</li>",
        "<figcaption>(arXiv 1706.03762)</figcaption>", "<td>arXiv:2007.07314</td>",
        '<p><a href="x">chapter 5</a> and chapter 6</p>',
    ):
        assert len(loose(page.format(bad))) == 1, bad
    for good in (
        '<p><a href="x">chapter 5</a>, 6</p>', "<pre>chapter 5</pre>", "<p>this chapter</p>",
        '<p><a href="y">arXiv 1706.03762</a></p>', "<code>arXiv 1706.03762</code>",
        '<img alt="chapter 5">', "<p>a chapter</p><p>6 more</p>",
    ):
        assert loose(page.format(good)) == [], good
