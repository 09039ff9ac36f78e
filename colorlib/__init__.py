"""colorlib: automatic colorization of grayscale photographs.

A replication, in the open, of "Automatic colorization of gray-scale images
using deep attention models" (V. Lakhani). The modules in reading order:
``lab``, ``files``, ``data``, ``models``, ``priors``, ``metrics``, ``train``,
``experiments``, ``claims``, ``zoo``, ``colorize``; imports run only in that
direction.
"""

from colorlib.colorize import colorize
from colorlib.errors import ColorlibError

__version__ = "0.1.0"
__all__ = ["ColorlibError", "colorize"]
