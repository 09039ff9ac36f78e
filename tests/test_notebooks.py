"""Each chapter is a pair, .py to edit and .ipynb executed from it; both must stay what they are."""

import ast
import base64
import importlib.util
import re
import subprocess
from pathlib import Path

import jupytext
import nbformat
import pytest
import yaml

ROOT = Path(__file__).parents[1]
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text())
PAGES = [
    ROOT / name
    for name in (TOC["root"], *(c["file"] for part in TOC["parts"] for c in part["chapters"]))
]
CHAPTERS = [path for path in PAGES if not path.with_suffix(".md").is_file()]


@pytest.fixture(params=CHAPTERS, ids=lambda path: path.name)
def chapter(request) -> Path:
    return request.param


@pytest.fixture
def source(chapter):
    return jupytext.read(chapter.with_suffix(".py"))


@pytest.fixture
def notebook(chapter):
    return nbformat.read(chapter.with_suffix(".ipynb"), as_version=4)


def code(notebook) -> list:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def essence(notebook) -> list:
    """What a reader sees of the cells, outputs aside."""
    return [
        (c.cell_type, c.source, c.metadata.get("tags", []), c.metadata.get("mystnb", {}))
        for c in notebook.cells
    ]


def figure(cell) -> dict:
    return cell.metadata.get("mystnb", {}).get("figure", {})


def images(output) -> list[bytes]:
    """The images of one output: its own, and those written into its HTML."""
    data = output.get("data", {})
    own = [  # SVG is text, all others are base64
        value.encode() if kind == "image/svg+xml" else base64.b64decode(value)
        for kind, value in data.items() if kind.startswith("image/")
    ]
    inside = re.findall(r"data:image/[^,]*;base64,([^\"']*)", data.get("text/html", ""))
    return own + [base64.b64decode(image) for image in inside]


def without_images(output) -> dict:
    data = output.get("data", {})
    return {**output, "data": {k: v for k, v in data.items() if not k.startswith("image/")}}


def test_every_pair_is_in_the_table_of_contents_and_nothing_else():
    assert {path.stem for path in (ROOT / "book").glob("*.*")} == {path.name for path in PAGES}
    for path in CHAPTERS:
        assert path.with_suffix(".py").is_file() and path.with_suffix(".ipynb").is_file()


def test_both_halves_of_a_pair_hold_the_same_cells(source, notebook):
    assert essence(source) == essence(notebook), "run make notebooks"


def test_every_cell_was_executed_in_order_and_without_a_complaint(notebook):
    cells = code(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert outputs
    assert not [o for o in outputs if o.output_type == "error" or o.get("name") == "stderr"]


def test_every_picture_has_caption_label_and_alternative_text(notebook):
    for cell in code(notebook):
        kinds = [
            kind for output in cell.outputs for kind in output.get("data", {})
            if kind.startswith("image/")
        ]
        assert len(kinds) == bool(figure(cell)), "a figure is shown once, in one format"
        if kinds:
            assert len(figure(cell)["caption"]) > 30
            assert re.fullmatch(r"fig-[a-z0-9-]+", figure(cell)["name"])
            assert len(cell.metadata["mystnb"]["image"]["alt"]) > 30


def test_the_pictures_of_a_page_weigh_at_most_600_kB(notebook):
    found = [
        (len(image), cell.source.splitlines()[-1])
        for cell in code(notebook) for output in cell.outputs for image in images(output)
    ]
    assert sum(size for size, _ in found) <= 600_000, sorted(found, reverse=True)


def test_all_notebooks_together_weigh_at_most_8_MB():
    sizes = {path.name: path.stat().st_size for path in (ROOT / "book").glob("*.ipynb")}
    assert sum(sizes.values()) <= 8_000_000, sizes


def test_labels_of_figures_are_unique():
    names = [
        figure(cell)["name"]
        for path in CHAPTERS
        for cell in code(jupytext.read(path.with_suffix(".py")))
        if figure(cell)
    ]
    assert len(names) == len(set(names))


def test_outputs_name_no_place_on_the_machine_that_made_them(notebook):
    text = "\n".join(
        str(without_images(output)) for cell in code(notebook) for output in cell.outputs
    )
    for place in (str(ROOT), str(Path.home()) + "/", "site-packages", "/tmp/"):
        assert place not in text


def test_lines_of_code_fit_the_page(source):
    fenced = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
    for cell in source.cells:
        blocks = [cell.source] if cell.cell_type == "code" else fenced.findall(cell.source)
        for line in "\n".join(blocks).splitlines():
            assert len(line) <= 72, line


def test_lines_of_output_fit_the_page(notebook):
    for cell in code(notebook):
        for output in cell.outputs:
            for line in output.get("text", "").splitlines():
                assert len(line) <= 86, line


def test_the_install_cell_asks_pip_for_this_repository_and_only_if_needed(source, monkeypatch):
    calls = []
    monkeypatch.setattr(subprocess, "check_call", calls.append)
    cell = code(source)[0].source
    exec(cell, {})
    assert not calls  # it is here
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    exec(cell, {})
    ((*command, wanted),) = calls
    assert command[1:4] == ["-m", "pip", "install"]
    repository = yaml.safe_load((ROOT / "_config.yml").read_text())["repository"]["url"]
    assert wanted == f"colorlib @ git+{repository}"


def test_no_line_of_text_is_taken_for_a_comment(source):
    for cell in source.cells:
        if cell.cell_type == "markdown":  # MyST drops a line that begins with a per cent sign
            assert not re.search("^ *%", cell.source, re.MULTILINE), cell.source


def test_a_page_says_at_its_top_how_to_run_it(source, chapter):
    top = source.cells[0].source.replace("\n", " ")
    repository = yaml.safe_load((ROOT / "_config.yml").read_text())["repository"]["url"]
    assert f"pip install git+{repository}" in top
    name = repository.removeprefix("https://github.com/")
    colab = f"https://colab.research.google.com/github/{name}/blob/main/book"
    # The landing page sends learners to the first chapter that trains a network.
    page = "03-encoder-decoder" if chapter.name == "00-introduction" else chapter.name
    assert f"]({colab}/{page}.ipynb)" in top


def test_a_chapter_ends_with_what_to_remember_three_questions_and_exercises(source, chapter):
    if not re.match("0[1-9]-", chapter.name):
        pytest.skip("no chapter")
    text = "\n".join(cell.source for cell in source.cells if cell.cell_type == "markdown")
    assert re.findall("^## (.*)", text, re.MULTILINE)[-3:] == [
        "What to remember", "Three questions", "Exercises"
    ]
    questions = text.partition("## Three questions")[2].partition("## Exercises")[0]
    assert re.findall(r"^\*\*(\d)\.\*\*", questions, re.MULTILINE) == ["1", "2", "3"]
    assert questions.count(":::{dropdown} Answer") == 3


def test_on_colab_the_first_cell_installs_and_directives_are_readable(source):
    install = code(source)[0]
    assert "pip" in install.source and "remove-cell" in install.metadata["tags"]
    for cell in code(source):
        ast.parse(cell.source)  # no shell escapes or magics
    for cell in source.cells:
        assert "```{" not in cell.source
