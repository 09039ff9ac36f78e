"""colorlib: automatic colorization of grayscale photographs.

A replication, in the open, of "Automatic colorization of gray-scale images
using deep attention models" (V. Lakhani). What each module is for stands in the
README; imports run in the one direction that CONTRIBUTING names.
"""

from typing import TYPE_CHECKING, Any

from colorlib import _moved
from colorlib.errors import ColorlibError

if TYPE_CHECKING:
    from colorlib.pipeline import colorize

__version__ = "0.2.0"
__all__ = ["ColorlibError", "colorize"]

_moved.install()


def __getattr__(name: str) -> Any:
    """`colorize`, imported when it is asked for: torch, which it brings, takes its time."""
    if name == "colorize":
        from colorlib.pipeline import colorize

        return colorize
    if name in _moved.MODULES:
        raise AttributeError(_moved.sentence(name))
    raise AttributeError(f"module 'colorlib' has no attribute {name!r}")
