"""Readers meet the field's words (book/notation.md), and none of our own for the same things."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = {
    r"held[- ]out|holds? out|watched photographs": "validation",
    r"yardsticks?": "trivial baselines",
    r"paint(s|ed|ing|ings|er)?": "predicted, colorized",
    r"kinder": "augmented",
    r"by heart": "memorised, overfitted",
    r"(it|network|encoder|position)s? sees? \d+": "receptive field, is given",
    r"luck": "chance",
    r"twins?": "untrained copy",
    r"loud|quiet": "large or small output scale",
    r"the looking": "attention",
    r"lift(s|ed)? (along|to)": "joint bilateral upsampling",
}
PAGES = [
    *(ROOT / "book").glob("*.py"), *(ROOT / "book").glob("*.md"), *ROOT.glob("*.md"),
    ROOT / "results" / "README.md", ROOT / "benchmarks" / "README.md",
    *(path for kind in ("py", "toml", "json") for package in ("colorlib", "replication")
      for path in (ROOT / package).rglob(f"*.{kind}")),
]
# They name what has been renamed.
EXCEPT = {
    ROOT / "CHANGELOG.md",
    ROOT / "colorlib" / "training" / "checkpoints.py",  # reads those of version 0.1
}


def text_of(path: Path) -> str:
    """Without quotations of the paper, on one line so that a break within a phrase is no matter."""
    lines = path.read_text().splitlines()
    quoted = re.compile(r"#? ?> |(says|quote|title) = ")
    return " ".join(line.strip("# ") for line in lines if not quoted.match(line))


@pytest.mark.parametrize("word", OURS)
def test_no_home_made_word_for_what_has_a_name(word):
    pattern = re.compile(rf"\b({word})\b", re.IGNORECASE)
    found = {
        f"{path.relative_to(ROOT)}: ...{text[max(0, hit.start() - 30) : hit.end() + 20]}..."
        for path in PAGES
        if path not in EXCEPT
        for text in [text_of(path)]
        for hit in pattern.finditer(text)
    }
    assert not found, f"write {OURS[word]}"


def test_the_words_to_write_are_defined():
    words = (ROOT / "book" / "notation.md").read_text()
    for word in ("validation", "trivial baseline", "receptive field", "data augmentation",
                 "total variation distance", "joint bilateral upsampling", "overfitted"):
        assert word in words, word
