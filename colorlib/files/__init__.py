"""Files: images of any format in; complete files out, and nothing overwritten."""

from colorlib.files.folders import Job, LeftOut, describe, plan, walk
from colorlib.files.metadata import about
from colorlib.files.paths import user_path
from colorlib.files.reading import alpha, eight_bits, read, square, squares, turned, upright
from colorlib.files.writing import save, write, write_table, write_text

__all__ = [
    "Job",
    "LeftOut",
    "about",
    "alpha",
    "describe",
    "eight_bits",
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
