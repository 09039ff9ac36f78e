"""colorlib: automatic colorization of grayscale photographs.

A replication, in the open, of "Automatic colorization of gray-scale images
using deep attention models" (V. Lakhani). What each module is for stands in the
README; imports run in the one direction that CONTRIBUTING names.
"""

from typing import TYPE_CHECKING, Any

from colorlib.base.errors import ColorlibError

if TYPE_CHECKING:
    from colorlib.tool.pipeline import colorize

__version__ = "0.2.0"
__all__ = ["ColorlibError", "colorize"]


def __getattr__(name: str) -> Any:
    """`colorize`, imported when it is asked for: torch, which it brings, takes its time."""
    if name == "colorize":
        from colorlib.tool.pipeline import colorize

        return colorize
    raise AttributeError(f"module 'colorlib' has no attribute {name!r}")
