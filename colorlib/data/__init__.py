"""Photographs: which there are, how they are divided, and a packed form that trains fast.

Paper, section 3.6. Each data set is divided, once and for all, into ``train``,
``val`` (validation: to choose when to stop) and ``test`` (to report).
"""

from colorlib.data.arrays import Progress
from colorlib.data.cache import data_dir
from colorlib.data.catalogue import data_sets, names
from colorlib.data.downloads import download
from colorlib.data.folders import SPLITS, Photo, UnreadablePhotos
from colorlib.data.packed import NEAR_GRAY, Packed
from colorlib.data.packing import embed, pack
from colorlib.data.sources import division, everything, joined, left_out, photos

__all__ = [
    "NEAR_GRAY",
    "SPLITS",
    "Packed",
    "Photo",
    "Progress",
    "UnreadablePhotos",
    "data_dir",
    "data_sets",
    "division",
    "download",
    "embed",
    "everything",
    "joined",
    "left_out",
    "names",
    "pack",
    "photos",
]
