"""The solutions of the exercises run, after the cells of their chapter.

Training sees each photograph once an epoch: what is asked here is whether the code runs.
"""

import dataclasses
import re
from pathlib import Path

import jupytext
import matplotlib
import pytest
from PIL import Image

from colorlib import training
from colorlib.base.errors import ColorlibError

BOOK = Path(__file__).parents[1] / "book"
SOLUTION = re.compile(r"^:::\{dropdown\} Solution\n(.*?)^:::$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def solutions(chapter: Path) -> list[str]:
    """The code of each solution that has some."""
    text = "\n".join(c.source for c in jupytext.read(chapter).cells if c.cell_type == "markdown")
    return ["\n".join(code) for found in SOLUTION.findall(text) if (code := CODE.findall(found))]


CHAPTERS = [path for path in sorted(BOOK.glob("*.py")) if solutions(path)]


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_solutions_run(chapter, monkeypatch, tmp_path):
    matplotlib.use("agg")
    fit = training.fit

    def once(model, photographs, validation, settings, *rest, **more):
        short = dataclasses.replace(settings, repeats=1)
        return fit(model, photographs, validation, short, *rest, **more)

    monkeypatch.setattr(training, "fit", once)
    for i in range(12):
        Image.new("RGB", (96, 96), (20 * i, 60, 90)).save(tmp_path / f"{i}.png")
    space: dict = {"__name__": "__main__"}
    for cell in jupytext.read(chapter).cells:
        if cell.cell_type == "code":
            exec(compile(cell.source, chapter.name, "exec"), space)
    for code in solutions(chapter):
        try:
            exec(compile(code.replace("/path/to/photos", str(tmp_path)), "solution", "exec"), space)
        except ColorlibError as error:  # the paper's classifier, where there is no network
            assert "cannot be fetched" in str(error)


def test_every_chapter_has_three_to_five_exercises_with_solutions():
    for chapter in sorted(BOOK.glob("[0-9]*.py"))[1:]:  # not the introduction
        text = chapter.read_text()
        asked = text[text.index("## Exercises") :]
        exercises = re.findall(r"^# \*\*(\d)\.\*\*", asked, re.MULTILINE)
        assert 3 <= len(exercises) <= 5, chapter.name
        assert text.count(":::{dropdown} Solution") == len(exercises), chapter.name
