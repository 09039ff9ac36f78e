"""Files: images of any format in; complete files out, and nothing overwritten."""

from colorlib.files import formats
from colorlib.files.folders import Job, LeftOut, describe, jobs, plan, walk
from colorlib.files.metadata import about
from colorlib.files.paths import user_path
from colorlib.files.reading import alpha, eight_bits, read, square, squares, turned, upright
from colorlib.files.writing import save, write, write_table, write_text

SUFFIXES: frozenset[str]
"""What `formats.photograph_suffixes` returns, found when it is asked for."""

__all__ = [
    "SUFFIXES",
    "Job",
    "LeftOut",
    "about",
    "alpha",
    "describe",
    "eight_bits",
    "jobs",
    "plan",
    "read",
    "save",
    "square",
    "squares",
    "turned",
    "upright",
    "user_path",
    "walk",
    "write",
    "write_table",
    "write_text",
]


def __getattr__(name: str) -> frozenset[str]:
    if name == "SUFFIXES":  # loading all of Pillow's formats takes a while
        return formats.photograph_suffixes()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
