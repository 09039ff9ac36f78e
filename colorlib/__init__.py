"""colorlib: automatic colorization of grayscale photographs.

A replication, in the open, of "Automatic colorization of gray-scale images
using deep attention models" (V. Lakhani). What each module is for stands in the
README; imports run in the one direction that CONTRIBUTING names.
"""

from colorlib.colorize import colorize
from colorlib.errors import ColorlibError

__version__ = "0.1.0"
__all__ = ["ColorlibError", "colorize"]
