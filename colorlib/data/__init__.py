"""Photographs: which there are, how they are divided, and a packed form that trains fast.

Paper, section 3.6. Each data set is divided, once and for all, into ``train``,
``val`` (validation: to choose when to stop) and ``test`` (to report).
"""

from colorlib import _moved
from colorlib.data.cache import atomic_folder, cache_dir, data_dir
from colorlib.data.catalogue import data_sets, names
from colorlib.data.downloads import download
from colorlib.data.folders import SPLITS, Photo, UnreadablePhotos
from colorlib.data.packed import Packed, decode, pack, unreadable
from colorlib.data.sources import everything, joined, left_out, photos

__all__ = [
    "SPLITS",
    "Packed",
    "Photo",
    "UnreadablePhotos",
    "atomic_folder",
    "cache_dir",
    "data_dir",
    "data_sets",
    "decode",
    "download",
    "everything",
    "joined",
    "left_out",
    "names",
    "pack",
    "photos",
    "unreadable",
]

_moved.watch(__name__)
